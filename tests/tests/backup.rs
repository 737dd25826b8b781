//! Nodes are backed up while they work, lost, restored, and go on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use anyhow::{Context as _, Result, ensure};
use linkage_core::audit::action::Action;
use linkage_core::audit::tree::{Frontier, Hash};
use linkage_core::ids::PartyId;
use linkage_node::auditlog::segments;
use linkage_node::auditlog::verify::{Against, verify_all, verify_dir};
use linkage_node::demo::Rules;
use linkage_node::settings::NodeRole;
use linkage_tests::proxy::Proxy;
use linkage_tests::world::{Act, World, perform};
use linkage_tests::{program, trail};
use serde_json::Value;

/// Enough that an upload takes several chunks of 256 KiB.
const RECORDS: u64 = 3000;

/// Bytes of an upload after which it is held: within the second chunk.
const CUT_BYTES: u64 = 400_000;

/// Bytes of one chunk at most.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Handshakes, frames and calls around an upload's bytes at most.
const OVERHEAD_BYTES: u64 = 64 * 1024;

/// Runs the program on a node's configuration.
fn run(arguments: &[&str], config: &Path) -> Result<Output> {
    let output = Command::new(program::linkage()?)
        .args(arguments)
        .args(["--json", "--config"])
        .arg(config)
        .output()?;
    Ok(output)
}

/// Runs it; its answer as JSON.
fn linkage(arguments: &[&str], config: &Path) -> Result<Value> {
    let output = run(arguments, config)?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {words}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs it; its complaint.
fn refused(arguments: &[&str], config: &Path) -> Result<String> {
    let output = run(arguments, config)?;
    ensure!(!output.status.success(), "{arguments:?} was not refused");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Where backups go, and who can open them.
struct Store {
    folder: PathBuf,
    key: PathBuf,
    recipient: String,
}

/// A backup, as its maker told of it.
struct Made {
    path: String,
    id: String,
    size: u64,
    root: String,
}

impl Store {
    fn new(dir: &Path) -> Result<Self> {
        let folder = dir.join("backups");
        fs::create_dir(&folder)?;
        let identity = Identity::generate();
        let key = folder.join("identity");
        fs::write(&key, identity.to_string().expose_secret())?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            folder,
            key,
            recipient: identity.to_public().to_string(),
        })
    }

    fn create(&self, config: &Path) -> Result<Made> {
        let folder = self.folder.to_string_lossy();
        let create = [
            "backup",
            "create",
            "--out",
            &folder,
            "--recipient",
            &self.recipient,
        ];
        let created = linkage(&create, config)?;
        let text = |at: &str| {
            let value = created.pointer(at).and_then(Value::as_str);
            value.map(str::to_owned).with_context(|| format!("no {at}"))
        };
        let size = created.pointer("/manifest/audit/size");
        Ok(Made {
            path: text("/path")?,
            id: text("/manifest/id")?,
            size: size.and_then(Value::as_u64).context("no size")?,
            root: text("/manifest/audit/root")?,
        })
    }

    fn verify(&self, made: &Made, config: &Path) -> Result<Value> {
        let key = self.key.to_string_lossy();
        linkage(
            &["backup", "verify", &made.path, "--identity", &key],
            config,
        )
    }

    fn restore<'a>(&'a self, made: &'a Made, key: &'a str) -> [&'a str; 7] {
        let (path, id) = (made.path.as_str(), made.id.as_str());
        [
            "backup",
            "restore",
            path,
            "--identity",
            key,
            "--confirm",
            id,
        ]
    }
}

/// The root over the first entries of a log, made from the entries themselves.
fn root_at(data: &Path, size: u64) -> Result<String> {
    let mut tree = Frontier::default();
    let mut reading = segments::entries(&data.join("audit"), 0)?;
    while let Some((at, bytes)) = reading.next_entry()? {
        if at < size {
            tree.push(Hash::leaf(bytes));
        }
    }
    ensure!(tree.size() == size, "{} entries", tree.size());
    Ok(hex::encode(tree.root().0))
}

fn config_of(world: &World, party: &PartyId) -> PathBuf {
    let dir = world.cluster.dir().join("nodes").join(party.as_str());
    dir.join("node.toml")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_that_was_lost_goes_on_from_its_backup() -> Result<()> {
    let (mut world, _departments) = World::of_departments(RECORDS, 61)?;
    let matcher = World::matcher_party()?;
    let config = config_of(&world, &matcher);
    let data = world.data_dir(&matcher);
    let store = Store::new(world.cluster.dir())?;
    let owner = world.owner(0)?;
    let proxy = Proxy::before(&world.matcher()?.address).await?;
    world.redirect_matcher(&owner, &proxy.address)?;
    let project = world.keyed(&Rules::default()).await?;

    // One upload is held in its middle, the others run, and backups are made all the while.
    proxy.stop_at(Some(CUT_BYTES));
    let (client, party) = (world.operator(&owner)?, owner.clone());
    let held = tokio::spawn(async move { perform(&client, &party, Act::Upload, project).await });
    proxy.stopped().await;
    let mut others = vec![];
    for at in [1, 2] {
        let party = world.owner(at)?;
        let client = world.operator(&party)?;
        let upload = async move { perform(&client, &party, Act::Upload, project).await };
        others.push(tokio::spawn(upload));
    }
    let mut made = vec![];
    while made.len() < 2 || others.iter().any(|other| !other.is_finished()) {
        let backup = store.create(&config)?;
        store.verify(&backup, &config)?;
        made.push(backup);
    }
    for other in others {
        other.await??;
    }
    let last = store.create(&config)?;
    let wrong = refused(&store.restore(&last, &store.key.to_string_lossy()), &config)?;
    ensure!(wrong.contains("a node runs"), "{wrong}");

    // The node tells of all of them.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let told = |id: &str| -> Result<bool> {
        let entries = trail::entries(&data)?;
        let mut events = entries.iter().map(|entry| &entry.event);
        Ok(events.any(|event| event.action == Action::BackupCreate && event.object == id))
    };
    for backup in made.iter().chain([&last]) {
        while !told(&backup.id)? {
            ensure!(std::time::Instant::now() < deadline, "{} untold", backup.id);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    // The disk is lost, and with it the keys. Restored elsewhere, the log is the same.
    world.cluster.kill(&matcher)?;
    let root = root_at(&data, last.size)?;
    assert_eq!(root, last.root);
    let lost = data.with_file_name("lost");
    fs::rename(&data, &lost)?;
    let signing_key = config.with_file_name("signing.key");
    fs::remove_file(&signing_key)?;
    let key = store.key.to_string_lossy();
    let restored = linkage(&store.restore(&last, &key), &config)?;
    assert_eq!(restored["keys"].as_array().map(Vec::len), Some(1));
    verify_dir(&data.join("audit"))?;
    assert_eq!(root_at(&data, last.size)?, last.root);
    let entries = trail::entries(&data)?;
    let newest = entries.last().context("an empty log")?;
    assert_eq!(
        (newest.event.action, &newest.event.object),
        (Action::BackupRestore, &last.id)
    );
    let again = refused(&store.restore(&last, &key), &config)?;
    ensure!(again.contains("not empty"), "{again}");

    // What was under way goes on from the chunks that the backup has.
    let before = proxy.passed();
    proxy.stop_at(None);
    world.cluster.restart(NodeRole::Matcher, &matcher)?;
    // It may have given up by now.
    let _ = held.await;
    world.act(Act::Upload, &owner, project).await?;
    let whole = fs::metadata(world.outbox(&owner, project))?.len();
    let sent = proxy.passed() - before;
    ensure!(
        sent < whole - CHUNK_BYTES + OVERHEAD_BYTES,
        "{sent} of {whole}"
    );
    world.act(Act::StartRun, &world.owner(1)?, project).await?;
    world.all(Act::FetchPositions, project).await?;
    let delivered = world.delivered(project)?;
    ensure!(world.recomputed(project)?.same_partition(&delivered));
    verify_dir(&data.join("audit"))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_comes_back_with_its_keys_and_receipts() -> Result<()> {
    let (mut world, _departments) = World::of_departments(200, 62)?;
    let owner = world.owner(1)?;
    let config = config_of(&world, &owner);
    let data = world.data_dir(&owner);
    let store = Store::new(world.cluster.dir())?;
    let project = world.keyed(&Rules::default()).await?;
    world.all(Act::Upload, project).await?;
    let backup = store.create(&config)?;
    let key = store.key.to_string_lossy().into_owned();
    world.cluster.kill(&owner)?;
    fs::remove_dir_all(&data)?;
    for name in ["signing.key", "sealing.key"] {
        fs::remove_file(config.with_file_name(name))?;
    }

    // Nobody else's key opens it, and half of it is none.
    let other = store.folder.join("other");
    fs::write(&other, Identity::generate().to_string().expose_secret())?;
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600))?;
    let words = refused(&store.restore(&backup, &other.to_string_lossy()), &config)?;
    ensure!(
        words.contains("cannot be opened with this identity"),
        "{words}"
    );
    let whole = fs::read(&backup.path)?;
    let mut altered = whole.clone();
    let middle = altered.len() / 2;
    *altered.get_mut(middle).context("empty")? ^= 1;
    for bad in [&altered[..], whole.get(..middle).context("short")?] {
        fs::write(&backup.path, bad)?;
        let words = refused(&store.restore(&backup, &key), &config)?;
        ensure!(words.contains("damaged"), "{words}");
        assert_eq!(fs::read_dir(&data)?.count(), 0);
    }
    fs::write(&backup.path, &whole)?;

    let restored = linkage(&store.restore(&backup, &key), &config)?;
    assert_eq!(restored["keys"].as_array().map(Vec::len), Some(2));
    world.cluster.restart(NodeRole::Owner, &owner)?;
    world.act(Act::StartRun, &owner, project).await?;
    world.all(Act::FetchPositions, project).await?;
    let delivered = world.delivered(project)?;
    ensure!(world.recomputed(project)?.same_partition(&delivered));
    let logs: Vec<_> = world
        .data_dirs()?
        .into_iter()
        .map(|(_, dir)| dir.join("audit"))
        .collect();
    for report in verify_all(&logs, &Against::default(), &mut |_, _| {}) {
        report.result.map_err(|found| found.fault)?;
    }
    Ok(())
}
