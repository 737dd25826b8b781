//! Encoding a data set and uploading it, resumable from the outbox.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::audit::action::Action;
use linkage_core::encode::batch::{DIGEST_BYTES, read_header};
use linkage_core::ids::ProjectId;
use linkage_core::project::state::{Event, Refused};
use linkage_core::project::{Project, Purpose};
use linkage_proto::v1;
use linkage_proto::v1::uploads_client::UploadsClient;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::Owner;
use super::peers::relayed;
use super::progress::Reporter;
use crate::dataset::{self, Job, Progress};
use crate::fault::{Chain, Fault};
use crate::store::owner::Uploaded;

/// Size of a chunk: within 64-256 KiB loopback throughput was highest.
const CHUNK_BYTES: u32 = 256 * 1024;

/// Chunks that may be under way without acknowledgement.
const UNACKNOWLEDGED_MAX: usize = 32;

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
        self.store
            .advance(&project, Event::Upload { key }, || Ok(()))?;
        if sealed.is_none() || !self.outbox(&id).exists() {
            let owner = Arc::clone(&self);
            let (project, report) = (project.clone(), report.clone());
            tokio::task::spawn_blocking(move || owner.encode(&project, &dataset, &report))
                .await??;
        }
        self.send(&project, &report).await?;
        self.store.seal_upload(&id)?;
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
        let rejects = self.settings.data_dir.join(format!("{name}.rejects.csv"));
        let outbox = self.outbox(&project.id);
        let folder = outbox.parent().unwrap_or(Path::new("."));
        crate::store::private_folder(folder)
            .map_err(|error| Fault::internal("store.failed", &error))?;
        let job = Job {
            source: &source.path,
            schema: &project.schema,
            key: &key,
            project: *project.id.as_bytes(),
            rejects: &rejects,
            scratch: folder,
        };
        let mut partial = PrivateFile::new(&outbox)?;
        let (_, encoded) =
            dataset::encode(&job, &mut partial.file, &mut |progress| match progress {
                Progress::Reading {
                    bytes, bytes_total, ..
                } => report.step("encode", bytes, bytes_total),
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

    /// Sends the batch in the outbox from the first chunk that the matcher lacks.
    async fn send(&self, project: &Project, report: &Reporter) -> Result<(), Fault> {
        let mut file = File::open(self.outbox(&project.id))?;
        let length = file.metadata()?.len();
        let header = read_header(&mut file)?;
        let body = file.stream_position()?..length.saturating_sub(DIGEST_BYTES as u64);
        let mut digest = [0; DIGEST_BYTES];
        file.seek(SeekFrom::Start(body.end))?;
        file.read_exact(&mut digest)?;

        let mut uploads = self.uploads().await?;
        let begin = v1::BeginRequest {
            project: project.id.as_bytes().to_vec().into(),
            header: header.to_bytes().into(),
            digest: digest.to_vec().into(),
            chunk_bytes: CHUNK_BYTES,
            signature: project.sign(&self.signing, Purpose::Batch, &digest).into(),
        };
        let begun = uploads.begin(begin).await.map_err(relayed)?.into_inner();
        let act = self
            .journal
            .act(Action::UploadBegin, hex::encode(&begun.upload))
            .project(&project.id)
            .count("rows", header.rows)
            .digest("batch", &digest);
        act.ok()?;
        if !begun.sealed {
            put_rows(&mut uploads, file, &begun, body, report).await?;
        }
        let seal = v1::SealRequest {
            upload: begun.upload.clone(),
        };
        let sealed = uploads.seal(seal).await.map_err(relayed)?.into_inner();
        self.journal
            .act(Action::UploadSeal, hex::encode(&begun.upload))
            .project(&project.id)
            .count("rows", sealed.rows)
            .digest("batch", &digest)
            .ok()
    }
}

/// Sends the rows that are not yet durable and waits until all are. After a cut that may be none.
async fn put_rows(
    uploads: &mut UploadsClient<Channel>,
    mut file: File,
    begun: &v1::BeginReply,
    body: Range<u64>,
    report: &Reporter,
) -> Result<(), Fault> {
    let chunks = (body.end - body.start).div_ceil(CHUNK_BYTES.into());
    let mut durable = u64::from(begun.next_chunk);
    if durable >= chunks {
        return Ok(());
    }
    let from = body.start + durable * u64::from(CHUNK_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let rows = file.take(body.end.saturating_sub(from));
    let (sender, receiver) = mpsc::channel(4);
    let window = Arc::new(Semaphore::new(UNACKNOWLEDGED_MAX));
    let sending = tokio::spawn(send_chunks(
        rows,
        begun.upload.to_vec(),
        begun.next_chunk,
        sender,
        Arc::clone(&window),
    ));
    let acks = uploads
        .put(ReceiverStream::new(receiver))
        .await
        .map_err(relayed)?;
    let mut acks = acks.into_inner();
    while durable < chunks {
        let Some(ack) = acks.message().await.map_err(relayed)? else {
            break;
        };
        window.add_permits(1);
        durable = u64::from(ack.next_chunk);
        report.step("upload", durable, chunks);
    }
    sending.await?
}

/// Reads chunks and hands them on, never more ahead of the acknowledgements than the window allows.
async fn send_chunks(
    mut rows: impl Read + Send,
    upload: Vec<u8>,
    first: u32,
    sender: mpsc::Sender<v1::Chunk>,
    window: Arc<Semaphore>,
) -> Result<(), Fault> {
    for index in first.. {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES as usize);
        rows.by_ref()
            .take(CHUNK_BYTES.into())
            .read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        let Ok(permit) = window.acquire().await else {
            break;
        };
        permit.forget();
        let crc32c = crc32c::crc32c(&chunk);
        let upload = upload.clone().into();
        // The receiver is gone when the call has failed; the caller reports why.
        if sender
            .send(v1::Chunk {
                upload,
                index,
                crc32c,
                rows: chunk.into(),
            })
            .await
            .is_err()
        {
            break;
        }
    }
    Ok(())
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
