//! The linkage node: a thin shell of files, sockets and processes around [`linkage_core`].

pub mod auditlog;
pub mod dataset;
pub mod ingest;
pub mod postgres;
pub mod report;
pub mod secret;

// Transport and identity.
pub mod accept;
pub mod authz;
pub mod connect;
mod connections;
mod goaway;
mod handshakes;
pub mod identity;
pub mod limits;
pub mod net;
pub mod pki;
pub mod procedures;
pub mod refusal;
pub mod service;
pub mod tls;

// Services.
pub mod backup;
pub mod client;
pub mod contacts;
pub mod demo;
pub mod doctor;
pub mod entropy;
pub mod fault;
pub mod journal;
pub mod keyfile;
pub mod matcher;
pub mod observe;
pub mod owner;
pub mod reload;
pub mod sealed;
pub mod serve;
pub mod settings;
pub mod shred;
pub mod store;
pub mod wire;
pub mod witness;
