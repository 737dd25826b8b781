//! Uploads of encoded batches.

use std::sync::Arc;

use linkage_core::audit::action::Action;
use linkage_core::encode::Header;
use linkage_core::ids::PartyId;
use linkage_core::project::state::Event;
use linkage_core::project::{Project, Purpose};
use linkage_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::Matcher;
use super::spool::Spool;
use crate::authz::permit::{Caller, Manifests as _, Member, Permit};
use crate::fault::Fault;
use crate::procedures::{Uploads, uploads};
use crate::store::matcher::Upload;
use crate::wire;

/// Largest chunk: above 256 KiB throughput fell in the measurement that the message limit is from.
const CHUNK_BYTES_MAX: u32 = 256 * 1024;

/// Smallest chunk: chunks are numbered in 32 bits, and every one is written through to the disk.
const CHUNK_BYTES_MIN: u32 = 4 * 1024;

/// Most rows of one upload.
const ROWS_MAX: u64 = 50_000_000;

/// Acknowledgements under way; a sender that does not read them is held back.
const ACKS_WAITING: usize = 32;

impl Uploads for Matcher {
    async fn begin(
        &self,
        member: Member<uploads::Begin>,
        request: v1::BeginRequest,
    ) -> Result<v1::BeginReply, Fault> {
        let project = member.project();
        let header = Header::from_bytes(&request.header)?;
        let key = header.key;
        let _files = self.files.read().await;
        let uploads = self.store.uploads(&project.id)?;
        let before = uploads
            .iter()
            .find(|before| before.party == member.party().as_str());
        // An accepted batch may be announced again at any time: its owner may not have heard.
        if !before.is_some_and(|before| before.sealed) {
            self.permit(project, Event::Upload { key })?;
        }
        let upload = self.announced(project, member.party(), &request)?;
        let reply = |upload: &Upload| -> Result<_, Fault> {
            let next_chunk = match upload.sealed {
                true => u32::MAX,
                false => Spool::open(&self.uploads_dir, upload)?.next_chunk(),
            };
            Ok(v1::BeginReply {
                upload: upload.id.to_vec().into(),
                next_chunk,
                sealed: upload.sealed,
            })
        };
        if let Some(before) = before {
            if before.digest != upload.digest || before.chunk_bytes != upload.chunk_bytes {
                return Err(Fault::new(
                    Code::AlreadyExists,
                    "upload.other",
                    "this owner began to upload another batch for the project",
                ));
            }
            return reply(before);
        }
        self.journal
            .act_of(member.caller(), Action::UploadBegin, hex::encode(upload.id))
            .project(&project.id)
            .count("rows", header.rows)
            .digest("batch", &upload.digest)
            .ok()?;
        self.store.advance(project, Event::Upload { key })?;
        self.store.add_upload(&upload)?;
        reply(&upload)
    }

    async fn put(
        &self,
        permit: Permit<uploads::Put>,
        mut chunks: Streaming<v1::Chunk>,
    ) -> Result<ReceiverStream<Result<v1::Ack, Status>>, Fault> {
        let first = chunks
            .message()
            .await
            .map_err(|status| Fault::broken(&status))?
            .ok_or_else(|| Fault::malformed("an empty upload"))?;
        let _files = self.files.read().await;
        let upload = self.own_upload(permit.caller(), &first.upload)?;
        self.permit_upload(&upload)?;
        if upload.sealed {
            return Err(Fault::state(
                "upload.sealed",
                "the batch is accepted already",
            ));
        }
        let spool = Arc::new(std::sync::Mutex::new(Spool::open(
            &self.uploads_dir,
            &upload,
        )?));
        let (acks, stream) = mpsc::channel(ACKS_WAITING);
        tokio::spawn(async move {
            let mut chunk = first;
            loop {
                let result = store_chunk(&spool, &upload, chunk).await;
                let failed = result.is_err();
                if acks.send(result.map_err(Status::from)).await.is_err() || failed {
                    return;
                }
                chunk = match chunks.next().await {
                    Some(Ok(next)) => next,
                    // The sender is gone or done; what was acknowledged is on disk.
                    Some(Err(_)) | None => return,
                };
            }
        });
        Ok(ReceiverStream::new(stream))
    }

    async fn seal(
        &self,
        permit: Permit<uploads::Seal>,
        request: v1::SealRequest,
    ) -> Result<v1::SealReply, Fault> {
        let _files = self.files.read().await;
        let upload = self.own_upload(permit.caller(), &request.upload)?;
        let rows = Header::from_bytes(&upload.header)?.rows;
        if upload.sealed {
            return Ok(v1::SealReply { rows });
        }
        self.permit_upload(&upload)?;
        let act = self
            .journal
            .act_of(permit.caller(), Action::UploadSeal, hex::encode(upload.id))
            .project(&upload.project)
            .count("rows", rows)
            .digest("batch", &upload.digest);
        let dir = self.uploads_dir.clone();
        let sealing = upload.clone();
        let sealed =
            tokio::task::spawn_blocking(move || Spool::open(&dir, &sealing)?.seal(&sealing.digest));
        match sealed.await? {
            Ok(()) => act.ok()?,
            Err(fault) => return Err(act.failed(fault)),
        }
        self.store.seal_upload(&upload.id)?;
        Ok(v1::SealReply { rows })
    }
}

impl Matcher {
    /// The upload that a request announces, checked against the project.
    fn announced(
        &self,
        project: &Project,
        party: &PartyId,
        request: &v1::BeginRequest,
    ) -> Result<Upload, Fault> {
        let digest = wire::fixed(&request.digest, "the batch's digest")?;
        project.verify(party, Purpose::Batch, &digest, &request.signature)?;
        let header = Header::from_bytes(&request.header)?;
        // Which data pack the owners use is theirs to agree on; `comparable` below holds them to
        // it.
        let expected = Header {
            pack: header.pack,
            ..Header::new(
                *project.id.as_bytes(),
                &project.schema,
                header.key,
                header.rows,
            )
        };
        if header != expected {
            return Err(Fault::new(
                Code::InvalidArgument,
                "upload.schema",
                "the batch was not made under this project's manifest and schema",
            ));
        }
        for other in self.store.uploads(&project.id)? {
            header.comparable(&Header::from_bytes(&other.header)?)?;
        }
        let fits = (CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&request.chunk_bytes);
        if !fits || !(1..=ROWS_MAX).contains(&header.rows) {
            return Err(Fault::malformed("the batch's size"));
        }
        Ok(Upload {
            id: crate::entropy::name()?,
            project: project.id,
            party: party.to_string(),
            header: request.header.to_vec(),
            digest,
            chunk_bytes: request.chunk_bytes,
            sealed: false,
        })
    }

    /// Refuses unless the upload may go on now.
    fn permit_upload(&self, upload: &Upload) -> Result<(), Fault> {
        let project = self.known_project(&upload.project)?;
        let key = Header::from_bytes(&upload.header)?.key;
        self.permit(
            &project.ok_or_else(Fault::no_project)?,
            Event::Upload { key },
        )
    }

    /// The upload of this name, if it is the caller's.
    fn own_upload(&self, caller: &Caller, id: &[u8]) -> Result<Upload, Fault> {
        let upload = self.store.upload(id)?;
        upload
            .filter(|upload| upload.party == caller.identity().party())
            .ok_or_else(|| {
                Fault::new(
                    Code::NotFound,
                    "upload.unknown",
                    "there is no such upload for this caller",
                )
            })
    }
}

async fn store_chunk(
    spool: &Arc<std::sync::Mutex<Spool>>,
    upload: &Upload,
    chunk: v1::Chunk,
) -> Result<v1::Ack, Fault> {
    if chunk.upload != upload.id.as_slice() {
        return Err(Fault::malformed("a chunk of another upload"));
    }
    let spool = Arc::clone(spool);
    tokio::task::spawn_blocking(move || {
        let mut spool = spool
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        spool.append(chunk.index, chunk.crc32c, &chunk.rows)?;
        Ok(v1::Ack {
            next_chunk: spool.next_chunk(),
        })
    })
    .await?
}
