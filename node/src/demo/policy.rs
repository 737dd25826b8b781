//! The audit policy of nodes whose secrets are at hand.

use std::fmt::Write as _;

use linkage_core::audit::checkpoint::NodeKeys;
use linkage_core::audit::note::NoteError;
use linkage_core::ids::PartyId;

use super::cluster::TRUST_DOMAIN;
use crate::settings::NodeRole;

/// A policy that is being written: every node's log and witness.
#[derive(Default)]
pub(super) struct PolicyText {
    lines: String,
    names: Vec<String>,
}

impl PolicyText {
    /// Adds the node with this secret.
    pub fn add(&mut self, secret: &[u8], role: NodeRole, party: &PartyId) -> Result<(), NoteError> {
        let role = role.role().as_str();
        let keys = NodeKeys::derive(secret, TRUST_DOMAIN, role, party.as_str())?;
        let (log, witness) = (keys.log.verifying(), keys.witness.verifying());
        // Writing to a string cannot fail.
        let _ = writeln!(self.lines, "log {log}\nwitness {party} {witness}");
        self.names.push(party.to_string());
        Ok(())
    }

    /// The policy. Each node has all others as witnesses; as two must cosign, a log that shows two
    /// forms needs one of them that helps.
    pub fn text(&self) -> String {
        let least = self.names.len().saturating_sub(1).clamp(1, 2);
        let names = self.names.join(" ");
        format!("{}group nodes {least} {names}\nquorum nodes\n", self.lines)
    }
}
