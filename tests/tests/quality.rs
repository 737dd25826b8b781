//! Linkage quality on real test data, with the threshold that the program picks by itself.
//!
//! The data are Febrl's data set 4 (see `tests/data/febrl4/README.md`) cut to a half overlap: one
//! register holds the originals numbered below 3333, the other the corrupted copies numbered above
//! 1666. Half of either register's people are unknown to the other, as in practice; at full overlap
//! the one-to-one assignment alone settles nearly every pair and proves nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use linkage_core::encode::Batch;
use linkage_core::keys::ProjectKey;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Outcome};
use linkage_core::schema::{CandidateSettings, Profile, Schema};
use linkage_node::dataset::{self, Job};
use rayon::ThreadPoolBuilder;

/// Keys to encode under: quality must not hang on a lucky draw of positions.
const KEYS: [u8; 3] = [1, 2, 3];

/// What a record-level filter must reach on this data whatever the key: as it is, and diffused.
const F1_MIN_PLAIN: f64 = 0.985;
const F1_MIN_HARDENED: f64 = 0.975;

/// Most by which the program's own estimate, made without truth, may be off in precision and F1.
const ESTIMATE_ERROR_MAX: f64 = 0.02;

/// Rows of either register.
const ROWS: usize = 3333;

const PEOPLE_IN_BOTH: u64 = 1666;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema(profile: Profile) -> Result<Schema> {
    let text = std::fs::read_to_string(root().join("node/schemas/person-latin.toml"))?;
    let mut schema = Schema::parse(&text)?;
    schema.token.profile = profile;
    Ok(schema)
}

/// The person's number in an id such as `rec-1070-org` or `rec-1070-dup-0`.
fn person(id: &str) -> Result<u64> {
    let number = id.split('-').nth(1).context("an id without a number")?;
    Ok(number.parse()?)
}

struct Registers {
    batches: Vec<Batch>,
    truth: Truth,
}

/// A register as the matcher gets it and, apart from it, the people by row.
fn register(
    schema: &Schema,
    key: &ProjectKey,
    file: &str,
    kept: impl Fn(u64) -> bool,
) -> Result<(Batch, Vec<Option<u64>>)> {
    let source = root().join("tests/data/febrl4").join(file);
    let scratch = tempfile::tempdir()?;
    let rejects = scratch.path().join("rejects.csv");
    let some = scratch.path().join(file);
    keep(&source, &some, kept)?;
    let job = Job {
        source: &some,
        schema,
        key,
        project: [0; 32],
        rejects: &rejects,
        scratch: scratch.path(),
    };
    let (bytes, encoded) = dataset::encode(&job, Vec::new(), &mut |_| {})?;
    ensure!(encoded.summary.rejected_rows() == 0, "rows were rejected");
    ensure!(
        encoded.summary.rows == ROWS as u64,
        "another number of rows"
    );
    let people: Result<Vec<_>> = encoded.ids().map(|id| Ok(Some(person(id)?))).collect();
    Ok((Batch::decode(&bytes)?, people?))
}

/// Writes the rows of `from` whose person is kept to `to`.
fn keep(from: &Path, to: &Path, kept: impl Fn(u64) -> bool) -> Result<()> {
    let text = std::fs::read_to_string(from)?;
    let (header, rows) = text.split_once('\n').context("no header")?;
    let mut some = format!("{header}\n");
    for row in rows.lines() {
        let (id, _) = row.split_once(',').context("no id")?;
        if kept(person(id.trim())?) {
            some.push_str(row);
            some.push('\n');
        }
    }
    Ok(std::fs::write(to, some)?)
}

fn registers(profile: Profile, key: u8) -> Result<Registers> {
    let schema = schema(profile)?;
    // Both copies of a person carry the same number there: comparing it would settle every pair.
    ensure!(schema.columns().all(|column| column != "soc_sec_id"));
    let key = ProjectKey::from_bytes([key; 32]);
    let (a, people_a) = register(&schema, &key, "dataset4a.csv", |person| person < 3333)?;
    let (b, people_b) = register(&schema, &key, "dataset4b.csv", |person| person > 1666)?;
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
    let mut settings = schema(Profile::PlainClk)?.candidates;
    ensure!(settings.all_pairs_max == 0, "the template has changed");
    if !by_keys {
        settings.all_pairs_max = u64::MAX;
    }
    Ok(settings)
}

fn link(registers: &Registers, settings: &CandidateSettings) -> Result<Outcome> {
    let columns: Vec<_> = registers.batches.iter().map(Batch::columns).collect();
    Ok(run::link(&columns, settings, &|_, _| {})?)
}

/// Links without truth, then judges by it: the quality of the clusters, and a line about it.
fn judged(profile: Profile, key: u8, by_keys: bool) -> Result<(Quality, String)> {
    let registers = registers(profile, key)?;
    let outcome = link(&registers, &settings(by_keys)?)?;
    let measured = registers.truth.clusters(&outcome.clusters);
    let report = outcome.pairs.first().context("no pair of owners")?;
    let estimate = report.calibration.estimate;
    let line = format!(
        "{profile:?}, key {key}, {:?}, {} compared, threshold {:.3}: P {:.4} R {:.4} F1 {:.4}; \
         estimated P {:.4} R {:.4} F1 {:.4}",
        report.method,
        report.compared,
        report.calibration.threshold,
        measured.precision,
        measured.recall,
        measured.f1,
        estimate.precision,
        estimate.recall,
        estimate.f1,
    );
    let off = |estimate: f64, measured: f64| (estimate - measured).abs();
    ensure!(
        off(estimate.precision, measured.precision) <= ESTIMATE_ERROR_MAX
            && off(estimate.f1, measured.f1) <= ESTIMATE_ERROR_MAX,
        "the estimate is off: {line}"
    );
    Ok((measured, line))
}

fn reaches_the_target(profile: Profile, by_keys: bool) -> Result<String> {
    let f1_min = match profile {
        Profile::Hardened => F1_MIN_HARDENED,
        _ => F1_MIN_PLAIN,
    };
    let mut lines = String::new();
    for key in KEYS {
        let (measured, line) = judged(profile, key, by_keys)?;
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
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let registers = registers(Profile::PlainClk, 1).unwrap();
    for by_keys in [false, true] {
        let settings = settings(by_keys).unwrap();
        let on = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap()
                .install(|| link(&registers, &settings))
                .unwrap()
        };
        let (one, four) = (on(1), on(4));
        assert!(one.links.len() > 1000);
        assert_eq!(one.links, four.links);
        assert_eq!(one.clusters, four.clusters);
        assert_eq!(one.assigned, four.assigned);
        assert_eq!(
            serde_json::to_string(&one.pairs).unwrap(),
            serde_json::to_string(&four.pairs).unwrap()
        );
    }
}
