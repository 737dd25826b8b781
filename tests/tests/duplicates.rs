//! Linkage where an owner has several records of a person: Febrl's data set 3 (see
//! `tests/data/febrl3/README.md`) as one data set, apart from its originals, and split at random.

use anyhow::{Context, Result, ensure};
use linkage_core::encode::Batch;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Deciding, Outcome};
use linkage_core::schema::{Assignment, DecideSettings, Profile, RecordsPerOwner, Schema};
use linkage_tests::estimates;
use linkage_tests::febrl::{self, Register};
use rayon::ThreadPoolBuilder;

const KEYS: [u8; 3] = [1, 2, 3];

const FILE: &str = "febrl3/dataset3.csv";

/// What the clusters must reach: pairs of records in one cluster against pairs of one person.
const F1_MIN_PLAIN: f64 = 0.98;
const F1_MIN_HARDENED: f64 = 0.97;

/// Most by which the estimates may be off where strangers are told from duplicates by nothing but
/// the shape of their agreements.
const ALONE_ERROR_MAX: f64 = 0.06;

/// Pairs of records of one person in the whole file.
const TRUE_PAIRS: u64 = 6538;

fn any(assignment: Option<Assignment>) -> DecideSettings {
    DecideSettings {
        assignment,
        records_per_owner: RecordsPerOwner::Any,
    }
}

fn link(
    registers: Vec<Register>,
    schema: &Schema,
    decide: DecideSettings,
) -> Result<(Outcome, Truth)> {
    let (batches, people): (Vec<Batch>, Vec<_>) = registers.into_iter().unzip();
    let columns: Vec<_> = batches.iter().map(Batch::columns).collect();
    let deciding = Deciding::keeping(decide);
    let outcome = run::link(&columns, &schema.candidates, deciding, &|_, _| {})?;
    Ok((outcome, Truth::new(people)))
}

fn line(name: &str, quality: &Quality, outcome: &Outcome) -> Result<String> {
    let report = outcome.pairs.first().context("no report")?;
    Ok(format!(
        "{name}: clusters P {:.4} R {:.4} F1 {:.4}, {} links refused; threshold {:.3}",
        quality.precision,
        quality.recall,
        quality.f1,
        outcome.clusters.refused(),
        report.calibration.threshold,
    ))
}

fn one_data_set(profile: Profile, key: u8, all_pairs: bool) -> Result<(Quality, String)> {
    let mut schema = febrl::schema(profile)?;
    if all_pairs {
        schema.candidates.all_pairs_max = u64::MAX;
    }
    let whole = febrl::register(&schema, key, FILE, |_, _| true)?;
    let (outcome, truth) = link(vec![whole], &schema, any(None))?;
    ensure!(truth.pairs(0, 0) == TRUE_PAIRS, "other data");
    let quality = truth.clusters_and_duplicates(&outcome.clusters);
    let name = format!("{profile:?}, key {key}, all pairs {all_pairs}");
    let mut line = line(&name, &quality, &outcome)?;
    line += "\n  pairs: ";
    line += &estimates::judge(&truth, &outcome, ALONE_ERROR_MAX)?;
    Ok((quality, line))
}

#[test]
fn duplicates_in_one_data_set_are_clustered() {
    for key in KEYS {
        for (profile, all_pairs, f1_min) in [
            (Profile::PlainClk, false, F1_MIN_PLAIN),
            (Profile::PlainClk, true, F1_MIN_PLAIN),
            (Profile::Hardened, false, F1_MIN_HARDENED),
        ] {
            let (quality, line) = one_data_set(profile, key, all_pairs).unwrap();
            println!("{line}");
            assert!(quality.f1 >= f1_min, "{line}");
        }
    }
}

#[test]
fn several_records_are_linked_to_one_of_a_register() {
    for key in KEYS {
        let schema = febrl::schema(Profile::PlainClk).unwrap();
        let some =
            |kept: fn(&str) -> bool| febrl::register(&schema, key, FILE, |id, _| kept(id)).unwrap();
        let registers = vec![
            some(|id| id.contains("-dup-")),
            some(|id| id.ends_with("-org")),
        ];
        let decide = any(Some(Assignment::ManyToOne));
        let (outcome, truth) = link(registers, &schema, decide).unwrap();
        // One report across, one for the duplicates; none for the register.
        assert_eq!(outcome.pairs.len(), 2);
        let register = outcome.clusters.owners().nth(1).unwrap();
        let mut distinct = register.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), register.len());
        let assigned = &outcome.assigned[0];
        let mut linked: Vec<u32> = assigned.iter().map(|pair| pair.b).collect();
        linked.sort_unstable();
        assert!(linked.windows(2).any(|rows| rows[0] == rows[1]));
        let quality = truth.clusters_and_duplicates(&outcome.clusters);
        println!("{}", line("many to one", &quality, &outcome).unwrap());
        println!(
            "  {}",
            estimates::judge(&truth, &outcome, ALONE_ERROR_MAX).unwrap()
        );
        assert!(quality.f1 >= F1_MIN_PLAIN, "{quality:?}");
    }
}

/// Three owners with duplicates of their own and each other's.
fn three_owners(schema: &Schema, key: u8) -> Result<Vec<Register>> {
    let share = |owner: usize| {
        // By the id, so that a person's records are spread.
        let kept = move |id: &str, _: u64| id.bytes().map(usize::from).sum::<usize>() % 3 == owner;
        febrl::register(schema, key, FILE, kept)
    };
    (0..3).map(share).collect()
}

#[test]
fn duplicates_within_and_across_owners_come_together() {
    for (profile, f1_min) in [
        (Profile::PlainClk, F1_MIN_PLAIN),
        (Profile::Hardened, F1_MIN_HARDENED),
    ] {
        let schema = febrl::schema(profile).unwrap();
        let registers = three_owners(&schema, 1).unwrap();
        let (outcome, truth) = link(registers, &schema, any(None)).unwrap();
        assert_eq!(outcome.pairs.len(), 6);
        let quality = truth.clusters_and_duplicates(&outcome.clusters);
        let line = line(&format!("three owners, {profile:?}"), &quality, &outcome).unwrap();
        println!("{line}");
        assert_eq!(quality.true_pairs, TRUE_PAIRS);
        assert!(quality.f1 >= f1_min, "{line}");
    }
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let schema = febrl::schema(Profile::Hardened).unwrap();
    // Encoding shuffles the rows: both runs take the same batches.
    let registers = three_owners(&schema, 2).unwrap();
    let columns: Vec<_> = registers.iter().map(|(batch, _)| batch.columns()).collect();
    let on = |threads: usize| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let deciding = Deciding::keeping(any(None));
        pool.install(|| run::link(&columns, &schema.candidates, deciding, &|_, _| {}).unwrap())
    };
    let (one, four) = (on(1), on(4));
    assert_eq!(one.clusters, four.clusters);
    assert_eq!(one.assigned, four.assigned);
}
