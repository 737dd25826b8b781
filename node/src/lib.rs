//! placeholder

pub mod auditlog;
