//! Certificates and revocation lists replaced under nodes that run, and `linkage peer test`, which
//! says why a peer cannot be reached in the words of the peer's own log.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use linkage_core::audit::action::Action;
use linkage_core::audit::entry::Outcome;
use linkage_core::ids::PartyId;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::Node;
use linkage_node::identity::Role;
use linkage_node::settings::NodeRole;
use linkage_tests::program::peer_test;
use linkage_tests::world::World;
use linkage_tests::{certificates, trail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Few records: nothing here depends on them.
const RECORDS: u64 = 50;

/// How long the end of a reload may take to appear in the log.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has a node read its files anew, and waits for the entry that says how that ended.
fn reload(node: &Node) -> Result<Outcome> {
    let count = |data_dir: &Path| -> Result<Vec<Outcome>> {
        let entries = trail::entries(data_dir)?.into_iter();
        let reloads = entries.filter(|entry| entry.event.action == Action::ConfigReload);
        Ok(reloads.filter_map(|entry| entry.event.result).collect())
    };
    let before = count(&node.data_dir)?.len();
    kill(Pid::from_raw(i32::try_from(node.pid())?), Signal::SIGHUP)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = count(&node.data_dir)?.get(before) {
            return Ok(*result);
        }
        ensure!(Instant::now() < deadline, "no entry of a reload");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_reaches_running_nodes_and_is_told_truly() -> Result<()> {
    let (mut world, _) = World::of_departments(RECORDS, 31)?;
    let health: PartyId = "health".parse()?;
    let pki = world.cluster.dir().join("pki");
    let list = world.cluster.pki().revoke(&[], certificates::today()?)?;
    world.cluster.kill(&health)?;
    let line = format!("[tls]\ncrl = {:?}\n", list.display().to_string());
    world.reconfigure(&health, |text| text.replacen("[tls]\n", &line, 1))?;
    world.cluster.restart(NodeRole::Owner, &health)?;

    let operator = world.cluster.operator_config(&health);
    let (code, peers) = peer_test(&operator)?;
    assert_eq!(code, Some(0), "{peers:?}");
    assert_eq!(peers[0]["result"]["ok"], true);
    // A node's own configuration names its peers.
    let config = world.node(&health)?.config.clone();
    let (code, peers) = peer_test(&config)?;
    assert_eq!((code, peers.len()), (Some(0), 3), "{peers:?}");

    let revoked = pki.join("operator-health.first").join("cert.pem");
    world
        .cluster
        .pki()
        .revoke(&[&revoked], certificates::today()?)?;
    let node = world.node(&health)?;
    assert_eq!(reload(node)?, Outcome::Ok);
    let before = trail::entries(&node.data_dir)?.len();
    let (code, peers) = peer_test(&operator)?;
    assert_eq!(code, Some(1));
    assert_eq!(peers[0]["result"]["reason"], "tls.revoked");
    assert_eq!(peers[0]["result"]["refused_by"], "peer");
    trail::expect(&node.data_dir, before, Action::TlsRefused, "tls.revoked")?;

    // A list that is cut short changes nothing: the revoked one stays out, the others go on.
    let whole = std::fs::read(&list)?;
    std::fs::write(&list, whole.get(..whole.len() / 2).context("no list")?)?;
    assert_eq!(reload(node)?, Outcome::Failed);
    let (_, peers) = peer_test(&operator)?;
    assert_eq!(peers[0]["result"]["reason"], "tls.revoked");
    std::fs::write(&list, whole)?;
    assert_eq!(reload(node)?, Outcome::Ok);

    // The matcher's certificate is revoked: now it is our side that refuses.
    let matchers = pki.join("matcher-matcher").join("cert.pem");
    world
        .cluster
        .pki()
        .revoke(&[&matchers], certificates::today()?)?;
    let (code, peers) = peer_test(&config)?;
    assert_eq!(code, Some(1));
    let matcher = peers.iter().find(|peer| peer["role"] == "matcher");
    let result = &matcher.context("no matcher")?["result"];
    assert_eq!(result["reason"], "tls.revoked");
    assert_eq!(result["refused_by"], "us");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_while_the_node_works() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 32)?;
    let matcher = world.matcher()?;
    let party = matcher.party.to_string();
    let until = || -> Result<Value> {
        let (_, peers) = peer_test(&world.node(&"health".parse()?)?.config)?;
        let matcher = peers.iter().find(|peer| peer["role"] == "matcher");
        Ok(matcher.context("no matcher")?["result"]["certificate_until"].clone())
    };
    let before = until()?;
    let (hosts, validity) = (certificates::HOSTS, certificates::hours(-1, 5)?);
    let pki = world.cluster.pki();
    pki.issue(Role::Matcher, &party, hosts, validity)?;
    assert_eq!(reload(matcher)?, Outcome::Ok);
    assert_ne!(until()?, before);
    world.agreed(&Rules::default()).await?;
    Ok(())
}
