//! The linkage node: a thin shell of files, sockets and processes around [`linkage_core`].

pub mod accept;
pub mod auditlog;
pub mod authz;
pub mod connect;
pub mod dataset;
pub mod identity;
pub mod ingest;
pub mod limits;
pub mod pki;
pub mod refusal;
pub mod report;
pub mod service;
pub mod tls;
