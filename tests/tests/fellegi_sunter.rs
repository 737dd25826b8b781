//! Quality of Fellegi-Sunter linkage under the profile `fields`, from CSV files to clusters, with
//! the weights and the threshold that the program finds by itself and without identity numbers.
//!
//! | set | records | in both |
//! |---|---|---|
//! | Febrl 4 cut to a half overlap (see `quality.rs`) | 2 x 3333 | 1666 |
//! | generated persons of badly kept registers | 2 x 20 000 | 15 000 |
//! | generated enterprises of badly kept registers | 2 x 20 000 | 15 000 |

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use linkage_core::decide::fellegi_sunter::{Basis, PATTERN_PAIRS_MIN, Report};
use linkage_core::encode::{Batch, Columns};
use linkage_core::keys::ProjectKey;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Outcome, PairReport, Weights};
use linkage_core::schema::Schema;
use linkage_generator::output::{Dataset, Row, write_csv};
use linkage_generator::{Department, ErrorLevel, Settings, enterprise};
use linkage_node::dataset::{self, Job};

const ROWS: u32 = 20_000;
const COMMON: u32 = 15_000;
const SEED: u64 = 11;

/// Most by which the program's own estimate, made without truth, may be off.
const ESTIMATE_ERROR_MAX: f64 = 0.005;

/// Fields that settle a record's identity by themselves.
const CODES: [&str; 2] = ["id_number", "uscc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A schema of the profile `fields`, without the fields that settle identities.
fn schema(name: &str) -> Result<Schema> {
    let text = std::fs::read_to_string(root().join("tests/data/fields").join(name))?;
    let mut schema = Schema::parse(&text)?;
    let free = |parts: &[linkage_core::schema::Part]| {
        !parts
            .iter()
            .any(|part| CODES.contains(&part.field.as_str()))
    };
    schema.link_keys.retain(|key| free(&key.parts));
    schema.block_keys.retain(|key| free(&key.parts));
    schema
        .fields
        .retain(|field| !CODES.contains(&field.name.as_str()));
    for field in &mut schema.fields {
        field.derived_from = None;
    }
    // No key links by itself: all that links are weights.
    ensure!(schema.link_keys.is_empty() && !schema.filters.is_empty());
    Ok(schema)
}

/// Two owners' files and, by record id, whom each record is about.
struct Registers {
    folder: tempfile::TempDir,
    files: Vec<(PathBuf, HashMap<String, u64>)>,
}

/// What the matcher gets and, apart from it, the truth.
struct Encoded {
    batches: Vec<Batch>,
    truth: Truth,
}

impl Registers {
    fn new() -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            files: vec![],
        })
    }

    fn add(&mut self, dataset: &impl Dataset) -> Result<()> {
        let path = self.folder.path().join(format!("{}.csv", dataset.slug()));
        write_csv(dataset, File::create(&path)?)?;
        let people: Result<_> = dataset
            .rows()
            .map(|row| {
                let entity = row.entity_id();
                let number = entity.get(1..).context("an entity without a number")?;
                Ok((row.record_id().to_owned(), number.parse()?))
            })
            .collect();
        self.files.push((path, people?));
        Ok(())
    }

    fn persons(errors: ErrorLevel) -> Result<Self> {
        let mut registers = Self::new()?;
        let settings = Settings::overlap(SEED, ROWS, COMMON)?.with_errors(errors);
        for department in [Department::SocialSecurity, Department::Health] {
            registers.add(&department.records(&settings)?)?;
        }
        Ok(registers)
    }

    fn enterprises(errors: ErrorLevel) -> Result<Self> {
        let mut registers = Self::new()?;
        let settings = Settings::overlap(SEED, ROWS, COMMON)?.with_errors(errors);
        for department in [enterprise::Department::Market, enterprise::Department::Tax] {
            registers.add(&department.records(&settings)?)?;
        }
        Ok(registers)
    }

    /// Originals numbered below 3333, corrupted copies numbered above 1666.
    fn febrl() -> Result<Self> {
        let mut registers = Self::new()?;
        for (file, kept) in [("dataset4a.csv", 0..3333), ("dataset4b.csv", 1667..5000)] {
            let text = std::fs::read_to_string(root().join("tests/data/febrl4").join(file))?;
            let (header, rows) = text.split_once('\n').context("no header")?;
            let mut some = format!("{header}\n");
            let mut people = HashMap::new();
            for row in rows.lines() {
                let (id, _) = row.split_once(',').context("no id")?;
                let number = id.split('-').nth(1).context("an id without a number")?;
                let number: u64 = number.parse()?;
                if kept.contains(&number) {
                    some = some + row + "\n";
                    people.insert(id.to_owned(), number);
                }
            }
            let path = registers.folder.path().join(file);
            std::fs::write(&path, some)?;
            registers.files.push((path, people));
        }
        Ok(registers)
    }

    fn encode(&self, schema: &Schema, key: u8) -> Result<Encoded> {
        let key = ProjectKey::from_bytes([key; 32]);
        let (mut batches, mut truth) = (vec![], vec![]);
        for (source, people) in &self.files {
            let scratch = tempfile::tempdir()?;
            let rejects = scratch.path().join("rejects.csv");
            let job = Job {
                source: &source.as_path().into(),
                schema,
                key: &key,
                project: [0; 32],
                rejects: &rejects,
                scratch: scratch.path(),
                dummies_share: 0.0,
            };
            let (bytes, encoded) = dataset::encode(&job, Vec::new(), &mut |_| {})?;
            ensure!(
                encoded.summary.rows == people.len() as u64,
                "rows are missing"
            );
            truth.push(encoded.ids().map(|id| people.get(id).copied()).collect());
            batches.push(Batch::decode(&bytes)?);
        }
        let truth = Truth::new(truth);
        Ok(Encoded { batches, truth })
    }
}

/// What came of a run.
struct Judged {
    quality: Quality,
    report: PairReport,
    line: String,
}

impl Encoded {
    fn columns(&self) -> Vec<Columns<'_>> {
        self.batches.iter().map(Batch::columns).collect()
    }

    /// Links without truth, then judges by it; the estimate must be near what is measured.
    fn judged(&self, schema: &Schema, what: &str) -> Result<Judged> {
        let outcome = run::link(
            &self.columns(),
            &schema.candidates,
            schema.decide,
            &|_, _| {},
        )?;
        let measured = self.truth.clusters(&outcome.clusters);
        let Outcome { pairs, .. } = outcome;
        let report = pairs.into_iter().next().context("no pair of owners")?;
        let estimate = report.calibration.estimate;
        let line = format!(
            "{what}: {} compared, threshold {:.3}: P {:.5} R {:.5} F1 {:.5}; estimated P {:.5} \
             R {:.5}, {:.0} links of {}",
            report.compared,
            report.calibration.threshold,
            measured.precision,
            measured.recall,
            measured.f1,
            estimate.precision,
            estimate.recall,
            report.calibration.true_pairs,
            measured.true_pairs,
        );
        let off = |estimate: f64, measured: f64| (estimate - measured).abs();
        ensure!(
            off(estimate.precision, measured.precision) <= ESTIMATE_ERROR_MAX
                && off(estimate.recall, measured.recall) <= ESTIMATE_ERROR_MAX,
            "the estimate is off: {line}"
        );
        Ok(Judged {
            quality: measured,
            report,
            line,
        })
    }
}

fn model(report: &PairReport) -> Result<&Report> {
    match &report.weights {
        Some(Weights::Estimated(report)) => Ok(report),
        other => anyhow::bail!("no weights: {other:?}"),
    }
}

/// The schema with and without term frequency reaches `f1_min`.
fn reaches(registers: &Registers, schema: &Schema, f1_min: f64, what: &str) -> Result<String> {
    let mut without = schema.clone();
    without
        .filters
        .iter_mut()
        .for_each(|filter| filter.frequency = None);
    let mut lines = String::new();
    for (schema, how) in [(schema, "term frequency"), (&without, "plain")] {
        let encoded = registers.encode(schema, 1)?;
        let judged = encoded.judged(schema, &format!("{what}, {how}"))?;
        let line = judged.line;
        ensure!(judged.quality.f1 >= f1_min, "F1 is below {f1_min}: {line}");
        let filters = &model(&judged.report)?.filters;
        let counted = filters.iter().any(|filter| filter.term_frequency);
        ensure!(
            counted == (how == "term frequency"),
            "frequencies are not as declared"
        );
        lines = lines + &line + "\n";
    }
    Ok(lines)
}

/// Splink reaches 0.9985 on these files: see `scripts/bench-splink`.
#[test]
fn febrl_half_overlap_under_three_keys() {
    let registers = Registers::febrl().unwrap();
    let schema = schema("person-latin.toml").unwrap();
    for key in [1, 2, 3] {
        let encoded = registers.encode(&schema, key).unwrap();
        assert_eq!(encoded.truth.pairs(0, 1), 1666);
        let judged = encoded
            .judged(&schema, &format!("febrl4, key {key}"))
            .unwrap();
        println!("{}", judged.line);
        assert!(judged.quality.f1 >= 0.998);
        let model = model(&judged.report).unwrap();
        assert!(model.converged);
        // The second copy of one in sixteen has first and last name in each other's place.
        let names = &model.filters[0].levels;
        let swapped = names.iter().find(|level| level.level == "swapped").unwrap();
        assert!(swapped.m > 0.03 && swapped.bits > 10.0, "{swapped:?}");
        assert!(
            model.filters[2]
                .levels
                .iter()
                .all(|level| level.level != "swapped")
        );
    }
}

#[test]
fn persons_of_badly_kept_registers() {
    let registers = Registers::persons(ErrorLevel::Dirty).unwrap();
    let schema = schema("person-cn.toml").unwrap();
    print!(
        "{}",
        reaches(&registers, &schema, 0.99, "dirty persons").unwrap()
    );
}

#[test]
fn enterprises_of_badly_kept_registers() {
    let registers = Registers::enterprises(ErrorLevel::Dirty).unwrap();
    let schema = schema("enterprise-cn.toml").unwrap();
    print!(
        "{}",
        reaches(&registers, &schema, 0.994, "dirty enterprises").unwrap()
    );
}

#[test]
fn neighbours_find_what_every_key_misses() {
    let registers = Registers::febrl().unwrap();
    let schema = schema("person-latin.toml").unwrap();
    let encoded = registers.encode(&schema, 1).unwrap();
    let mut keys_only = schema.clone();
    keys_only.candidates.neighbours = Some(0);
    let with = encoded.judged(&schema, "with neighbours").unwrap();
    let without = encoded.judged(&keys_only, "keys only").unwrap();
    assert!(with.report.compared > without.report.compared);
    assert!(with.quality.recall > without.quality.recall);
}

#[test]
fn the_report_shows_no_small_count() {
    let registers = Registers::febrl().unwrap();
    let schema = schema("person-latin.toml").unwrap();
    let encoded = registers.encode(&schema, 1).unwrap();
    let judged = encoded.judged(&schema, "febrl4").unwrap();
    let model = model(&judged.report).unwrap();
    assert!(!model.patterns.is_empty());
    assert!(
        model
            .patterns
            .iter()
            .all(|pattern| pattern.pairs >= PATTERN_PAIRS_MIN)
    );
    let [strong, _, weak] = model.examples();
    assert!(strong.unwrap().links > 0.9 * strong.unwrap().pairs as f64);
    assert!(weak.unwrap().links < 1.0);
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let registers = Registers::febrl().unwrap();
    let schema = schema("person-latin.toml").unwrap();
    let encoded = registers.encode(&schema, 1).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let deciding = run::Deciding::keeping(schema.decide);
        let link = || run::link(&encoded.columns(), &schema.candidates, deciding, &|_, _| {});
        pool.unwrap().install(link).unwrap()
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

/// Records of different people only: nothing to learn weights from, and hardly a link.
#[test]
fn without_common_people_the_run_says_so() {
    let schema = schema("person-latin.toml").unwrap();
    let mut registers = Registers::febrl().unwrap();
    for ((path, _), low) in registers.files.iter_mut().zip([true, false]) {
        let text = std::fs::read_to_string(&*path).unwrap();
        let number = |row: &str| row.split('-').nth(1).and_then(|n| n.parse::<u32>().ok());
        let kept = |row: &&str| number(row).is_none_or(|n| (n <= 1666) == low);
        let some: String = text
            .lines()
            .filter(kept)
            .map(|row| format!("{row}\n"))
            .collect();
        std::fs::write(path, some).unwrap();
    }
    registers.files[0].1.retain(|_, number| *number <= 1666);
    registers.files[1].1.retain(|_, number| *number > 1666);
    let encoded = registers.encode(&schema, 1).unwrap();
    assert_eq!(encoded.truth.pairs(0, 1), 0);
    let outcome = run::link(
        &encoded.columns(),
        &schema.candidates,
        schema.decide,
        &|_, _| {},
    )
    .unwrap();
    let report = &outcome.pairs[0];
    assert_eq!(model(report).unwrap().basis, Basis::Assumption);
    assert!(report.links < 30, "{} links", report.links);
}
