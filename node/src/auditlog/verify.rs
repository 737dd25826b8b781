//! Verifying logs on disk: no network, no private key, any user who can read the files.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use linkage_core::audit::checkpoint::{CheckpointError, VerifyingKey};
use linkage_core::audit::verify::{Fault, Summary, verify};

use super::recover::open_note;
use super::{CHECKPOINT_FILE, KEY_FILE, LOG_FILE};

/// Looks at a log before a fault that a node may cause while it writes counts as one.
const LOOKS_MAX: u32 = 5;

/// Pause between two looks: an append takes three flushes, some milliseconds each.
const PAUSE: Duration = Duration::from_millis(50);

/// The outcome for one folder.
#[derive(Debug)]
pub struct DirReport {
    /// The folder.
    pub dir: PathBuf,
    /// What its log holds, or what is wrong with it.
    pub result: Result<Summary, Fault>,
}

/// Verifies the log in every folder of `dirs`, each with `key` or, without one, with the key in the
/// folder. A key that lies beside the log protects against damage and against changes by whoever
/// lacks the private key; an auditor who mistrusts the node itself brings the key along.
pub fn verify_dirs(dirs: &[PathBuf], key: Option<&VerifyingKey>) -> Vec<DirReport> {
    dirs.iter()
        .map(|dir| DirReport {
            dir: dir.clone(),
            result: verify_dir(dir, key),
        })
        .collect()
}

/// The exit code of a verification: 0, or that of the first folder with a fault.
pub fn exit_code(reports: &[DirReport]) -> u8 {
    reports
        .iter()
        .find_map(|report| report.result.as_ref().err())
        .map_or(0, Fault::exit_code)
}

/// Verifies the log in `dir` from its first entry to its last, and that the newest is signed by
/// `key` or, without one, by the key in the folder. The log may be in use.
///
/// # Errors
/// The first [`Fault`].
pub fn verify_dir(dir: &Path, key: Option<&VerifyingKey>) -> Result<Summary, Fault> {
    let key = match key {
        Some(key) => key.clone(),
        None => read_key(dir)?,
    };
    for _ in 1..LOOKS_MAX {
        match look(dir, &key) {
            Err(Fault::Torn { .. } | Fault::Unsigned { .. }) => thread::sleep(PAUSE),
            result => return result,
        }
    }
    look(dir, &key)
}

/// One pass over the log as it is now.
fn look(dir: &Path, key: &VerifyingKey) -> Result<Summary, Fault> {
    let checkpoint = match fs::read(dir.join(CHECKPOINT_FILE)) {
        Ok(note) => Some(open_note(&note, key)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let log = match (File::open(dir.join(LOG_FILE)), &checkpoint) {
        (Ok(log), _) => log,
        (Err(error), Some(checkpoint)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Fault::Truncated {
                signed: checkpoint.size,
                found: 0,
            });
        }
        (Err(error), _) => return Err(error.into()),
    };
    // Taken right after the checkpoint, so that what a node appends meanwhile is left out.
    let length = log.metadata()?.len();
    let summary = verify(
        BufReader::with_capacity(1 << 16, log.take(length)),
        checkpoint.as_ref(),
    )?;
    // A crash leaves one entry between its write and its checkpoint, not more.
    let unsigned = summary.entries - summary.signed;
    if unsigned > 1 || (unsigned == 1 && checkpoint.is_none()) {
        return Err(Fault::Unsigned { entries: unsigned });
    }
    Ok(summary)
}

fn read_key(dir: &Path) -> Result<VerifyingKey, Fault> {
    let text = fs::read(dir.join(KEY_FILE))?;
    let text = std::str::from_utf8(&text).map_err(|_| CheckpointError::Key)?;
    Ok(text.trim_end_matches('\n').parse()?)
}
