//! A node is backed up while it works, lost, restored, and goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use anyhow::{Context as _, Result, ensure};
use linkage_core::audit::action::Action;
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::demo::Rules;
use linkage_node::settings::NodeRole;
use linkage_tests::world::{Act, World};
use linkage_tests::{program, trail};
use serde_json::Value;

/// Enough for an upload that takes a while.
const RECORDS: u64 = 3_000;

/// Runs the program on a node's configuration; its answer as JSON.
fn linkage(arguments: &[&str], config: &Path) -> Result<Value> {
    let output = Command::new(program::linkage()?)
        .args(arguments)
        .args(["--json", "--config"])
        .arg(config)
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {words}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_that_was_lost_goes_on_from_its_backup() -> Result<()> {
    let (mut world, _departments) = World::of_departments(RECORDS, 61)?;
    let matcher = World::matcher_party()?;
    let config = world.matcher()?.config.clone();
    let folder = world.cluster.dir().join("backups");
    fs::create_dir(&folder)?;
    let identity = Identity::generate();
    let key = folder.join("identity");
    fs::write(&key, identity.to_string().expose_secret())?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    let recipient = identity.to_public().to_string();
    let (folder_name, key_name) = (folder.to_string_lossy(), key.to_string_lossy());

    // Backups are made while all owners upload; each verifies.
    let project = world.keyed(&Rules::default()).await?;
    world.act(Act::Upload, &world.owner(0)?, project).await?;
    let owners = [world.owner(1)?, world.owner(2)?];
    let clients = [world.operator(&owners[0])?, world.operator(&owners[1])?];
    let uploading = tokio::spawn(async move {
        for (client, owner) in clients.iter().zip(&owners) {
            linkage_tests::world::perform(client, owner, Act::Upload, project).await?;
        }
        anyhow::Ok(())
    });
    let create = ["backup", "create", "--out", &folder_name, "--recipient", &recipient];
    let mut made = vec![];
    while made.len() < 2 || !uploading.is_finished() {
        let created = linkage(&create, &config)?;
        let path = created["path"].as_str().context("no path")?.to_owned();
        linkage(&["backup", "verify", &path, "--identity", &key_name], &config)?;
        made.push((path, created["manifest"]["id"].as_str().context("no id")?.to_owned()));
    }
    uploading.await??;

    // The disk is lost. What the first backup did not have is uploaded again.
    world.cluster.kill(&matcher)?;
    let data = world.data_dir(&matcher);
    fs::remove_dir_all(&data)?;
    let (path, id) = made.first().context("no backup")?;
    let arguments = ["backup", "restore", path, "--identity", &key_name, "--confirm", id];
    linkage(&arguments, &config)?;
    verify_dir(&data.join("audit"), None)?;
    let restored = trail::entries(&data)?;
    let last = restored.last().context("an empty log")?;
    assert_eq!((last.event.action, &last.event.object), (Action::BackupRestore, id));
    world.cluster.restart(NodeRole::Matcher, &matcher)?;
    world.all(Act::Upload, project).await?;
    world.act(Act::StartRun, &world.owner(0)?, project).await?;
    world.all(Act::FetchPositions, project).await?;
    ensure!(world.delivered(project)?.len() > 0);
    verify_dir(&data.join("audit"), None)?;
    Ok(())
}
