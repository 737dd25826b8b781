//! The end of a project at an owner: keys, contributions, the batch, records, attributes and
//! positions are destroyed, and a signed receipt says so.

use std::path::Path;

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_core::project::receipt::{Destroyed, Receipt};
use linkage_core::project::state::State;
use ring::digest::{SHA256, digest};

use super::Owner;
use crate::fault::Fault;
use crate::shred::shred;

impl Owner {
    /// Destroys what a closing project left here, and writes the receipt. Repeating it, also after
    /// a crash, comes to the same receipt's content.
    pub(super) fn destroy(&self, project: &Project) -> Result<(), Fault> {
        // Whoever writes a secret has asked the state before, under this lock.
        let _no_secret = self.secrets.write();
        let id = &project.id;
        if !matches!(self.state(id)?, State::Closing(_)) {
            return Ok(());
        }
        let destroyed = self.store.destroying(id, || self.inventory(id))?;
        let intent = self
            .journal
            .act(Action::ProjectDestroyed, id.short())
            .project(id)
            .count("kinds", destroyed.len() as u64)
            .intent()?;
        self.vault.destroy(id)?;
        for sent in [self.outbox(id), self.keys_file(id), self.answer_file(id)] {
            shred(&sent)?;
            shred(&sent.with_extension("partial"))?;
            self.forget(&sent)?;
        }
        self.store.erase(id)?;
        let party = self.settings.party.clone();
        let receipt = Receipt::new(project, party.clone(), Timestamp::now(), destroyed)
            .sign(project, &self.signing)?;
        let outcome = intent.digest("receipt", digest(&SHA256, &receipt.bytes).as_ref());
        self.store
            .destroyed(project, &party, &receipt, || outcome.ok())
    }

    /// What the project left here. Nothing that is said of it can be guessed from: of identifiers
    /// and attributes their number only.
    fn inventory(&self, id: &ProjectId) -> Result<Vec<Destroyed>, Fault> {
        let mut found = vec![];
        let mut add = |what: &str, count: u64, digest: Option<String>| {
            if count > 0 {
                found.push(Destroyed {
                    what: what.to_owned(),
                    of: None,
                    count,
                    digest,
                });
            }
        };
        let key = self.vault.key(id)?;
        let name = key.as_ref().map(|key| key.id().to_string());
        add("project key", key.is_some().into(), name);
        add(
            "key contribution",
            self.vault.has_contribution(id).into(),
            None,
        );
        let batch = batch_digest(&self.outbox(id))?;
        add("batch", batch.is_some().into(), batch);
        add(
            "record identifiers",
            self.store.record_ids(id)?.len() as u64,
            None,
        );
        add(
            "attributes",
            self.store.attribute_names(id)?.len() as u64,
            None,
        );
        if let Some(positions) = self.store.positions(id)? {
            let positions = positions.positions;
            let bytes: Vec<u8> = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
            let digest = hex::encode(digest(&SHA256, &bytes));
            add("positions", positions.len() as u64, Some(digest));
        }
        Ok(found)
    }
}

/// The digest at the end of a batch's file, if there is one.
fn batch_digest(path: &Path) -> Result<Option<String>, Fault> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut digest = [0; linkage_core::encode::batch::DIGEST_BYTES];
    file.seek(SeekFrom::End(-(digest.len() as i64)))?;
    file.read_exact(&mut digest)?;
    Ok(Some(hex::encode(digest)))
}
