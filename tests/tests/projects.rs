//! A project's life: two persons of every owner agree, any owner suspends, later epochs replace
//! earlier ones, and a close leaves neither tokens nor keys behind, whatever is killed meanwhile.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::audit::action::Action;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::Project;
use linkage_core::project::notice::Kind;
use linkage_core::project::receipt::SignedReceipt;
use linkage_node::client::{Client, ClientSettings, Error};
use linkage_node::demo::{Rules, last_day};
use linkage_node::identity::Role;
use linkage_node::settings::{NodeRole, Settings};
use linkage_node::tls::TlsFiles;
use linkage_proto::v1;
use linkage_proto::v1::projects_client::ProjectsClient;
use linkage_tests::departments::SCHEMA;
use linkage_tests::sender::{Parcel, Sender};
use linkage_tests::world::{Act, World, reason, request};
use linkage_tests::{calls, certificates, trail};

/// Few records: what is tested is not in their number.
const RECORDS: u64 = 100;

/// Bytes of a token or a key that are searched for: not found by chance.
const PATTERN_BYTES: usize = 16;

fn refusal<T>(result: Result<T, Error>) -> Result<String> {
    match result {
        Ok(_) => bail!("it was allowed"),
        Err(error) => Ok(reason(&error)),
    }
}

/// An operator of an owner under a certificate of its own.
fn operator(world: &World, party: &PartyId, files: TlsFiles) -> Result<Client> {
    let text = fs::read_to_string(world.cluster.operator_config(party))?;
    let mut settings: ClientSettings = toml::from_str(&text)?;
    settings.tls = files.into();
    let path = world.cluster.dir().join("people").join("another.toml");
    fs::write(&path, toml::to_string(&settings)?)?;
    Ok(Client::read(&path)?)
}

async fn sign_as(client: &Client, project: ProjectId) -> Result<(), Error> {
    let (party, mut operations) = client.operations().await?;
    let reply = operations.sign(request(project)).await;
    reply
        .map(drop)
        .map_err(|status| linkage_node::client::refused(&party, &status))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_persons_of_every_owner_agree() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 31)?;
    let (first, second) = (world.owner(0)?, world.owner(1)?);
    let project = world.propose(&Rules::default()).await?;
    let state = |status: v1::ProjectStatus| (status.state, status.matcher_state);
    let proposed = ("proposed".to_owned(), "proposed".to_owned());
    assert_eq!(state(world.show(&first, project).await?), proposed);

    // Whoever drafted cannot sign, under no certificate.
    let pki = world.cluster.pki();
    let name = linkage_node::demo::cluster::FIRST_OPERATOR;
    let author = world.operator(&first)?;
    assert_eq!(
        refusal(sign_as(&author, project).await)?,
        "project.one_person"
    );
    let files = pki.issue_person(Role::Operator, first.as_str(), name, certificates::today()?)?;
    let renewed = operator(&world, &first, files)?;
    assert_eq!(
        refusal(sign_as(&renewed, project).await)?,
        "project.one_person"
    );
    let files = pki.issue(Role::Operator, first.as_str(), &[], certificates::today()?)?;
    let nameless = operator(&world, &first, files)?;
    assert_eq!(refusal(sign_as(&nameless, project).await)?, "authz.person");

    // Elsewhere, somebody must answer for it before another signs.
    assert_eq!(
        refusal(world.sign(&second, project).await)?,
        "project.unknown"
    );
    world.approve(&second, project).await?;
    let again = world.signer(&second)?;
    let (_, mut operations) = again.operations().await?;
    let approved = operations.approve(request(project)).await;
    assert_eq!(calls::refusal(approved)?, "project.approved");
    let approver = world.operator(&second)?;
    assert_eq!(
        refusal(sign_as(&approver, project).await)?,
        "project.one_person"
    );

    // The matcher holds every owner to it as well.
    let matcher = world.matcher()?;
    let files = pki.issue(Role::Owner, second.as_str(), &[], certificates::today()?)?;
    let mut projects = ProjectsClient::new(calls::connect_as(&files, matcher).await??);
    let alone = v1::SignRequest {
        project: project.as_bytes().to_vec().into(),
        signature: Some(v1::PartySignature {
            party: second.to_string(),
            first: vec![1; 32].into(),
            second: vec![1; 32].into(),
            signature: vec![0; 64].into(),
        }),
    };
    let alone = projects.sign(alone).await;
    assert_eq!(calls::refusal(alone)?, "project.one_person");

    world.sign(&first, project).await?;
    world.sign(&second, project).await?;
    let early = world.act(Act::AgreeKey, &first, project).await;
    assert_eq!(refusal(early)?, "project.unsigned");
    let third = world.owner(2)?;
    world.approve(&third, project).await?;
    world.sign(&third, project).await?;
    let status = world.show(&first, project).await?;
    assert_eq!(status.signed.len(), 3);
    assert_eq!(status.state, "agreed");

    let mut persons = vec![];
    for entry in trail::entries(&world.data_dir(&World::matcher_party()?))? {
        if entry.event.action == Action::ProjectSign && entry.event.reason.is_none() {
            let digests = &entry.event.digests;
            persons.extend(digests.get("first_person").cloned());
            persons.extend(digests.get("second_person").cloned());
        }
    }
    persons.sort_unstable();
    persons.dedup();
    assert_eq!(persons.len(), 6, "two persons of each of three owners");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_or_expired_project_begins_nothing() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 32)?;
    let (credit, health) = (world.owner(0)?, world.owner(1)?);
    let project = world.keyed(&Rules::default()).await?;
    world.act(Act::Upload, &credit, project).await?;

    world.notice(&health, project, Kind::Suspend).await?;
    for party in &world.owners {
        let refused = world.act(Act::Upload, party, project).await;
        let expected = if *party == credit {
            None
        } else {
            Some("project.suspended")
        };
        // What was accepted before stays accepted.
        assert_eq!(refusal(refused).ok().as_deref(), expected, "{party}");
        assert_eq!(world.show(party, project).await?.suspended_by, ["health"]);
    }
    let other = world.notice(&credit, project, Kind::Resume).await;
    assert_eq!(refusal(other)?, "project.not_suspended");
    world.notice(&credit, project, Kind::Suspend).await?;
    world.notice(&health, project, Kind::Resume).await?;
    let both = world.act(Act::Upload, &health, project).await;
    assert_eq!(refusal(both)?, "project.suspended");
    world.notice(&credit, project, Kind::Resume).await?;
    world.all(Act::Upload, project).await?;
    world.act(Act::StartRun, &credit, project).await?;
    world.all(Act::FetchPositions, project).await?;
    let status = world.show(&credit, project).await?;
    assert_eq!(
        (status.state.as_str(), status.matcher_state.as_str()),
        ("open", "open")
    );

    // An owner that rests answers no analyst.
    world.notice(&credit, project, Kind::Suspend).await?;
    let sql = "SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2";
    let asked = world.analyst()?.extract(&project, sql).await.map(drop);
    assert_eq!(refusal(asked)?, "project.suspended");

    let expired = Rules {
        expires: last_day(-1),
        ..Rules::default()
    };
    let draft = world
        .draft_among(&world.owners, SCHEMA, &expired, None)
        .await?;
    let (_, mut operations) = world.operator(&credit)?.operations().await?;
    let proposed = operations.propose(request(draft)).await;
    assert_eq!(calls::refusal(proposed)?, "project.expired");
    Ok(())
}

/// Files under a folder in which one of the patterns stands, raw or as hexadecimal digits.
fn found_in(folder: &Path, patterns: &[Vec<u8>]) -> Result<Vec<String>> {
    let hexed = patterns
        .iter()
        .map(|pattern| hex::encode(pattern).into_bytes());
    let all: Vec<Vec<u8>> = patterns.iter().cloned().chain(hexed).collect();
    let (mut open, mut found) = (vec![folder.to_owned()], vec![]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
            continue;
        }
        let bytes = fs::read(&path)?;
        let holds = |pattern: &Vec<u8>| {
            bytes
                .windows(pattern.len())
                .any(|window| window == pattern.as_slice())
        };
        if all.iter().any(holds) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

/// Pieces of a file that its content can be known by.
fn pieces(path: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(path)?;
    // Headers and columns of zeros are everywhere; random bytes are not.
    let varied = |piece: &&[u8]| {
        let mut seen: Vec<_> = piece.to_vec();
        seen.sort_unstable();
        seen.dedup();
        seen.len() > PATTERN_BYTES / 2
    };
    let pieces = bytes.chunks_exact(PATTERN_BYTES).skip(40).filter(varied);
    let pieces: Vec<_> = pieces.step_by(31).map(<[u8]>::to_vec).take(40).collect();
    ensure!(
        pieces.len() > 10,
        "{}: {} pieces",
        path.display(),
        pieces.len()
    );
    Ok(pieces)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_leaves_no_token_and_no_key() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 33)?;
    let (credit, matcher) = (world.owner(0)?, World::matcher_party()?);
    let project = world.linked(&Rules::default()).await?;

    let mut tokens = vec![];
    for party in &world.owners {
        tokens.extend(pieces(&world.outbox(party, project))?);
    }
    let mut secrets = vec![];
    for party in &world.owners {
        let id: String = world.owner_store(party)?.record_ids(&project)?[3].to_string();
        secrets.push(id.into_bytes());
        let positions = world.positions(party, project)?.positions;
        let bytes: Vec<u8> = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
        secrets.push(
            bytes
                .get(..PATTERN_BYTES)
                .context("few positions")?
                .to_vec(),
        );
    }
    for (party, dir) in world.data_dirs()? {
        // What is searched for can be found.
        assert!(!found_in(&dir, &tokens)?.is_empty(), "{party}");
        assert!(!found_in(&dir, &secrets)?.is_empty(), "{party}");
        let keys = dir.join("keys");
        assert_eq!(keys.exists(), party != matcher);
    }

    let status = world.notice(&credit, project, Kind::Close).await?;
    assert_eq!(
        (status.state.as_str(), status.matcher_state.as_str()),
        ("closed", "closed")
    );
    for party in &world.owners {
        let status = world.show(party, project).await?;
        assert_eq!(status.state, "closed", "{party}");
        assert_eq!(
            status.receipts.len(),
            2,
            "{party}: its own and the matcher's"
        );
    }
    for (party, dir) in world.data_dirs()? {
        let left: Vec<String> = found_in(&dir, &tokens)?;
        assert!(left.is_empty(), "{party}: {left:?}");
        let left: Vec<String> = found_in(&dir, &secrets)?;
        assert!(left.is_empty(), "{party}: {left:?}");
        for folder in ["keys", "outbox", "uploads"] {
            let files = fs::read_dir(dir.join(folder)).map_or(0, Iterator::count);
            assert_eq!(files, 0, "{party}: {folder}");
        }
    }
    check_receipts(&world, project)?;

    // Nothing begins any more, and what was answered stays answered.
    for act in [
        Act::AgreeKey,
        Act::Upload,
        Act::StartRun,
        Act::FetchPositions,
    ] {
        let refused = world.act(act, &credit, project).await;
        assert_eq!(refusal(refused)?, "project.closed", "{act:?}");
    }
    world.notice(&credit, project, Kind::Close).await?;
    assert_eq!(world.owner_store(&credit)?.receipts(&project)?.len(), 2);
    Ok(())
}

/// Every node's receipt is signed, says what was there, and stands in its log.
fn check_receipts(world: &World, project: ProjectId) -> Result<()> {
    let credit = world.owner(0)?;
    let store = world.owner_store(&credit)?;
    let kept = store.project(&project)?.context("no project")?;
    let manifest = Project::parse(&kept.manifest)?;
    let config = world.node(&credit)?.config.clone();
    let settings = Settings::read(&config)?;
    let peer = settings.matcher().context("no matcher")?;
    let key = hex::decode(peer.signing_key.as_deref().context("no key")?)?;
    let logged = |party: &PartyId, receipt: &SignedReceipt| -> Result<()> {
        let digest = ring::digest::digest(&ring::digest::SHA256, &receipt.bytes);
        let entries = trail::entries(&world.data_dir(party))?;
        let mut destroyed = entries
            .iter()
            .filter(|entry| entry.event.action == Action::ProjectDestroyed);
        let found =
            destroyed.any(|entry| entry.event.digests.get("receipt") == Some(&hex::encode(digest)));
        ensure!(found, "{party}'s receipt is not in its log");
        Ok(())
    };
    let receipts = world.matcher_store()?.receipts(&project)?;
    let (_, receipt) = receipts.first().context("no receipt")?;
    logged(&World::matcher_party()?, receipt)?;
    let content = receipt.verify(&manifest, &key)?;
    let count = |what: &str| -> Vec<u64> {
        let of = content.destroyed.iter().filter(|item| item.what == what);
        of.map(|item| item.count).collect()
    };
    let keys = count("keys of a batch");
    // Some rows are nobody's.
    let is_all = |rows: &u64| (RECORDS..RECORDS + RECORDS / 10).contains(rows);
    assert!(keys.len() == 3 && keys.iter().all(is_all), "{keys:?}");
    assert_eq!(count("link map"), keys);
    assert_eq!(count("tokens of a batch").len(), 3);
    // Commitment and key check of each, and a contribution from each to each other.
    assert_eq!(count("items of the key agreement"), [3 + 3 + 6]);

    for party in &world.owners {
        let receipts = world.owner_store(party)?.receipts(&project)?;
        let own = receipts.iter().find(|(node, _)| *node == party.as_str());
        let (_, receipt) = own.context("no own receipt")?;
        logged(party, receipt)?;
        let key = hex::decode(&manifest.owner(party)?.signing_key)?;
        let content = receipt.verify(&manifest, &key)?;
        let what: Vec<_> = content.destroyed.iter().map(|i| i.what.as_str()).collect();
        assert_eq!(
            what,
            [
                "project key",
                "key contribution",
                "batch",
                "record identifiers",
                "attributes",
                "positions"
            ]
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_epoch_has_other_owners_and_its_own_key() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 34)?;
    let (credit, third) = (world.owner(0)?, world.owner(2)?);
    let two = world.owners.get(..2).context("too few owners")?.to_vec();
    let rules = Rules::default();
    let before = world.propose_among(&two, SCHEMA, &rules).await?;
    world.sign_all(&two, before).await?;
    agree_keys(&world, &two, before).await?;
    for party in &two {
        world.act(Act::Upload, party, before).await?;
    }
    let old_key = world.show(&credit, before).await?.key_id;

    // The third owner joins.
    let all = world.owners.clone();
    let next = world
        .draft_among(&all, SCHEMA, &rules, Some(before))
        .await?;
    let (_, mut operations) = world.operator(&credit)?.operations().await?;
    operations.propose(request(next)).await?;
    // Until all have signed, the epoch before goes on.
    world.act(Act::StartRun, &credit, before).await?;
    world.sign_all(&all, next).await?;
    world.show(&credit, next).await?;
    let status = world.show(&third, next).await?;
    assert_eq!((status.epoch, status.state.as_str()), (2, "agreed"));
    assert_eq!(status.predecessor, before.as_bytes().as_slice());
    let late = world.act(Act::FetchPositions, &credit, before).await;
    assert_eq!(refusal(late)?, "project.superseded");

    world.all(Act::AgreeKey, next).await?;
    let new_key = world.show(&credit, next).await?.key_id;
    assert!(!new_key.is_empty() && new_key != old_key, "{new_key}");
    // A batch of the epoch before does not pass for one of this.
    let epochs = [before, next].map(|id| world.outbox(&credit, id));
    let begun = old_batch(&world, &credit, next, &epochs[0]).await?;
    assert_eq!(begun, "upload.key");
    world.all(Act::Upload, next).await?;
    world.act(Act::StartRun, &third, next).await?;
    world.all(Act::FetchPositions, next).await?;

    // The new epoch does not depend on the old one's end.
    world.notice(&credit, before, Kind::Close).await?;
    assert_eq!(world.show(&credit, next).await?.state, "open");
    assert!(!epochs[0].exists() && epochs[1].exists());
    Ok(())
}

async fn agree_keys(world: &World, owners: &[PartyId], project: ProjectId) -> Result<()> {
    let mut acting = vec![];
    for party in owners {
        let (client, party) = (world.operator(party)?, party.clone());
        acting.push(tokio::spawn(async move {
            linkage_tests::world::perform(&client, &party, Act::AgreeKey, project).await
        }));
    }
    for acting in acting {
        acting.await??;
    }
    Ok(())
}

/// Announces the batch in a file of another epoch under a project; why it is refused.
async fn old_batch(
    world: &World,
    party: &PartyId,
    project: ProjectId,
    batch: &Path,
) -> Result<String> {
    use linkage_proto::v1::uploads_client::UploadsClient;
    let parcel = Parcel::of(&fs::read(batch)?, 64 * 1024, 7)?;
    let sender = Sender::new(world, party, project)?;
    let pki = world.cluster.pki();
    let files = pki.issue(Role::Owner, party.as_str(), &[], certificates::today()?)?;
    let channel = calls::connect_as(&files, world.matcher()?).await??;
    calls::refusal(
        UploadsClient::new(channel)
            .begin(sender.begin(&parcel))
            .await,
    )
}

/// One step of a project, by the first owner's operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Propose,
    Sign,
    Do(Act),
    Close,
}

async fn step(world: &World, step: Step, project: ProjectId) -> Result<(), Error> {
    // The configuration is read again: a restarted node may listen elsewhere.
    let Ok(credit) = world.owner(0) else {
        return Ok(());
    };
    match step {
        Step::Propose => {
            let (party, mut operations) = world.operator(&credit)?.operations().await?;
            let reply = operations.propose(request(project)).await;
            reply
                .map(drop)
                .map_err(|status| linkage_node::client::refused(&party, &status))
        }
        Step::Sign => world.sign(&credit, project).await,
        Step::Do(act) => world.act(act, &credit, project).await.map(drop),
        Step::Close => world.notice(&credit, project, Kind::Close).await.map(drop),
    }
}

/// Kills a node at some moment of a step, starts it again, and does the step to its end.
async fn killed_within(
    world: &mut World,
    victim: (NodeRole, &PartyId),
    what: Step,
    project: ProjectId,
    after: Duration,
) -> Result<()> {
    let (role, party) = victim;
    {
        let acting = step(world, what, project);
        // Whether it came to its end just before is left open.
        let _ = tokio::time::timeout(after, acting).await;
    }
    world.cluster.kill(party)?;
    world.cluster.restart(role, party)?;
    let credit = world.owner(0)?;
    let state = world.show(&credit, project).await?.state;
    ensure!(!state.is_empty(), "{what:?}: no state");
    match step(world, what, project).await {
        Err(error) if ["project.proposed"].contains(&reason(&error).as_str()) => Ok(()),
        other => other.with_context(|| format!("{what:?} after {after:?} of {party}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_in_any_transition_goes_on() -> Result<()> {
    let (mut world, _) = World::of_departments(RECORDS, 35)?;
    let (credit, matcher) = (world.owner(0)?, World::matcher_party()?);
    let others: Vec<_> = world.owners.iter().skip(1).cloned().collect();
    // Moments within each step, which take some milliseconds each; a run and a key agreement more.
    for (round, after_ms) in [1_u64, 4, 15, 60].into_iter().enumerate() {
        let owners = world.owners.clone();
        let rules = Rules::default();
        let project = world.draft_among(&owners, SCHEMA, &rules, None).await?;
        let after = Duration::from_millis(after_ms);
        let victim = |step: usize| match (round + step) % 2 {
            0 => (NodeRole::Matcher, &matcher),
            _ => (NodeRole::Owner, &credit),
        };
        killed_within(&mut world, victim(0), Step::Propose, project, after).await?;
        killed_within(&mut world, victim(1), Step::Sign, project, after).await?;
        for party in &others {
            world.approve(party, project).await?;
            world.sign(party, project).await?;
        }
        world.all(Act::AgreeKey, project).await?;
        for (at, act) in [Act::Upload, Act::StartRun, Act::FetchPositions]
            .into_iter()
            .enumerate()
        {
            killed_within(&mut world, victim(at), Step::Do(act), project, after).await?;
            if act == Act::Upload {
                world.all(Act::Upload, project).await?;
            }
        }
        world.all(Act::FetchPositions, project).await?;
        let again = world.recomputed(project)?;
        assert!(
            again.same_partition(&world.delivered(project)?),
            "{after_ms} ms"
        );
        killed_within(&mut world, victim(1), Step::Close, project, after).await?;
        let status = world.show(&credit, project).await?;
        assert_eq!(
            (status.state.as_str(), status.matcher_state.as_str()),
            ("closed", "closed")
        );
        for (party, dir) in world.data_dirs()? {
            linkage_node::auditlog::verify::verify_dir(&dir.join("audit"))
                .with_context(|| party.to_string())?;
        }
    }
    Ok(())
}
