//! Power cuts and meddling: what was acknowledged survives, what was cut off goes on where it
//! stood, and a node that finds its state changed does not start.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::audit::entry::Entry;
use linkage_core::audit::receipt::Receipt;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::upload::Part;
use linkage_core::upload::state::State;
use linkage_node::auditlog::segments::{self, Frame, Frames};
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::Error as ClusterError;
use linkage_node::settings::NodeRole;
use linkage_node::store::matcher::Upload;
use linkage_proto::v1;
use linkage_tests::proxy::Proxy;
use linkage_tests::world::{Act, World, request};
use linkage_tests::{calls, sender, trail};
use serde_json::Value;

/// Enough that an upload takes several chunks of 256 KiB.
const RECORDS: u64 = 3000;

/// Bytes of an upload after which it is held: within the second chunk.
const CUT_BYTES: u64 = 400_000;

/// Bytes of one chunk at most.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Handshake, frames and calls around an upload's bytes at most; a fraction of a chunk.
const OVERHEAD_BYTES: u64 = 64 * 1024;

/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `look` finds something.
async fn wait<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.with_context(|| format!("{what} did not come"))?
}

/// An owner behind a proxy whose upload is held in its middle.
struct Held {
    world: World,
    proxy: Proxy,
    owner: PartyId,
    project: ProjectId,
    /// Bytes of the batch that are on the matcher's disk.
    spooled: u64,
    uploading: tokio::task::JoinHandle<Result<Value, linkage_node::client::Error>>,
}

impl Held {
    async fn start(seed: u64) -> Result<Self> {
        let (mut world, _) = World::of_departments(RECORDS, seed)?;
        let proxy = Proxy::before(&world.matcher()?.address).await?;
        let owner = world.owner(0)?;
        world.redirect_matcher(&owner, &proxy.address)?;
        let project = world.keyed(&Rules::default()).await?;

        proxy.stop_at(Some(CUT_BYTES));
        let (client, party) = (world.operator(&owner)?, owner.clone());
        let uploading = tokio::spawn(async move {
            linkage_tests::world::perform(&client, &party, Act::Upload, project).await
        });
        proxy.stopped().await;
        let mut held = Self {
            world,
            proxy,
            owner,
            project,
            spooled: 0,
            uploading,
        };
        let spooled = wait("a chunk on disk", || {
            let length = match held.upload()? {
                Some(upload) => fs::metadata(held.world.spool(&upload)?).map_or(0, |f| f.len()),
                None => 0,
            };
            Ok((length > CHUNK_BYTES).then_some(length))
        });
        held.spooled = spooled.await?;
        let whole = fs::metadata(held.world.outbox(&held.owner, held.project))?.len();
        ensure!(
            held.spooled + CHUNK_BYTES < whole,
            "{} of {whole} bytes",
            held.spooled
        );
        let open = held
            .upload()?
            .is_some_and(|upload| upload.state == State::NEW);
        ensure!(open, "not open");
        Ok(held)
    }

    /// The owner's upload as the matcher knows it.
    fn upload(&self) -> Result<Option<Upload>> {
        let mut of_owner = self
            .world
            .matcher_store()?
            .uploads(&self.project, Part::Keys)?;
        of_owner.retain(|upload| upload.party == self.owner.as_str());
        ensure!(of_owner.len() <= 1, "{} uploads", of_owner.len());
        Ok(of_owner.pop())
    }

    /// Only the rest was sent since `before`; accepted once, equal to the outbox; then links.
    async fn finished(self, before: u64) -> Result<()> {
        let Self {
            world,
            proxy,
            owner,
            project,
            spooled,
            ..
        } = &self;
        let sent = proxy.passed() - before;
        let outbox = fs::read(world.outbox(owner, *project))?;
        let rest = outbox.len() as u64 - spooled;
        assert!(sent < rest + OVERHEAD_BYTES, "{sent} sent, {rest} left");

        let upload = self.upload()?.context("no upload")?;
        assert!(upload.state.is_accepted());
        assert_eq!(fs::read(world.spool(&upload)?)?, outbox);
        // Asked once more, nothing is sent or accepted again.
        proxy.drained().await;
        let before = proxy.passed();
        world.act(Act::Upload, owner, *project).await?;
        assert_eq!(proxy.passed(), before);
        let matcher = world.data_dir(&World::matcher_party()?);
        assert_eq!(trail::accepted(&matcher, &upload.id)?, 1);

        world.all(Act::Upload, *project).await?;
        world.act(Act::StartRun, owner, *project).await?;
        world.all(Act::FetchPositions, *project).await?;
        let delivered = world.delivered(*project)?;
        let again = world.recomputed(*project)?;
        assert!(again.same_partition(&delivered));
        for (party, dir) in world.data_dirs()? {
            verify_dir(&dir.join("audit")).with_context(|| party.to_string())?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn matcher_killed_within_an_upload() -> Result<()> {
    let mut held = Held::start(11).await?;
    let matcher = World::matcher_party()?;
    held.world.cluster.kill(&matcher)?;
    let before = held.proxy.passed();
    held.proxy.stop_at(None);
    held.world.cluster.restart(NodeRole::Matcher, &matcher)?;
    // The owner goes on by itself.
    (&mut held.uploading).await??;
    held.finished(before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_killed_within_an_upload() -> Result<()> {
    let mut held = Held::start(12).await?;
    let owner = held.owner.clone();
    held.world.cluster.kill(&owner)?;
    let cut = (&mut held.uploading).await?;
    assert!(cut.is_err(), "{cut:?}");
    held.world.cluster.restart(NodeRole::Owner, &owner)?;
    // What was under way reaches the matcher late; it is not what is sent anew.
    held.proxy.stop_at(None);
    held.proxy.drained().await;
    let before = held.proxy.passed();
    held.world.act(Act::Upload, &owner, held.project).await?;
    held.finished(before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_stream_comes_between() -> Result<()> {
    let mut held = Held::start(16).await?;
    let upload = held.upload()?.context("no upload")?;
    let body =
        fs::read(held.world.outbox(&held.owner, held.project))?.split_off(upload.header.len());
    let next = (held.spooled - upload.header.len() as u64) / CHUNK_BYTES;
    let next = usize::try_from(next)?;
    let chunk_bytes = usize::try_from(CHUNK_BYTES)?;
    let rows = body.chunks(chunk_bytes).nth(next).context("no chunk")?;
    let chunk = v1::Chunk {
        upload: upload.id.to_vec().into(),
        index: u32::try_from(next)?,
        crc32c: crc32c::crc32c(rows),
        rows: rows.to_vec().into(),
    };
    // What a lost stream may do: it takes the upload over and brings a chunk of its own.
    let mut client = sender::uploads(&held.world, &held.owner).await?;
    let stored = sender::put(&mut client, vec![chunk]).await?;
    assert_eq!(usize::try_from(stored)?, next + 1);
    held.proxy.stop_at(None);
    // The owner's own stream ends there, and it goes on by itself where the matcher stands.
    (&mut held.uploading).await??;
    let before = held.proxy.passed();
    held.finished(before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_an_upload_and_gives_it_up() -> Result<()> {
    let mut held = Held::start(15).await?;
    let (owner, project) = (held.owner.clone(), held.project);
    held.world.cluster.kill(&owner)?;
    assert!((&mut held.uploading).await?.is_err());
    held.world.cluster.restart(NodeRole::Owner, &owner)?;
    held.proxy.stop_at(None);
    held.proxy.drained().await;

    let (_, mut operations) = held.world.operator(&owner)?.operations().await?;
    let told = operations.upload_status(request(project)).await?;
    let told = told.into_inner();
    assert_eq!(told.state, "open");
    // What was under way has come as well.
    assert!((1..=told.chunks).contains(&told.next_chunk), "{told:?}");
    let told = operations.abort_upload(request(project)).await?;
    let told = told.into_inner();
    let words = (told.state.as_str(), told.reason.as_str());
    assert_eq!(words, ("refused", "upload.aborted"));
    let again = operations.abort_upload(request(project)).await;
    assert_eq!(calls::refusal(again)?, "upload.none");
    let told = operations.upload_status(request(project)).await?;
    assert_eq!(told.into_inner().state, "encoded");

    held.world.act(Act::Upload, &owner, project).await?;
    let told = operations.upload_status(request(project)).await?;
    let told = told.into_inner();
    assert_eq!(told.state, "accepted");
    let accepted = operations.abort_upload(request(project)).await;
    assert_eq!(calls::refusal(accepted)?, "upload.none");
    // The receipt is an entry of the matcher's log, word for word.
    let path = told.receipts.first().context("no receipt")?;
    let receipt: Receipt = fs::read_to_string(path)?.parse()?;
    let entries = trail::entries(&held.world.data_dir(&World::matcher_party()?))?;
    let entry = entries.get(usize::try_from(receipt.index)?);
    assert_eq!(entry, Some(&Entry::from_bytes(&receipt.entry)?));
    Ok(())
}

/// The commitments that the matcher holds, by sender.
fn commitments(world: &World, project: ProjectId) -> Result<Vec<(String, Vec<u8>)>> {
    let kind = v1::ItemKind::Commitment.into();
    let items = world.matcher_store()?.items(&project, kind, "")?;
    Ok(items
        .into_iter()
        .map(|item| (item.sender, item.body))
        .collect())
}

fn one_key(results: &[Value]) -> Result<()> {
    let keys: Vec<_> = results.iter().map(|result| &result["key_id"]).collect();
    let first = keys.first().context("no keys")?;
    ensure!(
        first.is_string() && keys.iter().all(|key| key == first),
        "{keys:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_killed_while_they_agree_on_a_key() -> Result<()> {
    let (mut world, _) = World::of_departments(50, 13)?;
    let (first, matcher) = (world.owner(0)?, World::matcher_party()?);
    for (victim, role) in [(&first, NodeRole::Owner), (&matcher, NodeRole::Matcher)] {
        let project = world.agreed(&Rules::default()).await?;
        let (client, party) = (world.operator(&first)?, first.clone());
        let waiting = tokio::spawn(async move {
            linkage_tests::world::perform(&client, &party, Act::AgreeKey, project).await
        });
        let before = wait("a commitment", || {
            Ok(Some(commitments(&world, project)?).filter(|all| !all.is_empty()))
        });
        let before = before.await?;
        world.cluster.kill(victim)?;
        assert!(waiting.await?.is_err());
        world.cluster.restart(role, victim)?;
        one_key(&world.all(Act::AgreeKey, project).await?)?;
        let after = commitments(&world, project)?;
        assert!(before.iter().all(|commitment| after.contains(commitment)));
        assert_eq!(after.len(), 3);
    }
    // At any moment of the agreement, which takes about half a second.
    for after_ms in [20, 120, 240, 360, 480] {
        let project = world.agreed(&Rules::default()).await?;
        let mut others = vec![];
        for party in world.owners.iter().skip(1) {
            let (client, party) = (world.operator(party)?, party.clone());
            others.push(tokio::spawn(async move {
                linkage_tests::world::perform(&client, &party, Act::AgreeKey, project).await
            }));
        }
        let (client, party) = (world.operator(&first)?, first.clone());
        let cut = tokio::spawn(async move {
            linkage_tests::world::perform(&client, &party, Act::AgreeKey, project).await
        });
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        world.cluster.kill(&first)?;
        // It may have come to its end just before.
        let _ = cut.await?;
        world.cluster.restart(NodeRole::Owner, &first)?;
        let mut results = vec![world.act(Act::AgreeKey, &first, project).await?];
        for other in others {
            results.push(other.await??);
        }
        one_key(&results)?;
    }
    Ok(())
}

/// The words with which a node refuses to start.
fn refuses(world: &mut World, role: NodeRole, party: &PartyId) -> Result<String> {
    match world.cluster.restart(role, party) {
        Err(ClusterError::Died { tail, .. }) => Ok(tail),
        Err(other) => Err(other.into()),
        Ok(()) => bail!("{party} starts"),
    }
}

fn flip(path: &Path, at: usize) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let byte = bytes.get_mut(at).context("beyond the end")?;
    *byte ^= 1;
    Ok(fs::write(path, bytes)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_do_not_start_on_what_they_must_not_have() -> Result<()> {
    let (mut world, _) = World::of_departments(50, 14)?;
    world.agreed(&Rules::default()).await?;
    let (owner, matcher) = (world.owner(1)?, World::matcher_party()?);

    for (role, party) in [(NodeRole::Owner, &owner), (NodeRole::Matcher, &matcher)] {
        world.cluster.kill(party)?;
        let audit = world.data_dir(party).join("audit");
        // Signed at the start of a node, so that its end is covered.
        world.cluster.restart(role, party)?;
        world.cluster.kill(party)?;
        let journal = segments::list(&audit)?.pop().context("no journal")?;
        for path in [&journal.path, &audit.join("checkpoint")] {
            let file = path.display();
            let whole = fs::read(path)?;
            flip(path, whole.len() - 20)?;
            let words = refuses(&mut world, role, party)?;
            assert!(words.contains("audit log"), "{file}: {words}");
            fs::write(path, whole)?;
        }
        // The last entry taken away is noticed as well.
        let path = &journal.path;
        let whole = fs::read(path)?;
        let mut frames = Frames::open(path)?;
        let mut ends = vec![0];
        while let Frame::Entry(_) = frames.next_frame()? {
            ends.push(frames.good_bytes());
        }
        let last = ends.iter().rev().nth(1).context("no entry")?;
        fs::write(path, whole.get(..usize::try_from(*last)?).context("short")?)?;
        let words = refuses(&mut world, role, party)?;
        assert!(words.contains("audit log"), "{words}");
        fs::write(path, whole)?;
        world.cluster.restart(role, party)?;
    }

    world.cluster.kill(&matcher)?;
    let keys = world.data_dir(&matcher).join("keys");
    fs::create_dir(&keys)?;
    let words = refuses(&mut world, NodeRole::Matcher, &matcher)?;
    assert!(words.contains("a matcher must never have one"), "{words}");
    fs::remove_dir(&keys)?;
    let dataset = "\n[[dataset]]\nname = \"people\"\npath = \"people.csv\"\n";
    world.reconfigure(&matcher, |text| format!("{text}{dataset}"))?;
    let words = refuses(&mut world, NodeRole::Matcher, &matcher)?;
    assert!(words.contains("must not have a [[dataset]]"), "{words}");
    world.reconfigure(&matcher, |text| text.replace(dataset, ""))?;
    world.cluster.restart(NodeRole::Matcher, &matcher)?;
    world.agreed(&Rules::default()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_any_log_is_found() -> Result<()> {
    let (mut world, _) = World::of_departments(50, 15)?;
    world.keyed(&Rules::default()).await?;
    world.cluster.stop();
    for (party, dir) in world.data_dirs()? {
        let audit = dir.join("audit");
        verify_dir(&audit)?;
        let path = segments::list(&audit)?.pop().context("no journal")?.path;
        let whole = fs::read(&path)?;
        // Some in every entry, and in lengths and checksums.
        for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            flip(&path, at)?;
            let found = verify_dir(&audit);
            assert!(found.is_err(), "{party}: byte {at}");
            fs::write(&path, &whole)?;
        }
        verify_dir(&audit)?;
    }
    Ok(())
}
