//! The file of rejected rows: stays with the owner, readable by the owner alone.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Reject;

/// Writes rejected rows as `row,column,reason,line`. The file is made with the first reject.
pub struct RejectFile {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
    counts: BTreeMap<&'static str, u64>,
}

impl RejectFile {
    /// Rejects will go to `path`. A file left there by an earlier reading is removed, so that it
    /// cannot be taken for this one's.
    ///
    /// # Errors
    /// When an old file cannot be removed.
    pub fn new(path: &Path) -> std::io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self {
            path: path.into(),
            writer: None,
            counts: BTreeMap::new(),
        })
    }

    /// Adds one row.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, reject: &Reject) -> std::io::Result<()> {
        *self.counts.entry(reject.reason.code()).or_default() += 1;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&self.path)?;
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(["row", "column", "reason", "line"])?;
                self.writer.insert(writer)
            }
        };
        let (row, reason) = (reject.row.to_string(), reject.reason.to_string());
        let column = reject.column.as_deref().unwrap_or("");
        writer.write_record([
            row.as_bytes(),
            column.as_bytes(),
            reason.as_bytes(),
            &reject.line,
        ])?;
        Ok(())
    }

    /// Completes the file. The counts by reason, and the file's path if there is one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> std::io::Result<(BTreeMap<&'static str, u64>, Option<PathBuf>)> {
        let Some(mut writer) = self.writer.take() else {
            return Ok((self.counts, None));
        };
        writer.flush()?;
        Ok((self.counts, Some(self.path)))
    }
}
