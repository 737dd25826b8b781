//! The end of a project at the matcher: batches, link map and mailbox are destroyed, and a signed
//! receipt says so.

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::encode::Header;
use linkage_core::project::Project;
use linkage_core::project::receipt::{Destroyed, Receipt};
use linkage_core::project::state::State;
use linkage_core::upload::Part;
use ring::digest::{SHA256, digest};

use super::Matcher;
use super::{asks, spool, stored};
use crate::fault::Fault;
use crate::observe::operation;
use crate::shred::shred;

impl Matcher {
    /// Goes on with every close that was interrupted.
    ///
    /// # Errors
    /// The first that does not come to its end.
    pub async fn resume_closing(&self) -> Result<(), Fault> {
        for kept in self.store.projects()? {
            if matches!(kept.state, State::Closing(_)) {
                self.destroy(&Project::parse(&kept.manifest)?).await?;
            }
        }
        Ok(())
    }

    /// Destroys what a closing project left here, and writes the receipt. Repeating it, also after
    /// a crash, comes to the same receipt's content.
    pub(super) async fn destroy(&self, project: &Project) -> Result<(), Fault> {
        // A run in progress reads the batches; whoever opens one must see the state before.
        let _no_run = self.running.lock().await;
        let _no_file = self.files.write().await;
        let kept = self.store.project(&project.id)?;
        if !matches!(kept.map(|kept| kept.state), Some(State::Closing(_))) {
            return Ok(());
        }
        let destroyed = self
            .store
            .destroying(&project.id, || self.inventory(project))?;
        let intent = self
            .journal
            .act(Action::ProjectDestroyed, project.id.short())
            .project(&project.id)
            .count("kinds", destroyed.len() as u64)
            .intent()?;
        for upload in self.store.uploads_of_all_parts(&project.id)? {
            // A stream that still has the file open stores nothing more.
            let lane = self.lanes.of(&upload.id);
            operation::spawn_blocking(move || lane.clear()).await?;
            self.lanes.close(&upload.id);
            shred(&spool::path(&self.uploads_dir, &upload.id))?;
            let store = stored::path(&self.uploads_dir, &upload.id);
            shred(&store)?;
            shred(&store.with_extension("whole"))?;
        }
        for owner in &project.manifest.owners {
            shred(&asks::filter_path(
                &self.uploads_dir,
                &project.id,
                owner.party.as_str(),
            ))?;
        }
        self.store.erase(&project.id)?;
        let receipt = Receipt::new(project, self.party.clone(), Timestamp::now(), destroyed)
            .sign(project, &self.signing)?;
        let outcome = intent.digest("receipt", digest(&SHA256, &receipt.bytes).as_ref());
        self.store
            .destroyed(project, &self.party, &receipt, || outcome.ok())
    }

    /// What the project left here.
    fn inventory(&self, project: &Project) -> Result<Vec<Destroyed>, Fault> {
        let mut found = vec![];
        for upload in self.store.uploads_of_all_parts(&project.id)? {
            let what = match (upload.state.is_accepted(), upload.part) {
                (false, _) => "piece of an upload",
                (true, Part::Whole) => "batch",
                (true, Part::Keys) => "keys of a batch",
                (true, Part::Tokens) => "tokens of a batch",
            };
            found.push(Destroyed {
                what: what.to_owned(),
                of: Some(crate::wire::party(&upload.party)?),
                count: Header::from_bytes(&upload.header)?.rows,
                digest: Some(hex::encode(upload.digest)),
            });
        }
        for owner in &project.manifest.owners {
            let positions = self.store.positions(&project.id, owner.party.as_str())?;
            if let Some(positions) = positions {
                let bytes: Vec<u8> = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
                found.push(Destroyed {
                    what: "link map".to_owned(),
                    of: Some(owner.party.clone()),
                    count: positions.len() as u64,
                    digest: Some(hex::encode(digest(&SHA256, &bytes))),
                });
            }
        }
        let items = self.store.count_items(&project.id)?;
        if items > 0 {
            found.push(Destroyed {
                what: "items of the key agreement".to_owned(),
                of: None,
                count: items,
                digest: None,
            });
        }
        Ok(found)
    }
}
