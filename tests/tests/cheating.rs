//! A matcher, an owner and an analyst that do not keep to the protocol: each change is refused by
//! name, and honest work goes on afterwards.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use linkage_core::audit::action::Action;
use linkage_core::extract::ExtractRequest;
use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::schema::Entity;
use linkage_core::schema::Schema;
use linkage_node::demo::Rules;
use linkage_node::identity::Role;
use linkage_proto::v1;
use linkage_proto::v1::extracts_client::ExtractsClient;
use linkage_proto::v1::table_message::Message;
use linkage_proto::v1::tables_client::TablesClient;
use linkage_tests::departments::SCHEMA;
use linkage_tests::matcher::{ChangeItems, ChangePositions, Cheat, Cheater};
use linkage_tests::world::{Act, World, perform, reason};
use linkage_tests::{calls, certificates};
use tonic::transport::Channel;

const RECORDS: u64 = 200;

const SQL: &str = "SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2";

/// A world whose owners all reach a cheating matcher.
async fn cheated(seed: u64) -> Result<(World, Cheater)> {
    let (mut world, _) = World::of_departments(RECORDS, seed)?;
    let dir = world.cluster.dir().join("cheater");
    fs::create_dir(&dir)?;
    let cheater = Cheater::start(&dir, world.cluster.pki()).await?;
    for party in world.owners.clone() {
        world.redirect_matcher(&party, &cheater.address)?;
    }
    Ok((world, cheater))
}

/// What every owner's part ends with when all take part at once.
async fn reasons(world: &World, act: Act, project: ProjectId) -> Result<Vec<String>> {
    let mut acting = vec![];
    for party in &world.owners {
        let (client, party) = (world.operator(party)?, party.clone());
        acting.push(tokio::spawn(async move {
            perform(&client, &party, act, project).await
        }));
    }
    let mut reasons = vec![];
    for acting in acting {
        reasons.push(match acting.await? {
            Ok(_) => "ok".to_owned(),
            Err(error) => reason(&error),
        });
    }
    Ok(reasons)
}

/// A change of the items of one kind.
fn items(
    kind: v1::ItemKind,
    change: impl Fn(&mut Vec<v1::Item>) + Send + Sync + 'static,
) -> Arc<ChangeItems> {
    Arc::new(move |of, items| {
        // Before all have posted there is nothing to wait for but the rest.
        let count = if kind == v1::ItemKind::Sealed { 2 } else { 3 };
        if of == kind && items.len() == count {
            change(items);
        }
    })
}

fn flip_body(items: &mut [v1::Item]) {
    if let Some(item) = items.first_mut() {
        let mut body = item.body.to_vec();
        body.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        item.body = body.into();
    }
}

/// Puts the first item's sender over the second's content.
fn steal_name(items: &mut [v1::Item]) {
    if let [first, second, ..] = items {
        second.sender.clone_from(&first.sender);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_cannot_touch_the_key_agreement() -> Result<()> {
    let (world, cheater) = cheated(21).await?;
    let (kept, project) = (
        world.agreed(&Rules::default()).await?,
        world.agreed(&Rules::default()).await?,
    );
    // Genuine items of another project of the same owners, to be replayed.
    let replayed = Arc::new(std::sync::Mutex::new(vec![]));
    let keep = Arc::clone(&replayed);
    cheater.cheat(Cheat {
        items: Some(items(v1::ItemKind::Commitment, move |items| {
            if let Ok(mut kept) = keep.lock() {
                kept.clone_from(items);
            }
        })),
        ..Cheat::default()
    });
    world.all(Act::AgreeKey, kept).await?;
    ensure!(replayed.lock().is_ok_and(|items| items.len() == 3));

    let replay = move |items: &mut Vec<v1::Item>| {
        if let Ok(kept) = replayed.lock() {
            items.clone_from(&kept);
        }
    };
    let repeat = |items: &mut Vec<v1::Item>| {
        if let [first, .., last] = items.as_mut_slice() {
            last.clone_from(first);
        }
    };
    let signature = |items: &mut Vec<v1::Item>| {
        if let [first, second, ..] = items.as_mut_slice() {
            std::mem::swap(&mut first.signature, &mut second.signature);
        }
    };
    let outsider = |items: &mut Vec<v1::Item>| {
        if let Some(item) = items.first_mut() {
            "nobody".clone_into(&mut item.sender);
        }
    };
    use v1::ItemKind::{Commitment, KeyCheck, Sealed};
    let cheats = [
        (
            items(Commitment, |items| flip_body(items)),
            "project.signature",
        ),
        (items(Commitment, signature), "project.signature"),
        (
            items(Commitment, |items| steal_name(items)),
            "project.signature",
        ),
        (items(Commitment, replay), "project.signature"),
        (items(Commitment, outsider), "project.unknown"),
        (items(Commitment, repeat), "key.parties"),
        (items(Sealed, |items| flip_body(items)), "project.signature"),
        (
            items(Sealed, |items| steal_name(items)),
            "project.signature",
        ),
        (items(Sealed, repeat), "key.parties"),
        (
            items(KeyCheck, |items| flip_body(items)),
            "project.signature",
        ),
        (
            items(KeyCheck, |items| steal_name(items)),
            "project.signature",
        ),
        (items(KeyCheck, repeat), "key.parties"),
    ];
    let key_file = |party: &PartyId| -> PathBuf {
        let keys = world.data_dir(party).join("keys");
        keys.join(format!("{project}.key"))
    };
    for (at, (change, expected)) in cheats.into_iter().enumerate() {
        cheater.cheat(Cheat {
            items: Some(change),
            ..Cheat::default()
        });
        let found = reasons(&world, Act::AgreeKey, project).await?;
        assert!(
            found.iter().all(|reason| reason == expected),
            "cheat {at}: {found:?}"
        );
        for party in &world.owners {
            assert!(!key_file(party).exists(), "cheat {at}: {party}");
        }
    }
    // To one pair of owners the third's part is kept back throughout, and another's shown twice.
    let left_out = world.owner(2)?;
    let pair = move |_: v1::ItemKind, items: &mut Vec<v1::Item>| {
        items.retain(|item| item.sender != left_out.as_str());
        items.extend(items.last().cloned());
    };
    cheater.cheat(Cheat {
        items: Some(Arc::new(pair)),
        ..Cheat::default()
    });
    let found = reasons(&world, Act::AgreeKey, project).await?;
    assert!(
        found.iter().all(|reason| reason == "key.parties"),
        "{found:?}"
    );
    assert!(!world.owners.iter().any(|party| key_file(party).exists()));

    cheater.cheat(Cheat::default());
    world.all(Act::AgreeKey, project).await?;
    assert!(world.owners.iter().all(|party| key_file(party).exists()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matcher_cannot_deliver_impossible_positions() -> Result<()> {
    let (world, cheater) = cheated(22).await?;
    let project = world.keyed(&Rules::default()).await?;
    world.all(Act::Upload, project).await?;
    let owner = world.owner(0)?;
    world.act(Act::StartRun, &owner, project).await?;

    type Change = fn(&mut v1::PositionsPart);
    let in_one_part: [(&str, Change); 5] = [
        ("repeats", |part| part.positions[0] = part.positions[1]),
        ("beyond the range", |part| part.positions[0] = part.range),
        ("too few", |part| part.positions.truncate(199)),
        ("too many", |part| {
            let unused = (0..part.range).find(|free| !part.positions.contains(free));
            part.positions.extend(unused);
        }),
        ("a gap", |part| part.first_row = 1),
    ];
    let mut cheats: Vec<(&str, Arc<ChangePositions>)> = vec![];
    for (what, change) in in_one_part {
        let change = move |parts: &mut Vec<v1::PositionsPart>| {
            parts.iter_mut().take(1).for_each(change);
        };
        cheats.push((what, Arc::new(change)));
    }
    // Halves of two runs.
    let halves = |parts: &mut Vec<v1::PositionsPart>| {
        let Some(mut rest) = parts.first().cloned() else {
            return;
        };
        parts[0].positions.truncate(100);
        rest.positions.drain(..100);
        rest.first_row = 100;
        rest.run = vec![9; 16].into();
        parts.push(rest);
    };
    cheats.push(("halves of two runs", Arc::new(halves)));
    for (what, positions) in cheats {
        cheater.cheat(Cheat {
            positions: Some(positions),
            ..Cheat::default()
        });
        let Err(error) = world.act(Act::FetchPositions, &owner, project).await else {
            bail!("{what}: accepted");
        };
        assert_eq!(reason(&error), "request.malformed", "{what}");
        assert!(
            world.owner_store(&owner)?.positions(&project)?.is_none(),
            "{what}"
        );
    }
    cheater.cheat(Cheat::default());
    world.all(Act::FetchPositions, project).await?;
    Ok(())
}

async fn channel(world: &World, role: Role, party: &str, at: &PartyId) -> Result<Channel> {
    let validity = certificates::today()?;
    let files = world
        .cluster
        .pki()
        .issue(role, party, certificates::HOSTS, validity)?;
    Ok(calls::connect_as(&files, world.node(at)?).await??)
}

/// Bytes before a filter's bits.
const FILTER_HEAD_BYTES: usize = 45;

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_hits_everything_gets_nothing() -> Result<()> {
    let (world, cheater) = cheated(26).await?;
    let project = world.keyed(&Rules::default()).await?;
    cheater.cheat(Cheat {
        filter: Some(Arc::new(|filter: &mut Vec<u8>| {
            filter
                .iter_mut()
                .skip(FILTER_HEAD_BYTES)
                .for_each(|byte| *byte = 0xff);
        })),
        ..Cheat::default()
    });
    world.all(Act::Upload, project).await?;
    let started = world.act(Act::StartRun, &world.owner(0)?, project).await;
    let error = started
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(error.contains("ask.too_much"), "{error}");
    for party in &world.owners {
        let data = world.data_dir(party);
        linkage_tests::trail::expect(&data, 0, Action::AskAnswer, "ask.too_much")?;
        // Nothing was made ready to be sent either.
        let answer = world.outbox(party, project).with_extension("answer");
        ensure!(!answer.exists(), "{}", answer.display());
    }
    Ok(())
}

/// An honest opening of [`SQL`]'s table, as the encrypting owner would send it.
fn opening(world: &World, project: ProjectId, name: [u8; 16]) -> Result<v1::TableOpening> {
    let schema = Schema::parse(SCHEMA)?;
    let entry = |party: &str, attribute: &str| {
        let found = schema.attributes.iter().find(|a| a.name == attribute);
        found.map(|found| CatalogueEntry {
            party: party.to_owned(),
            attribute: attribute.to_owned(),
            title: None,
            values: found.values.clone(),
        })
    };
    let entries = [entry("credit", "grade"), entry("health", "chronic")];
    let catalogue = Catalogue::new(Entity::Persons, entries.into_iter().flatten().collect())?;
    let request = ExtractRequest::parse(SQL, &catalogue);
    let request = request.map_err(|refusal| anyhow::anyhow!(refusal.render()))?;
    let positions = world.positions(&"health".parse()?, project)?;
    Ok(v1::TableOpening {
        project: project.as_bytes().to_vec().into(),
        request: name.to_vec().into(),
        request_digest: request.digest().to_vec().into(),
        run: positions.run.to_vec().into(),
        nonce: vec![5; 32].into(),
        positions: positions.range,
        rows: 4,
        columns: 4,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_answers_only_the_table_it_was_asked_for() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 23)?;
    let project = world.linked(&Rules::default()).await?;
    let health: PartyId = "health".parse()?;
    let analyst = channel(&world, Role::Analyst, "policy-lab", &health).await?;
    let credit = channel(&world, Role::Owner, "credit", &health).await?;
    let third = channel(&world, Role::Owner, "social-security", &health).await?;

    let other = world.agreed(&Rules::default()).await?;

    type Change = fn(&mut v1::TableOpening, ProjectId);
    let cases: [(&str, &Channel, Change); 7] = [
        ("the very table", &credit, |_, _| {}),
        ("another owner", &third, |_, _| {}),
        ("another question", &credit, |o, _| {
            o.request_digest = vec![1; 32].into()
        }),
        ("another run", &credit, |o, _| o.run = vec![1; 16].into()),
        ("another project", &credit, |o, other| {
            o.project = other.as_bytes().to_vec().into()
        }),
        ("other positions", &credit, |o, _| o.positions += 1),
        ("another shape", &credit, |o, _| o.rows = 2),
    ];
    for (number, (what, caller, change)) in (0..).zip(cases) {
        let name = [number; 16];
        let request = v1::AnswerRequest {
            project: project.as_bytes().to_vec().into(),
            sql: SQL.to_owned(),
            request: name.to_vec().into(),
        };
        let mut extracts = ExtractsClient::new(analyst.clone());
        let asked = tokio::spawn(async move { extracts.answer(request).await });

        let mut opening = opening(&world, project, name)?;
        change(&mut opening, other);
        let message = v1::TableMessage {
            message: Some(Message::Opening(opening)),
        };
        let mut tables = TablesClient::new(caller.clone());
        let answer = tables.compute(tokio_stream::once(message)).await;
        let expected = if number == 0 {
            let first = answer?.into_inner().message().await?;
            let first = first.and_then(|message| message.message);
            assert!(matches!(first, Some(Message::Nonce(_))), "{what}");
            // Nothing follows the opening: the table comes to no end.
            "extract.other"
        } else {
            assert_eq!(calls::refusal(answer)?, "extract.differs", "{what}");
            "extract.differs"
        };
        assert_eq!(calls::refusal(asked.await?)?, expected, "{what}");
    }
    // Who names a project that is not there is not even heard out.
    let mut opening = opening(&world, project, [9; 16])?;
    opening.project = vec![1; 32].into();
    let message = v1::TableMessage {
        message: Some(Message::Opening(opening)),
    };
    let mut tables = TablesClient::new(credit.clone());
    let answer = tables.compute(tokio_stream::once(message)).await;
    assert_eq!(calls::refusal(answer)?, "project.unknown");
    world.analyst()?.extract(&project, SQL).await?;
    Ok(())
}
