//! Uploads of encoded batches.

use std::sync::Arc;

use linkage_core::audit::action::Action;
use linkage_core::encode::Header;
use linkage_core::project::{Project, Purpose};
use linkage_proto::v1;
use linkage_proto::v1::uploads_server::Uploads;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::spool::Spool;
use super::{Matcher, Membership};
use crate::authz::Caller;
use crate::fault::Fault;
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

#[tonic::async_trait]
impl Uploads for Matcher {
    async fn begin(
        &self,
        request: Request<v1::BeginRequest>,
    ) -> Result<Response<v1::BeginReply>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let member = self.member(&caller, &request.project)?;
        self.require_keyed(&member.project)?;
        let upload = self.announced(&member, &request)?;
        let reply = |upload: &Upload| -> Result<_, Fault> {
            let next_chunk = match upload.sealed {
                true => u32::MAX,
                false => Spool::open(&self.uploads_dir, upload)?.next_chunk(),
            };
            let id = upload.id.to_vec().into();
            Ok(Response::new(v1::BeginReply {
                upload: id,
                next_chunk,
                sealed: upload.sealed,
            }))
        };
        let before = self
            .store
            .uploads(&member.project.id)
            .map_err(Fault::from)?;
        if let Some(before) = before.iter().find(|before| before.party == upload.party) {
            if before.digest != upload.digest || before.chunk_bytes != upload.chunk_bytes {
                return Err(Fault::new(
                    Code::AlreadyExists,
                    "upload.other",
                    "this owner began to upload another batch for the project",
                )
                .into());
            }
            return Ok(reply(before)?);
        }
        let header = Header::from_bytes(&upload.header).map_err(Fault::from)?;
        self.journal
            .act_of(&caller, Action::UploadBegin, hex::encode(upload.id))
            .project(&member.project.id)
            .count("rows", header.rows)
            .digest("batch", &upload.digest)
            .ok()?;
        self.store.add_upload(&upload).map_err(Fault::from)?;
        Ok(reply(&upload)?)
    }

    type PutStream = ReceiverStream<Result<v1::Ack, Status>>;

    async fn put(
        &self,
        request: Request<Streaming<v1::Chunk>>,
    ) -> Result<Response<Self::PutStream>, Status> {
        let caller = Caller::of(&request)?;
        let mut chunks = request.into_inner();
        let first = chunks
            .next()
            .await
            .ok_or_else(|| Fault::malformed("an empty upload"))??;
        let upload = self.own_upload(&caller, &first.upload)?;
        if upload.sealed {
            return Err(Fault::state("upload.sealed", "the batch is accepted already").into());
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
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn seal(
        &self,
        request: Request<v1::SealRequest>,
    ) -> Result<Response<v1::SealReply>, Status> {
        let caller = Caller::of(&request)?;
        let upload = self.own_upload(&caller, &request.into_inner().upload)?;
        let rows = Header::from_bytes(&upload.header)
            .map_err(Fault::from)?
            .rows;
        if upload.sealed {
            return Ok(Response::new(v1::SealReply { rows }));
        }
        let act = self
            .journal
            .act_of(&caller, Action::UploadSeal, hex::encode(upload.id))
            .project(&upload.project)
            .count("rows", rows)
            .digest("batch", &upload.digest);
        let dir = self.uploads_dir.clone();
        let sealing = upload.clone();
        let sealed =
            tokio::task::spawn_blocking(move || Spool::open(&dir, &sealing)?.seal(&sealing.digest));
        match sealed.await.map_err(Fault::from)? {
            Ok(()) => act.ok()?,
            Err(fault) => return Err(act.failed(fault).into()),
        }
        self.store.seal_upload(&upload.id).map_err(Fault::from)?;
        Ok(Response::new(v1::SealReply { rows }))
    }
}

impl Matcher {
    /// The upload that a request announces, checked against the project.
    fn announced(&self, member: &Membership, request: &v1::BeginRequest) -> Result<Upload, Fault> {
        let project: &Project = &member.project;
        let digest = wire::fixed(&request.digest, "the batch's digest")?;
        project.verify(&member.party, Purpose::Batch, &digest, &request.signature)?;
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
            party: member.party.to_string(),
            header: request.header.to_vec(),
            digest,
            chunk_bytes: request.chunk_bytes,
            sealed: false,
        })
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
