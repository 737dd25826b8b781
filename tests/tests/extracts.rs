//! What an analyst may ask beyond one attribute of each of two owners: several dimensions,
//! restrictions, one owner alone; and what is told before anything is asked. With real nodes and
//! the real program.

use std::collections::HashMap;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};
use linkage_core::disclosure::release::ReleasedTable;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::demo::Rules;
use linkage_tests::program;
use linkage_tests::world::{World, reason};
use serde_json::Value;

/// Epsilon 2 per owner: a cell with two discrete Laplace shares of scale 1/2 is off by more than 15
/// with probability 1.5e-12 (see `whole_path`), below 1e-9 for all cells of this file together.
const NOISE_MAX: i64 = 16;

const RECORDS: u64 = 2000;

/// Five tables.
fn rules() -> Rules {
    Rules {
        threshold_k: 10,
        epsilon_per_table: "2".to_owned(),
        epsilon_budget: "10".to_owned(),
        ..Rules::default()
    }
}

/// By position, an owner's values of some attributes.
type Values = HashMap<u32, Vec<Option<u16>>>;

fn values(world: &World, project: ProjectId, party: &str, names: &[&str]) -> Result<Values> {
    let party: PartyId = party.parse()?;
    let store = world.owner_store(&party)?;
    let mut columns = vec![];
    for name in names {
        let column = store.categories(&project, name)?;
        columns.push(column.with_context(|| format!("{party} has no {name}"))?);
    }
    let positions = world.positions(&party, project)?.positions;
    let rows = positions.into_iter().enumerate().map(|(row, position)| {
        let value = |column: &Vec<Option<u16>>| column.get(row).copied().flatten();
        (position, columns.iter().map(value).collect())
    });
    Ok(rows.collect())
}

/// Compares every cell with its plain count, by the numbers of its values; how many are shown.
fn check(table: &ReleasedTable, plain: impl Fn(&[usize]) -> i64) -> Result<usize> {
    let sizes: Vec<usize> = table.axes().iter().map(|axis| axis.labels.len()).collect();
    let mut shown = 0;
    for index in 0..table.cells().len() {
        let mut rest = index;
        let mut at: Vec<usize> = vec![];
        for size in sizes.iter().rev() {
            at.insert(0, rest % size);
            rest /= size;
        }
        let expected = plain(&at);
        match table.cell(&at) {
            Some(noised) => {
                shown += 1;
                let off = (noised - expected).abs();
                ensure!(off <= NOISE_MAX, "{at:?}: {noised} for {expected}");
            }
            None => {
                let most = table.shown_min() + NOISE_MAX;
                ensure!(expected < most, "{at:?}: {expected} is hidden");
            }
        }
    }
    Ok(shown)
}

fn linkage(world: &World, project: ProjectId, command: &str, sql: Option<&str>) -> Result<Output> {
    let mut call = Command::new(program::linkage()?);
    call.args(["--json", "extract", command, "--as"])
        .arg(world.cluster.analyst_config())
        .arg(project.to_string())
        .args(sql);
    Ok(call.output()?)
}

fn json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_many_shapes_are_the_plain_counts() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 41)?;
    let project = world.linked(&rules()).await?;
    let analyst = world.analyst()?;
    let security = values(
        &world,
        project,
        "social-security",
        &["employment", "income_band"],
    )?;
    let credit = values(&world, project, "credit", &["grade"])?;
    let number = |value: Option<u16>| value.map(usize::from);

    // Two dimensions of one owner around one of the other.
    let sql = "SELECT social_security.employment, credit.grade, social_security.income_band, count(*) \
               FROM persons GROUP BY 1, 2, 3";
    let extract = analyst.extract(&project, sql).await?;
    let shown = check(&extract.table, |at| {
        let is_counted = |(position, of_security): &(&u32, &Vec<Option<u16>>)| {
            credit.get(position).is_some_and(|of_credit| {
                let [employment, income] = of_security.as_slice() else {
                    return false;
                };
                let grade = of_credit.first().copied().flatten();
                [*employment, grade, *income].map(number) == [at[0], at[1], at[2]].map(Some)
            })
        };
        security.iter().filter(is_counted).count() as i64
    })?;
    ensure!(shown > 5 && extract.bytes_between_owners > 0, "{shown}");

    // Restricted by an attribute that is no dimension, and to some values of one that is.
    let sql = "SELECT credit.grade, count(*) FROM persons WHERE social_security.employment IN \
               ('employed') AND credit.grade IN ('C', 'A') GROUP BY 1";
    let extract = analyst.extract(&project, sql).await?;
    let [grades] = extract.table.axes() else {
        bail!("not one dimension");
    };
    ensure!(grades.labels == ["A", "C"], "{:?}", grades.labels);
    let shown = check(&extract.table, |at| {
        let grade = [0, 2][at[0]];
        let is_counted = |(position, of_credit): &(&u32, &Vec<Option<u16>>)| {
            let employment = security.get(position).and_then(|of| of.first().copied()?);
            of_credit.first().copied().flatten() == Some(grade) && employment == Some(0)
        };
        credit.iter().filter(is_counted).count() as i64
    })?;
    ensure!(shown > 0, "nothing is shown");

    // One owner alone counts its own records, linked or not.
    let sql = "SELECT social_security.employment, count(*) FROM persons GROUP BY 1";
    let extract = analyst.extract(&project, sql).await?;
    let shown = check(&extract.table, |at| {
        let employed = security.values().map(|of| number(of.first().copied()?));
        employed.filter(|value| *value == Some(at[0])).count() as i64
    })?;
    ensure!(shown > 0 && extract.bytes_between_owners == 0, "{shown}");
    ensure!(extract.table.method().starts_with("The owner added"));
    ensure!(
        extract.table.shown_min() == 13,
        "{}",
        extract.table.shown_min()
    );
    let spent = |party: &str| -> Result<u64> {
        Ok(world
            .owner_store(&party.parse()?)?
            .spent_thousandths(&project)?)
    };
    ensure!(
        (
            spent("social-security")?,
            spent("credit")?,
            spent("health")?
        ) == (6000, 4000, 0)
    );
    Ok(())
}

/// What `extract submit --out` leaves; and that it pays for nothing that it could not write.
fn check_files(world: &World, project: ProjectId, sql: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let submit = || {
        let mut call = Command::new(program::linkage()?);
        call.args(["--json", "extract", "submit", "--as"])
            .arg(world.cluster.analyst_config())
            .arg(project.to_string())
            .arg(sql)
            .arg("--out")
            .arg(folder.path());
        Ok::<_, anyhow::Error>(call.output()?)
    };
    let asked = submit()?;
    ensure!(asked.status.success(), "{asked:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name));
    let table: Value = serde_json::from_str(&read("table.json")?)?;
    ensure!(table == json(&asked)?, "{table}");
    let csv = read("table.csv")?;
    ensure!(csv.lines().count() == 21, "{csv}");
    let page = read("index.html")?;
    let name = table
        .get("name")
        .and_then(Value::as_str)
        .context("no name")?;
    ensure!(page.contains("<svg") && page.contains(name), "{page}");
    let spent = || {
        world
            .owner_store(&"credit".parse()?)?
            .spent_thousandths(&project)
            .map_err(anyhow::Error::from)
    };
    let before = spent()?;
    ensure!(submit()?.status.code() == Some(2));
    ensure!(spent()? == before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analyst_sees_offers_and_costs_before_asking() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 42)?;
    let project = world.linked(&rules()).await?;

    let catalogue = json(&linkage(&world, project, "catalogue", None)?)?;
    let of = |party: &str| {
        let offers = catalogue.as_array().into_iter().flatten();
        offers.clone().find(|offer| offer["party"] == party)
    };
    let security = of("social-security").context("no offer")?;
    ensure!(security["attributes"][1]["name"] == "income_band");
    ensure!(security["attributes"][1]["values"][4] == "5", "{security}");
    ensure!(security["epsilon_left_thousandths"] == 10_000, "{security}");

    let sql =
        "SELECT social_security.income_band, credit.grade, count(*) FROM persons GROUP BY 1, 2";
    let planned = linkage(&world, project, "plan", Some(sql))?;
    ensure!(planned.status.code() == Some(0));
    let plan = json(&planned)?;
    ensure!(plan["cells"] == 20, "{plan}");
    ensure!(plan["owners"][0]["duty"] == "computes", "{plan}");
    ensure!(plan["owners"][1]["duty"] == "encrypts", "{plan}");
    let analyst = world.analyst()?;
    let extract = analyst.extract(&project, sql).await?;
    // Headers of messages are not in the plan.
    let bytes = plan["bytes_between_owners"].as_u64().context("no bytes")?;
    let beyond = extract.bytes_between_owners.checked_sub(bytes);
    ensure!(
        beyond.is_some_and(|beyond| beyond < bytes / 50),
        "{beyond:?} beyond {bytes}"
    );

    check_files(&world, project, sql)?;
    // Planning pays nothing; asking does, to the last.
    for _ in 2..5 {
        analyst.extract(&project, sql).await?;
    }
    let planned = linkage(&world, project, "plan", Some(sql))?;
    ensure!(planned.status.code() == Some(1));
    let obstacles = &json(&planned)?["obstacles"];
    ensure!(
        obstacles.as_array().is_some_and(|all| all.len() == 2),
        "{obstacles}"
    );
    let Err(error) = analyst.extract(&project, sql).await else {
        bail!("a sixth table was answered from a budget of five");
    };
    ensure!(reason(&error) == "extract.budget", "{error}");

    let wrong = "SELECT credit.grade, count(*) FROM persons WHERE credit.grade IN ('E') GROUP BY 1";
    let planned = linkage(&world, project, "plan", Some(wrong))?;
    let said = String::from_utf8_lossy(&planned.stderr).into_owned();
    ensure!(planned.status.code() == Some(2), "{planned:?}");
    ensure!(said.contains("credit.grade has no value \"E\""), "{said}");
    ensure!(
        said.contains("its values: A, B, C, D") && said.contains("^^^"),
        "{said}"
    );
    Ok(())
}
