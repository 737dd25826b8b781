//! Uploads in a simulated network: partitions one way and both, delays, lost and late connections,
//! restarts of either side, nodes that come up in any order, and senders that go on beside their
//! own successors. Each simulation is one seed, twenty of them usually; `LINKAGE_SIMULATIONS` says
//! how many, from seed `LINKAGE_SIMULATION_SEED` on. Time is the network's own: half a minute of it
//! passes in half a second.
//!
//! Whatever happens, each operation key is accepted once, acknowledgements are never taken back,
//! and every proof that was given out belongs to the one log that is there at the end.
//!
//! The weather and all pauses come from the seed. Keys of TLS and the time that a disk takes do
//! not: a seed tells what happens, and nearly always when.

mod network;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use linkage_core::audit::checkpoint::{Checkpoint, NodeKeys};
use linkage_core::audit::entry::Entry;
use linkage_core::audit::receipt::Receipt;
use linkage_core::audit::tree::{Frontier, Hash};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::upload::Part;
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::{MATCHER, TRUST_DOMAIN};
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::settings::NodeRole;
use linkage_node::store::matcher::MatcherStore;
use linkage_node::tls::{self, TlsFiles};
use linkage_proto::v1;
use linkage_proto::v1::upload_state::State;
use linkage_proto::v1::uploads_client::UploadsClient;
use linkage_tests::crashing::copy_folder;
use linkage_tests::sender::{self, Parcel, Sender};
use linkage_tests::world::{Act, World};
use linkage_tests::{certificates, trail};
use network::Station;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use turmoil::Sim;
use zeroize::Zeroizing;

/// Some twenty chunks of the smallest size that a matcher takes.
const RECORDS: u64 = 400;
const CHUNK_BYTES: u32 = 4 * 1024;

/// Senders of every owner, under one operation key: one is what the other was before a restart.
const SENDERS: usize = 2;

/// No mishap begins later, and none lasts longer than `MISHAP_MAX`.
const WEATHER_ENDS: Duration = Duration::from_secs(20);
const MISHAP_MAX: Duration = Duration::from_secs(8);

/// From then on nothing goes wrong any more, so all must come to its end.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a sender waits for one attempt before it makes another connection.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);

/// What all simulations begin with: a project whose owners hold its key, and a batch.
struct Stage {
    /// Holds the folder of the certificates.
    _world: World,
    /// The matcher's data before any upload.
    saved: TempDir,
    secret: Zeroizing<[u8; 32]>,
    tls: TlsFiles,
    project: ProjectId,
    batch: Vec<u8>,
    owners: Vec<(PartyId, Sender, Arc<ClientConfig>)>,
}

impl Stage {
    async fn set() -> Result<Self> {
        let (mut world, _) = World::of_departments(RECORDS, 51)?;
        let project = world.keyed(&Rules::default()).await?;
        let (matcher, first) = (World::matcher_party()?, world.owner(0)?);
        let saved = tempfile::tempdir()?;
        world.cluster.kill(&matcher)?;
        copy_folder(&world.data_dir(&matcher), saved.path())?;
        world.cluster.restart(NodeRole::Matcher, &matcher)?;
        // What one owner's node makes is a batch that each of them might send.
        world.act(Act::Upload, &first, project).await?;
        let batch = fs::read(world.outbox(&first, project))?;
        let (pki, validity) = (world.cluster.pki(), certificates::today()?);
        let owners = world.owners.iter().map(|party| {
            let files = pki.issue(Role::Owner, party.as_str(), &[], validity)?;
            let sender = Sender::new(&world, party, project)?;
            Ok((party.clone(), sender, tls::client_config(&files)?))
        });
        let owners = owners.collect::<Result<Vec<_>>>()?;
        let tls = pki.issue(Role::Matcher, MATCHER, &[MATCHER], validity)?;
        let secret = sender::signing_secret(&world, &matcher)?;
        world.cluster.stop();
        Ok(Self {
            _world: world,
            saved,
            secret,
            tls,
            project,
            batch,
            owners,
        })
    }
}

/// What an owner's senders were told, all of them together.
#[derive(Default)]
struct Told {
    upload: Option<Vec<u8>>,
    acknowledged: u32,
    receipts: Vec<String>,
    attempts: u32,
    /// Senders that have come to their end.
    through: BTreeSet<usize>,
}

/// What a simulation writes down.
#[derive(Default)]
struct Notes {
    owners: Vec<Told>,
    /// Promises that were not kept.
    broken: Vec<String>,
}

/// Limits as a node has them, but with a connection that is dead noticed within two seconds.
fn limits() -> Limits {
    Limits {
        keepalive_interval: Duration::from_secs(1),
        keepalive_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(3),
        ..Limits::default()
    }
}

/// One of an owner's senders.
struct Sending {
    stage: Rc<Stage>,
    notes: Rc<RefCell<Notes>>,
    owner: usize,
    number: usize,
    rng: ChaCha8Rng,
}

impl Sending {
    async fn run(mut self) {
        loop {
            self.pause(500).await;
            self.told(|told| told.attempts += 1);
            // What is refused or lost is tried again, as an owner's node does.
            if let Ok(Ok(())) = timeout(ATTEMPT_MAX, self.attempt()).await {
                break;
            }
        }
        let number = self.number;
        self.told(|told| told.through.insert(number));
    }

    async fn pause(&mut self, ms_max: u64) {
        let pause = self.rng.random_range(0..=ms_max);
        sleep(Duration::from_millis(pause)).await;
    }

    fn told<T>(&self, change: impl FnOnce(&mut Told) -> T) -> Option<T> {
        let mut notes = self.notes.borrow_mut();
        notes.owners.get_mut(self.owner).map(change)
    }

    /// Notes a broken promise.
    fn require(&self, is_kept: bool, words: impl FnOnce() -> String) {
        if !is_kept {
            self.notes.borrow_mut().broken.push(words());
        }
    }

    async fn attempt(&mut self) -> Result<()> {
        let stage = Rc::clone(&self.stage);
        let (party, signer, config) = stage.owners.get(self.owner).context("no owner")?;
        let name = u8::try_from(self.owner)? + 1;
        let request = signer.begin(&Parcel::of(&stage.batch, CHUNK_BYTES, name)?);
        let channel = network::connect(Arc::clone(config), &limits()).await?;
        let mut client = UploadsClient::new(channel);

        let before = self.acknowledged();
        let begun = client.begin(request).await?.into_inner();
        let upload = begun.upload.to_vec();
        let first = self.told(|told| told.upload.get_or_insert_with(|| upload.clone()).clone());
        self.require(first.as_ref() == Some(&upload), || {
            format!("{party}: two uploads")
        });
        self.stands(&begun, before);
        if begun.state() == State::Open && begun.next_chunk < begun.chunks {
            self.put(&mut client, &begun).await?;
        }
        let name = v1::UploadName {
            upload: begun.upload,
        };
        let before = self.acknowledged();
        let state = client.status(name.clone()).await?.into_inner();
        self.stands(&state, before);
        let sealed = client.seal(name).await?.into_inner();
        self.stands(&sealed, before);
        ensure!(sealed.state() == State::Accepted, "not yet: {sealed:?}");
        self.told(|told| told.receipts.push(sealed.receipt));
        Ok(())
    }

    fn acknowledged(&self) -> u32 {
        self.told(|told| told.acknowledged).unwrap_or_default()
    }

    /// What was acknowledged before the question is there, and the batch is not refused.
    fn stands(&self, state: &v1::UploadState, before: u32) {
        let lives = !matches!(state.state(), State::Refused | State::Expired);
        self.require(lives && state.next_chunk >= before, || {
            format!("{before} chunks were acknowledged, then {state:?}")
        });
    }

    /// Sends the chunks that are not there, with pauses.
    async fn put(
        &mut self,
        client: &mut UploadsClient<tonic::transport::Channel>,
        begun: &v1::UploadState,
    ) -> Result<()> {
        let chunks = sender::chunks(&self.stage.batch, CHUNK_BYTES, &begun.upload)?;
        let mut chunks = chunks.into_iter().skip(usize::try_from(begun.next_chunk)?);
        let (give, stream) = mpsc::channel(4);
        give.send(chunks.next().context("no chunk")?).await?;
        let mut acks = client.put(ReceiverStream::new(stream)).await?.into_inner();
        let pauses: Vec<u64> = chunks
            .clone()
            .map(|_| self.rng.random_range(0..400))
            .collect();
        let sending = async move {
            for (chunk, pause) in chunks.zip(pauses) {
                sleep(Duration::from_millis(pause)).await;
                if give.send(chunk).await.is_err() {
                    break;
                }
            }
            drop(give);
            Ok(())
        };
        let hearing = async {
            let mut last = begun.next_chunk;
            while let Some(ack) = acks.message().await? {
                let next = ack.next_chunk;
                self.require(next > last, || format!("acknowledged {next} after {last}"));
                last = next;
                self.told(|told| told.acknowledged = told.acknowledged.max(next));
            }
            Ok::<_, anyhow::Error>(())
        };
        tokio::try_join!(sending, hearing)?;
        Ok(())
    }
}

/// Something that goes wrong, and is well again after a while.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    /// Nothing passes between the matcher and a sender, in either direction.
    Partition,
    /// Nothing passes to the matcher.
    Outward,
    /// Nothing passes from the matcher.
    Inward,
    /// What passes comes later.
    Hold,
    /// The matcher is down.
    Matcher,
    /// A sender is down.
    Sender,
}

const MISHAPS: [Mishap; 6] = [
    Mishap::Partition,
    Mishap::Outward,
    Mishap::Inward,
    Mishap::Hold,
    Mishap::Matcher,
    Mishap::Sender,
];

/// When what happens to which sender; whether it begins or ends.
type Weather = BTreeMap<(Duration, usize), (Mishap, String, bool)>;

fn weather(rng: &mut ChaCha8Rng, hosts: &[String]) -> Weather {
    let mut weather = Weather::new();
    for number in 0..rng.random_range(6..24_usize) {
        let mishap = MISHAPS.get(rng.random_range(0..MISHAPS.len())).copied();
        let host = hosts.get(rng.random_range(0..hosts.len())).cloned();
        let (Some(mishap), Some(host)) = (mishap, host) else {
            continue;
        };
        let from = WEATHER_ENDS.mul_f64(rng.random_range(0.0..1.0));
        let to = from + MISHAP_MAX.mul_f64(rng.random_range(0.0..1.0));
        weather.insert((from, number), (mishap, host.clone(), true));
        weather.insert((to, number), (mishap, host, false));
    }
    weather
}

fn happens(sim: &mut Sim<'_>, mishap: Mishap, host: &str, begins: bool) {
    match (mishap, begins) {
        (Mishap::Partition, true) => sim.partition(MATCHER, host),
        (Mishap::Outward, true) => sim.partition_oneway(host, MATCHER),
        (Mishap::Inward, true) => sim.partition_oneway(MATCHER, host),
        (Mishap::Partition | Mishap::Outward | Mishap::Inward, false) => sim.repair(MATCHER, host),
        (Mishap::Hold, true) => sim.hold(MATCHER, host),
        (Mishap::Hold, false) => sim.release(MATCHER, host),
        (Mishap::Matcher, true) => sim.crash(MATCHER),
        (Mishap::Matcher, false) => sim.bounce(MATCHER),
        (Mishap::Sender, true) => sim.crash(host),
        (Mishap::Sender, false) => sim.bounce(host),
    }
}

/// What one simulation took.
struct Took {
    attempts: u32,
    seconds: f64,
}

fn simulate(stage: &Rc<Stage>, seed: u64) -> Result<Took> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir()?;
    copy_folder(stage.saved.path(), dir.path())?;
    let station = Rc::new(Station {
        data_dir: dir.path().to_owned(),
        secret: stage.secret.clone(),
        tls: stage.tls.clone(),
        limits: limits(),
    });
    let slow = Duration::from_millis(rng.random_range(20..200));
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .enable_random_order()
        .simulation_duration(PATIENCE * 2)
        .tick_duration(Duration::from_millis(5))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(slow)
        .build();

    let up_after = Cell::new(Duration::from_millis(rng.random_range(0..4000)));
    sim.host(MATCHER, move || {
        let (station, pause) = (Rc::clone(&station), up_after.take());
        async move {
            sleep(pause).await;
            Ok(station.serve().await?)
        }
    });
    let notes = Rc::new(RefCell::new(Notes::default()));
    let mut hosts = vec![];
    for (owner, (party, ..)) in stage.owners.iter().enumerate() {
        notes.borrow_mut().owners.push(Told::default());
        for number in 0..SENDERS {
            let host = format!("{party}-{number}");
            let start = Duration::from_millis(rng.random_range(0..4000));
            let (stage, notes) = (Rc::clone(stage), Rc::clone(&notes));
            let rng = RefCell::new(ChaCha8Rng::seed_from_u64(rng.random()));
            sim.host(host.as_str(), move || {
                let sending = Sending {
                    stage: Rc::clone(&stage),
                    notes: Rc::clone(&notes),
                    owner,
                    number,
                    rng: ChaCha8Rng::seed_from_u64(rng.borrow_mut().random()),
                };
                async move {
                    sleep(start).await;
                    sending.run().await;
                    Ok(())
                }
            });
            hosts.push(host);
        }
    }

    let mut weather = weather(&mut rng, &hosts);
    let is_over = |notes: &Notes| {
        notes
            .owners
            .iter()
            .all(|told| told.through.len() >= SENDERS)
    };
    while !is_over(&notes.borrow()) || !weather.is_empty() {
        while let Some(next) = weather
            .first_entry()
            .filter(|next| next.key().0 <= sim.elapsed())
        {
            let (mishap, host, begins) = next.remove();
            happens(&mut sim, mishap, &host, begins);
        }
        sim.step().map_err(|error| anyhow!("{error}"))?;
        ensure!(
            sim.elapsed() < PATIENCE,
            "an upload does not come to its end"
        );
    }
    let seconds = sim.elapsed().as_secs_f64();
    drop(sim);
    let notes = notes.take();
    ensure!(notes.broken.is_empty(), "{:?}", notes.broken);
    check(stage, dir.path(), &notes)?;
    let attempts = notes.owners.iter().map(|told| told.attempts).sum();
    Ok(Took { attempts, seconds })
}

/// Looks whether what was told is what is there at the end.
fn check(stage: &Stage, data_dir: &Path, notes: &Notes) -> Result<()> {
    verify_dir(&data_dir.join("audit"))?;
    let entries = trail::entries(data_dir)?;
    let mut tree = Frontier::default();
    let mut roots: Vec<Hash> = vec![tree.root()];
    for entry in &entries {
        tree.push(Hash::leaf(&entry.to_bytes()?));
        roots.push(tree.root());
    }
    let keys = NodeKeys::derive(stage.secret.as_slice(), TRUST_DOMAIN, "matcher", MATCHER)?;
    let key = keys.log.verifying();

    let uploads = MatcherStore::open(&data_dir.join("matcher.db"))?;
    let uploads = uploads.uploads(&stage.project, Part::Keys)?;
    ensure!(
        uploads.len() == stage.owners.len(),
        "{} uploads",
        uploads.len()
    );
    for ((party, ..), told) in stage.owners.iter().zip(&notes.owners) {
        let upload = uploads.iter().find(|upload| upload.party == party.as_str());
        let upload = upload.with_context(|| format!("nothing of {party}"))?;
        ensure!(upload.state.is_accepted(), "{party}: {:?}", upload.state);
        ensure!(
            told.upload.as_deref() == Some(upload.id.as_slice()),
            "{party}: another upload"
        );
        let accepted = trail::accepted(data_dir, &upload.id)?;
        ensure!(accepted == 1, "{party}: accepted {accepted} times");
        let file = format!("{}.tokens", hex::encode(upload.id));
        let stored = fs::read(data_dir.join("uploads").join(file))?;
        ensure!(stored == stage.batch, "{party}: another batch");
        ensure!(
            told.receipts.len() >= SENDERS,
            "{party}: {} receipts",
            told.receipts.len()
        );
        for receipt in &told.receipts {
            let receipt: Receipt = receipt.parse()?;
            receipt.verify(key)?;
            let entry = entries.get(usize::try_from(receipt.index)?);
            ensure!(
                entry == Some(&Entry::from_bytes(&receipt.entry)?),
                "{party}: not in the log"
            );
            let signed = Checkpoint::open(&receipt.note, key)?;
            let root = roots.get(usize::try_from(signed.size)?);
            ensure!(
                root == Some(&signed.root),
                "{party}: a fork at {}",
                signed.size
            );
        }
    }
    Ok(())
}

fn setting(name: &str, usual: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(usual),
    }
}

#[test]
fn every_seed_keeps_the_promises() -> Result<()> {
    let first = setting("LINKAGE_SIMULATION_SEED", 1)?;
    let seeds = setting("LINKAGE_SIMULATIONS", 20)?;
    let stage = Rc::new(tokio::runtime::Runtime::new()?.block_on(Stage::set())?);
    let began = std::time::Instant::now();
    let (mut attempts, mut simulated) = (0, 0.0);
    for seed in first..first + seeds {
        let took = simulate(&stage, seed)
            .with_context(|| format!("with LINKAGE_SIMULATION_SEED={seed}"))?;
        attempts += took.attempts;
        simulated += took.seconds;
    }
    let seconds = began.elapsed().as_secs_f64();
    let senders = seeds * (SENDERS * stage.owners.len()) as u64;
    println!(
        "{seeds} simulations of {simulated:.0} s in {seconds:.0} s: {attempts} attempts of \
         {senders} senders"
    );
    Ok(())
}
