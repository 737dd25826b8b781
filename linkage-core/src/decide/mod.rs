//! Candidate pairs to links, and links to clusters.

mod agglomerate;
mod assign;
mod bulk;
mod calibrate;
mod cluster;
mod clusters;
mod components;
mod estimate;
pub mod fellegi_sunter;
mod interval;
mod optimal;
mod order;
mod records;
mod scores;

pub use agglomerate::Agglomeration;
pub use assign::{many_to_one, one_to_one};
pub use calibrate::{Calibration, CurvePoint, Evidence, Strangers, calibrate};
pub use cluster::{Apart, Link, Linker, cluster};
pub use clusters::Clusters;
pub use components::Components;
pub use interval::Interval;
pub use optimal::{Optimal, optimal};
pub use scores::Scores;
