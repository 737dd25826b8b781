//! Encoding a data set and uploading it, resumable from the outbox.

mod resume;
mod send;

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_core::project::state::{Event, Refused};
use serde_json::json;

use super::Owner;
use super::progress::Reporter;
use crate::dataset::{self, Job, Progress};
use crate::fault::{Chain, Fault};
use crate::observe::operation;
use crate::store::owner::Uploaded;

impl Owner {
    /// Encodes the data set, unless a batch waits in the outbox, and uploads it.
    pub(super) async fn upload(
        self: Arc<Self>,
        id: ProjectId,
        dataset: String,
        report: Reporter,
    ) -> Result<serde_json::Value, Fault> {
        let sealed = self.store.upload_sealed(&id)?;
        if sealed == Some(true) {
            return self.uploaded(&id);
        }
        let (project, _) = self.caught_up(&id).await?;
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
        let path = self.outbox(&id);
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
        let bytes = std::fs::metadata(self.outbox(id)).map_or(0, |file| file.len());
        Ok(json!({ "dataset": dataset, "summary": summary, "bytes": bytes }))
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
        };
        self.store
            .begin_upload(&project.id, &uploaded, encoded.ids())?;
        Ok(())
    }
}

/// A file that only this user can read, there whole or not at all.
struct PrivateFile<'a> {
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
