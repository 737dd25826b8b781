//! The audit log: every act a leaf of a Merkle tree, whose roots are signed and cosigned.
//!
//! | type | what it is |
//! |---|---|
//! | [`action::Action`] | the closed list of acts |
//! | [`entry::Event`] | an act as its doer describes it: counts, digests and codes, no free text |
//! | [`entry::Entry`] | an event in its place: number, node, process. Its bytes are a leaf |
//! | [`tree`] | RFC 6962: roots, proofs of inclusion and of consistency |
//! | [`tiles`] | where the parts of a log lie, as in c2sp.org/tlog-tiles |
//! | [`note::Note`] | a text with signatures |
//! | [`checkpoint::Checkpoint`] | "this log has `size` entries and this root", in a note |
//! | [`witness`] | whether another node's checkpoint continues the one seen before |
//! | [`policy::Policy`] | which logs and witnesses to believe, and how many |
//! | [`receipt::Receipt`] | an entry with the proof that it is in a log, for whoever it concerns |
//! | [`verify::Reading`] | reads a log through and says what is wrong with it |
//! | [`export`] | entries as JSON lines, syslog and CEF |
//!
//! With a checkpoint whose signature holds, no entry it covers can be changed, dropped, inserted or
//! moved unseen. A log that is put back together with its checkpoint, or shown to two readers in
//! two forms, is seen by every witness that has cosigned a later or another state.

pub mod action;
pub mod checkpoint;
pub mod entry;
pub mod export;
pub mod note;
pub mod policy;
pub mod receipt;
pub mod tiles;
pub mod tree;
pub mod verify;
pub mod witness;

#[cfg(test)]
mod tests;
