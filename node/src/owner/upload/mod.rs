//! Encoding a data set and uploading it, resumable from the outbox.

mod inspect;
pub(super) mod parts;
mod receipt;
mod resume;
mod send;

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use linkage_core::ask::{DUMMIES_SHARE, WholeBatch};
use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_core::project::state::{Event, Refused};
use serde_json::json;

use super::Owner;
use super::progress::Reporter;
use super::retry::Retry;
use crate::dataset::{self, Job, Progress};
use crate::fault::{Chain, Fault};
use crate::observe::operation;
use crate::store::owner::Uploaded;

/// What an owner's operator reads where keys are sent first.
pub(super) const TOKENS_WHEN_ASKED: &str =
    "keys are sent first, and tokens of those records that the matcher asks for";

impl Owner {
    /// Encodes the data set, unless a batch waits in the outbox, and uploads it.
    pub(super) async fn upload(
        self: Arc<Self>,
        id: ProjectId,
        dataset: String,
        report: Reporter,
    ) -> Result<serde_json::Value, Fault> {
        let turn = self.uploading.of(id);
        let _one_at_a_time = turn.lock().await;
        let sealed = self.store.upload_sealed(&id)?;
        if sealed == Some(true) {
            return self.uploaded(&id);
        }
        let mut retry = Retry::new(&self.limits.uploads)?;
        let project = loop {
            match self.caught_up(&id).await {
                Ok((project, _)) => break project,
                Err(fault) => retry.pause(fault).await?,
            }
        };
        self.store.permit(&project, Event::Contribute)?;
        let key = self.vault.key(&id)?.ok_or(Refused::NoKey)?.id();
        self.journal.require_quorum()?;
        self.store
            .advance(&project, Event::Upload { key }, || Ok(()))?;
        if sealed.is_none() || !self.outbox(&id).exists() {
            let owner = Arc::clone(&self);
            let (project, report) = (project.clone(), report.clone());
            operation::spawn_blocking(move || owner.encode(&project, &dataset, &report)).await??;
        }
        let path = if WholeBatch::of(&project.schema).is_some() {
            self.outbox(&id)
        } else {
            let (whole, keys) = (self.outbox(&id), self.keys_file(&id));
            let path = keys.clone();
            operation::spawn_blocking(move || parts::write_keys(&whole, &keys)).await??;
            path
        };
        self.send(&project, &path, &report).await?;
        self.store.seal_upload(&id)?;
        self.forget(&path)?;
        self.uploaded(&id)
    }

    fn uploaded(&self, id: &ProjectId) -> Result<serde_json::Value, Fault> {
        let (dataset, summary) = self
            .store
            .upload_summary(id)?
            .ok_or_else(Fault::no_project)?;
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap_or_default();
        let schema = self.project(id)?.schema;
        let (path, tokens) = match WholeBatch::of(&schema) {
            Some(why) => (self.outbox(id), why.words()),
            None => (self.keys_file(id), TOKENS_WHEN_ASKED),
        };
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        Ok(json!({
            "dataset": dataset,
            "summary": summary,
            "bytes": bytes,
            "tokens": tokens,
            "receipts": self.receipts_of(id)?,
        }))
    }

    /// Encodes the data set into the outbox, in a secret random order: the source's order may tell
    /// who is who.
    fn encode(&self, project: &Project, name: &str, report: &Reporter) -> Result<(), Fault> {
        let key = self.vault.key(&project.id)?.ok_or(Refused::NoKey)?;
        let source = self.settings.dataset(name).ok_or_else(|| {
            let known: Vec<_> = self
                .settings
                .datasets
                .iter()
                .map(|d| d.name.as_str())
                .collect();
            let message = format!(
                "there is no data set \"{name}\"; there are: {}",
                known.join(", ")
            );
            Fault::state("dataset.unknown", message)
        })?;
        let origin = source.origin();
        let origin = origin.map_err(|message| Fault::state("dataset.refused", message))?;
        let keys_first = WholeBatch::of(&project.schema).is_none();
        let dummies_share = if keys_first { DUMMIES_SHARE } else { 0.0 };
        let rejects = self.settings.data_dir.join(format!("{name}.rejects.csv"));
        let outbox = self.outbox(&project.id);
        let folder = outbox.parent().unwrap_or(Path::new("."));
        crate::store::private_folder(folder)
            .map_err(|error| Fault::internal("store.failed", &error))?;
        let job = Job {
            source: &origin,
            schema: &project.schema,
            key: &key,
            project: *project.id.as_bytes(),
            rejects: &rejects,
            scratch: folder,
            dummies_share,
        };
        let mut partial = PrivateFile::new(&outbox)?;
        let (_, encoded) =
            dataset::encode(&job, &mut partial.file, &mut |progress| match progress {
                Progress::Reading { done, total, .. } => report.step("encode", done, total),
                Progress::Writing { records, total } => report.step("shuffle", records, total),
            })
            .map_err(|error| Fault::state("dataset.refused", Chain(&error).to_string()))?;
        let _not_closing = self.secrets.read();
        self.store
            .permit(project, Event::Upload { key: key.id() })?;
        partial.commit()?;

        let dummies: Vec<u32> = encoded.dummies().collect();
        let names = project.schema.attributes.iter().enumerate();
        let attributes: Vec<_> = names
            .filter_map(|(at, attribute)| {
                Some((attribute.name.clone(), encoded.attribute(at)?.collect()))
            })
            .collect();
        let summary = json!(encoded.summary).to_string();
        let uploaded = Uploaded {
            dataset: name,
            summary: &summary,
            attributes: &attributes,
            dummies: &dummies,
            keys_first,
        };
        self.store
            .begin_upload(&project.id, &uploaded, encoded.ids())?;
        Ok(())
    }
}

/// Who uploads for a project: one after the other, since an upload goes on when the operator who
/// asked for it has gone, and a second one beside it would send the same chunks.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    fn of(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(project).or_default())
    }
}

/// A file that only this user can read, there whole or not at all.
pub(super) struct PrivateFile<'a> {
    file: File,
    partial: PathBuf,
    path: &'a Path,
}

impl<'a> PrivateFile<'a> {
    /// Begins to write what will be at `path`.
    fn new(path: &'a Path) -> Result<Self, Fault> {
        let partial = path.with_extension("partial");
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        Ok(Self {
            file,
            partial,
            path,
        })
    }

    /// Puts the file in its place, durably.
    fn commit(self) -> Result<(), Fault> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, self.path)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}
