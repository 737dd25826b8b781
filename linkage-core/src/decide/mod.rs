//! Candidate pairs to links, and links to clusters.

mod assign;
mod calibrate;
mod cluster;
pub mod fellegi_sunter;

pub use assign::one_to_one;
pub use calibrate::{Calibration, CurvePoint, Evidence, calibrate};
pub use cluster::{Apart, Clusters, Link, cluster};
