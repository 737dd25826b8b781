//! Uploads of encoded batches.

use linkage_core::ask::WholeBatch;
use linkage_core::audit::action::Action;
use linkage_core::audit::tree::Hash;
use linkage_core::encode::Header;
use linkage_core::ids::PartyId;
use linkage_core::project::state::Event;
use linkage_core::project::{Project, Purpose};
use linkage_core::upload::state::{Sealed, State};
use linkage_core::upload::{Announcement, Part};
use linkage_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::Matcher;
use super::receive::Receiving;
use super::spool::{self, Spool};
use crate::authz::permit::{Caller, Manifests as _, Member, Permit};
use crate::fault::Fault;
use crate::observe::operation;
use crate::procedures::{Uploads, uploads};
use crate::store::matcher::Upload;
use crate::wire;

impl Uploads for Matcher {
    async fn begin(
        &self,
        member: Member<uploads::Begin>,
        request: v1::BeginRequest,
    ) -> Result<v1::UploadState, Fault> {
        let project = member.project();
        let key = Header::from_bytes(&request.header)?.key;
        self.journal.require_quorum()?;
        self.expire_idle()?;
        let _files = self.files.read().await;
        let mut upload = self.announced(project, member.party(), &request)?;
        let before = self.store.upload_of(&upload.operation)?;
        if let Some(before) = &before
            && (before.request != upload.request || before.party != upload.party)
        {
            return Err(Fault::new(
                Code::AlreadyExists,
                "upload.idempotency_mismatch",
                "this operation key stands for another request; draw a new one for each upload",
            ));
        }
        // What became of an upload can be asked at any time: its owner may not have heard.
        let is_done = |before: &Upload| before.state.is_accepted() || !before.state.is_live();
        if !before.as_ref().is_some_and(is_done) {
            self.permit(project, Event::Upload { key })?;
        }
        if let Some(before) = before {
            if matches!(before.state, State::Open(_)) {
                // A stream that its sender has lost may still bring chunks. From here on it stores
                // none, so that what is told now is what the next stream finds.
                let lane = self.lanes.of(&before.id);
                operation::spawn_blocking(move || lane.clear()).await?;
            }
            self.store.touch_upload(&before.id, now())?;
            return self.upload_state(&before);
        }
        let rows = self.admit(project, &mut upload)?;
        self.journal
            .act_of(member.caller(), Action::UploadBegin, hex::encode(upload.id))
            .project(&project.id)
            .count("rows", rows)
            .digest("batch", &upload.digest)
            .digest("root", &upload.root.0)
            .ok()?;
        self.store.advance(project, Event::Upload { key })?;
        self.store.add_upload(&upload, now())?;
        self.upload_state(&upload)
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
        if !matches!(upload.state, State::Open(_)) {
            return Err(not_open(&upload));
        }
        self.store.touch_upload(&upload.id, now())?;
        let lane = self.lanes.of(&upload.id);
        let (dir, limits) = (self.uploads_dir.clone(), self.limits.clone());
        let id = upload.id;
        let turn =
            operation::spawn_blocking(move || lane.take(|| Spool::open(&dir, &upload, &limits)));
        let receiving = Receiving {
            upload: id,
            turn: turn.await??,
            waiting_max: self.limits.uploads.unacknowledged_max,
            age_max: self.limits.uploads.stream_age_max,
        };
        let (acks, stream) = mpsc::channel(self.limits.uploads.unacknowledged_max);
        operation::spawn(receiving.run(first, chunks, acks));
        Ok(ReceiverStream::new(stream))
    }

    async fn status(
        &self,
        permit: Permit<uploads::Status>,
        request: v1::UploadName,
    ) -> Result<v1::UploadState, Fault> {
        let upload = self.own_upload(permit.caller(), &request.upload)?;
        self.upload_state(&upload)
    }

    async fn seal(
        &self,
        permit: Permit<uploads::Seal>,
        request: v1::UploadName,
    ) -> Result<v1::UploadState, Fault> {
        let upload = self.own_upload(permit.caller(), &request.upload)?;
        let matcher = self.shared()?;
        // The check goes on when the one who asked for it goes away.
        let sealing =
            operation::spawn(async move { matcher.seal_upload(permit.caller(), upload.id).await });
        sealing.await?
    }

    async fn abort(
        &self,
        permit: Permit<uploads::Abort>,
        request: v1::UploadName,
    ) -> Result<v1::UploadState, Fault> {
        let upload = self.own_upload(permit.caller(), &request.upload)?;
        let State::Open(open) = upload.state else {
            if upload.state.is_live() {
                return Err(not_open(&upload));
            }
            return self.upload_state(&upload);
        };
        self.journal
            .act_of(permit.caller(), Action::UploadAbort, hex::encode(upload.id))
            .project(&upload.project)
            .ok()?;
        self.end_upload(&upload, open.abort().into())?;
        self.upload_state(&self.own_upload(permit.caller(), &upload.id)?)
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
        let operation = wire::operation(&request.operation)?;
        let digest = wire::fixed(&request.digest, "the batch's digest")?;
        let root = Hash(wire::fixed(&request.root, "the root of the chunks")?);
        let announced = Announcement {
            operation: &operation,
            project: &project.id,
            party,
            header: &request.header,
            chunk_bytes: request.chunk_bytes,
            digest: &digest,
            root: &root,
        }
        .digest();
        project.verify(party, Purpose::Batch, &announced, &request.signature)?;
        Ok(Upload {
            id: crate::entropy::name()?,
            operation,
            request: announced,
            project: project.id,
            party: party.to_string(),
            // Told by its header, when it is admitted.
            part: Part::Whole,
            header: request.header.to_vec(),
            digest,
            root,
            chunk_bytes: request.chunk_bytes,
            state: State::NEW,
        })
    }

    /// Whether a new upload may begin, and as which part; its number of rows.
    fn admit(&self, project: &Project, upload: &mut Upload) -> Result<u64, Fault> {
        let header = Header::from_bytes(&upload.header)?;
        upload.part = self.part(project, &upload.party, &header)?;
        for other in self.store.uploads(&project.id, upload.part)? {
            if other.party == upload.party {
                return Err(Fault::new(
                    Code::AlreadyExists,
                    "upload.other",
                    "this owner has another upload for the project; it must be given up first, and \
                     cannot be once it is accepted",
                ));
            }
            header.comparable(&Header::from_bytes(&other.header)?)?;
        }
        self.require_quota(upload, &header)?;
        Ok(header.rows)
    }

    /// What of a batch a header announces.
    fn part(&self, project: &Project, party: &str, header: &Header) -> Result<Part, Fault> {
        // Which data pack the owners use is theirs to agree on; `comparable` below holds them to
        // it.
        let whole = Header {
            pack: header.pack,
            ..Header::new(
                *project.id.as_bytes(),
                &project.schema,
                header.key,
                header.rows,
            )
        };
        let keys_first = WholeBatch::of(&project.schema).is_none();
        if !keys_first && *header == whole {
            return Ok(Part::Whole);
        }
        if keys_first && *header == whole.keys_only() {
            return Ok(Part::Keys);
        }
        if !keys_first || *header != whole.tokens_only(header.rows) {
            return Err(Fault::new(
                Code::InvalidArgument,
                "upload.schema",
                "the batch was not made under this project's manifest and schema",
            ));
        }
        match self.store.ask(&project.id, party)? {
            Some(ask) if ask.rows == header.rows => Ok(Part::Tokens),
            Some(ask) => Err(Fault::state(
                "ask.rows",
                format!(
                    "{} tokens were asked for, {} announced",
                    ask.rows, header.rows
                ),
            )),
            None => Err(Fault::state(
                "ask.none",
                "this owner was not asked for tokens",
            )),
        }
    }

    /// Refuses an upload that is too large, one too many, or more than the disk holds.
    fn require_quota(&self, upload: &Upload, header: &Header) -> Result<(), Fault> {
        let limits = &self.limits.uploads;
        let fits = (limits.chunk_bytes_min..=limits.chunk_bytes_max).contains(&upload.chunk_bytes);
        if !fits || header.rows == 0 {
            return Err(Fault::malformed("the batch's size"));
        }
        let quota =
            |message: String| Err(Fault::new(Code::ResourceExhausted, "upload.quota", message));
        if header.rows > limits.rows_max || header.body_bytes() > limits.bytes_max {
            return quota(format!(
                "a batch has at most {} rows and {} bytes",
                limits.rows_max, limits.bytes_max
            ));
        }
        let under_way = self.store.uploads_under_way(&upload.party)?;
        if under_way >= limits.under_way_per_party_max {
            return quota(format!(
                "{under_way} uploads of this owner are under way; finish or abort one of them"
            ));
        }
        spool::require_room(&self.uploads_dir, header.body_bytes(), &self.limits)
    }

    /// Checks an upload whose chunks are all there, once, and accepts or refuses it.
    async fn seal_upload(&self, caller: &Caller, id: [u8; 16]) -> Result<v1::UploadState, Fault> {
        let lane = self.lanes.of(&id);
        let _one_at_a_time = lane.checking.lock().await;
        let _files = self.files.read().await;
        let mut upload = self.own_upload(caller, &id)?;
        if matches!(upload.state, State::Open(_) | State::Sealed(_)) {
            self.permit_upload(&upload)?;
        }
        // Whether a check that a crash ended may have come to its end in the log.
        let mut resumed = true;
        if let State::Open(open) = upload.state {
            lane.clear();
            let (next, chunks) = (
                spool::next_chunk(&self.uploads_dir, &upload)?,
                spool::chunks_of(&upload)?,
            );
            if next < chunks {
                return Err(Fault::state(
                    "upload.incomplete",
                    format!("{next} of {chunks} chunks are here"),
                ));
            }
            self.journal
                .act_of(caller, Action::UploadSeal, hex::encode(id))
                .project(&upload.project)
                .digest("root", &upload.root.0)
                .ok()?;
            let sealed = State::from(open.seal());
            self.store.move_upload(&id, upload.state, sealed)?;
            upload.state = sealed;
            resumed = false;
        }
        let mut entry = None;
        if let State::Sealed(sealed) = upload.state {
            entry = self.check_upload(caller, &upload, sealed, resumed).await?;
            upload = self.own_upload(caller, &id)?;
        }
        self.lanes.close(&id);
        let mut told = self.upload_state(&upload)?;
        if upload.state.is_accepted() {
            told.receipt = self.receipt(&upload, entry)?;
        }
        Ok(told)
    }

    /// The proof that this node's log says that it accepted the batch, in this entry if it is
    /// known.
    fn receipt(&self, upload: &Upload, entry: Option<u64>) -> Result<String, Fault> {
        let entry = match entry {
            Some(entry) => Some(entry),
            None => self
                .journal
                .find(Action::UploadAccept, &hex::encode(upload.id))?,
        };
        let entry = entry.ok_or_else(|| {
            let message = "the log has no entry of the accepted batch";
            Fault::new(Code::DataLoss, "audit.absent", message)
        })?;
        Ok(self.journal.receipt(entry)?.to_string())
    }

    /// Checks a sealed upload; the log's entry that accepts it, if it was written now.
    async fn check_upload(
        &self,
        caller: &Caller,
        upload: &Upload,
        sealed: Sealed,
        resumed: bool,
    ) -> Result<Option<u64>, Fault> {
        let (dir, checked) = (self.uploads_dir.clone(), upload.clone());
        let check = operation::spawn_blocking(move || spool::check(&dir, &checked));
        let rows = Header::from_bytes(&upload.header)?.rows;
        let (action, state) = match check.await?? {
            Ok(()) => (Action::UploadAccept, State::from(sealed.accept())),
            Err(reason) => (Action::UploadRefuse, State::from(sealed.refuse(reason))),
        };
        let object = hex::encode(upload.id);
        // The log comes first: what it does not say has not happened. A crash between the two
        // leaves the upload sealed, and an entry that must not be written twice.
        let mut entry = None;
        if !resumed || self.journal.find(action, &object)?.is_none() {
            let act = self
                .journal
                .act_of(caller, action, object)
                .project(&upload.project)
                .count("rows", rows)
                .digest("batch", &upload.digest)
                .digest("root", &upload.root.0);
            match state.reason() {
                None => entry = Some(act.logged()?),
                Some(reason) => {
                    let refused = Fault::new(Code::DataLoss, reason.code(), reason.to_string());
                    act.failed(refused);
                }
            }
        }
        if state.is_accepted() {
            self.store.move_upload(&upload.id, upload.state, state)?;
            return Ok(entry);
        }
        self.end_upload(upload, state)?;
        Ok(None)
    }

    /// Moves an upload to a final state without a batch, and removes its bytes.
    fn end_upload(&self, upload: &Upload, state: State) -> Result<(), Fault> {
        self.store.move_upload(&upload.id, upload.state, state)?;
        self.lanes.close(&upload.id);
        spool::remove(&self.uploads_dir, &upload.id)
    }

    /// Ends the uploads that nobody has gone on with for too long.
    fn expire_idle(&self) -> Result<(), Fault> {
        let idle = i64::try_from(self.limits.uploads.idle_max.as_secs()).unwrap_or(i64::MAX);
        for upload in self.store.idle_uploads(now().saturating_sub(idle))? {
            let State::Open(open) = upload.state else {
                continue;
            };
            self.journal
                .act(Action::UploadExpire, hex::encode(upload.id))
                .project(&upload.project)
                .ok()?;
            self.end_upload(&upload, open.expire().into())?;
        }
        Ok(())
    }

    /// How far an upload is, for its owner.
    fn upload_state(&self, upload: &Upload) -> Result<v1::UploadState, Fault> {
        use v1::upload_state::State as Told;
        let chunks = spool::chunks_of(upload)?;
        let (state, next_chunk) = match upload.state {
            State::Open(_) => (Told::Open, spool::next_chunk(&self.uploads_dir, upload)?),
            State::Sealed(_) => (Told::Sealed, chunks),
            State::Accepted(_) => (Told::Accepted, chunks),
            State::Refused(_) => (Told::Refused, 0),
            State::Expired(_) => (Told::Expired, 0),
        };
        let reason = upload.state.reason().map(|reason| reason.code());
        Ok(v1::UploadState {
            upload: upload.id.to_vec().into(),
            state: state.into(),
            next_chunk,
            chunks,
            rows: Header::from_bytes(&upload.header)?.rows,
            root: upload.root.0.to_vec().into(),
            reason: reason.unwrap_or_default().to_owned(),
            receipt: String::new(),
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

fn not_open(upload: &Upload) -> Fault {
    let state = upload.state.name();
    Fault::state(
        "upload.not_open",
        format!("this upload is {state} and takes no chunks"),
    )
}

/// Seconds of Unix time by the system's clock.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
