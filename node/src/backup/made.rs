//! Telling a node of the backups that were made of it, so that its audit log tells of them.
//!
//! Whoever makes a backup is another process than the node, which alone writes the log. So each
//! backup leaves a note in a folder of the node's data, and the node, when it sees it or starts,
//! logs it and removes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linkage_core::audit::action::Action;
use uuid::Uuid;

use super::{Error, Manifest, io_error, sync_folder};
use crate::fault::{Chain, Fault};
use crate::journal::Journal;
use crate::store;

/// Folder of the notes in the data folder.
pub(super) const FOLDER: &str = "backup.made";

/// How often the node looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// Leaves the note on a backup: the manifest's digest and the number of files.
pub(super) fn tell(data_dir: &Path, manifest: &Manifest, sha256: &[u8; 32]) -> Result<(), Error> {
    let folder = data_dir.join(FOLDER);
    store::private_folder(&folder)?;
    let path = folder.join(&manifest.id);
    let partial = path.with_extension("partial");
    let note = format!("{} {}\n", hex::encode(sha256), manifest.files.len());
    fs::write(&partial, note).map_err(io_error(&partial))?;
    fs::rename(&partial, &path).map_err(io_error(&path))?;
    sync_folder(&folder)
}

/// Logs backups as they are made, for as long as the node runs.
pub async fn watch(data_dir: PathBuf, journal: Journal) {
    let folder = data_dir.join(FOLDER);
    loop {
        let (looked_at, writing) = (folder.clone(), journal.clone());
        let logging = tokio::task::spawn_blocking(move || log_all(&looked_at, &writing));
        if let Ok(Err(fault)) = logging.await {
            let error = Chain(&fault).to_string();
            tracing::error!(reason = fault.reason(), error, "a backup is not logged");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Logs what the notes in a folder tell and removes them.
pub(super) fn log_all(folder: &Path, journal: &Journal) -> Result<(), Fault> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Ok(id) = Uuid::try_parse(&name) else {
            // Half written, or nobody's.
            continue;
        };
        match read(&path)? {
            // A node that was killed in between has logged it.
            Some(_)
                if journal
                    .find(Action::BackupCreate, &id.to_string())?
                    .is_some() => {}
            Some((sha256, files)) => journal
                .act(Action::BackupCreate, id.to_string())
                .digest("manifest", &sha256)
                .count("files", files)
                .ok()?,
            None => tracing::warn!(reason = "backup.note", "a note on a backup is none"),
        }
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<([u8; 32], u64)>, Fault> {
    let text = fs::read_to_string(path)?;
    let parsed = || {
        let (sha256, files) = text.trim_end().split_once(' ')?;
        let mut digest = [0; 32];
        hex::decode_to_slice(sha256, &mut digest).ok()?;
        Some((digest, files.parse().ok()?))
    };
    Ok(parsed())
}
