//! Secrets at rest: encrypted under a credential that no setting, flag or environment holds, and
//! that nothing a node writes or shows contains.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::Error as ClusterError;
use linkage_node::sealed::{self, Credential};
use linkage_node::secret::SecretRef;
use linkage_node::settings::NodeRole;
use linkage_tests::program;
use linkage_tests::search::{Found, Needles};
use linkage_tests::world::{Act, World};

const RECORDS: u64 = 60;

/// A credential that is easily found again.
const MARKER: &str = "Marker-credential-f81d4fae7dec11d0a76500a0c91e6bf6";

fn node_dir(world: &World, party: &PartyId) -> Result<PathBuf> {
    let data = world.data_dir(party);
    Ok(data.parent().context("no folder")?.to_owned())
}

fn linkage(arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new(program::linkage()?).args(arguments).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(text)?))
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().context("not UTF-8")
}

/// The words with which a node refuses to start.
fn refuses(world: &mut World, role: NodeRole, party: &PartyId) -> Result<String> {
    match world.cluster.restart(role, party) {
        Err(ClusterError::Died { tail, .. }) => Ok(tail),
        Err(other) => Err(other.into()),
        Ok(()) => bail!("{party} starts"),
    }
}

/// Moves a stopped node to another credential with this content.
fn rotated(world: &World, party: &PartyId, content: &str) -> Result<()> {
    let dir = node_dir(world, party)?;
    let path = dir.join("other");
    fs::write(&path, content)?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let to = format!("file:{}", path.display());
    let config = dir.join("node.toml");
    let arguments = ["key", "rotate", "--config", utf8(&config)?, "--to", &to];
    let (done, text) = linkage(&arguments)?;
    ensure!(done, "{text}");
    // What was done already is not done again.
    ensure!(linkage(&arguments)?.0);
    let before = SecretRef::File(dir.join("credential")).to_string();
    world.reconfigure(party, |text| text.replace(&before, &to))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_never_seen() -> Result<()> {
    let (mut world, _) = World::of_departments(RECORDS, 41)?;
    let project = world.keyed(&Rules::default()).await?;
    let (owner, matcher) = (world.owner(0)?, World::matcher_party()?);
    for (role, party) in [(NodeRole::Owner, &owner), (NodeRole::Matcher, &matcher)] {
        world.cluster.kill(party)?;
        rotated(&world, party, MARKER)?;
        world.cluster.restart(role, party)?;
    }
    // The keys are the same as before: the project goes on.
    world.all(Act::Upload, project).await?;
    world.act(Act::StartRun, &owner, project).await?;
    world.all(Act::FetchPositions, project).await?;

    let needles = Needles::new([MARKER.as_bytes()])?;
    for party in [&owner, &matcher] {
        let node = world.node(party)?;
        let proc = PathBuf::from(format!("/proc/{}", node.pid()));
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(proc.join(file))?;
            assert!(file != "cmdline" || !bytes.is_empty());
            found_none(&needles, &bytes, file)?;
        }
        found_none(&needles, &fs::read(&node.log)?, "log")?;
        let config = fs::read(&node.config)?;
        found_none(&needles, &config, "configuration")?;
        let (done, shown) = linkage(&["key", "status", "--config", utf8(&node.config)?])?;
        ensure!(done, "{shown}");
        found_none(&needles, shown.as_bytes(), "key status")?;
        let mut found = Found::new();
        let searched = needles.files(&node.data_dir, &mut found)?;
        ensure!(searched > 0 && found.is_empty(), "{found:?}");
    }
    // What is searched for can be found.
    let mut found = Found::new();
    needles.files(&node_dir(&world, &owner)?.join("other"), &mut found)?;
    assert!(!found.is_empty());
    Ok(())
}

fn found_none(needles: &Needles, bytes: &[u8], what: &str) -> Result<()> {
    let mut found = Found::new();
    needles.bytes(bytes, what, &mut found);
    ensure!(found.is_empty(), "{what}: {found:?}");
    Ok(())
}

/// Files of a project's secrets at an owner.
fn secrets(world: &World, party: &PartyId, project: ProjectId) -> [PathBuf; 2] {
    ["key", "contribution"].map(|extension| {
        let keys = world.data_dir(party).join("keys");
        keys.join(format!("{project}.{extension}"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_open_elsewhere() -> Result<()> {
    let (mut world, _) = World::of_departments(RECORDS, 42)?;
    let project = world.keyed(&Rules::default()).await?;
    let (owner, other) = (world.owner(0)?, world.owner(1)?);
    let dir = node_dir(&world, &owner)?;

    // No key lies in the clear: the one key of all owners is in none of their files.
    let credential = Credential::read(&SecretRef::File(dir.join("credential")))?;
    let [key, _] = secrets(&world, &owner, project);
    let plain = sealed::read_key(&key, &sealed::label_of(&key), &credential)?;
    let needles = Needles::new([plain.as_slice()])?;
    for party in &world.owners {
        for path in secrets(&world, party, project) {
            found_none(&needles, &fs::read(&path)?, utf8(&path)?)?;
        }
    }

    world.cluster.kill(&owner)?;
    let config = dir.join("node.toml");
    let status = |expected: &str| -> Result<()> {
        let (done, text) = linkage(&["key", "status", "--config", utf8(&config)?])?;
        ensure!(!done && text.contains(expected), "{expected}: {text}");
        Ok(())
    };
    // Another node's credential.
    let path = dir.join("credential");
    let own = fs::read(&path)?;
    fs::write(
        &path,
        fs::read(node_dir(&world, &other)?.join("credential"))?,
    )?;
    status("credential.other")?;
    let words = refuses(&mut world, NodeRole::Owner, &owner)?;
    assert!(words.contains("is sealed under credential"), "{words}");
    fs::write(&path, b"too short")?;
    let words = refuses(&mut world, NodeRole::Owner, &owner)?;
    assert!(words.contains("has less than 32 bytes"), "{words}");
    fs::write(&path, own)?;

    // One secret in another's place.
    let [key, contribution] = secrets(&world, &owner, project);
    let whole = fs::read(&key)?;
    fs::copy(&contribution, &key)?;
    status("secret.altered")?;
    fs::write(&key, whole)?;

    // A key that nobody encrypted.
    let signing = dir.join("signing.key");
    let whole = fs::read(&signing)?;
    fs::write(&signing, format!("{}\n", "ab".repeat(32)))?;
    let words = refuses(&mut world, NodeRole::Owner, &owner)?;
    assert!(words.contains("linkage key seal"), "{words}");
    fs::write(&signing, whole)?;
    world.cluster.restart(NodeRole::Owner, &owner)?;
    world.act(Act::Upload, &owner, project).await?;
    Ok(())
}

#[test]
fn a_new_node_gets_its_keys_and_an_old_one_keeps_them() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let at = |name: &str| -> Result<String> { Ok(utf8(&dir.path().join(name))?.to_owned()) };
    let config = at("node.toml")?;
    fs::write(
        &config,
        "role = \"owner\"\nparty = \"health\"\ntrust_domain = \"linkage.test\"\n\
         listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\ncredential = \"file:credential\"\n\
         signing_key = \"signing.key\"\nsealing_key = \"sealing.key\"\n\
         tls = { cert = \"c.pem\", key = \"k.pem\", ca = \"ca.pem\" }\n\
         [[peer]]\nrole = \"matcher\"\nparty = \"matcher\"\naddress = \"127.0.0.1:1\"\n",
    )?;
    let (done, text) = linkage(&["key", "credential", "--out", &at("credential")?])?;
    ensure!(done, "{text}");
    // A signing key of before, in the clear.
    let (done, text) = linkage(&["key", "generate", "--out", &at("signing.key")?])?;
    ensure!(done, "{text}");
    let plain = fs::read(at("signing.key")?)?;
    let (done, sealed) = linkage(&["--json", "key", "seal", "--config", &config])?;
    ensure!(done, "{sealed}");
    assert_ne!(fs::read(at("signing.key")?)?, plain);
    let digits = plain
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() == 64);
    let seed = hex::decode(digits.context("no digits")?)?;
    use ring::signature::KeyPair as _;
    let key = ring::signature::Ed25519KeyPair::from_seed_unchecked(&seed)
        .map_err(|_| anyhow::anyhow!("no key"))?;
    ensure!(
        sealed.contains(&hex::encode(key.public_key().as_ref())),
        "{sealed}"
    );
    let (done, again) = linkage(&["--json", "key", "seal", "--config", &config])?;
    assert!(done);
    assert_eq!(again, sealed);
    Ok(())
}
