//! Linkage quality on generated registers, from CSV files to clusters, with the threshold that the
//! program picks by itself.
//!
//! Two departments hold 20 000 records each and 15 000 people or enterprises in common; each copy
//! is as old and as wrong as its department's usually are. No one has two records in one
//! department: a cluster takes one record of each owner, so a second one is out of reach whatever
//! the encoding. The templates' weights and keys were chosen on seed 3; the tests run on another.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use linkage_core::encode::Batch;
use linkage_core::keys::ProjectKey;
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{self, Deciding};
use linkage_core::schema::{Agreement, Profile, Schema};
use linkage_generator::enterprise;
use linkage_generator::output::{Dataset, Row, write_csv};
use linkage_generator::{Department, ErrorLevel, Settings};
use linkage_node::dataset::{self, Job};
use linkage_tests::estimates::{self, ESTIMATE_ERROR_MAX};

const SEED: u64 = 11;
const ROWS: u32 = 20_000;
const COMMON: u32 = 15_000;

/// Most F1 that hardening may cost against the plain filter under the same schema.
const HARDENING_COST_MAX: f64 = 0.01;

/// Fields that settle a record's identity by themselves.
const CODES: [&str; 4] = ["id_number", "uscc", "org_code", "registration"];

fn settings(errors: ErrorLevel) -> Result<Settings> {
    Ok(Settings::overlap(SEED, ROWS, COMMON)?.with_errors(errors))
}

/// A template under another profile, with or without the fields that settle identities.
fn schema(template: &str, profile: Profile, codes: bool) -> Result<Schema> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/schemas");
    let text = std::fs::read_to_string(path.join(template))?;
    let mut schema = Schema::parse(&text)?;
    schema.token.profile = profile;
    schema.token.agreement = (profile == Profile::PlainClk).then_some(Agreement::Dice);
    if !codes {
        let names_code = |field: &str| CODES.contains(&field);
        let free = |parts: &[linkage_core::schema::Part]| {
            !parts.iter().any(|part| names_code(&part.field))
        };
        schema.link_keys.retain(|key| free(&key.parts));
        schema.block_keys.retain(|key| free(&key.parts));
        let known = schema.fields.len();
        schema.fields.retain(|field| !names_code(&field.name));
        ensure!(schema.fields.len() < known, "the template has no code");
        for field in &mut schema.fields {
            field.derived_from = None;
        }
    }
    Ok(schema)
}

/// Two departments' files and, by record id, whom each record is about.
struct Registers {
    folder: tempfile::TempDir,
    files: Vec<(PathBuf, Vec<(String, u64)>)>,
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
        let people: Result<Vec<(String, u64)>> = dataset
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
        for department in [Department::SocialSecurity, Department::Health] {
            registers.add(&department.records(&settings(errors)?)?)?;
        }
        Ok(registers)
    }

    fn enterprises(errors: ErrorLevel) -> Result<Self> {
        let mut registers = Self::new()?;
        for department in [enterprise::Department::Market, enterprise::Department::Tax] {
            registers.add(&department.records(&settings(errors)?)?)?;
        }
        Ok(registers)
    }

    /// Encodes, links without truth, then judges by it.
    fn judged(&self, schema: &Schema) -> Result<(Quality, String)> {
        let key = ProjectKey::from_bytes([1; 32]);
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
            ensure!(encoded.summary.rows == u64::from(ROWS), "rows are missing");
            let by_id: std::collections::HashMap<&str, u64> = people
                .iter()
                .map(|(id, person)| (id.as_str(), *person))
                .collect();
            truth.push(encoded.ids().map(|id| by_id.get(id).copied()).collect());
            batches.push(Batch::decode(&bytes)?);
        }
        let truth = Truth::new(truth);
        ensure!(truth.pairs(0, 1) == u64::from(COMMON), "another overlap");
        let columns: Vec<_> = batches.iter().map(Batch::columns).collect();
        let deciding = Deciding::keeping(schema.decide);
        let outcome = run::link(&columns, &schema.candidates, deciding, &|_, _| {})?;
        let line = estimates::judge(&truth, &outcome, ESTIMATE_ERROR_MAX)?;
        Ok((truth.clusters(&outcome.clusters), line))
    }

    /// Both profiles reach `f1_min` under the template, hardening at no more than its price.
    fn reach(&self, template: &str, codes: bool, f1_min: f64) -> Result<String> {
        let mut lines = String::new();
        let (plain, of_plain) = self.judged(&schema(template, Profile::PlainClk, codes)?)?;
        let (hardened, of_hardened) = self.judged(&schema(template, Profile::Hardened, codes)?)?;
        for (profile, line) in [("plain-clk", of_plain), ("hardened", of_hardened)] {
            writeln!(
                lines,
                "{template}, codes {codes}, {profile}, at least {f1_min}: {line}"
            )?;
        }
        ensure!(plain.f1 >= f1_min, "plain-clk: {:.5}", plain.f1);
        ensure!(
            plain.f1 - hardened.f1 <= HARDENING_COST_MAX,
            "hardening costs {:.5}",
            plain.f1 - hardened.f1
        );
        Ok(lines)
    }
}

#[test]
fn persons_of_well_kept_registers() {
    let registers = Registers::persons(ErrorLevel::Routine).unwrap();
    print!(
        "{}",
        registers.reach("person-cn.toml", true, 0.999).unwrap()
    );
    print!(
        "{}",
        registers.reach("person-cn.toml", false, 0.997).unwrap()
    );
}

#[test]
fn persons_of_a_badly_kept_register() {
    let registers = Registers::persons(ErrorLevel::Dirty).unwrap();
    print!(
        "{}",
        registers.reach("person-cn.toml", true, 0.995).unwrap()
    );
    print!(
        "{}",
        registers.reach("person-cn.toml", false, 0.99).unwrap()
    );
}

#[test]
fn enterprises_without_codes() {
    let registers = Registers::enterprises(ErrorLevel::Routine).unwrap();
    print!(
        "{}",
        registers.reach("enterprise-cn.toml", false, 0.995).unwrap()
    );
}

/// Three names in ten are altered and a third of the addresses and telephones differ or are
/// missing.
#[test]
fn enterprises_of_a_badly_kept_register() {
    let registers = Registers::enterprises(ErrorLevel::Dirty).unwrap();
    print!(
        "{}",
        registers.reach("enterprise-cn.toml", false, 0.99).unwrap()
    );
    print!(
        "{}",
        registers.reach("enterprise-cn.toml", true, 0.995).unwrap()
    );
}
