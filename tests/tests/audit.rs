//! Audit logs of real nodes: witnessed by each other, killed while they write, forked, altered.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::{Checkpoint, NodeKeys};
use linkage_core::audit::entry::{Outcome, Phase};
use linkage_core::audit::note::{Note, VerifyingKey};
use linkage_core::audit::policy::Policy;
use linkage_core::audit::receipt::Receipt;
use linkage_core::audit::tree::proof::consistency;
use linkage_core::audit::tree::{self, Hash};
use linkage_core::audit::witness::AddCheckpoint;
use linkage_node::auditlog::segments;
use linkage_node::demo::Rules;
use linkage_node::identity::Role;
use linkage_node::settings::NodeRole;
use linkage_node::store::witness::WitnessStore;
use linkage_proto::v1;
use linkage_proto::v1::witness_client::WitnessClient;
use linkage_tests::calls::{connect_as, refusal};
use linkage_tests::certificates::today;
use linkage_tests::crashing::copy_folder;
use linkage_tests::program;
use linkage_tests::sender::signing_secret;
use linkage_tests::trail;
use linkage_tests::world::{Act, World};

/// How long the nodes may take to have every log cosigned: some rounds of 15 s.
const WITNESS_PATIENCE: Duration = Duration::from_secs(90);

fn audit_dir(world: &World, party: &linkage_core::ids::PartyId) -> PathBuf {
    world.data_dir(party).join("audit")
}

/// Runs `linkage audit` and gives its exit code and standard output.
fn audit(args: &[&str]) -> Result<(i32, String)> {
    let output = Command::new(program::linkage()?)
        .arg("audit")
        .args(args)
        .stdin(Stdio::null())
        .output()?;
    let code = output.status.code().context("killed")?;
    Ok((code, String::from_utf8(output.stdout)?))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_is_witnessed_and_a_forked_one_refused() -> Result<()> {
    let (mut world, _) = World::witnessed(50, 21)?;
    world.agreed(&Rules::default()).await?;
    let policy_file = world.cluster.audit_policy();
    let policy: Policy = fs::read_to_string(&policy_file)?.parse()?;
    let dirs: Vec<PathBuf> = world
        .data_dirs()?
        .into_iter()
        .map(|(_, dir)| dir.join("audit"))
        .collect();
    let deadline = Instant::now() + WITNESS_PATIENCE;
    let is_witnessed = |dir: &PathBuf| {
        let note = fs::read_to_string(dir.join("checkpoint.witnessed")).unwrap_or_default();
        Note::parse(&note).is_ok_and(|note| policy.accept(&note).is_ok())
    };
    while !dirs.iter().all(is_witnessed) {
        ensure!(Instant::now() < deadline, "not every log was cosigned");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut args = vec!["verify", "--policy", text(&policy_file)];
    args.extend(dirs.iter().map(|dir| text(dir)));
    let (code, shown) = audit(&args)?;
    ensure!(code == 0, "{shown}");

    fork(&mut world, &policy).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_of_an_upload_holds_under_the_policy() -> Result<()> {
    let (world, _) = World::witnessed(50, 23)?;
    let project = world.keyed(&Rules::default()).await?;
    let owner = world.owner(0)?;
    let uploaded = world.act(Act::Upload, &owner, project).await?;
    let path = uploaded["receipts"][0].as_str().context("no receipt")?;
    let receipt: Receipt = fs::read_to_string(path)?.parse()?;
    let policy: Policy = fs::read_to_string(world.cluster.audit_policy())?.parse()?;
    let held = |key: &&VerifyingKey| receipt.verify(key).is_ok();
    let logs: Vec<_> = policy.logs().iter().filter(held).collect();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(logs[0].name().contains("/matcher/"), "{logs:?}");
    Ok(())
}

/// Has an owner's key sign another history of its log, and brings it to a node that has cosigned
/// the true one.
async fn fork(world: &mut World, policy: &Policy) -> Result<()> {
    let (owner, matcher) = (world.owner(0)?, World::matcher_party()?);
    world.cluster.kill(&owner)?;
    let dir = audit_dir(world, &owner);
    let secret = signing_secret(world, &owner)?;
    let keys = NodeKeys::derive(secret.as_slice(), "linkage.test", "owner", owner.as_str())?;
    let note = Note::parse(&fs::read_to_string(dir.join("checkpoint.witnessed"))?)?;
    let old = policy.accept(&note)?.checkpoint.size;
    let mut leaves = vec![];
    for entry in trail::entries(&world.data_dir(&owner))? {
        leaves.push(Hash::leaf(&entry.to_bytes()?));
    }
    leaves.truncate(usize::try_from(old)?);
    leaves.push(Hash::leaf(b"another entry"));
    // One entry of those that were cosigned is another.
    *leaves.first_mut().context("no entry")? = Hash::leaf(b"another past");
    let new = old + 1;
    let forked = Checkpoint {
        origin: keys.log.verifying().name().to_owned(),
        size: new,
        root: tree::root(&leaves[..], new)?,
    };
    let body = AddCheckpoint {
        old,
        proof: consistency(&leaves[..], old, new)?,
        note: forked.sign(&keys.log)?,
    };
    let files = world
        .cluster
        .pki()
        .issue(Role::Owner, owner.as_str(), &["127.0.0.1"], today()?)?;
    let channel = connect_as(&files, world.matcher()?).await??;
    let mut client = WitnessClient::new(channel);
    let request = |body: &AddCheckpoint| v1::AddCheckpointRequest {
        body: body.to_string(),
    };
    // The matcher may have cosigned a newer state than the quorum.
    let mut body = body;
    let answered = client.add_checkpoint(request(&body)).await;
    if let Ok(reply) = &answered
        && reply.get_ref().conflict
    {
        body.old = reply.get_ref().kept_size;
        let reason = refusal(client.add_checkpoint(request(&body)).await)?;
        ensure!(
            reason == "audit.fork" || reason == "request.malformed",
            "{reason}"
        );
    } else {
        assert_eq!(refusal(answered)?, "audit.fork");
    }
    let store = WitnessStore::open(&audit_dir(world, &matcher).join("peers.db"))?;
    let evidence = store.evidence()?;
    let found = evidence.first().context("no evidence was kept")?;
    assert_eq!(found.origin, keys.log.verifying().name());
    Checkpoint::open(&Note::parse(&found.refused)?, keys.log.verifying())?;
    let told = trail::expect(
        &world.data_dir(&matcher),
        0,
        Action::AuditFork,
        "audit.fork",
    )?;
    assert_eq!(told.event.result, Some(Outcome::Failed));
    // The stopped owner's true log goes on.
    world.cluster.restart(NodeRole::Owner, &owner)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_while_it_logs_goes_on_with_what_it_acknowledged() -> Result<()> {
    let (mut world, _) = World::of_departments(50, 22)?;
    let party = World::matcher_party()?;
    let mut before = HashSet::new();
    for round in 0..6 {
        // Every one of these is denied and logged before it is answered.
        let files = world
            .cluster
            .pki()
            .issue(Role::Auditor, "aud", &["127.0.0.1"], today()?)?;
        let channel = connect_as(&files, world.matcher()?).await??;
        let calls = (0..40).map(|_| {
            let mut client = WitnessClient::new(channel.clone());
            tokio::spawn(async move {
                let request = v1::GetCheckpointRequest { old_size: 0 };
                client.get_checkpoint(request).await.is_err()
            })
        });
        let calls: Vec<_> = calls.collect();
        tokio::time::sleep(Duration::from_millis(3 * (round + 1))).await;
        world.cluster.kill(&party)?;
        for call in calls {
            assert!(call.await?);
        }
        // What a reader saw before is still there after.
        let entries = trail::entries(&world.data_dir(&party))?;
        let now: HashSet<Vec<u8>> = entries
            .iter()
            .map(|entry| entry.to_bytes())
            .collect::<Result<_, _>>()?;
        assert!(now.is_superset(&before), "round {round}");
        before = now;
        world.cluster.restart(NodeRole::Matcher, &party)?;
    }
    world.cluster.stop();
    let dir = audit_dir(&world, &party);
    let (code, shown) = audit(&["verify", text(&dir)])?;
    assert_eq!(code, 0, "{shown}");
    let entries = trail::entries(&world.data_dir(&party))?;
    let starts = entries
        .iter()
        .filter(|e| e.event.action == Action::NodeStart);
    assert_eq!(starts.count(), 7);
    assert!(entries.iter().all(|entry| {
        entry.event.phase != Phase::Intent
            || entries
                .iter()
                .any(|other| other.event.intent == Some(entry.seq))
    }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_tampering_has_its_exit_code() -> Result<()> {
    let (mut world, _) = World::of_departments(50, 23)?;
    world.agreed(&Rules::default()).await?;
    let owner = world.owner(1)?;
    let early = tempfile::tempdir()?;
    world.cluster.stop();
    let dir = audit_dir(&world, &owner);
    let kept = early.path().join("checkpoint");
    copy_folder(&dir, &early.path().join("rewound"))?;
    world.cluster.restart(NodeRole::Owner, &owner)?;
    world.cluster.stop();
    fs::copy(dir.join("checkpoint"), &kept)?;

    let code = |args: &[&str]| audit(&[&["verify"], args].concat());
    assert_eq!(code(&[text(&dir), "--since", text(&kept)])?.0, 0);
    let rewound = early.path().join("rewound");
    let (found, shown) = code(&[text(&rewound), "--since", text(&kept)])?;
    assert_eq!(found, 21, "{shown}");

    let journal = segments::list(&dir)?.pop().context("no journal")?.path;
    let whole = fs::read(&journal)?;
    let mut frames = vec![];
    let mut entries = segments::entries(&dir, 0)?;
    while let Some((_, bytes)) = entries.next_entry()? {
        let mut frame = vec![];
        segments::push_frame(&mut frame, bytes);
        frames.push(frame);
    }
    ensure!(frames.len() > 4, "only {} entries", frames.len());
    let mut flipped = whole.clone();
    *flipped.get_mut(20).context("short")? ^= 1;
    let mut deleted = frames.clone();
    deleted.remove(2);
    let mut moved = frames.clone();
    moved.swap(1, 3);
    let mut truncated = frames.clone();
    truncated.pop();
    for (bytes, expected) in [
        (flipped, 11),
        (deleted.concat(), 17),
        (moved.concat(), 18),
        (truncated.concat(), 19),
        (whole, 0),
    ] {
        fs::write(&journal, bytes)?;
        let (found, shown) = code(&[text(&dir)])?;
        assert_eq!(found, expected, "{shown}");
    }
    Ok(())
}
