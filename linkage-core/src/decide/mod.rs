//! Candidate pairs to links, and links to clusters.

mod assign;
mod calibrate;
mod cluster;
mod components;
mod optimal;
mod order;

pub use assign::{many_to_one, one_to_one};
pub use calibrate::{Calibration, CurvePoint, Evidence, calibrate};
pub use cluster::{Apart, Clusters, Link, cluster};
pub use components::Components;
pub use optimal::{Optimal, optimal};
