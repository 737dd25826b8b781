//! The matcher's services: projects, mailbox, uploads, runs.
//!
//! The matcher holds tokens and the link map, never a key or an identifier. Each call is let in by
//! role and, where it is about a project, by membership ([`crate::authz`]): only the owners that a
//! manifest names see its project, and nothing tells them an absent one from a foreign one.

mod asks;
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
use linkage_core::project::{Project, Purpose};
use linkage_proto::v1;

use crate::authz::permit::Manifests;
use crate::fault::Fault;
use crate::journal::Journal;
use crate::limits::UploadLimits;
use crate::store::matcher::MatcherStore;

/// A matcher's state, shared by its services.
pub struct Matcher {
    store: MatcherStore,
    uploads_dir: PathBuf,
    journal: Journal,
    party: PartyId,
    limits: UploadLimits,
    lanes: Lanes,
    /// Itself, for work that goes on after the call that began it has been answered.
    me: Weak<Self>,
    /// Held while a run is made: one at a time, each takes all cores.
    running: tokio::sync::Mutex<()>,
}

impl Matcher {
    /// A matcher over an opened store; batches lie under `uploads_dir`.
    pub fn new(
        store: MatcherStore,
        uploads_dir: PathBuf,
        journal: Journal,
        party: PartyId,
        limits: UploadLimits,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            store,
            uploads_dir,
            journal,
            party,
            limits,
            lanes: Lanes::default(),
            me: Weak::clone(me),
            running: tokio::sync::Mutex::new(()),
        })
    }

    fn shared(&self) -> Result<Arc<Self>, Fault> {
        self.me.upgrade().ok_or_else(|| {
            Fault::new(
                tonic::Code::Unavailable,
                "node.stopping",
                "this node is shutting down",
            )
        })
    }

    /// Refuses unless every owner has signed the manifest.
    fn require_agreed(&self, project: &Project) -> Result<(), Fault> {
        let signatures = self.store.signatures(&project.id)?.len();
        let owners = project.manifest.owners.len();
        if signatures < owners {
            return Err(Fault::state(
                "project.unsigned",
                format!("{signatures} of {owners} owners have signed the manifest; all must"),
            ));
        }
        Ok(())
    }

    /// Refuses unless every owner has shown that it holds the project key.
    fn require_keyed(&self, project: &Project) -> Result<(), Fault> {
        self.require_agreed(project)?;
        let checks = self
            .store
            .items(&project.id, v1::ItemKind::KeyCheck.into(), "")?
            .len();
        let owners = project.manifest.owners.len();
        if checks < owners {
            return Err(Fault::state(
                "project.no_key",
                format!("{checks} of {owners} owners hold the project key; all must"),
            ));
        }
        Ok(())
    }

    fn reply(&self, id: &ProjectId, manifest: Vec<u8>) -> Result<v1::ProjectReply, Fault> {
        let signatures = self
            .store
            .signatures(id)?
            .into_iter()
            .map(|(party, signature)| v1::PartySignature {
                party,
                signature: signature.into(),
            })
            .collect();
        Ok(v1::ProjectReply {
            manifest: manifest.into(),
            signatures,
        })
    }

    fn verify_manifest_signature(
        project: &Project,
        party: &PartyId,
        signature: &[u8],
    ) -> Result<(), Fault> {
        Ok(project.verify(party, Purpose::Manifest, b"", signature)?)
    }
}

impl Manifests for Matcher {
    fn known_project(&self, id: &ProjectId) -> Result<Option<Project>, Fault> {
        let manifest = self.store.manifest(id)?;
        let project = manifest.map(|manifest| Project::parse(&manifest));
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
