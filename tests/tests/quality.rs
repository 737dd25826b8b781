//! Linkage quality on real test data, with the threshold that the program picks by itself.
//!
//! The data are Febrl's data set 4 (see `tests/data/febrl4/README.md`) cut to a half overlap: one
//! register holds the originals numbered below 3333, the other the corrupted copies numbered above
//! 1666. Half of either register's people are unknown to the other, as in practice; at full overlap
//! the one-to-one assignment alone settles nearly every pair and proves nothing.

use anyhow::{Result, ensure};
use linkage_core::encode::Batch;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Deciding, Outcome};
use linkage_core::schema::{Assignment, CandidateSettings, DecideSettings, Profile, Schema};
use linkage_tests::estimates::{self, ESTIMATE_ERROR_MAX};
use linkage_tests::febrl;
use rayon::ThreadPoolBuilder;

/// Keys to encode under: quality must not hang on a lucky draw of positions.
const KEYS: [u8; 3] = [1, 2, 3];

/// What a record-level filter must reach on this data whatever the key: as it is, and diffused.
const F1_MIN_PLAIN: f64 = 0.985;
const F1_MIN_HARDENED: f64 = 0.975;

/// Without link keys, nothing tells how many true pairs agree no more than strangers do: recall is
/// overestimated.
const KEYLESS_ERROR_MAX: f64 = 0.04;

/// Rows of either register.
const ROWS: usize = 3333;

const PEOPLE_IN_BOTH: u64 = 1666;

struct Registers {
    batches: Vec<Batch>,
    truth: Truth,
}

fn registers(schema: &Schema, key: u8) -> Result<Registers> {
    let (a, people_a) = febrl::register(schema, key, "febrl4/dataset4a.csv", |_, person| {
        person < 3333
    })?;
    let (b, people_b) = febrl::register(schema, key, "febrl4/dataset4b.csv", |_, person| {
        person > 1666
    })?;
    ensure!((a.len(), b.len()) == (ROWS, ROWS), "another number of rows");
    let truth = Truth::new(vec![people_a, people_b]);
    ensure!(truth.pairs(0, 1) == PEOPLE_IN_BOTH, "the overlap is wrong");
    Ok(Registers {
        batches: vec![a, b],
        truth,
    })
}

/// The schema's own settings, which take candidates from keys, or the same with every pair
/// compared.
fn settings(by_keys: bool) -> Result<CandidateSettings> {
    let mut settings = febrl::schema(Profile::PlainClk)?.candidates;
    ensure!(settings.all_pairs_max == 0, "the template has changed");
    if !by_keys {
        settings.all_pairs_max = u64::MAX;
    }
    Ok(settings)
}

fn link(
    registers: &Registers,
    settings: &CandidateSettings,
    decide: DecideSettings,
) -> Result<Outcome> {
    let columns: Vec<_> = registers.batches.iter().map(Batch::columns).collect();
    let deciding = Deciding::keeping(decide);
    Ok(run::link(&columns, settings, deciding, &|_, _| {})?)
}

/// Links without truth, then judges by it: the quality of the clusters, and a line about it.
fn judged(
    schema: &Schema,
    key: u8,
    by_keys: bool,
    assignment: Assignment,
    error_max: f64,
) -> Result<(Quality, String)> {
    let registers = registers(schema, key)?;
    let decide = DecideSettings {
        assignment: Some(assignment),
        ..DecideSettings::default()
    };
    let outcome = link(&registers, &settings(by_keys)?, decide)?;
    let clusters = registers.truth.clusters(&outcome.clusters);
    let line = estimates::judge(&registers.truth, &outcome, error_max)?;
    ensure!(
        clusters == estimates::measured(&registers.truth, &outcome)?,
        "two owners' clusters are not their links"
    );
    let profile = schema.token.profile;
    Ok((
        clusters,
        format!("{profile:?}, key {key}, {assignment:?}, {line}"),
    ))
}

fn reaches_the_target(profile: Profile, by_keys: bool) -> Result<String> {
    let f1_min = match profile {
        Profile::Hardened => F1_MIN_HARDENED,
        _ => F1_MIN_PLAIN,
    };
    let schema = febrl::schema(profile)?;
    let mut lines = String::new();
    for key in KEYS {
        let (measured, line) = judged(
            &schema,
            key,
            by_keys,
            Assignment::Greedy,
            ESTIMATE_ERROR_MAX,
        )?;
        ensure!(measured.f1 >= f1_min, "F1 is below {f1_min}: {line}");
        lines = lines + &line + "\n";
    }
    Ok(lines)
}

#[test]
fn all_pairs_reach_the_target_under_three_keys() {
    print!("{}", reaches_the_target(Profile::PlainClk, false).unwrap());
}

#[test]
fn keyed_candidates_reach_the_target_under_three_keys() {
    print!("{}", reaches_the_target(Profile::PlainClk, true).unwrap());
}

#[test]
fn diffused_tokens_reach_their_target_under_three_keys() {
    print!("{}", reaches_the_target(Profile::Hardened, true).unwrap());
}

#[test]
fn without_link_keys_the_threshold_is_as_good() {
    for profile in [Profile::PlainClk, Profile::Hardened] {
        let mut schema = febrl::schema(profile).unwrap();
        schema.link_keys.clear();
        for key in KEYS {
            let judged = judged(&schema, key, true, Assignment::Greedy, KEYLESS_ERROR_MAX);
            println!("without link keys: {}", judged.unwrap().1);
        }
    }
}

#[test]
fn the_optimal_assignment_is_no_worse_than_the_greedy_one() {
    for profile in [Profile::PlainClk, Profile::Hardened] {
        let schema = febrl::schema(profile).unwrap();
        let f1 = |assignment| {
            let judged = judged(&schema, 1, true, assignment, ESTIMATE_ERROR_MAX);
            let (quality, line) = judged.unwrap();
            println!("{line}");
            quality.f1
        };
        let (greedy, optimal) = (f1(Assignment::Greedy), f1(Assignment::Optimal));
        assert!(optimal >= greedy - 0.001, "{optimal} against {greedy}");
    }
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let schema = febrl::schema(Profile::PlainClk).unwrap();
    let registers = registers(&schema, 1).unwrap();
    for (by_keys, assignment) in [
        (false, Assignment::Greedy),
        (true, Assignment::Greedy),
        (true, Assignment::Optimal),
    ] {
        let settings = settings(by_keys).unwrap();
        let decide = DecideSettings {
            assignment: Some(assignment),
            ..DecideSettings::default()
        };
        let on = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap()
                .install(|| link(&registers, &settings, decide))
                .unwrap()
        };
        let (one, four) = (on(1), on(4));
        assert!(one.assigned[0].len() > 1000);
        assert_eq!(one.clusters, four.clusters);
        assert_eq!(one.assigned, four.assigned);
        assert_eq!(
            serde_json::to_string(&one.pairs).unwrap(),
            serde_json::to_string(&four.pairs).unwrap()
        );
    }
}
