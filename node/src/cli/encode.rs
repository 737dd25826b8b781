//! A data set to tokens.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use linkage_core::encode::batch::StreamError;
use linkage_core::schema::Profile;
use linkage_node::dataset::{self, Encoded, Job, Progress, Summary};
use serde::Serialize;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::screen::{self, Form};
use super::source::{self, SourceArgs};
use super::{key, progress, schema};

/// Arguments of `encode`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes, all or none:
  A.tokens       tokens in random order: give it to whoever matches
  A.ids.csv      row,record_id: which token is which record; keep it
  A.rejects.csv  rows that could not be used, with the reason; keep it
All owners use the same schema and key.

Example:
  linkage encode health.csv --schema persons.toml --key project.key --out health.tokens
  linkage encode health.xlsx --sheet 2024 --schema persons.toml --key project.key --out health.tokens
  linkage encode health.source.toml --schema persons.toml --key project.key --out health.tokens")]
pub struct Encode {
    #[command(flatten)]
    source: SourceArgs,
    /// Schema, TOML or JSON
    #[arg(long, value_name = "SCHEMA")]
    schema: PathBuf,
    /// Key file
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// Token file to write
    #[arg(long, value_name = "A.tokens")]
    out: PathBuf,
    /// Who accepts the risk of a schema with profile = "fields", and why; recorded in the result
    #[arg(long, value_name = "WHO AND WHY")]
    accept_risk: Option<String>,
    /// Overwrite the files of an earlier run
    #[arg(long)]
    force: bool,
}

/// A risk that was not accepted, or accepted for nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RiskError {
    /// The profile needs somebody to answer for it.
    #[error(
        "the schema has profile = \"fields\": a filter for every field links dirty data best and is \
         weakest against frequency attacks. Say who accepts that risk and why, with --accept-risk \
         \"NAME: REASON\", or choose profile = \"hardened\""
    )]
    NotAccepted,
    /// The profile brings no such risk.
    #[error("--accept-risk belongs to a schema with profile = \"fields\"; leave it out")]
    Needless,
}

/// Refuses a profile whose risk nobody has accepted.
fn check_risk(profile: Profile, accepted: Option<&str>) -> Result<(), RiskError> {
    match (profile == Profile::Fields, accepted) {
        (true, Some(text)) if !text.trim().is_empty() => Ok(()),
        (true, _) => Err(RiskError::NotAccepted),
        (false, None) => Ok(()),
        (false, Some(_)) => Err(RiskError::Needless),
    }
}

/// Places of the outputs in [`Outputs`].
const IDS: usize = 0;
const REJECTS: usize = 1;
const TOKENS: usize = 2;

/// Ids are short and many.
const IDS_BUFFER_BYTES: usize = 256 * 1024;

#[derive(Serialize)]
struct Shown<'a> {
    tokens: PathBuf,
    ids: PathBuf,
    #[serde(flatten)]
    summary: &'a Summary,
    key_id: String,
    schema_fingerprint: String,
    profile: Profile,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_risk: Option<String>,
}

impl Encode {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = schema::read(&self.schema).or_input()?;
        let key = key::read(&self.key).or_input()?;
        check_risk(schema.token.profile, self.accept_risk.as_deref()).or_input()?;
        let source = self.source.origin()?;
        let mut inputs = vec![self.source.path(), &self.schema, &self.key];
        inputs.extend(source.files());
        let outputs = Outputs::beside(&self.out, &["ids.csv", "rejects.csv"], &inputs, self.force)?;
        let job = Job {
            source: &source,
            schema: &schema,
            key: &key,
            project: [0; 32],
            rejects: &outputs.staged(REJECTS),
            scratch: outputs.staging(),
            dummies_share: 0.0,
        };
        let mut bars = Bars::new();
        let encoded = dataset::encode(&job, outputs.create(TOKENS)?, &mut |p| bars.show(p));
        bars.clear();
        let (_, encoded) = encoded.map_err(|error| refusal(error, &outputs))?;
        write_ids(&outputs, &encoded)?;
        let mut summary = encoded.summary;
        if summary.rejects_file.is_some() {
            summary.rejects_file = Some(outputs.target(REJECTS));
        }
        let result = Shown {
            tokens: outputs.target(TOKENS),
            ids: outputs.target(IDS),
            summary: &summary,
            key_id: key.id().to_string(),
            schema_fingerprint: hex::encode(schema.fingerprint()),
            profile: schema.token.profile,
            accepted_risk: self.accept_risk,
        };
        outputs.commit()?;
        form.show(&result, || text(&result))?;
        if form == Form::Text {
            screen::note(schema.token.profile.protection());
        }
        Ok(EXIT_OK)
    }
}

/// What is shown while the work goes on: first bytes of the source, then records.
struct Bars {
    reading: ProgressBar,
    writing: Option<ProgressBar>,
    since: Instant,
}

impl Bars {
    fn new() -> Self {
        Self {
            reading: progress::share("encoding"),
            writing: None,
            since: Instant::now(),
        }
    }

    fn show(&mut self, progress: Progress) {
        match progress {
            Progress::Reading {
                records,
                done,
                total,
            } => {
                let rate = records as f64 / self.since.elapsed().as_secs_f64().max(1e-3);
                self.reading.set_length(total);
                self.reading.set_position(done);
                self.reading.set_message(format!(
                    "encoding, {} at {}/s",
                    screen::counted(records, "record"),
                    screen::count(rate as u64)
                ));
            }
            Progress::Writing { records, total } => {
                self.reading.finish_and_clear();
                self.writing
                    .get_or_insert_with(|| progress::counted("shuffling", total))
                    .set_position(records);
            }
        }
    }

    fn clear(self) {
        self.reading.finish_and_clear();
        if let Some(writing) = self.writing {
            writing.finish_and_clear();
        }
    }
}

/// The error as the user should see it. Where every row was rejected, the rejects are all there is
/// to see, so they are kept.
fn refusal(error: dataset::Error, outputs: &Outputs) -> Failure {
    match error {
        dataset::Error::NoRows {
            origin, rejected, ..
        } if rejected > 0 => match outputs.keep(REJECTS) {
            Ok(rejects) => Failure::input(dataset::Error::NoRows {
                origin,
                rejected,
                rejects: rejects.display().to_string(),
            }),
            Err(error) => error.into(),
        },
        dataset::Error::Output(StreamError::Io(source)) => {
            outputs::io_error(&outputs.target(TOKENS))(source).into()
        }
        error @ dataset::Error::Scratch { .. } => Failure::from(anyhow::Error::new(error)),
        dataset::Error::Rejects { source, .. } => {
            outputs::io_error(&outputs.target(REJECTS))(source).into()
        }
        error => source::failure(error),
    }
}

fn write_ids(outputs: &Outputs, encoded: &Encoded) -> Result<(), Failure> {
    let failed = |error: csv::Error| outputs::io_error(&outputs.target(IDS))(error.into());
    let mut csv = csv::WriterBuilder::new()
        .buffer_capacity(IDS_BUFFER_BYTES)
        .from_writer(outputs.create(IDS)?);
    csv.write_record(["row", "record_id"]).map_err(failed)?;
    let mut number = String::new();
    for (row, id) in (1_u64..).zip(encoded.ids()) {
        number.clear();
        // Writing to a string does not fail.
        let _ = write!(number, "{row}");
        csv.write_record([number.as_str(), id]).map_err(failed)?;
    }
    csv.flush()
        .map_err(outputs::io_error(&outputs.target(IDS)))?;
    Ok(())
}

fn text(result: &Shown<'_>) -> String {
    let summary = result.summary;
    let name = |path: &Path| path.display().to_string();
    let mut lines = vec![format!(
        "{} encoded into {}",
        screen::counted(summary.rows, "record"),
        name(&result.tokens)
    )];
    let rejected = summary.rejected_rows();
    if let Some(file) = &summary.rejects_file {
        let reasons: Vec<String> = summary
            .rejected
            .iter()
            .map(|(reason, count)| format!("{} {reason}", screen::count(*count)))
            .collect();
        lines.push(format!(
            "{} rejected: {}; see {}",
            screen::counted(rejected, "row"),
            reasons.join(", "),
            name(file)
        ));
    } else {
        lines.push("0 rows rejected".into());
    }
    let rows = summary.quality.fields().map(|(name, counts)| {
        let numbers = [
            counts.valid,
            counts.repaired,
            counts.suspect + counts.conflict,
            counts.missing,
            counts.placeholder,
            counts.invalid,
        ];
        let share = counts.usable() as f64 / summary.rows.max(1) as f64;
        let mut row = vec![name.to_owned()];
        row.extend(numbers.map(screen::count));
        row.push(screen::percent(share, 1));
        row
    });
    let heading = [
        "field",
        "valid",
        "repaired",
        "doubtful",
        "missing",
        "placeholder",
        "invalid",
        "usable",
    ];
    lines.push(format!("\n{}\n", screen::table(&heading, 1, rows)));
    if let Some(fill) = &summary.fill {
        lines.push(format!(
            "Fill of tokens: mean {}, from {} to {}",
            screen::percent(fill.mean, 1),
            screen::percent(fill.min, 1),
            screen::percent(fill.max, 1)
        ));
    }
    let without = screen::counted(summary.without_token, "record");
    lines.push(format!("Without token (too few features): {without}"));
    lines.push(format!(
        "Key {}, schema {}",
        result.key_id,
        result
            .schema_fingerprint
            .chars()
            .take(16)
            .collect::<String>()
    ));
    if let Some(risk) = &result.accepted_risk {
        lines.push(format!("Risk of the profile `fields` accepted: {risk}"));
    }
    lines.push(format!(
        "Keep {}: it tells which token is which record",
        name(&result.ids)
    ));
    lines.join("\n")
}
