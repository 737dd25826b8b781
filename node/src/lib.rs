//! The linkage node: the thin shell around [`linkage_core`] that speaks, stores and answers.

pub mod accept;
pub mod authz;
pub mod connect;
mod connections;
mod goaway;
mod handshakes;
pub mod identity;
pub mod limits;
pub mod pki;
pub mod refusal;
pub mod service;
pub mod tls;
