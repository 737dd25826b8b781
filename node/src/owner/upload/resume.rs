//! What an owner keeps of an upload until it is accepted: the operation key under which it began,
//! and how far it came. Without it, a restart would begin another upload beside the first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resume {
    /// The operation key.
    #[serde(with = "text")]
    pub operation: Uuid,
    /// The batch's digest, 64 hexadecimal digits: of another batch this file says nothing.
    pub digest: String,
    /// Root over the batch's chunks, 64 hexadecimal digits.
    pub root: String,
    /// Bytes of a full chunk.
    pub chunk_bytes: u32,
    /// Chunks that the matcher has acknowledged.
    pub acknowledged: u32,
    /// The matcher's name for the upload, 32 hexadecimal digits, once it has given one.
    pub upload: Option<String>,
}

/// A UUID in its usual form.
mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(uuid: &Uuid, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(uuid)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(input)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The file in which a [`Resume`] is kept.
pub(super) struct ResumeFile(PathBuf);

impl ResumeFile {
    /// The file beside what is sent, `sent`: each has its own, since the answer to the matcher may
    /// be under way before it is noted that the keys have come.
    pub(super) fn beside(sent: &Path) -> Self {
        let mut path = sent.as_os_str().to_owned();
        path.push(".resume");
        Self(path.into())
    }

    /// What it says of the batch with this digest.
    pub(super) fn read(&self, digest: &str) -> io::Result<Option<Resume>> {
        Ok(self.any()?.filter(|resume| resume.digest == digest))
    }

    /// What it says, of whatever batch.
    pub(super) fn any(&self) -> io::Result<Option<Resume>> {
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    /// Replaces it as a whole, durably: after a crash it is the old one or the new one.
    pub(super) fn write(&self, resume: &Resume) -> io::Result<()> {
        let partial = self.partial();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&serde_json::to_vec(resume)?)?;
        file.sync_all()?;
        fs::rename(&partial, &self.0)?;
        File::open(self.0.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Removes it, if it is there, and what a crash has left of one.
    pub(super) fn remove(&self) -> io::Result<()> {
        for path in [&self.0, &self.partial()] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn partial(&self) -> PathBuf {
        self.0.with_extension("resume.partial")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_for_its_batch_only_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = ResumeFile::beside(&dir.path().join("p.tokens"));
        assert_eq!(file.read("d1").unwrap(), None);
        let resume = Resume {
            operation: Uuid::now_v7(),
            digest: "d1".to_owned(),
            root: "r".to_owned(),
            chunk_bytes: 4096,
            acknowledged: 7,
            upload: Some("ab".repeat(16)),
        };
        file.write(&resume).unwrap();
        assert_eq!(file.read("d1").unwrap(), Some(resume));
        assert_eq!(file.read("d2").unwrap(), None);
        // As a crash leaves it.
        fs::write(file.partial(), b"{").unwrap();
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(file.read("d1").unwrap(), None);
        fs::write(dir.path().join("p.tokens.resume"), b"{}").unwrap();
        assert!(file.read("d1").is_err());
    }
}
