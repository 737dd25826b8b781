//! The owner's services: acts of its operators, answers to analysts, tables with another owner.
//!
//! An owner's node alone holds identifiers, the project key and attribute values. What leaves it:
//! encoded records to the matcher, encrypted or masked cells to the other owner of a table, and one
//! random share of a noised table to the analyst.

mod agreement;
pub(crate) mod answer;
mod close;
mod extracts;
mod manifest;
mod operations;
mod peers;
mod progress;
mod projects;
mod retry;
mod tables;
mod upload;
mod vault;

use std::path::PathBuf;
use std::sync::{Arc, RwLock, Weak};

use linkage_core::ids::ProjectId;
use linkage_core::keys::SealingKey;
use linkage_core::project::Project;
use ring::signature::Ed25519KeyPair;

use crate::authz::permit::Manifests;
use crate::fault::Fault;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::sealed::Credential;
use crate::settings::Settings;
use crate::store::owner::OwnerStore;
use crate::tls::credentials::Credentials;

use tables::Waiting;
use upload::Turns;
use vault::Vault;

/// An owner's state, shared by its services.
pub struct Owner {
    settings: Settings,
    store: OwnerStore,
    journal: Journal,
    vault: Vault,
    signing: Ed25519KeyPair,
    sealing: SealingKey,
    credentials: Arc<Credentials>,
    limits: Limits,
    waiting: Waiting,
    uploading: Turns,
    /// Held for writing while a project is closed, and for reading by who keeps a secret of a
    /// project after it has asked whether it may: no secret comes back after it was destroyed.
    secrets: RwLock<()>,
    /// Itself, for work that goes on after the call that began it has been answered.
    me: Weak<Self>,
}

/// What an owner is made from.
pub struct Parts {
    /// The configuration.
    pub settings: Settings,
    /// The opened database.
    pub store: OwnerStore,
    /// The audit log.
    pub journal: Journal,
    /// Encrypts the projects' secrets at rest.
    pub credential: Credential,
    /// Signs manifests and batches.
    pub signing: Ed25519KeyPair,
    /// Opens sealed contributions.
    pub sealing: SealingKey,
    /// TLS settings for calls to other nodes.
    pub credentials: Arc<Credentials>,
    /// Bounds.
    pub limits: Limits,
}

impl Owner {
    /// An owner from its parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            settings,
            store,
            journal,
            credential,
            signing,
            sealing,
            credentials,
            limits,
        } = parts;
        let vault = Vault::new(settings.data_dir.join("keys"), credential);
        Arc::new_cyclic(|me| Self {
            settings,
            store,
            journal,
            vault,
            signing,
            sealing,
            credentials,
            limits,
            waiting: Waiting::default(),
            uploading: Turns::default(),
            secrets: RwLock::new(()),
            me: Weak::clone(me),
        })
    }

    /// Whether the database answers.
    pub fn works(&self) -> bool {
        self.store.works()
    }

    /// A project that this owner has drafted or approved.
    fn project(&self, id: &ProjectId) -> Result<Project, Fault> {
        self.known_project(id)?.ok_or_else(Fault::no_project)
    }

    /// Where the encoded batch of a project waits until the matcher has accepted it.
    fn outbox(&self, project: &ProjectId) -> PathBuf {
        self.settings
            .data_dir
            .join("outbox")
            .join(format!("{project}.tokens"))
    }

    /// The keys of that batch alone, where they are sent first.
    fn keys_file(&self, project: &ProjectId) -> PathBuf {
        self.outbox(project).with_extension("keys")
    }

    /// The tokens of that batch that the matcher asked for.
    fn answer_file(&self, project: &ProjectId) -> PathBuf {
        self.outbox(project).with_extension("answer")
    }

    fn shared(&self) -> Result<Arc<Self>, Fault> {
        self.me.upgrade().ok_or_else(Fault::stopping)
    }
}

impl Manifests for Owner {
    fn known_project(&self, id: &ProjectId) -> Result<Option<Project>, Fault> {
        let kept = self.store.project(id)?;
        let project = kept.map(|kept| Project::parse(&kept.manifest));
        Ok(project.transpose()?)
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}
