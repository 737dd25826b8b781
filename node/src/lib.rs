//! The linkage node and the `linkage` command line.

pub mod report;
