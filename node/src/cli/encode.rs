//! A data set to tokens.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use linkage_core::encode::{Batch, EncodedRecord, Header};
use linkage_core::normalise::FieldCounts;
use linkage_core::schema::{Profile, Schema};
use linkage_node::dataset::{self, Dataset, Summary};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha20Rng;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use zeroize::Zeroizing;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::screen::{self, Form};
use super::{key, progress, schema};

/// Arguments of `encode`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes, all or none:
  A.tokens       tokens in random order: give it to whoever matches
  A.ids.csv      row,record_id: which token is which record; keep it
  A.rejects.csv  rows that could not be used, with the reason; keep it
The source is CSV with a header, UTF-8 or GB 18030. All owners use the same schema and key.

Example:
  linkage encode health.csv --schema persons.toml --key project.key --out health.tokens")]
pub struct Encode {
    /// CSV file with one record a line
    #[arg(value_name = "SOURCE.csv")]
    source: PathBuf,
    /// Schema, TOML or JSON
    #[arg(long, value_name = "SCHEMA")]
    schema: PathBuf,
    /// Key file
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// Token file to write
    #[arg(long, value_name = "A.tokens")]
    out: PathBuf,
    /// Overwrite the files of an earlier run
    #[arg(long)]
    force: bool,
}

/// Places of the outputs in [`Outputs`].
const IDS: usize = 0;
const REJECTS: usize = 1;
const TOKENS: usize = 2;

#[derive(Serialize)]
struct Encoded<'a> {
    tokens: PathBuf,
    ids: PathBuf,
    #[serde(flatten)]
    summary: &'a Summary,
    key_id: String,
    schema_fingerprint: String,
    profile: Profile,
    fill: Option<Fill>,
}

/// Shares of set bits over all tokens.
#[derive(Serialize)]
struct Fill {
    mean: f64,
    min: f64,
    max: f64,
}

/// A record's identity and what is sent of it.
type Pair = (Zeroizing<String>, EncodedRecord);

impl Encode {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = schema::read(&self.schema).or_input()?;
        let key = key::read(&self.key).or_input()?;
        let inputs = [&self.source, &self.schema, &self.key].map(PathBuf::as_path);
        let outputs = Outputs::beside(&self.out, &["ids.csv", "rejects.csv"], &inputs, self.force)?;
        let bar = progress::bytes(
            "encoding",
            self.source.metadata().map_or(0, |source| source.len()),
        );
        let read = dataset::encode(
            &self.source,
            &schema,
            &key,
            &outputs.staged(REJECTS),
            &mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            },
        );
        bar.finish_and_clear();
        let Dataset {
            ids,
            encoded,
            mut summary,
            ..
        } = read.map_err(|error| refusal(error, &outputs))?;
        if summary.rejects_file.is_some() {
            summary.rejects_file = Some(outputs.target(REJECTS));
        }
        let mut records: Vec<Pair> = ids.into_iter().zip(encoded).collect();
        // The order in the source may tell who is who: by name, by date of arrival.
        records.shuffle(&mut secret_rng()?);
        write_ids(&outputs, &records)?;
        let (_, encoded): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let header = Header::new([0; 32], &schema, key.id(), encoded.len() as u64);
        let tokens = Batch::encode(&header, &encoded).map_err(Failure::input)?;
        outputs
            .create(TOKENS)?
            .write_all(&tokens)
            .map_err(outputs::io_error(&outputs.target(TOKENS)))?;
        let result = Encoded {
            tokens: outputs.target(TOKENS),
            ids: outputs.target(IDS),
            summary: &summary,
            key_id: key.id().to_string(),
            schema_fingerprint: hex::encode(schema.fingerprint()),
            profile: schema.token.profile,
            fill: fill(&encoded, schema.token_bits()),
        };
        outputs.commit()?;
        form.show(&result, || text(&result, &schema))?;
        if form == Form::Text {
            screen::note(warning(schema.token.profile));
        }
        Ok(EXIT_OK)
    }
}

/// The error as the user should see it. Where every row was rejected, the rejects are all there is
/// to see, so they are kept.
fn refusal(error: dataset::Error, outputs: &Outputs) -> Failure {
    match error {
        dataset::Error::NoRows { path, rejected, .. } if rejected > 0 => {
            match outputs.keep(REJECTS) {
                Ok(rejects) => Failure::input(dataset::Error::NoRows {
                    path,
                    rejected,
                    rejects: rejects.display().to_string(),
                }),
                Err(error) => error.into(),
            }
        }
        dataset::Error::Rejects { source, .. } => {
            outputs::io_error(&outputs.target(REJECTS))(source).into()
        }
        error => Failure::input(error),
    }
}

fn secret_rng() -> Result<ChaCha20Rng, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(seed.as_mut_slice())
        .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

fn write_ids(outputs: &Outputs, records: &[Pair]) -> Result<(), Failure> {
    let failed = |error: csv::Error| outputs::io_error(&outputs.target(IDS))(error.into());
    let mut csv = csv::Writer::from_writer(outputs.create(IDS)?);
    csv.write_record(["row", "record_id"]).map_err(failed)?;
    for (row, (id, _)) in (1_u64..).zip(records) {
        csv.write_record([row.to_string().as_str(), id.as_str()])
            .map_err(failed)?;
    }
    csv.flush()
        .map_err(outputs::io_error(&outputs.target(IDS)))?;
    Ok(())
}

fn fill(records: &[EncodedRecord], bits: u32) -> Option<Fill> {
    let shares = records
        .iter()
        .map(|record| record.token.ones())
        .filter(|ones| *ones > 0)
        .map(|ones| f64::from(ones) / f64::from(bits));
    let (mut sum, mut count, mut min, mut max) = (0.0, 0_u64, 1.0_f64, 0.0_f64);
    for share in shares {
        sum += share;
        count += 1;
        (min, max) = (min.min(share), max.max(share));
    }
    (count > 0).then(|| Fill {
        mean: sum / count as f64,
        min,
        max,
    })
}

fn text(result: &Encoded<'_>, schema: &Schema) -> String {
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
    let empty = FieldCounts::default();
    let rows = schema.fields.iter().map(|field| {
        let counts = summary.quality.fields.get(&field.name).unwrap_or(&empty);
        let numbers = [
            counts.valid,
            counts.missing,
            counts.placeholder,
            counts.invalid,
        ];
        let share = counts.valid as f64 / summary.rows.max(1) as f64;
        let mut row = vec![field.name.clone()];
        row.extend(numbers.map(screen::count));
        row.push(screen::percent(share, 1));
        row
    });
    let heading = [
        "field",
        "valid",
        "missing",
        "placeholder",
        "invalid",
        "usable",
    ];
    lines.push(format!("\n{}\n", screen::table(&heading, 1, rows)));
    if let Some(fill) = &result.fill {
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
    lines.push(format!(
        "Keep {}: it tells which token is which record",
        name(&result.ids)
    ));
    lines.join("\n")
}

/// What a profile does and does not protect.
fn warning(profile: Profile) -> &'static str {
    match profile {
        Profile::Hardened => "hardened",
        Profile::Fields => "fields",
        Profile::PlainClk => {
            "\
Warning: plain-clk tokens are de-identified, not anonymous. Without the key nobody can compute a
token from a name; but who knows many of the records can recognise others by how similar their
tokens are, and who gets the key can guess every record. Delete the tokens after use."
        }
    }
}
