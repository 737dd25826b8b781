//! What an operator does with a node: configures it, watches it, reloads it, stops it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::audit::action::Action;
use linkage_core::audit::entry::{Count, Entry, Outcome, Phase};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::client::operation_of;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::Node;
use linkage_node::identity::Role;
use linkage_node::observe::metrics::CATALOGUE;
use linkage_node::serve::MONITOR_FILE;
use linkage_node::settings::NodeRole;
use linkage_tests::departments::SCHEMA;
use linkage_tests::world::{self, Act, World};
use linkage_tests::{calls, certificates, program, trail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

/// Few records: nothing here depends on them.
const RECORDS: u64 = 50;

/// How long a node may take to do what a signal asks.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the program; its answer.
fn linkage(arguments: &[&str], config: &Path) -> Result<Output> {
    let mut command = Command::new(program::linkage()?);
    command.args(arguments).arg("--config").arg(config);
    Ok(command.output()?)
}

fn signal(node: &Node, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(node.pid().try_into()?), signal)?)
}

/// Waits until `condition` holds.
fn until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition()? {
        ensure!(Instant::now() < deadline, "not after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What the node shows on loopback: status line and body.
fn shown(node: &Node, path: &str) -> Result<(String, String)> {
    let address = fs::read_to_string(node.data_dir.join(MONITOR_FILE))?;
    let mut stream = TcpStream::connect(&address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    Ok((status.to_owned(), body.to_owned()))
}

/// The node's log so far, line by line.
fn log(node: &Node) -> Result<Vec<Value>> {
    let text = fs::read_to_string(&node.log)?;
    let line = |line: &str| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"));
    text.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_told_by_one_id_everywhere() -> Result<()> {
    let (world, _departments) = World::of_departments(RECORDS, 41)?;
    let owner = world.owner(0)?;
    let (_, mut operations) = world.operator(&owner)?.operations().await?;

    // What succeeds bears an id as well as what fails.
    let project = world.agreed(&Rules::default()).await?;
    let reply = operations.show(world::request(project)).await?;
    let op = reply.metadata().get("linkage-op").context("no id")?;
    ensure!(Uuid::try_parse(op.to_str()?)?.get_version_num() == 7);

    let before = trail::entries(&world.matcher()?.data_dir)?.len();
    let unknown = ProjectId::from([7; 32]);
    let Err(status) = operations.show(world::request(unknown)).await else {
        bail!("an unknown project has a status");
    };
    let op = operation_of(&status).context("an error without an id")?;
    let lines = log(world.node(&owner)?)?;
    let line = lines.iter().find(|line| line["span"]["op"] == op.as_str());
    let line = line.with_context(|| format!("{op} is not in the log"))?;
    assert_eq!(line["fields"]["reason"], "peer.refused");
    assert_eq!(line["span"]["procedure"], "/linkage.v1.Operations/Show");

    // The matcher's own id came along, and is the one in its audit log.
    let entry = trail::expect(
        &world.matcher()?.data_dir,
        before,
        Action::AuthzDenied,
        "project.unknown",
    )?;
    let relayed = format!("(operation {})", entry.event.op);
    ensure!(status.message().contains(&relayed), "{}", status.message());

    // A person at the command line sees it, too.
    let output = Command::new(program::linkage()?)
        .args(["project", "show", "--as"])
        .arg(world.cluster.operator_config(&owner))
        .arg(unknown.to_string())
        .output()?;
    let words = String::from_utf8(output.stderr)?;
    let told = words.rsplit_once("(operation ").context(words.clone())?.1;
    ensure!(
        Uuid::try_parse(told.get(..36).context("no id")?).is_ok(),
        "{words}"
    );

    // A stream that fails tells its id as well.
    let mut stream = operations
        .start_run(world::request(unknown))
        .await?
        .into_inner();
    let Err(status) = stream.message().await else {
        bail!("a run of an unknown project");
    };
    ensure!(operation_of(&status).is_some(), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_shows_how_it_is() -> Result<()> {
    let (mut world, _departments) = World::of_departments(RECORDS, 42)?;
    let files = world
        .cluster
        .pki()
        .issue(Role::Analyst, "anyone", &[], certificates::today()?)?;
    for node in world.cluster.nodes() {
        let channel = calls::connect_as(&files, node).await??;
        let mut health = HealthClient::new(channel);
        let services: &[&str] = match node.role {
            NodeRole::Matcher => &["", "linkage.v1.Uploads", "linkage.v1.Runs"],
            NodeRole::Owner => &["", "linkage.v1.Operations", "linkage.v1.Tables"],
        };
        for service in services {
            let service = (*service).to_owned();
            let reply = health
                .check(HealthCheckRequest { service })
                .await?
                .into_inner();
            assert_eq!(reply.status(), ServingStatus::Serving);
        }
        assert_eq!(shown(node, "/livez")?.1, "alive\n");
        let (status, body) = shown(node, "/readyz")?;
        ensure!(
            status.contains("200") && body.contains("\"serving\""),
            "{body}"
        );
        ensure!(shown(node, "/secrets")?.0.contains("404"));
    }
    world.linked(&Rules::default()).await?;
    for node in world.cluster.nodes() {
        check_metrics(&shown(node, "/metrics")?.1)?;
    }

    let owner = world.owner(0)?;
    let config = world.node(&owner)?.config.clone();
    let looked = linkage(&["doctor"], &config)?;
    let words = String::from_utf8(looked.stdout)?;
    ensure!(
        looked.status.success() && words.contains("3 reached, clocks agree"),
        "{words}"
    );
    let asked = linkage(&["node", "status"], &config)?;
    assert_eq!(asked.status.code(), Some(0));
    assert_eq!(String::from_utf8(asked.stdout)?.trim(), "serving");
    world.cluster.kill(&owner)?;
    let asked = linkage(&["node", "status"], &config)?;
    assert_eq!(asked.status.code(), Some(1));
    let words = String::from_utf8(asked.stderr)?;
    ensure!(words.contains("the node is not running"), "{words}");
    Ok(())
}

/// Every metric is in the catalogue, with its labels and no others, and those that matter are
/// there.
fn check_metrics(text: &str) -> Result<()> {
    let mut seen = vec![];
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (series, _value) = line.rsplit_once(' ').context("a line without a value")?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let plain = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
            name.strip_suffix(end)
                .filter(|name| name.ends_with("_seconds"))
        });
        let name = plain.unwrap_or(name);
        let metric = CATALOGUE.iter().find(|metric| metric.name == name);
        let metric = metric.with_context(|| format!("{name} is not in the catalogue"))?;
        for label in labels
            .trim_end_matches('}')
            .split(',')
            .filter(|label| !label.is_empty())
        {
            let (label, _) = label.split_once('=').context("a label without a value")?;
            let known = metric.labels.contains(&label) || label == "le";
            ensure!(known, "{name} has a label {label}");
        }
        seen.push(name.to_owned());
    }
    for name in [
        "linkage_calls_total",
        "linkage_ready_state",
        "linkage_audit_entries_total",
    ] {
        ensure!(seen.iter().any(|seen| seen == name), "no {name} in\n{text}");
    }
    ensure!(text.contains("linkage_ready_state 1"), "{text}");
    ensure!(!text.contains("linkage_log_identifiers_total"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_all_or_nothing() -> Result<()> {
    let (world, _departments) = World::of_departments(RECORDS, 43)?;
    let owner = world.owner(0)?;
    let node = world.node(&owner)?;
    let reload = |expected: Outcome| -> Result<()> {
        let before = trail::entries(&node.data_dir)?.len();
        signal(node, Signal::SIGHUP)?;
        until("the reload is audited", || {
            let entries = trail::entries(&node.data_dir)?;
            let mut new = entries.iter().skip(before);
            let found = new.find(|entry| entry.event.action == Action::ConfigReload);
            found.map_or(Ok(false), |entry| {
                assert_eq!(entry.event.result, Some(expected));
                Ok(true)
            })
        })
    };
    // A new level counts at once.
    world.reconfigure(&owner, |text| {
        text.replace("[monitor]", "[log]\nlevel = \"warn\"\n[monitor]")
    })?;
    reload(Outcome::Ok)?;
    let quiet = log(node)?.len();
    let (_, mut operations) = world.operator(&owner)?.operations().await?;
    let unknown = world::request(ProjectId::from([7; 32]));
    let refused = operations.show(unknown.clone()).await;
    assert_eq!(
        refused.err().map(|status| status.code()),
        Some(Code::NotFound)
    );
    assert_eq!(log(node)?.len(), quiet, "a refusal is logged at info");

    // Half a certificate changes nothing, and the node goes on.
    let certificate = world
        .cluster
        .dir()
        .join("pki")
        .join(format!("owner-{owner}"));
    let certificate = certificate.join("cert.pem");
    let whole = fs::read(&certificate)?;
    fs::write(&certificate, whole.get(..whole.len() / 2).context("empty")?)?;
    world.reconfigure(&owner, |text| text.replace("\"warn\"", "\"info\""))?;
    reload(Outcome::Failed)?;
    let found = log(node)?;
    let line = found
        .iter()
        .find(|line| line["fields"]["reason"] == "config.refused");
    let words = line.context("the refusal is not logged")?["fields"]["error"].to_string();
    ensure!(words.contains("cert.pem"), "{words}");
    let (_, mut operations) = world.operator(&owner)?.operations().await?;
    ensure!(operations.show(unknown.clone()).await.is_err());
    assert_eq!(
        log(node)?.len(),
        found.len(),
        "the level changed all the same"
    );

    fs::write(&certificate, whole)?;
    reload(Outcome::Ok)?;
    ensure!(operations.show(unknown).await.is_err());
    ensure!(log(node)?.len() > found.len(), "the level did not change");
    Ok(())
}

/// Asks a node to end and waits until it has.
fn stop(world: &mut World, party: &PartyId, signals: usize) -> Result<i32> {
    for at in 0..signals {
        if at > 0 {
            until("the node drains", || {
                let node = world.node(party)?;
                Ok(shown(node, "/readyz").is_ok_and(|(_, body)| body.contains("draining")))
            })?;
        }
        signal(world.node(party)?, Signal::SIGTERM)?;
    }
    let status = world.cluster.wait(party)?.context("no such node")?;
    status.code().context("ended by a signal")
}

fn stopped_in_order(data_dir: &Path) -> Result<u64> {
    let entries = trail::entries(data_dir)?;
    // What the stop cut off is told to have failed when its task ends, which may be a moment later.
    let is_begun = |entry: &&Entry| entry.event.phase != Phase::Outcome;
    let last = entries.iter().rfind(is_begun).context("an empty log")?;
    assert_eq!(last.event.action, Action::NodeStop);
    match last.event.counts.get("connections_cut") {
        Some(Count::Exact(cut)) => Ok(*cut),
        other => bail!("no count: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_drains_and_a_second_signal_ends_it_now() -> Result<()> {
    let (mut world, _departments) = World::of_departments(RECORDS, 44)?;
    // An idle node ends at once and in order.
    let idle = world.owner(2)?;
    let dir = world.data_dir(&idle);
    assert_eq!(stop(&mut world, &idle, 1)?, 0);
    assert_eq!(stopped_in_order(&dir)?, 0);

    // A call that waits for somebody who does not come holds it up for the drain's time, 60 s; the
    // second signal does not wait.
    let owner = world.owner(0)?;
    let dir = world.data_dir(&owner);
    let two = world.owners[..2].to_vec();
    let project = world.propose_among(&two, SCHEMA, &Rules::default()).await?;
    world.sign_all(&two, project).await?;
    let (_, mut operations) = world.operator(&owner)?.operations().await?;
    let waiting = operations.agree_key(world::request(project)).await?;
    let mut waiting = waiting.into_inner();
    let step = waiting.message().await?.context("no progress")?.step;
    assert_eq!(step, "commitments");
    assert_eq!(stop(&mut world, &owner, 2)?, 0);
    assert_eq!(stopped_in_order(&dir)?, 1);
    loop {
        match waiting.message().await {
            Ok(Some(_)) => {}
            Ok(None) => bail!("the call ended well"),
            Err(_) => return Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_may_not_store_says_when_to_come_back() -> Result<()> {
    let (mut world, _departments) = World::of_departments(RECORDS, 45)?;
    let project = world.keyed(&Rules::default()).await?;
    let owner = world.owner(0)?;
    world.cluster.kill(&owner)?;
    // No disk is that empty.
    let reserve = "[limits]\ndisk_reserve_percent = 99\ndisk_reserve_bytes = 4611686018427387904\n";
    world.reconfigure(&owner, |text| format!("{text}\n{reserve}"))?;
    world.cluster.restart(NodeRole::Owner, &owner)?;
    let node = world.node(&owner)?;
    until("the alarm stands", || {
        Ok(shown(node, "/metrics")?
            .1
            .contains("linkage_alarm_state{alarm=\"disk\"} 1"))
    })?;
    // It still answers: a low disk is an alarm, not an end.
    ensure!(shown(node, "/readyz")?.0.contains("200"));
    let address = node.address.clone();
    let refused = world.act(Act::Upload, &owner, project).await;
    let error = refused.err().context("it stored all the same")?;
    assert_eq!(world::reason(&error), "store.reserve", "at {address}");
    Ok(())
}

#[test]
fn a_configuration_is_checked_shown_and_explained() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("node.toml");
    let text = "role = \"matcher\"\nparty = \"m\"\ntrust_domain = \"linkage.test\"\n\
                listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\ncredential = \"file:credential\"\n\
                signing_key = \"signing.key\"\n\
                tls = { cert = \"c\", key = \"k\", ca = \"a\" }\n";
    fs::write(&file, format!("{text}[limits]\ndrain_timeout = 5\n"))?;
    let output = linkage(&["config", "check"], &file)?;
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr)?;
    let expected = format!(
        "{}:10: there is no key `limits.drain_timeout`",
        file.display()
    );
    ensure!(words.contains(&expected), "{words}");
    ensure!(words.contains("`drain_timeout_s` is meant?"), "{words}");

    fs::write(&file, text)?;
    fs::create_dir(dir.path().join("conf.d"))?;
    fs::write(
        dir.path().join("conf.d/limits.toml"),
        "limits.calls_max = 9\n",
    )?;
    ensure!(linkage(&["config", "check"], &file)?.status.success());
    let set = [
        "config",
        "show",
        "--origin",
        "--set",
        "limits.drain_timeout_s=7",
    ];
    let mut command = Command::new(program::linkage()?);
    command.args(set).arg("--config").arg(&file);
    let output = command
        .env("LINKAGE__MONITOR__LISTEN", "127.0.0.1:1")
        .output()?;
    let words = String::from_utf8(output.stdout)?;
    for line in [
        "limits.calls_max = 9  # ",
        "conf.d/limits.toml:1\n",
        "limits.drain_timeout_s = 7  # --set\n",
        "limits.keepalive_timeout_s = 10  # default\n",
        "monitor.listen = \"127.0.0.1:1\"  # LINKAGE__MONITOR__LISTEN\n",
    ] {
        ensure!(words.contains(line), "no {line} in {words}");
    }
    let output = Command::new(program::linkage()?)
        .args(["config", "explain", "limits.drain_timeout_s"])
        .output()?;
    let words = String::from_utf8(output.stdout)?;
    ensure!(
        words.contains("by default 60") && words.contains("60 s: "),
        "{words}"
    );
    Ok(())
}
