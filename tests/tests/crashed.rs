//! Nodes killed at each of their writes, before it and in its middle: what was acknowledged is
//! still there, nothing is half there, the node starts by itself, and what was cut off is asked for
//! again and succeeds.
//!
//! Takes a bounded number of the writes, spread evenly; `scripts/kill-uploads --writes` takes all.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use linkage_core::audit::receipt::Receipt;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::demo::Rules;
use linkage_node::settings::NodeRole;
use linkage_node::store::matcher::Upload;
use linkage_node::store::migrate;
use linkage_proto::v1;
use linkage_proto::v1::upload_state::State;
use linkage_tests::crashing::{Crash, Crashing, NodeName};
use linkage_tests::sender::{self, Parcel, Sender};
use linkage_tests::trail;
use linkage_tests::world::{Act, World, request};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Few, so that a batch is written in few calls; still several chunks.
const RECORDS: u64 = 60;

/// The smallest that a matcher takes.
const CHUNK_BYTES: u32 = 4 * 1024;

/// What a node does while it is killed, and what must be so afterwards.
trait Scene {
    /// What its clients were told.
    type Told: Default;

    fn crashing(&mut self) -> &mut Crashing;

    /// The node that is killed.
    fn victim(&self) -> NodeName;

    /// Stops the nodes of the scene and gives them back what they had at its beginning; starts all
    /// but the victim.
    fn reset(&mut self) -> Result<()>;

    /// Asks for the act; `told` holds what was answered, whatever becomes of the rest.
    async fn act(&mut self, told: &mut Self::Told) -> Result<()>;

    /// Looks whether what was told still holds and nothing is half done, with the victim running
    /// again.
    async fn recovered(&mut self, told: &Self::Told) -> Result<()>;

    /// Looks at the outcome, once the act has been answered in full.
    async fn done(&mut self) -> Result<()>;
}

/// Kills the victim of a scene at up to `crashes_max` of its writes, all if the environment says
/// so, and says what was done.
async fn kill_at_each(name: &str, scene: &mut impl Scene, crashes_max: usize) -> Result<String> {
    let (victim, began) = (scene.victim(), Instant::now());
    scene.reset()?;
    scene.crashing().start_counted(&victim, None)?;
    scene.act(&mut Default::default()).await?;
    let trace = scene.crashing().trace(&victim)?;
    scene.done().await?;
    ensure!(trace.len() > 10, "only {} calls: {trace:?}", trace.len());

    let all = Crash::points(&trace);
    let count = match std::env::var_os("LINKAGE_CRASH_EVERY") {
        Some(_) => all.len(),
        None => crashes_max.min(all.len()),
    };
    let mut died = 0;
    for at in 0..count {
        let crash = all.get(at * all.len() / count).context("no such point")?;
        let killed = one(scene, *crash).await;
        let trace = scene.crashing().trace(&victim)?;
        let last = trace.last().map_or("none", String::as_str);
        died += u64::from(killed.with_context(|| format!("{name}: {crash:?}, last call: {last}"))?);
    }
    // Whether the last calls come before all is answered is for the clock to decide.
    ensure!(died * 10 >= count as u64 * 7, "{died} of {count} died");
    Ok(format!(
        "{name}: {} calls, {died} kills at {count} of {} points in {:.0} s",
        trace.len(),
        all.len(),
        began.elapsed().as_secs_f64()
    ))
}

/// One kill; whether the victim came so far as to die.
async fn one(scene: &mut impl Scene, crash: Crash) -> Result<bool> {
    let victim = scene.victim();
    scene.reset()?;
    let mut told = Default::default();
    let is_up = scene.crashing().start_counted(&victim, Some(crash))?;
    let mut has_died = !is_up;
    if is_up {
        let acted = scene.act(&mut told).await;
        has_died = scene.crashing().has_died(&victim, acted.is_err())?;
    }
    scene.crashing().world.cluster.kill(&victim.1)?;
    scene.crashing().start(&victim)?;
    verify(scene, &victim).context("after the crash")?;
    scene.recovered(&told).await?;
    scene.act(&mut told).await.context("asked again")?;
    scene.done().await?;
    verify(scene, &victim).context("at the end")?;
    Ok(has_died)
}

/// Looks whether a node's log and database are whole.
fn verify(scene: &mut impl Scene, (role, party): &NodeName) -> Result<()> {
    let data = scene.crashing().world.data_dir(party);
    verify_dir(&data.join("audit"))?;
    let database = match role {
        NodeRole::Matcher => "matcher.db",
        NodeRole::Owner => "owner.db",
    };
    let damage = migrate::examine(&data.join(database))?.damage;
    ensure!(damage.is_empty(), "{damage:?}");
    Ok(())
}

fn matcher() -> Result<NodeName> {
    Ok((NodeRole::Matcher, World::matcher_party()?))
}

/// The uploads of an owner that are not given up.
fn live(world: &World, project: ProjectId, owner: &PartyId) -> Result<Option<Upload>> {
    let mut uploads = world.matcher_store()?.uploads_of_all_parts(&project)?;
    uploads.retain(|upload| upload.party == owner.as_str());
    ensure!(uploads.len() <= 1, "{} uploads", uploads.len());
    Ok(uploads.pop())
}

/// Looks whether the matcher has this batch, byte for byte, and says once that it accepted it.
fn arrived(world: &World, project: ProjectId, owner: &PartyId, batch: &[u8]) -> Result<()> {
    let upload = live(world, project, owner)?.context("no upload")?;
    ensure!(upload.state.is_accepted(), "{:?}", upload.state);
    let stored = fs::read(world.spool(&upload)?)?;
    ensure!(
        stored == batch,
        "{} bytes, not {}",
        stored.len(),
        batch.len()
    );
    let accepted = trail::accepted(&world.data_dir(&World::matcher_party()?), &upload.id)?;
    ensure!(accepted == 1, "accepted {accepted} times");
    Ok(())
}

/// An owner that speaks for itself uploads to a matcher.
struct AtMatcher {
    crashing: Crashing,
    matcher: NodeName,
    project: ProjectId,
    owner: PartyId,
    sender: Sender,
    parcel: Parcel,
    batch: Vec<u8>,
}

/// What the owner was told.
#[derive(Default)]
struct Told {
    /// The upload's name, once there was one.
    upload: Option<Vec<u8>>,
    /// Chunks that were acknowledged.
    stored: u32,
    is_accepted: bool,
}

impl AtMatcher {
    async fn new() -> Result<Self> {
        let mut crashing = Crashing::of_departments(RECORDS, 41)?;
        let project = crashing.world.keyed(&Rules::default()).await?;
        // What another owner's node has made is a batch that this one might send.
        let (owner, other): (PartyId, PartyId) = ("credit".parse()?, "health".parse()?);
        crashing.world.act(Act::Upload, &other, project).await?;
        let batch = fs::read(crashing.world.outbox(&other, project))?;
        let sender = Sender::new(&crashing.world, &owner, project)?;
        for party in crashing.world.owners.clone() {
            crashing.world.cluster.kill(&party)?;
        }
        let matcher = matcher()?;
        crashing.world.cluster.kill(&matcher.1)?;
        crashing.save(&matcher)?;
        Ok(Self {
            parcel: Parcel::of(&batch, CHUNK_BYTES, 1)?,
            crashing,
            matcher,
            project,
            owner,
            sender,
            batch,
        })
    }
}

impl Scene for AtMatcher {
    type Told = Told;

    fn crashing(&mut self) -> &mut Crashing {
        &mut self.crashing
    }

    fn victim(&self) -> NodeName {
        self.matcher.clone()
    }

    fn reset(&mut self) -> Result<()> {
        let victim = self.victim();
        self.crashing.world.cluster.kill(&victim.1)?;
        self.crashing.restore(&victim)
    }

    async fn act(&mut self, told: &mut Told) -> Result<()> {
        let mut client = sender::uploads(&self.crashing.world, &self.owner).await?;
        let begun = client
            .begin(self.sender.begin(&self.parcel))
            .await?
            .into_inner();
        let upload = begun.upload.to_vec();
        ensure!(
            told.upload.get_or_insert_with(|| upload.clone()) == &upload,
            "another name"
        );
        ensure!(
            begun.next_chunk >= told.stored,
            "{} of {}",
            begun.next_chunk,
            told.stored
        );
        if begun.state() == State::Open {
            let chunks = sender::chunks(&self.batch, CHUNK_BYTES, &upload)?;
            let mut chunks = chunks.into_iter().skip(usize::try_from(begun.next_chunk)?);
            if let Some(first) = chunks.next() {
                // One after the other, so that each is written by itself.
                let (give, chunk) = mpsc::channel(1);
                give.send(first).await?;
                let mut acks = client.put(ReceiverStream::new(chunk)).await?.into_inner();
                loop {
                    let ack = acks.message().await?.context("no acknowledgement")?;
                    ensure!(ack.next_chunk > told.stored, "not monotone");
                    told.stored = ack.next_chunk;
                    match chunks.next() {
                        Some(next) => give.send(next).await?,
                        None => break,
                    }
                }
            }
        }
        let name = v1::UploadName {
            upload: begun.upload,
        };
        let sealed = client.seal(name).await?.into_inner();
        ensure!(sealed.state() == State::Accepted, "{sealed:?}");
        told.is_accepted = true;
        sealed.receipt.parse::<Receipt>()?;
        Ok(())
    }

    async fn recovered(&mut self, told: &Told) -> Result<()> {
        let world = &self.crashing.world;
        let upload = live(world, self.project, &self.owner)?;
        let files = fs::read_dir(world.data_dir(&matcher()?.1).join("uploads"))?.count();
        let Some(upload) = upload else {
            ensure!(told.upload.is_none(), "an upload that was begun is gone");
            // The other owner's.
            ensure!(files == 1, "{files} files");
            return Ok(());
        };
        let accepted = trail::accepted(&world.data_dir(&matcher()?.1), &upload.id)?;
        ensure!(accepted <= 1, "accepted {accepted} times");
        ensure!(
            accepted == 1 || !upload.state.is_accepted(),
            "accepted and not logged"
        );
        ensure!(files <= 2, "{files} files");
        let mut client = sender::uploads(world, &self.owner).await?;
        let name = v1::UploadName {
            upload: upload.id.to_vec().into(),
        };
        let state = client.status(name).await?.into_inner();
        ensure!(
            state.next_chunk >= told.stored,
            "{} of {}",
            state.next_chunk,
            told.stored
        );
        ensure!(
            !told.is_accepted || state.state() == State::Accepted,
            "{state:?}"
        );
        Ok(())
    }

    async fn done(&mut self) -> Result<()> {
        arrived(&self.crashing.world, self.project, &self.owner, &self.batch)
    }
}

/// An owner's node encodes and uploads.
struct AtOwner {
    crashing: Crashing,
    project: ProjectId,
    owner: PartyId,
}

impl AtOwner {
    async fn new() -> Result<Self> {
        let mut crashing = Crashing::of_departments(RECORDS, 42)?;
        let project = crashing.world.keyed(&Rules::default()).await?;
        let owner = crashing.world.owner(0)?;
        for party in crashing.world.owners.clone() {
            crashing.world.cluster.kill(&party)?;
        }
        let matcher = matcher()?;
        crashing.world.cluster.kill(&matcher.1)?;
        crashing.save(&matcher)?;
        crashing.save(&(NodeRole::Owner, owner.clone()))?;
        Ok(Self {
            crashing,
            project,
            owner,
        })
    }
}

impl Scene for AtOwner {
    /// Whether the operator was told that the batch is accepted.
    type Told = bool;

    fn crashing(&mut self) -> &mut Crashing {
        &mut self.crashing
    }

    fn victim(&self) -> NodeName {
        (NodeRole::Owner, self.owner.clone())
    }

    fn reset(&mut self) -> Result<()> {
        let matcher = matcher()?;
        for node in [&matcher, &self.victim()] {
            self.crashing.world.cluster.kill(&node.1)?;
            self.crashing.restore(node)?;
        }
        self.crashing.start(&matcher)
    }

    async fn act(&mut self, told: &mut bool) -> Result<()> {
        let world = &self.crashing.world;
        world.act(Act::Upload, &self.owner, self.project).await?;
        *told = true;
        Ok(())
    }

    async fn recovered(&mut self, told: &bool) -> Result<()> {
        let operator = self.crashing.world.operator(&self.owner)?;
        let (_, mut operations) = operator.operations().await?;
        let state = operations.upload_status(request(self.project)).await?;
        let state = state.into_inner().state;
        ensure!(!told || state == "accepted", "{state}");
        Ok(())
    }

    async fn done(&mut self) -> Result<()> {
        let (world, owner) = (&self.crashing.world, &self.owner);
        let outbox = world.outbox(owner, self.project);
        arrived(world, self.project, owner, &fs::read(&outbox)?)?;
        // No drafts. What is kept for resuming may stay where the crash came just before it went.
        for file in fs::read_dir(outbox.parent().context("no folder")?)? {
            let path = file?.path();
            let known = ["tokens", "keys", "keys.resume"].map(|name| outbox.with_extension(name));
            ensure!(known.contains(&path), "{} is left", path.display());
        }
        let receipts = fs::read_dir(world.data_dir(owner).join("receipts"))?.count();
        ensure!(receipts == 1, "{receipts} receipts");
        verify_dir(&world.data_dir(&matcher()?.1).join("audit"))?;
        Ok(())
    }
}

/// A node starts for the first time.
struct FirstStart {
    crashing: Crashing,
    victim: NodeName,
}

impl Scene for FirstStart {
    type Told = ();

    fn crashing(&mut self) -> &mut Crashing {
        &mut self.crashing
    }

    fn victim(&self) -> NodeName {
        self.victim.clone()
    }

    fn reset(&mut self) -> Result<()> {
        self.crashing.world.cluster.kill(&self.victim.1)?;
        self.crashing.empty(&self.victim)
    }

    async fn act(&mut self, (): &mut ()) -> Result<()> {
        Ok(())
    }

    async fn recovered(&mut self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn done(&mut self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_killed_at_its_writes() -> Result<()> {
    let mut scene = AtMatcher::new().await?;
    println!("{}", kill_at_each("matcher", &mut scene, 26).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_killed_at_its_writes() -> Result<()> {
    let mut scene = AtOwner::new().await?;
    println!("{}", kill_at_each("owner", &mut scene, 20).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_killed_at_the_writes_of_their_first_start() -> Result<()> {
    let mut crashing = Crashing::of_departments(RECORDS, 43)?;
    let owner = (NodeRole::Owner, crashing.world.owner(0)?);
    for victim in [matcher()?, owner] {
        let name = format!("first start of {}", victim.1);
        let mut scene = FirstStart { crashing, victim };
        println!("{}", kill_at_each(&name, &mut scene, 8).await?);
        crashing = scene.crashing;
    }
    Ok(())
}
