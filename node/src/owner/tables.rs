//! The oblivious table between two owners: one encrypts, the other computes. Each acts only after
//! an analyst has asked it too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use linkage_core::disclosure::noise::LaplaceScale;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::Encryptor;
use linkage_oblivious::evaluate::Evaluator;
use linkage_oblivious::params::{POSITIONS_PER_CHUNK, TableShape};
use linkage_proto::v1;
use linkage_proto::v1::answer_reply::Share;
use linkage_proto::v1::table_message::Message;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::Owner;
use super::peers::relayed;
use crate::authz::permit::Permit;
use crate::fault::{Chain, Fault};
use crate::observe::operation;
use crate::procedures::{Tables, tables};
use crate::wire;

/// How long one owner waits for the analyst to have asked the other, and for the other's part.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of a public key or masked table in one message.
const PART_BYTES: usize = 256 * 1024;

/// Largest public key or masked table: 256 masks of 16 KiB and 8 bytes for each of 4096 cells, with
/// room for headers.
const WHOLE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Messages under way between reading from the network and computing.
const MESSAGES_WAITING: usize = 8;

/// Which part an owner has in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Encrypts its categories and opens the masked table.
    Encrypting,
    /// Adds up ciphertexts by its own categories.
    Computing,
}

/// A table that this owner has agreed to answer.
pub(super) struct Table {
    pub(super) name: [u8; 16],
    pub(super) project: ProjectId,
    pub(super) run: [u8; 16],
    pub(super) digest: [u8; 32],
    pub(super) shape: TableShape,
    pub(super) part: Part,
    pub(super) other: PartyId,
    /// Position and category of every own record that has one.
    pub(super) placed: Vec<(u32, u16)>,
    pub(super) scale: LaplaceScale,
}

/// A computing owner's share, and the bytes that it received and sent.
type Computed = Result<(Vec<u8>, u64, u64), Fault>;

/// A table and where its computing owner's share is awaited.
type Expected = (Table, oneshot::Sender<Computed>);

/// Tables that wait for the other owner to begin, by the request's name.
#[derive(Default)]
pub(super) struct Waiting {
    tables: Mutex<HashMap<[u8; 16], Expected>>,
    changed: Notify,
}

impl Waiting {
    fn put(&self, table: Table) -> oneshot::Receiver<Computed> {
        let (sender, receiver) = oneshot::channel();
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table.name, (table, sender));
        drop(tables);
        self.changed.notify_waiters();
        receiver
    }

    fn remove(&self, name: &[u8; 16]) -> Option<Expected> {
        self.tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name)
    }

    /// Takes the table of this name, waiting for the analyst to ask for it here too.
    async fn take(&self, name: &[u8; 16]) -> Option<Expected> {
        let taking = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Registered before the look, so that no change between look and wait is missed.
                changed.as_mut().enable();
                if let Some(found) = self.remove(name) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, taking).await.ok()
    }
}

/// Takes a table back when the analyst no longer waits for it.
struct Expectation<'a> {
    waiting: &'a Waiting,
    name: [u8; 16],
}

impl Drop for Expectation<'_> {
    fn drop(&mut self) {
        self.waiting.remove(&self.name);
    }
}

impl Owner {
    /// This owner's share of the table.
    pub(super) async fn tabulate(&self, table: Table) -> Result<v1::AnswerReply, Fault> {
        let positions = table.shape.positions();
        let reply = |share, bytes_sent, bytes_received| v1::AnswerReply {
            share: Some(share),
            positions,
            bytes_sent,
            bytes_received,
        };
        match table.part {
            Part::Encrypting => {
                let (share, sent, received) = self.encrypt(table).await?;
                Ok(reply(Share::PhaseShare(share.into()), sent, received))
            }
            Part::Computing => {
                // Dropped with this call, also when the analyst goes away: nothing waits for
                // nobody.
                let _expectation = Expectation {
                    waiting: &self.waiting,
                    name: table.name,
                };
                let computed = self.waiting.put(table);
                let result = tokio::time::timeout(PATIENCE, computed).await;
                let late = || {
                    Fault::new(
                        Code::DeadlineExceeded,
                        "extract.other",
                        "the other owner did not begin: was it asked too?",
                    )
                };
                let (share, received, sent) = result.map_err(|_| late())?.map_err(|_| late())??;
                Ok(reply(Share::MaskShare(share.into()), sent, received))
            }
        }
    }

    /// The encrypting owner's side of the exchange: its share, bytes sent and received.
    async fn encrypt(&self, table: Table) -> Computed {
        let mut client = self.tables(&table.other).await?;
        let nonce = Nonce::random(&mut crate::entropy::generator()?);
        let (sender, receiver) = mpsc::channel(MESSAGES_WAITING);
        let opening = v1::TableOpening {
            project: table.project.as_bytes().to_vec().into(),
            request: table.name.to_vec().into(),
            request_digest: table.digest.to_vec().into(),
            run: table.run.to_vec().into(),
            nonce: nonce.bytes().to_vec().into(),
            positions: table.shape.positions(),
            rows: table.shape.rows().into(),
            columns: table.shape.columns().into(),
        };
        let gone = |_| {
            Fault::new(
                Code::Unavailable,
                "extract.other",
                "the other owner went away",
            )
        };
        sender
            .send(message(Message::Opening(opening)))
            .await
            .map_err(gone)?;
        let answers = client
            .compute(ReceiverStream::new(receiver))
            .await
            .map_err(relayed)?;
        let mut answers = answers.into_inner();
        let nonce_other = match answers
            .message()
            .await
            .map_err(relayed)?
            .and_then(|m| m.message)
        {
            Some(Message::Nonce(nonce)) => Nonce::new(wire::fixed(&nonce, "the other's nonce")?),
            _ => return Err(Fault::malformed("the other owner's answer")),
        };
        let context = context(&table, nonce, nonce_other)?;
        let (shape, scale, placed) = (table.shape, table.scale, table.placed);
        let encrypting =
            operation::spawn_blocking(move || encrypt_all(&context, shape, &placed, &sender));
        let mut masked = Vec::new();
        let mut complete = false;
        while !complete {
            match answers
                .message()
                .await
                .map_err(relayed)?
                .and_then(|m| m.message)
            {
                Some(Message::Masked(part)) => complete = add_part(&mut masked, &part)?,
                _ => return Err(Fault::malformed("the other owner's answer")),
            }
        }
        let (encryptor, sent) = encrypting.await??;
        let received = masked.len() as u64;
        let opening = operation::spawn_blocking(move || -> Result<Vec<u8>, Fault> {
            let (mut rng, mut noise) = (crate::entropy::generator()?, crate::entropy::generator()?);
            let share = encryptor.open(&masked, || scale.sample(&mut noise), &mut rng);
            Ok(share.map_err(|error| protocol(&error))?.encode())
        });
        Ok((opening.await??, sent, received))
    }
}

impl Tables for Owner {
    async fn compute(
        &self,
        permit: Permit<tables::Compute>,
        mut messages: Streaming<v1::TableMessage>,
    ) -> Result<ReceiverStream<Result<v1::TableMessage, Status>>, Fault> {
        let first = messages.message().await;
        let first = first.map_err(|status| Fault::broken(&status))?;
        let Some(Message::Opening(opening)) = first.and_then(|first| first.message) else {
            return Err(Fault::malformed("the opening of a table"));
        };
        // Before it waits for anything: a stranger must not hold places here.
        let member = permit.member(self, &opening.project)?;
        let name = wire::fixed::<16>(&opening.request, "the request's name")?;
        let (table, done) = self.waiting.take(&name).await.ok_or_else(|| {
            Fault::new(
                Code::NotFound,
                "extract.unasked",
                "no analyst has asked this owner for that",
            )
        })?;
        if let Err(fault) = check_opening(&table, member.party(), &opening) {
            let _ = done.send(Err(fault.clone()));
            return Err(fault);
        }
        let nonce_other = Nonce::new(wire::fixed(&opening.nonce, "the nonce")?);
        let nonce = Nonce::random(&mut crate::entropy::generator()?);
        let context = context(&table, nonce_other, nonce)?;
        let (answers, stream) = mpsc::channel(MESSAGES_WAITING);
        let first = message(Message::Nonce(nonce.bytes().to_vec().into()));
        let _ = answers.send(Ok(first)).await;
        let (feed, fed) = mpsc::channel(MESSAGES_WAITING);
        operation::spawn(async move {
            while let Ok(Some(next)) = messages.message().await {
                let Some(next) = next.message else { continue };
                if feed.send(next).await.is_err() {
                    return;
                }
            }
        });
        operation::spawn_blocking(move || {
            let computed = compute_all(&context, &table, fed, &answers);
            if let Err(fault) = &computed {
                let _ = answers.blocking_send(Err(fault.clone().into()));
            }
            let _ = done.send(computed);
        });
        Ok(ReceiverStream::new(stream))
    }
}

fn message(content: Message) -> v1::TableMessage {
    v1::TableMessage {
        message: Some(content),
    }
}

fn protocol(error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::new(
        Code::Aborted,
        "extract.protocol",
        format!("the table failed: {}", Chain(error)),
    )
}

fn context(table: &Table, first: Nonce, second: Nonce) -> Result<RunContext, Fault> {
    RunContext::derive(RunId::new(table.name), first, second, table.shape)
        .map_err(|error| protocol(&error))
}

/// Refuses an opening that is not about the very table that the analyst asked this owner for.
fn check_opening(table: &Table, party: &PartyId, opening: &v1::TableOpening) -> Result<(), Fault> {
    let shape = &table.shape;
    let same = table.other == *party
        && table.part == Part::Computing
        && opening.project == table.project.as_bytes().as_slice()
        && opening.request_digest == table.digest.as_slice()
        && opening.run == table.run.as_slice()
        && opening.positions == shape.positions()
        && opening.rows == u32::from(shape.rows())
        && opening.columns == u32::from(shape.columns());
    if same {
        Ok(())
    } else {
        let message = "the two owners were not asked the same, or have positions of different runs";
        Err(Fault::state("extract.differs", message))
    }
}

fn parts(whole: &[u8]) -> impl Iterator<Item = v1::TablePart> {
    let count = whole.len().div_ceil(PART_BYTES);
    whole
        .chunks(PART_BYTES)
        .enumerate()
        .map(move |(at, data)| v1::TablePart {
            data: data.to_vec().into(),
            last: at + 1 == count,
        })
}

/// Adds a part; `true` when it was the last.
fn add_part(whole: &mut Vec<u8>, part: &v1::TablePart) -> Result<bool, Fault> {
    if whole.len() + part.data.len() > WHOLE_BYTES_MAX {
        return Err(Fault::malformed("a key or table that is too large"));
    }
    whole.extend_from_slice(&part.data);
    Ok(part.last)
}

/// Sends the public key and every chunk; the encryptor that can open the answer, and bytes sent.
fn encrypt_all(
    context: &RunContext,
    shape: TableShape,
    placed: &[(u32, u16)],
    sender: &mpsc::Sender<v1::TableMessage>,
) -> Result<(Encryptor, u64), Fault> {
    let gone = |_| {
        Fault::new(
            Code::Unavailable,
            "extract.other",
            "the other owner went away",
        )
    };
    let mut categories = vec![None; shape.positions() as usize];
    for (position, category) in placed {
        if let Some(slot) = categories.get_mut(*position as usize) {
            *slot = Some(*category);
        }
    }
    let mut encryptor = Encryptor::new(context, &mut crate::entropy::generator()?);
    let mut sent = encryptor.public_key().len() as u64;
    for part in parts(encryptor.public_key()) {
        sender
            .blocking_send(message(Message::PublicKey(part)))
            .map_err(gone)?;
    }
    for (index, chunk) in (0..shape.chunks()).zip(categories.chunks(POSITIONS_PER_CHUNK)) {
        let ciphertext = encryptor
            .encrypt_chunk(index, chunk)
            .map_err(|error| protocol(&error))?;
        sent += ciphertext.len() as u64;
        let chunk = v1::TableChunk {
            index,
            ciphertext: ciphertext.into(),
        };
        sender
            .blocking_send(message(Message::Chunk(chunk)))
            .map_err(gone)?;
    }
    Ok((encryptor, sent))
}

/// Computes on what is fed, sends the masked table, gives back the own share and the bytes received
/// and sent.
fn compute_all(
    context: &RunContext,
    table: &Table,
    mut fed: mpsc::Receiver<Message>,
    answers: &mpsc::Sender<Result<v1::TableMessage, Status>>,
) -> Computed {
    let mut key = Vec::new();
    let mut received = 0;
    let mut evaluator: Option<Evaluator> = None;
    let mut chunks = 0;
    while chunks < table.shape.chunks() {
        let next = fed.blocking_recv();
        match (next, &mut evaluator) {
            (Some(Message::PublicKey(part)), None) => {
                if add_part(&mut key, &part)? {
                    let made = Evaluator::new(context, &key, &table.placed);
                    evaluator = Some(made.map_err(|error| protocol(&error))?);
                    received += key.len() as u64;
                }
            }
            (Some(Message::Chunk(chunk)), Some(evaluator)) => {
                received += chunk.ciphertext.len() as u64;
                evaluator
                    .absorb(chunk.index, &chunk.ciphertext)
                    .map_err(|error| protocol(&error))?;
                chunks += 1;
            }
            (Some(_), _) => return Err(Fault::malformed("the order of a table's messages")),
            (None, _) => {
                let message = "the other owner went away";
                return Err(Fault::new(Code::Unavailable, "extract.other", message));
            }
        }
    }
    let evaluator = evaluator.ok_or_else(|| Fault::malformed("a table without a key"))?;
    let (mut rng, mut noise) = (crate::entropy::generator()?, crate::entropy::generator()?);
    let (masked, share) = evaluator
        .finish(|| table.scale.sample(&mut noise), &mut rng)
        .map_err(|error| protocol(&error))?;
    for part in parts(&masked) {
        let gone = |_| {
            Fault::new(
                Code::Unavailable,
                "extract.other",
                "the other owner went away",
            )
        };
        answers
            .blocking_send(Ok(message(Message::Masked(part))))
            .map_err(gone)?;
    }
    Ok((share.encode(), received, masked.len() as u64))
}
