//! The audit log: one line per act, each bound to the one before, the newest signed.
//!
//! | type | what it is |
//! |---|---|
//! | [`action::Action`] | the closed list of acts |
//! | [`entry::Event`] | an act as its doer describes it: counts, digests and codes, no free text |
//! | [`entry::Entry`] | an event in its place: number, node, hash of the entry before |
//! | [`chain::Chain`] | the end of a log; takes an event, gives the next line and the next end |
//! | [`checkpoint::Checkpoint`] | "this log has `size` entries and ends in `head`", signed |
//! | [`verify::verify`] | reads a log through and says what is wrong with it |
//!
//! A line is the exact JSON bytes of an entry and a newline. With a checkpoint whose signature
//! holds, no entry it covers can be changed, dropped, inserted or moved unseen. A log and its
//! checkpoint that are both put back to an earlier state are consistent: only a checkpoint kept
//! elsewhere (a peer, a receipt) shows that.

pub mod action;
pub mod chain;
pub mod checkpoint;
pub mod entry;
pub mod tree;
pub mod verify;

#[cfg(test)]
mod tests;
