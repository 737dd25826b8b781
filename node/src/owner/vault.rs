//! The secrets of projects on disk: own contributions and agreed keys, one 0600 file each.

use std::path::PathBuf;

use linkage_core::ids::ProjectId;
use linkage_core::keys::{Contribution, ProjectKey};

use crate::fault::Fault;
use crate::keyfile;

/// The folder of project secrets.
pub(super) struct Vault {
    dir: PathBuf,
}

impl Vault {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The agreed key of a project, if there is one.
    pub(super) fn key(&self, project: &ProjectId) -> Result<Option<ProjectKey>, Fault> {
        let key = self.read(project, "key")?;
        Ok(key.map(|bytes| ProjectKey::from_bytes(*bytes)))
    }

    /// Keeps an agreed key.
    pub(super) fn set_key(&self, project: &ProjectId, key: &ProjectKey) -> Result<(), Fault> {
        self.write(project, "key", key.expose())
    }

    /// The own contribution to a project's key: the one kept, or a new one that is kept before it
    /// is used, so that a restart cannot make two.
    pub(super) fn contribution(&self, project: &ProjectId) -> Result<Contribution, Fault> {
        match (self.read(project, "share")?, self.read(project, "blind")?) {
            (Some(share), Some(blind)) => {
                let reveal = zeroize::Zeroizing::new([*share, *blind].concat());
                Ok(Contribution::from_reveal(&reveal)?)
            }
            (share, _) => {
                let contribution = Contribution::draw(&mut crate::entropy::generator()?);
                if share.is_some() {
                    // A crash between the two files: nothing was published yet.
                    std::fs::remove_file(self.path(project, "share"))?;
                }
                let reveal = contribution.reveal();
                let (share, blind) = reveal.split_at(keyfile::KEY_BYTES);
                self.write(project, "share", share)?;
                self.write(project, "blind", blind)?;
                Ok(contribution)
            }
        }
    }

    fn path(&self, project: &ProjectId, what: &str) -> PathBuf {
        self.dir.join(format!("{project}.{what}"))
    }

    fn read(
        &self,
        project: &ProjectId,
        what: &str,
    ) -> Result<Option<zeroize::Zeroizing<[u8; keyfile::KEY_BYTES]>>, Fault> {
        let path = self.path(project, what);
        if !path.exists() {
            return Ok(None);
        }
        keyfile::read(&path)
            .map(Some)
            .map_err(|error| Fault::internal("key.store", &error))
    }

    fn write(&self, project: &ProjectId, what: &str, key: &[u8]) -> Result<(), Fault> {
        let failed =
            |error: &(dyn std::error::Error + 'static)| Fault::internal("key.store", error);
        let mut bytes = zeroize::Zeroizing::new([0; keyfile::KEY_BYTES]);
        bytes.copy_from_slice(
            key.get(..keyfile::KEY_BYTES)
                .unwrap_or(&[0; keyfile::KEY_BYTES]),
        );
        crate::store::private_folder(&self.dir).map_err(|error| failed(&error))?;
        let comment = format!("{what} of project {}", project.short());
        keyfile::create(&self.path(project, what), &comment, &bytes).map_err(|e| failed(&e))
    }
}
