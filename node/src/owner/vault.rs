//! The secrets of projects on disk: own contributions and agreed keys, each in a file of its own,
//! encrypted under the node's credential.

use std::path::PathBuf;

use linkage_core::ids::ProjectId;
use linkage_core::keys::{Contribution, ProjectKey};
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::keyfile;
use crate::sealed::{self, Credential};
use crate::shred::shred;

/// The folder of project secrets.
pub(super) struct Vault {
    dir: PathBuf,
    credential: Credential,
}

/// What a file of the folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    Key,
    Contribution,
}

impl Secret {
    fn extension(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Contribution => "contribution",
        }
    }
}

impl Vault {
    pub(super) fn new(dir: PathBuf, credential: Credential) -> Self {
        Self { dir, credential }
    }

    /// The agreed key of a project, if there is one.
    pub(super) fn key(&self, project: &ProjectId) -> Result<Option<ProjectKey>, Fault> {
        let path = self.path(project, Secret::Key);
        if !path.exists() {
            return Ok(None);
        }
        let label = sealed::label_of(&path);
        let key = sealed::read_key(&path, &label, &self.credential);
        key.map(|key| Some(ProjectKey::from_bytes(*key)))
            .map_err(failed)
    }

    /// Keeps an agreed key.
    pub(super) fn set_key(&self, project: &ProjectId, key: &ProjectKey) -> Result<(), Fault> {
        self.create(project, Secret::Key, key.expose())
    }

    /// The own contribution to a project's key: the one kept, or a new one that is kept before it
    /// is used, so that a restart cannot make two.
    pub(super) fn contribution(&self, project: &ProjectId) -> Result<Contribution, Fault> {
        let path = self.path(project, Secret::Contribution);
        if path.exists() {
            let label = sealed::label_of(&path);
            let reveal: Zeroizing<Vec<u8>> =
                sealed::read(&path, &label, &self.credential).map_err(failed)?;
            return Ok(Contribution::from_reveal(&reveal)?);
        }
        let contribution = Contribution::draw(&mut crate::entropy::generator()?);
        self.create(
            project,
            Secret::Contribution,
            contribution.reveal().as_slice(),
        )?;
        Ok(contribution)
    }

    /// Whether there is an own contribution.
    pub(super) fn has_contribution(&self, project: &ProjectId) -> bool {
        self.path(project, Secret::Contribution).exists()
    }

    /// Destroys all secrets of a project.
    pub(super) fn destroy(&self, project: &ProjectId) -> Result<(), Fault> {
        for secret in [Secret::Key, Secret::Contribution] {
            let path = self.path(project, secret);
            shred(&path)?;
            // Left by a crash while it was written.
            shred(&keyfile::staged(&path))?;
        }
        Ok(())
    }

    fn path(&self, project: &ProjectId, secret: Secret) -> PathBuf {
        self.dir.join(format!("{project}.{}", secret.extension()))
    }

    fn create(&self, project: &ProjectId, secret: Secret, bytes: &[u8]) -> Result<(), Fault> {
        crate::store::private_folder(&self.dir)
            .map_err(|error| Fault::internal("key.store", &error))?;
        let path = self.path(project, secret);
        sealed::create(&path, &sealed::label_of(&path), bytes, &self.credential).map_err(failed)
    }
}

fn failed(error: sealed::Error) -> Fault {
    Fault::internal(error.reason(), &error)
}
