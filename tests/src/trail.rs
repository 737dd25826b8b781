//! Entries of audit logs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use linkage_core::audit::action::Action;
use linkage_core::audit::entry::{Entry, Outcome};

/// How long an entry may take to appear after the act was answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every entry of the log of the node whose data lie in `data_dir`.
///
/// # Errors
/// When a line is no entry.
pub fn entries(data_dir: &Path) -> Result<Vec<Entry>> {
    let log = std::fs::read(data_dir.join("audit").join("audit.log"))?;
    let lines = log
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    Ok(lines.map(Entry::from_line).collect::<Result<_, _>>()?)
}

/// How often a matcher's log says that it accepted this upload.
///
/// # Errors
/// When a line is no entry.
pub fn accepted(data_dir: &Path, upload: &[u8; 16]) -> Result<usize> {
    let id = hex::encode(upload);
    let of_upload = |entry: &&Entry| {
        let event = &entry.event;
        event.action == Action::UploadAccept && event.object == id && event.result == Outcome::Ok
    };
    Ok(entries(data_dir)?.iter().filter(of_upload).count())
}

/// Waits for an entry after the first `from` with this action and reason.
///
/// # Errors
/// When none comes.
pub fn expect(data_dir: &Path, from: usize, action: Action, reason: &str) -> Result<Entry> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let entries = entries(data_dir)?;
        let found = entries.iter().skip(from).find(|entry| {
            entry.event.action == action && entry.event.reason.as_deref() == Some(reason)
        });
        if let Some(found) = found {
            return Ok(found.clone());
        }
        if Instant::now() > deadline {
            let seen: Vec<_> = entries
                .iter()
                .skip(from)
                .map(|entry| &entry.event)
                .collect();
            bail!(
                "no {action} for {reason} in {}: {seen:?}",
                data_dir.display()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
