//! The linkage node: a thin shell of files, sockets and processes around [`linkage_core`].

pub mod auditlog;
pub mod dataset;
pub mod ingest;
pub mod report;
