//! Candidate pairs to links, and links to clusters.

mod agglomerate;
mod assign;
mod calibrate;
mod cluster;
mod clusters;
mod components;
mod optimal;
mod order;
mod records;

pub use agglomerate::Agglomeration;
pub use assign::{many_to_one, one_to_one};
pub use calibrate::{Calibration, CurvePoint, Evidence, calibrate};
pub use cluster::{Apart, Link, Linker, cluster};
pub use clusters::Clusters;
pub use components::Components;
pub use optimal::{Optimal, optimal};
