//! The matcher's services: projects, mailbox, uploads, runs.
//!
//! The matcher holds tokens and the link map, never a key or an identifier. Each call is let in by
//! role and, where it is about a project, by membership ([`crate::authz`]): only the owners that a
//! manifest names see its project, and nothing tells them an absent one from a foreign one.

mod asks;
mod close;
mod lanes;
mod mailbox;
mod projects;
mod receive;
mod runs;
mod spool;
mod stored;
mod uploads;

pub(crate) use mailbox::signed_item;
pub use stored::link_stored;

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use lanes::Lanes;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::Project;
use linkage_core::project::state::Event;
use linkage_proto::v1;
use ring::signature::Ed25519KeyPair;

use crate::authz::permit::Manifests;
use crate::fault::Fault;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::store::matcher::MatcherStore;
use crate::wire;

/// A matcher's state, shared by its services.
pub struct Matcher {
    store: MatcherStore,
    uploads_dir: PathBuf,
    journal: Journal,
    party: PartyId,
    limits: Limits,
    lanes: Lanes,
    signing: Ed25519KeyPair,
    /// Itself, for work that goes on after the call that began it has been answered.
    me: Weak<Self>,
    /// Held while a run is made: one at a time, each takes all cores.
    running: tokio::sync::Mutex<()>,
    /// Held for writing while a project is closed, and for reading by who opens a batch's file
    /// after it has asked whether it may: no file comes back after it was destroyed.
    files: tokio::sync::RwLock<()>,
}

impl Matcher {
    /// A matcher over an opened store; batches lie under `uploads_dir`. `signing` signs its
    /// receipts.
    pub fn new(
        store: MatcherStore,
        uploads_dir: PathBuf,
        journal: Journal,
        party: PartyId,
        limits: Limits,
        signing: Ed25519KeyPair,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            store,
            uploads_dir,
            journal,
            party,
            limits,
            lanes: Lanes::default(),
            signing,
            me: Weak::clone(me),
            running: tokio::sync::Mutex::new(()),
            files: tokio::sync::RwLock::new(()),
        })
    }

    /// Whether the database answers.
    pub fn works(&self) -> bool {
        self.store.works()
    }

    fn shared(&self) -> Result<Arc<Self>, Fault> {
        self.me.upgrade().ok_or_else(Fault::stopping)
    }

    /// Refuses unless the event could happen in the project now.
    fn permit(&self, project: &Project, event: Event) -> Result<(), Fault> {
        self.store.permit(project, event).map(drop)
    }

    fn reply(&self, id: &ProjectId) -> Result<v1::ProjectReply, Fault> {
        let kept = self.store.project(id)?.ok_or_else(Fault::no_project)?;
        let signatures = self.store.signatures(id)?;
        let notices = self.store.notices(id)?;
        let receipts = self.store.receipts(id)?;
        Ok(v1::ProjectReply {
            manifest: kept.manifest.into(),
            signatures: signatures.into_iter().map(wire::party_signature).collect(),
            state: kept.state.name().to_owned(),
            notices: notices.into_iter().map(wire::notice_message).collect(),
            receipts: receipts.into_iter().map(wire::receipt_message).collect(),
        })
    }
}

impl Manifests for Matcher {
    fn known_project(&self, id: &ProjectId) -> Result<Option<Project>, Fault> {
        let kept = self.store.project(id)?;
        let project = kept.map(|kept| Project::parse(&kept.manifest));
        Ok(project.transpose()?)
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// Makes a file that only this user can read, or empties the one that is there.
fn private_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}
