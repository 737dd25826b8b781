//! A batch from the outbox to the matcher: begin, chunks, seal; again and again until it is
//! accepted, across cuts and restarts of either side.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use linkage_core::audit::action::Action;
use linkage_core::audit::tree::Hash;
use linkage_core::encode::Header;
use linkage_core::encode::batch::{DIGEST_BYTES, read_header};
use linkage_core::project::{Project, Purpose};
use linkage_core::upload::{Announcement, ChunkTree, chunks};
use linkage_proto::v1;
use linkage_proto::v1::upload_state::State;
use linkage_proto::v1::uploads_client::UploadsClient;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request};
use uuid::Uuid;

use super::resume::{Resume, ResumeFile};
use crate::fault::Fault;
use crate::limits::UploadLimits;
use crate::owner::Owner;
use crate::owner::peers::relayed;
use crate::owner::progress::Reporter;
use crate::owner::retry::Retry;

/// How often the resume file is brought up to date while chunks are acknowledged.
const RESUME_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes read at a time for the root.
const READ_BYTES: usize = 1 << 20;

/// A batch that waits in the outbox.
struct Batch {
    header: Header,
    digest: [u8; DIGEST_BYTES],
    body: Range<u64>,
    chunk_bytes: u32,
    root: Hash,
}

impl Batch {
    /// Reads what is to be announced of the file at `path`. The root comes from `resume` or from a
    /// pass over the file.
    fn read(path: &Path, chunk_bytes: u32, file: &ResumeFile) -> Result<(Self, Resume), Fault> {
        let mut input = File::open(path)?;
        let length = input.metadata()?.len();
        let header = read_header(&mut input)?;
        let body = input.stream_position()?..length.saturating_sub(DIGEST_BYTES as u64);
        let mut digest = [0; DIGEST_BYTES];
        input.seek(SeekFrom::Start(body.end))?;
        input.read_exact(&mut digest)?;
        let name = hex::encode(digest);
        if let Some(resume) = file.read(&name)?
            && let Some(root) = root_from(&resume.root)
        {
            let chunk_bytes = resume.chunk_bytes;
            let batch = Self {
                header,
                digest,
                body,
                chunk_bytes,
                root,
            };
            return Ok((batch, resume));
        }
        input.seek(SeekFrom::Start(body.start))?;
        let root = root_of(input.take(body.end - body.start), chunk_bytes)?;
        let resume = Resume {
            operation: Uuid::now_v7(),
            digest: name,
            root: hex::encode(root.0),
            chunk_bytes,
            acknowledged: 0,
            upload: None,
        };
        // On disk before the matcher hears of it.
        file.write(&resume)?;
        Ok((
            Self {
                header,
                digest,
                body,
                chunk_bytes,
                root,
            },
            resume,
        ))
    }

    fn chunks(&self) -> Result<u32, Fault> {
        let count = chunks(self.body.end - self.body.start, self.chunk_bytes);
        u32::try_from(count).map_err(|_| Fault::malformed("the number of chunks"))
    }
}

fn root_from(text: &str) -> Option<Hash> {
    let bytes: [u8; 32] = hex::decode(text).ok()?.try_into().ok()?;
    Some(Hash(bytes))
}

fn root_of(mut body: impl Read, chunk_bytes: u32) -> std::io::Result<Hash> {
    let mut tree = ChunkTree::new(chunk_bytes);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(tree.finish()),
            count => tree.update(buffer.get(..count).unwrap_or(&[])),
        }
    }
}

impl Owner {
    /// Forgets the operation key under which the batch at `path` was sent.
    pub(in crate::owner) fn forget(&self, path: &Path) -> Result<(), Fault> {
        Ok(ResumeFile::beside(path).remove()?)
    }

    /// Sends the batch at `path` until the matcher has accepted it. Whatever was acknowledged is
    /// not sent again, whichever side was interrupted. The operation key is kept until
    /// [`Owner::forget`]: whoever notes that the batch was accepted may be interrupted, too.
    pub(in crate::owner) async fn send(
        &self,
        project: &Project,
        path: &Path,
        report: &Reporter,
    ) -> Result<(), Fault> {
        let file = ResumeFile::beside(path);
        let (source, chunk_bytes) = (path.to_owned(), self.limits.uploads.chunk_bytes_max);
        let reading = tokio::task::spawn_blocking(move || {
            let file = ResumeFile::beside(&source);
            Batch::read(&source, chunk_bytes, &file)
        });
        let (batch, resume) = reading.await??;
        let mut sending = Sending {
            owner: self,
            project,
            path,
            batch,
            resume,
            file,
            retry: Retry::new(&self.limits.uploads)?,
            report,
            is_logged: false,
        };
        let accepted = sending.until_accepted().await?;
        let rows = sending.batch.header.rows;
        if accepted.rows != rows || accepted.root != sending.batch.root.0.as_slice() {
            return Err(Fault::new(
                Code::DataLoss,
                "upload.receipt",
                "the matcher's answer is not about the batch that was sent",
            ));
        }
        let digests: [(&str, &[u8]); 2] = [
            ("batch", &sending.batch.digest),
            ("root", &sending.batch.root.0),
        ];
        self.keep_receipt(&project.id, &accepted, &digests)?;
        self.journal
            .act(Action::UploadAccept, hex::encode(&accepted.upload))
            .project(&project.id)
            .count("rows", rows)
            .digest("batch", &sending.batch.digest)
            .digest("root", &sending.batch.root.0)
            .ok()
    }
}

/// An upload under way.
struct Sending<'a> {
    owner: &'a Owner,
    project: &'a Project,
    path: &'a Path,
    batch: Batch,
    resume: Resume,
    file: ResumeFile,
    retry: Retry,
    report: &'a Reporter,
    is_logged: bool,
}

impl Sending<'_> {
    fn limits(&self) -> &UploadLimits {
        &self.owner.limits.uploads
    }

    async fn until_accepted(&mut self) -> Result<v1::UploadState, Fault> {
        loop {
            match self.attempt().await {
                Ok(Some(accepted)) => return Ok(accepted),
                // A stream has come to its age, or an upload expired.
                Ok(None) => {}
                Err(fault) => self.retry.pause(fault).await?,
            }
        }
    }

    /// One connection's worth: the matcher's last word if the batch is accepted, `None` if there is
    /// more to do.
    async fn attempt(&mut self) -> Result<Option<v1::UploadState>, Fault> {
        let mut uploads = self.owner.uploads().await?;
        let begun = self.begin(&mut uploads).await?;
        match begun.state() {
            State::Open => {
                let chunks = self.batch.chunks()?;
                let mut next = begun.next_chunk;
                while next < chunks {
                    let before = next;
                    next = self.stream(&mut uploads, &begun, next).await?;
                    if next == before {
                        let message = "the matcher ended a stream without storing anything";
                        return Err(Fault::new(Code::Unavailable, "upload.stalled", message));
                    }
                }
            }
            State::Sealed | State::Accepted => {}
            State::Expired => {
                self.renew()?;
                return Ok(None);
            }
            State::Refused | State::Unspecified => return Err(self.refused(&begun)),
        }
        let request = self.call(
            v1::UploadName {
                upload: begun.upload,
            },
            self.limits().seal_timeout,
        );
        let sealed = uploads.seal(request).await.map_err(relayed)?.into_inner();
        match sealed.state() {
            State::Accepted => Ok(Some(sealed)),
            State::Refused => Err(self.refused(&sealed)),
            _ => Ok(None),
        }
    }

    async fn begin(
        &mut self,
        uploads: &mut UploadsClient<Channel>,
    ) -> Result<v1::UploadState, Fault> {
        let header = self.batch.header.to_bytes();
        let announced = Announcement {
            operation: self.resume.operation.as_bytes(),
            project: &self.project.id,
            party: &self.owner.settings.party,
            header: &header,
            chunk_bytes: self.batch.chunk_bytes,
            digest: &self.batch.digest,
            root: &self.batch.root,
        }
        .digest();
        let signature = self
            .project
            .sign(&self.owner.signing, Purpose::Batch, &announced);
        let begin = v1::BeginRequest {
            operation: self.resume.operation.as_bytes().to_vec().into(),
            project: self.project.id.as_bytes().to_vec().into(),
            header: header.into(),
            chunk_bytes: self.batch.chunk_bytes,
            digest: self.batch.digest.to_vec().into(),
            root: self.batch.root.0.to_vec().into(),
            signature: signature.into(),
        };
        let request = self.call(begin, self.limits().call_timeout);
        let begun = uploads.begin(request).await.map_err(relayed)?.into_inner();
        if !self.is_logged {
            self.owner
                .journal
                .act(Action::UploadBegin, hex::encode(&begun.upload))
                .project(&self.project.id)
                .count("rows", self.batch.header.rows)
                .digest("batch", &self.batch.digest)
                .digest("root", &self.batch.root.0)
                .ok()?;
            self.is_logged = true;
        }
        let upload = Some(hex::encode(&begun.upload));
        if self.resume.upload != upload {
            self.resume.upload = upload;
            self.file.write(&self.resume)?;
        }
        if begun.state() == State::Open && begun.next_chunk < self.resume.acknowledged {
            // Sent again; but what was acknowledged should have been on disk.
            tracing::error!(
                reason = "upload.lost",
                acknowledged = self.resume.acknowledged,
                next_chunk = begun.next_chunk,
                "the matcher has lost chunks that it had acknowledged"
            );
        }
        Ok(begun)
    }

    /// Sends chunks from `next` on in one stream; the first chunk that is then not on disk.
    async fn stream(
        &mut self,
        uploads: &mut UploadsClient<Channel>,
        begun: &v1::UploadState,
        next: u32,
    ) -> Result<u32, Fault> {
        let chunk_bytes = self.batch.chunk_bytes;
        let mut file = File::open(self.path)?;
        let from = self.batch.body.start + u64::from(next) * u64::from(chunk_bytes);
        file.seek(SeekFrom::Start(from))?;
        let (sender, receiver) = mpsc::channel(4);
        let window = Arc::new(Semaphore::new(self.limits().unacknowledged_max));
        let chunks = Chunks {
            rows: file.take(self.batch.body.end.saturating_sub(from)),
            chunk_bytes,
            upload: begun.upload.to_vec(),
            next,
            // The matcher ends the stream at its age; what is then under way has come before.
            end: Instant::now() + self.limits().stream_age_max * 3 / 4,
        };
        let sending = tokio::spawn(chunks.send(sender, Arc::clone(&window)));
        let acks = uploads
            .put(ReceiverStream::new(receiver))
            .await
            .map_err(relayed)?;
        let (mut acks, mut durable) = (acks.into_inner(), next);
        let (total, mut noted) = (self.batch.chunks()?, Instant::now());
        while let Some(ack) = acks.message().await.map_err(relayed)? {
            let more = ack.next_chunk.saturating_sub(durable);
            window.add_permits(usize::try_from(more).unwrap_or(0));
            durable = durable.max(ack.next_chunk);
            self.retry.progress();
            self.report.step("upload", durable.into(), total.into());
            if noted.elapsed() >= RESUME_INTERVAL || durable >= total {
                self.resume.acknowledged = durable;
                self.file.write(&self.resume)?;
                noted = Instant::now();
            }
            if durable >= total {
                break;
            }
        }
        sending.await??;
        Ok(durable)
    }

    fn call<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(timeout);
        request
    }

    /// The next attempt begins another upload.
    fn renew(&mut self) -> Result<(), Fault> {
        self.resume.operation = Uuid::now_v7();
        self.resume.acknowledged = 0;
        self.resume.upload = None;
        self.is_logged = false;
        Ok(self.file.write(&self.resume)?)
    }

    /// The matcher refused the batch; the next upload is another one.
    fn refused(&self, state: &v1::UploadState) -> Fault {
        if let Err(error) = self.file.remove() {
            return error.into();
        }
        let message = format!(
            "the matcher refused the batch ({}) and removed it; upload again, and if it is refused \
             again, see the logs of both nodes",
            state.reason
        );
        Fault::new(Code::DataLoss, "upload.refused", message)
    }
}

/// Chunks on their way out.
struct Chunks<R> {
    rows: R,
    chunk_bytes: u32,
    upload: Vec<u8>,
    next: u32,
    end: Instant,
}

impl<R: Read + Send + 'static> Chunks<R> {
    /// Reads chunks and hands them on, never more ahead of the acknowledgements than the window
    /// allows, until there are no more or the stream has come to its age.
    async fn send(
        self,
        sender: mpsc::Sender<v1::Chunk>,
        window: Arc<Semaphore>,
    ) -> Result<(), Fault> {
        let Self {
            mut rows,
            chunk_bytes,
            upload,
            next,
            end,
        } = self;
        for index in next.. {
            if Instant::now() >= end {
                break;
            }
            let mut chunk = Vec::with_capacity(chunk_bytes as usize);
            rows.by_ref()
                .take(chunk_bytes.into())
                .read_to_end(&mut chunk)?;
            if chunk.is_empty() {
                break;
            }
            // The receiver is gone when the call has failed; the caller reports why.
            let permit = tokio::select! {
                permit = window.acquire() => permit,
                () = sender.closed() => break,
            };
            let Ok(permit) = permit else { break };
            permit.forget();
            let chunk = v1::Chunk {
                upload: upload.clone().into(),
                index,
                crc32c: crc32c::crc32c(&chunk),
                rows: chunk.into(),
            };
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}
