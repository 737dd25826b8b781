//! The whole path through real processes: what is delivered is what the tokens say, tables are the
//! plain counts within their noise, budgets hold, logs verify, memory stays bounded.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::audit::action::Action;
use linkage_core::audit::entry::Entry;
use linkage_core::disclosure::release::ReleasedTable;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::auditlog::verify::verify_dir;
use linkage_node::client::{Client, Extract};
use linkage_node::demo::Rules;
use linkage_node::identity::Role;
use linkage_proto::v1;
use linkage_proto::v1::extracts_client::ExtractsClient;
use linkage_tests::departments::Departments;
use linkage_tests::world::{Act, World, reason};
use linkage_tests::{calls, certificates, trail};
use tonic::transport::Channel;

/// Epsilon 1 per owner: each cell carries two discrete Laplace shares of scale 1. Their sum exceeds
/// y in absolute value with probability exp(-y) (2 + y) / 2; for y = 30 that is 1.5e-12, below
/// 1e-10 for all cells of this file together. One more for rounding.
const NOISE_MAX: i64 = 31;

/// Two tables: the third request finds the budget used up.
const BUDGET: &str = "2";

const TABLES: [&str; 2] = [
    "SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2",
    "SELECT health.chronic, credit.grade, count(*) FROM persons GROUP BY 1, 2",
];

/// Lowest acceptable F1 over all pairs of records. Measured: 0.985 and more at either size.
const F1_MIN: f64 = 0.97;

const MEMORY_BYTES_MAX: u64 = 1 << 30;

fn rules(threshold_k: u32) -> Rules {
    Rules {
        threshold_k,
        epsilon_per_table: "1".to_owned(),
        epsilon_budget: BUDGET.to_owned(),
        ..Rules::default()
    }
}

/// Pairwise F1 of what the owners were given.
fn f1(world: &World, departments: &Departments, project: ProjectId) -> Result<f64> {
    let mut ids = vec![];
    for party in &world.owners {
        let records = world.owner_store(party)?.record_ids(&project)?;
        let records = records.iter().map(|id| id.to_string()).collect();
        ids.push((party.clone(), records));
    }
    let truth = departments.truth(&ids);
    Ok(truth.clusters(&world.delivered(project)?).f1)
}

/// An attribute's category by position, as its owner holds it.
fn placed(
    world: &World,
    party: &PartyId,
    attribute: &str,
    project: ProjectId,
) -> Result<HashMap<u32, u16>> {
    let categories = world.owner_store(party)?.categories(&project, attribute)?;
    let categories = categories.context("no such attribute")?;
    let positions = world.positions(party, project)?.positions;
    let pairs = positions.into_iter().zip(categories);
    Ok(pairs
        .filter_map(|(position, category)| Some((position, category?)))
        .collect())
}

/// Checks a table against the plain counts; the numbers of shown and hidden cells.
fn check_table(
    table: &ReleasedTable,
    rows: &HashMap<u32, u16>,
    columns: &HashMap<u32, u16>,
) -> (usize, usize) {
    let mut plain: HashMap<(u16, u16), i64> = HashMap::new();
    for (position, row) in rows {
        if let Some(column) = columns.get(position) {
            *plain.entry((*row, *column)).or_default() += 1;
        }
    }
    let (mut shown, mut hidden) = (0, 0);
    let grid = table.grid();
    for (row, (_, cells)) in (0..).zip(&grid.rows) {
        for (column, cell) in (0..).zip(*cells) {
            let plain = plain.get(&(row, column)).copied().unwrap_or(0);
            match cell {
                Some(noised) => {
                    shown += 1;
                    assert!((noised - plain).abs() <= NOISE_MAX, "{noised} for {plain}");
                    assert!(*noised >= table.shown_min(), "{noised} is shown");
                }
                None => {
                    hidden += 1;
                    assert!(plain < table.shown_min() + NOISE_MAX, "{plain} is hidden");
                }
            }
        }
    }
    (shown, hidden)
}

fn check_memory(world: &World) -> Result<()> {
    for node in world.cluster.nodes() {
        let usage = node.usage().context("no usage")?;
        let peak = usage.memory_peak_bytes;
        assert!(peak < MEMORY_BYTES_MAX, "{}: {peak} bytes", node.party);
        // A figure that was not read would pass any bound.
        assert!(peak > 1 << 20, "{}: {peak} bytes", node.party);
    }
    Ok(())
}

async fn extracts(world: &World, client: &str, party: &PartyId) -> Result<ExtractsClient<Channel>> {
    let validity = certificates::today()?;
    let files = world
        .cluster
        .pki()
        .issue(Role::Analyst, client, &[], validity)?;
    let channel = calls::connect_as(&files, world.node(party)?).await??;
    Ok(ExtractsClient::new(channel))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_departments_link_and_tabulate() -> Result<()> {
    let (mut world, departments) = World::of_departments(2000, 1)?;
    // High enough that some of the sixteen cells pass and some do not.
    let project = world.linked(&rules(60)).await?;

    let delivered = world.delivered(project)?;
    assert!(world.recomputed(project)?.same_partition(&delivered));
    let f1 = f1(&world, &departments, project)?;
    assert!(f1 > F1_MIN, "F1 {f1}");

    let starts = [0, 1].map(|at| world.owner(at));
    let mut runs = vec![];
    for party in starts {
        let result = world.act(Act::StartRun, &party?, project).await?;
        runs.push(result);
    }
    assert_eq!(runs.first(), runs.last());
    let positions = world.positions(&world.owner(0)?, project)?;
    assert_eq!(runs[0]["run"], hex::encode(positions.run));

    let analyst = world.analyst()?;
    check_tables(&world, &analyst, project).await?;
    check_repeated(&world, project).await?;
    check_strangers(&world, project).await?;
    check_memory(&world)?;

    world.cluster.stop();
    for (party, dir) in world.data_dirs()? {
        let summary = verify_dir(&dir.join("audit"));
        let summary = summary.with_context(|| format!("the log of {party}"))?;
        let entries = trail::entries(&dir)?;
        assert_eq!(summary.entries, entries.len() as u64, "{party}");
        assert_eq!(summary.signed, summary.entries, "{party}");
        let last = entries.last().context("an empty log")?;
        assert_eq!(last.event.action, Action::NodeStop, "{party}");
    }
    Ok(())
}

async fn check_tables(world: &World, analyst: &Client, project: ProjectId) -> Result<()> {
    let (credit, health) = ("credit".parse()?, "health".parse()?);
    let grade = placed(world, &credit, "grade", project)?;
    let chronic = placed(world, &health, "chronic", project)?;
    let (mut shown, mut hidden) = (0, 0);
    for (sql, rows, columns) in [(TABLES[0], &grade, &chronic), (TABLES[1], &chronic, &grade)] {
        let Extract { table, .. } = analyst.extract(&project, sql).await?;
        let counts = check_table(&table, rows, columns);
        shown += counts.0;
        hidden += counts.1;
    }
    assert!(shown > 0 && hidden > 0, "{shown} shown, {hidden} hidden");

    let Err(error) = analyst.extract(&project, TABLES[0]).await else {
        bail!("a third table was answered from a budget of two");
    };
    assert_eq!(reason(&error), "extract.budget");
    let mut refused = 0;
    for party in [&credit, &health] {
        let spent = world.owner_store(party)?.spent_thousandths(&project)?;
        assert_eq!(spent, 2000, "{party}");
        let entries = trail::entries(&world.data_dir(party))?;
        let budget = |entry: &&Entry| entry.event.reason.as_deref() == Some("extract.budget");
        refused += entries.iter().filter(budget).count();
    }
    // The analyst gives up as soon as one of the two has refused.
    assert!((1..=2).contains(&refused), "{refused}");
    Ok(())
}

/// A request's name serves once, whatever is asked under it and whether there is budget left.
async fn check_repeated(world: &World, project: ProjectId) -> Result<()> {
    let party = "health".parse()?;
    let answered = trail::entries(&world.data_dir(&party))?
        .into_iter()
        .find(|entry| entry.event.action == Action::ExtractAnswer)
        .context("nothing was answered")?;
    let mut extracts = extracts(world, "policy-lab", &party).await?;
    let request = v1::AnswerRequest {
        project: project.as_bytes().to_vec().into(),
        sql: TABLES[1].to_owned(),
        request: hex::decode(&answered.event.object)?.into(),
    };
    let refused = calls::refusal(extracts.answer(request).await)?;
    assert_eq!(refused, "extract.repeated");
    Ok(())
}

/// An analyst whom the manifest does not name cannot tell that the project exists.
async fn check_strangers(world: &World, project: ProjectId) -> Result<()> {
    let party = "health".parse()?;
    let mut stranger = extracts(world, "other-lab", &party).await?;
    let mut unknown = *project.as_bytes();
    unknown[0] ^= 1;
    let mut answers = vec![];
    for id in [*project.as_bytes(), unknown] {
        let id = id.to_vec();
        let request = v1::CatalogueRequest {
            project: id.clone().into(),
        };
        let catalogue = stranger.catalogue(request).await;
        let request = v1::AnswerRequest {
            project: id.into(),
            sql: TABLES[0].to_owned(),
            request: vec![7; 16].into(),
        };
        let answer = stranger.answer(request).await;
        let (Err(catalogue), Err(answer)) = (catalogue, answer) else {
            bail!("a stranger was answered");
        };
        for status in [catalogue, answer] {
            let words = (
                status.code(),
                status.message().to_owned(),
                calls::reason(&status),
            );
            answers.push(words);
        }
    }
    let first = answers.first().context("no answers")?;
    assert_eq!(first.2, "project.unknown");
    assert!(answers.iter().all(|answer| answer == first), "{answers:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_records_each_within_a_minute() -> Result<()> {
    let (world, departments) = World::of_departments(20_000, 2)?;
    let start = Instant::now();
    let project = world.linked(&rules(10)).await?;
    let seconds = start.elapsed().as_secs_f64();
    check_memory(&world)?;
    let f1 = f1(&world, &departments, project)?;
    ensure!(seconds < 60.0, "{seconds} s");
    assert!(f1 > F1_MIN, "F1 {f1}");
    Ok(())
}
