//! The node's transport over real TCP and real TLS: who gets in, who does not and what both sides
//! are told, and that a server stays answerable and can be stopped.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test a step that fails is the finding"
)]

mod abuse;
mod authorisation;
mod certificates;
mod limits;
mod matrix;
mod reload;
mod revocation;
mod shutdown;
mod toy;
