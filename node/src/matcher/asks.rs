//! Asking owners for the tokens that are worth comparing: filters out, tokens back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use linkage_core::ask::{AskFilter, FilterError, TooManyOwners, Wanted};
use linkage_core::audit::action::Action;
use linkage_core::encode::{Batch, Columns, Header};
use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_core::project::state::Event;
use linkage_core::upload::Part;
use linkage_proto::v1;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::{Matcher, spool, stored};
use crate::authz::permit::Member;
use crate::fault::Fault;
use crate::observe::operation;
use crate::procedures::{Asks, asks};
use crate::store::matcher::{Ask, Upload};

/// Bytes of a filter in one message: what the largest chunk of an upload has.
const PART_BYTES: usize = 256 * 1024;

/// Pause between two looks whether all owners have answered.
const PAUSE: Duration = Duration::from_millis(200);

impl Asks for Matcher {
    async fn get(
        &self,
        member: Member<asks::Get>,
        _: v1::AskRequest,
    ) -> Result<ReceiverStream<Result<v1::AskPart, Status>>, Fault> {
        let _files = self.files.read().await;
        self.permit(member.project(), Event::Contribute)?;
        let (parts, stream) = mpsc::channel(4);
        let (id, party) = (&member.project().id, member.party().as_str());
        if self.store.ask(id, party)?.is_some() {
            let filter = std::fs::read(filter_path(&self.uploads_dir, id, party))?;
            operation::spawn(async move {
                let count = filter.len().div_ceil(PART_BYTES);
                for (at, part) in filter.chunks(PART_BYTES).enumerate() {
                    let part = v1::AskPart {
                        filter: part.to_vec().into(),
                        last: at + 1 == count,
                    };
                    if parts.send(Ok(part)).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(ReceiverStream::new(stream))
    }

    async fn refuse(
        &self,
        member: Member<asks::Refuse>,
        request: v1::RefuseAskRequest,
    ) -> Result<v1::RefuseAskReply, Fault> {
        let id = member.project().id;
        let fault = Fault::new(
            Code::PermissionDenied,
            "ask.too_much",
            "an owner refused to answer: it was asked for more than the manifest allows",
        );
        let act = self
            .journal
            .act_of(member.caller(), Action::AskRefused, id.short())
            .project(&id)
            .count("asked", request.hits)
            .count("rows", request.rows);
        act.failed(fault);
        if !self.store.refuse_ask(&id, member.party().as_str())? {
            let message = "this owner was not asked for anything";
            return Err(Fault::state("ask.none", message));
        }
        Ok(v1::RefuseAskReply {})
    }
}

/// The file of the filter for one owner.
pub(super) fn filter_path(dir: &Path, project: &ProjectId, party: &str) -> PathBuf {
    dir.join(format!("{project}.{party}.ask"))
}

fn read_filter(dir: &Path, project: &ProjectId, party: &str) -> Result<AskFilter, Fault> {
    let bytes = std::fs::read(filter_path(dir, project, party))?;
    Ok(AskFilter::from_bytes(bytes)?)
}

impl Matcher {
    /// Asks every owner for the tokens that are worth comparing, unless that was done before, waits
    /// for them, and puts the batches together.
    pub(super) async fn gather(
        &self,
        project: &Project,
        keys: &[Upload],
        report: &(dyn Fn(u32, u32) + Sync),
    ) -> Result<(), Fault> {
        let id = project.id;
        if self.store.asks(&id)?.is_empty() {
            let (dir, uploads) = (self.uploads_dir.clone(), keys.to_vec());
            let asking = operation::spawn_blocking(move || ask(&dir, &id, &uploads));
            let asks = asking.await??;
            let sum = |of: fn(&Ask) -> u64| asks.iter().map(of).sum::<u64>();
            self.journal
                .act(Action::AskSend, id.short())
                .project(&id)
                .count("owners", asks.len() as u64)
                .count("asked", sum(|ask| ask.rows))
                .ok()?;
            self.store.add_asks(&id, &asks)?;
        }
        let tokens = self.answers(project, report).await?;
        let (dir, keys, schema) = (
            self.uploads_dir.clone(),
            keys.to_vec(),
            project.schema.clone(),
        );
        let putting = operation::spawn_blocking(move || -> Result<(), Fault> {
            for upload in &keys {
                let filter = read_filter(&dir, &id, &upload.party)?;
                let header = Header::from_bytes(&upload.header)?;
                let whole = Header {
                    pack: header.pack,
                    ..Header::new(*id.as_bytes(), &schema, header.key, header.rows)
                };
                let answer = tokens.iter().find(|answer| answer.party == upload.party);
                stored::of_parts(&dir, upload, answer, &filter, &whole)?;
            }
            Ok(())
        });
        putting.await?
    }

    /// Waits until every owner has sent the tokens that it was asked for.
    async fn answers(
        &self,
        project: &Project,
        report: &(dyn Fn(u32, u32) + Sync),
    ) -> Result<Vec<Upload>, Fault> {
        let deadline = Instant::now() + self.limits.uploads.answer_max;
        loop {
            // Suspended or closed meanwhile: no answer will come.
            self.permit(project, Event::Link { missing: vec![] })?;
            let asks = self.store.asks(&project.id)?;
            let uploads = self.store.uploads(&project.id, Part::Tokens)?;
            if let Some(ask) = asks.iter().find(|ask| ask.refused) {
                return Err(Fault::new(
                    Code::PermissionDenied,
                    "ask.too_much",
                    format!(
                        "{} refused to send {} tokens: more than the manifest allows; agree on a \
                         project with a larger share, or on block keys that are finer",
                        ask.party, ask.rows
                    ),
                ));
            }
            let has_answered = |ask: &&Ask| {
                let mut accepted = uploads.iter().filter(|up| up.state.is_accepted());
                ask.rows == 0 || accepted.any(|up| up.party == ask.party)
            };
            let missing: Vec<&Ask> = asks.iter().filter(|ask| !has_answered(ask)).collect();
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            report(count(asks.len() - missing.len()), count(asks.len()));
            if missing.is_empty() {
                return Ok(uploads);
            }
            if Instant::now() >= deadline {
                let names: Vec<_> = missing.iter().map(|ask| ask.party.as_str()).collect();
                return Err(Fault::new(
                    Code::DeadlineExceeded,
                    "run.waiting",
                    format!(
                        "no tokens came yet from: {}; see that their nodes run, and start the run \
                         again",
                        names.join(", ")
                    ),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Works out what to ask of whom, and writes the filters.
fn ask(dir: &Path, project: &ProjectId, uploads: &[Upload]) -> Result<Vec<Ask>, Fault> {
    let batches: Vec<Batch> = uploads
        .iter()
        .map(|upload| {
            let file = std::fs::File::open(spool::path(dir, &upload.id))?;
            let read = Batch::read_file(&file);
            read.map_err(|error| Fault::internal("store.batch", &error))
        })
        .collect::<Result<_, _>>()?;
    let columns: Vec<Columns<'_>> = batches.iter().map(Batch::columns).collect();
    let wanted = Wanted::find(&columns, &mut crate::entropy::generator()?)?;
    // Public: it travels with the filters.
    let seed = crate::entropy::secret()?;
    let mut asks = vec![];
    for (owner, (upload, columns)) in uploads.iter().zip(&columns).enumerate() {
        let filter = wanted.filter(owner, &seed)?;
        let keys = |row: usize| {
            columns
                .block_keys
                .iter()
                .filter_map(move |c| c.get(row).copied())
        };
        let hits = (0..columns.len()).filter(|row| filter.hits(keys(*row)));
        let path = filter_path(dir, project, &upload.party);
        let file = super::private_file(&path)?;
        std::io::Write::write_all(&mut &file, &filter.to_bytes())?;
        file.sync_all()?;
        asks.push(Ask {
            party: upload.party.clone(),
            rows: hits.count() as u64,
            refused: false,
        });
    }
    std::fs::File::open(dir)?.sync_all()?;
    Ok(asks)
}

impl From<FilterError> for Fault {
    fn from(error: FilterError) -> Self {
        Self::new(Code::InvalidArgument, "ask.filter", error.to_string())
    }
}

impl From<TooManyOwners> for Fault {
    fn from(error: TooManyOwners) -> Self {
        Self::state("ask.owners", error.to_string())
    }
}
