//! Data sets of invented people and enterprises.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use linkage_generator::output::{self, Dataset, Files, Header, Summary};
use linkage_generator::{Department, ErrorLevel, Settings, enterprise};
use serde_json::json;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::progress;
use super::screen::{self, Form};

/// What the records are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Entity {
    /// People: name, sex, birth date, identity number, mobile, address
    Persons,
    /// Enterprises: name, credit code, legal representative, phone, address
    Enterprises,
}

/// How noisy the departments' records are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Errors {
    /// Everyone's present values in each department's format
    None,
    /// As in well-kept registers
    #[default]
    Routine,
    /// As in badly kept ones: health for persons, all but market for enterprises
    Dirty,
}

impl From<Errors> for ErrorLevel {
    fn from(errors: Errors) -> Self {
        match errors {
            Errors::None => Self::None,
            Errors::Routine => Self::Routine,
            Errors::Dirty => Self::Dirty,
        }
    }
}

/// Arguments of `dev generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes one CSV per department, truth.csv (dataset,record_id,entity_id: records with one entity_id
are one entity's) and errors.csv (dataset,record_id,field,kind: what is wrong in which record, so
that recall can be split by kind of error). Persons have the columns of the template person-cn.

Departments of persons: social-security, health, credit (these three by default), tax, market.
Departments of enterprises: market, tax, social-security (by default), credit, customs.
Equal arguments give equal files; a department's file is the same whichever others are made.

Each department sees a part of one population, as of its own date: earlier phones and addresses,
other formats, errors at its own rates, 1.5 % of records entered twice. With --common M, for
measuring quality, each has exactly N records of N different entities: M are in every department,
the others in one only; the people are 18 to 75 years old.

Nobody in the files exists. No identity number, credit code or registration number can belong to
anyone: their region codes were out of use. --realistic-ids takes codes in use, and then a number
may be someone's by chance.

Example:
  linkage dev generate --records 5000 --seed 1 --out data
  linkage dev generate --records 20000 --common 15000 --errors dirty \\
    --departments social-security,health --out quality
  linkage dev generate --entity enterprises --records 20000 --departments market,tax --out firms")]
pub struct Generate {
    /// What the records are about
    #[arg(long, value_enum, default_value = "persons")]
    entity: Entity,
    /// Departments, parted by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    departments: Vec<String>,
    /// Records per department
    #[arg(long, value_name = "N")]
    records: u64,
    /// Entities that all departments have; the others have one record in all
    #[arg(long, value_name = "M")]
    common: Option<u32>,
    /// Seed from which everything follows
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Folder to write to, made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Errors in the records
    #[arg(long, value_enum, default_value_t)]
    errors: Errors,
    /// Numbers with region codes in use, which may be real people's
    #[arg(long)]
    realistic_ids: bool,
    /// Rare groups (names with interpunct, foreign documents) this many times as often, to 10
    #[arg(long, value_name = "FACTOR", default_value_t = 1)]
    oversample: u32,
    /// Records of one person in health, at most, to 6: one per visit
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1,
        conflicts_with = "common"
    )]
    visits: u32,
    /// Leave out the 1.5 % that are entered twice
    #[arg(long)]
    no_duplicates: bool,
    /// Enterprises without individual businesses (个体工商户); with --common they are left out anyway
    #[arg(long)]
    no_individual_businesses: bool,
    /// Overwrite the files of an earlier run
    #[arg(long)]
    force: bool,
}

impl Generate {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let settings = self.settings()?;
        match self.entity {
            Entity::Persons => {
                let chosen = self.choose(&Department::ALL, &Department::USUAL)?;
                let datasets = chosen
                    .iter()
                    .map(|department| department.records(&settings));
                self.write(datasets.collect::<Result<Vec<_>, _>>().or_input()?, form)
            }
            Entity::Enterprises => {
                use enterprise::Department;
                let chosen = self.choose(&Department::ALL, &Department::USUAL)?;
                let datasets = chosen
                    .iter()
                    .map(|department| department.records(&settings));
                self.write(datasets.collect::<Result<Vec<_>, _>>().or_input()?, form)
            }
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match self.common {
            None => Settings::for_records(self.seed, self.records).or_input()?,
            Some(common) => {
                let rows = u32::try_from(self.records).or_input()?;
                Settings::overlap(self.seed, rows, common).or_input()?
            }
        }
        .with_errors(self.errors.into())
        .with_oversample(self.oversample)
        .or_input()?
        .with_episodes(self.visits)
        .or_input()?;
        if self.realistic_ids {
            settings = settings.with_realistic_ids();
        }
        if self.no_duplicates {
            settings = settings.without_duplicates();
        }
        if self.no_individual_businesses {
            settings = settings.without_individual_businesses();
        }
        Ok(settings)
    }

    /// The departments asked for, in the order of `all`.
    fn choose<D: Copy + Display>(&self, all: &[D], usual: &[D]) -> Result<Vec<D>, Failure> {
        if self.departments.is_empty() {
            return Ok(usual.to_vec());
        }
        let named = |name: &String| all.iter().any(|d| d.to_string() == *name);
        if let Some(name) = self.departments.iter().find(|name| !named(name)) {
            let names: Vec<String> = all.iter().map(D::to_string).collect();
            return Err(Failure::input(anyhow::anyhow!(
                "\"{name}\" is no department of them; departments are {}",
                names.join(", ")
            )));
        }
        let asked = all
            .iter()
            .filter(|d| self.departments.contains(&d.to_string()));
        Ok(asked.copied().collect())
    }

    fn write<D: Dataset>(&self, datasets: Vec<D>, form: Form) -> Result<u8, Failure> {
        let mut names: Vec<String> = datasets
            .iter()
            .map(|d| format!("{}.csv", d.slug()))
            .collect();
        names.extend(["truth.csv", "errors.csv"].map(str::to_owned));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let outputs = Outputs::within(&self.out, &names, &[], self.force)?;
        let all = self.records.saturating_mul(datasets.len() as u64);
        let bar = progress::counted("writing", all);
        let written = write(&outputs, &datasets, &bar);
        bar.finish_and_clear();
        let summaries = written?;
        outputs.commit()?;
        let done = || datasets.iter().map(D::slug).zip(&summaries);
        let lines = done().map(|(slug, s)| {
            json!({ "dataset": slug, "rows": s.rows, "errors": s.errors,
                    "rows_with_errors": s.rows_with_errors })
        });
        let data = json!({ "folder": self.out, "seed": self.seed,
                           "datasets": lines.collect::<Vec<_>>() });
        form.show(&data, || {
            let rows = done().map(|(slug, s)| {
                let counts = [s.rows, s.rows_with_errors, s.errors].map(screen::count);
                [vec![format!("{slug}.csv")], counts.to_vec()].concat()
            });
            self.text(rows)
        })?;
        Ok(EXIT_OK)
    }

    fn text(&self, rows: impl Iterator<Item = Vec<String>>) -> String {
        let (what, one) = match self.entity {
            Entity::Persons => ("people", "person's"),
            Entity::Enterprises => ("enterprises", "enterprise's"),
        };
        let table = screen::table(&["file", "records", "with errors", "errors"], 1, rows);
        let mut text = format!(
            "Invented {what} in {}\n\n{table}\n\nWhich records are one {one}: truth.csv; what is \
             wrong in them: errors.csv",
            self.out.display()
        );
        if self.realistic_ids {
            text += "\nThe numbers have region codes in use: some may be real ones by chance.";
        }
        text
    }
}

fn write<D: Dataset>(
    outputs: &Outputs,
    datasets: &[D],
    bar: &ProgressBar,
) -> Result<Vec<Summary>, Failure> {
    let (truth_at, errors_at) = (datasets.len(), datasets.len() + 1);
    let mut truth = BufWriter::new(create(outputs, truth_at)?);
    let mut errors = BufWriter::new(create(outputs, errors_at)?);
    let mut summaries = vec![];
    let mut header = Header::Yes;
    let mut before = 0;
    for (index, dataset) in datasets.iter().enumerate() {
        let files = Files {
            records: create(outputs, index)?,
            truth: &mut truth,
            errors: &mut errors,
        };
        let mut told = |rows| bar.set_position(before + rows);
        let summary = output::write(dataset, header, files, &mut told)?;
        before += summary.rows;
        summaries.push(summary);
        header = Header::No;
    }
    for (file, at) in [(&mut truth, truth_at), (&mut errors, errors_at)] {
        file.flush()
            .map_err(outputs::io_error(&outputs.target(at)))?;
    }
    Ok(summaries)
}

/// Invented people need no protection: the files are readable as the user's other files are.
fn create(outputs: &Outputs, index: usize) -> Result<File, outputs::Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(outputs.staged(index))
        .map_err(outputs::io_error(&outputs.target(index)))
}
