//! Sources before they are encoded.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_node::dataset::check::{self, KeyCheck, Repeats, Script};
use linkage_node::report::data_quality;
use serde_json::Value;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::screen::{self, Form};
use super::source::{self, SourceArgs};
use super::{progress, schema};

/// Look into sources before they are encoded.
#[derive(Debug, Subcommand)]
pub enum Dataset {
    /// Say how usable a source is: counts only, no key needed
    Check(Check),
}

/// Arguments of `dataset check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows for each field how many values are valid, repaired, doubtful, invalid or missing and why, how
they are written, values far too frequent to be true, and how many records have and share each key.
No value of any record is shown or written. The page for --html, in Chinese and English, shows counts
from 1 to 4 as \"< 5\", so that it can be handed on; text and --json show them exactly.

Example:
  linkage dataset check health.csv --schema persons.toml --html health-quality.html")]
pub struct Check {
    #[command(flatten)]
    source: SourceArgs,
    /// Schema, TOML or JSON
    #[arg(long, value_name = "SCHEMA")]
    schema: PathBuf,
    /// Page to write
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
    /// Overwrite an earlier page
    #[arg(long, requires = "html")]
    force: bool,
}

impl Dataset {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Check(check) = self;
        check.run(form)
    }
}

impl Check {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = schema::read(&self.schema).or_input()?;
        let origin = self.source.origin()?;
        let mut inputs = vec![self.source.path(), &self.schema];
        inputs.extend(origin.files());
        let page = self.html.as_deref();
        let page = page.map(|page| Outputs::beside(page, &[], &inputs, self.force));
        let page = page.transpose()?;
        let bar = progress::share("checking");
        let found = check::check(&origin, &schema, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let found = found.map_err(source::failure)?;
        if let Some(outputs) = page {
            write_page(&outputs, self.source.path(), &found)?;
            outputs.commit()?;
        }
        form.show(&found, || text(&found))?;
        Ok(EXIT_OK)
    }
}

fn write_page(outputs: &Outputs, source: &Path, found: &check::Check) -> Result<(), Failure> {
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    data_quality::write(outputs.create(0)?, &name, found).map_err(|error| match error {
        linkage_node::report::Error::Io { source, .. } => {
            outputs::io_error(&outputs.target(0))(source).into()
        }
        error => Failure::from(anyhow::Error::new(error)),
    })
}

fn text(found: &check::Check) -> String {
    let mut lines = vec![format!(
        "{}; {}, {}",
        screen::counted(found.rows, "usable record"),
        found.format.name,
        found.format.encoding.name()
    )];
    for (reason, count) in &found.rejected {
        lines.push(format!(
            "{} rejected: {reason}",
            screen::counted(*count, "row")
        ));
    }
    lines.push(format!("\n{}", states(found)));
    lines.push(format!("\n{}", scripts(found)));
    let findings: Vec<_> = found.fields.iter().flat_map(findings).collect();
    if !findings.is_empty() {
        let heading = ["field", "finding", "records"];
        lines.push(format!("\n{}", screen::table(&heading, 2, findings)));
    }
    let remarks: Vec<String> = found.fields.iter().flat_map(remarks).collect();
    if !remarks.is_empty() {
        lines.push(format!("\n{}", remarks.join("\n")));
    }
    for (title, keys) in [
        ("link key", &found.link_keys),
        ("block key", &found.block_keys),
    ] {
        if !keys.is_empty() {
            lines.push(format!("\n{}", key_table(title, keys, found.rows)));
        }
    }
    lines.push(format!(
        "\nWithout token (too few features): {}",
        screen::counted(found.without_token, "record")
    ));
    lines.extend(found.fill.as_ref().map(fill));
    match found.concerns.as_slice() {
        [] => lines.push("Nothing to look into.".into()),
        concerns => {
            lines.push("\nLook into before encoding:".into());
            lines.extend(concerns.iter().map(|c| format!("- {}", c.advice())));
        }
    }
    lines.join("\n")
}

/// How full the filters are, and what diffusion makes of them.
fn fill(found: &check::FillCheck) -> String {
    let percent = |share| screen::percent(share, 1);
    let fill = &found.fill;
    let mut lines = vec![format!(
        "Fill of the filters before diffusion, sample of {}: mean {} (42 to 50 % is good), from {} to {}",
        screen::counted(found.records, "record"),
        percent(fill.mean),
        percent(fill.min),
        percent(fill.max)
    )];
    if let Some(proposal) = &found.proposal {
        lines.push(format!(
            "Diffusion would {} its rule here with t = {} and {} bits, all weights times {:.2}: \
             unrelated records {:.3} sigma\n(at most 0.01), closest 0.1 % {:.2} (at most 0.5), 95 % of \
             one person's records above {:.1} (at least 5)",
            if proposal.kept { "keep" } else { "come nearest to" },
            proposal.inputs,
            screen::count(proposal.token_bits.into()),
            proposal.weights,
            proposal.unrelated,
            proposal.closest,
            proposal.matches
        ));
    }
    lines.join("\n")
}

fn states(found: &check::Check) -> String {
    let rows = found.fields.iter().map(|field| {
        let counts = &field.counts;
        let share = counts.usable() as f64 / found.rows.max(1) as f64;
        let mut row = vec![field.name.clone()];
        let numbers = [
            counts.valid,
            counts.repaired,
            counts.suspect,
            counts.conflict,
            counts.missing,
            counts.placeholder,
            counts.invalid,
        ];
        row.extend(numbers.map(screen::count));
        row.push(screen::percent(share, 1));
        row
    });
    let heading = [
        "field",
        "valid",
        "repaired",
        "suspect",
        "conflict",
        "missing",
        "placeholder",
        "invalid",
        "usable",
    ];
    screen::table(&heading, 1, rows)
}

fn scripts(found: &check::Check) -> String {
    let rows = found.fields.iter().map(|field| {
        let count = |script| field.scripts.get(&script).copied().unwrap_or(0);
        let mut row = vec![field.name.clone()];
        row.extend(Script::ALL.map(|script| screen::count(count(script))));
        row.push(about(field.values, field.values_estimated));
        row
    });
    let heading = [
        "field",
        "han",
        "latin",
        "digits",
        "mixed",
        "kana, hangul",
        "unreadable",
        "other",
        "values",
    ];
    screen::table(&heading, 1, rows)
}

fn findings(field: &check::FieldCheck) -> Vec<Vec<String>> {
    let word = |finding| match serde_json::to_value(finding) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    };
    let findings = field.counts.findings.iter();
    findings
        .map(|(finding, count)| vec![field.name.clone(), word(*finding), screen::count(*count)])
        .collect()
}

/// What only some fields have.
fn remarks(field: &check::FieldCheck) -> Vec<String> {
    let name = &field.name;
    let mut remarks = vec![];
    if field.frequent.values > 0 {
        remarks.push(format!(
            "{name}: {} far too frequent to be true, in {}",
            screen::counted(field.frequent.values, "value"),
            screen::counted(field.frequent.records, "record")
        ));
    }
    if let Some(records) = field.new_year {
        let share = records as f64 / field.counts.usable().max(1) as f64;
        remarks.push(format!(
            "{name}: {} are a first of January ({} expected)",
            screen::percent(share, 2),
            screen::percent(1.0 / 365.25, 2)
        ));
    }
    if let Some(shared) = field.shared_numbers {
        remarks.push(format!(
            "{name}: {} numbers with more than 6 records, in {} records",
            about(shared.repeated_values, shared.estimated),
            about(shared.repeated_records, shared.estimated)
        ));
    }
    if let Some(sex) = field.sex.filter(|sex| sex.compared > 0) {
        remarks.push(format!(
            "{name}: {} of {} agree with the resident number",
            screen::percent(sex.agreeing as f64 / sex.compared as f64, 2),
            screen::counted(sex.compared, "record")
        ));
    }
    remarks
}

fn key_table(title: &str, keys: &[KeyCheck], rows: u64) -> String {
    let lines = keys.iter().map(|key| {
        let share = key.records as f64 / rows.max(1) as f64;
        let repeats = key.repeats.map_or_else(
            || "-".to_owned(),
            |Repeats {
                 repeated_records,
                 estimated,
                 ..
             }| about(repeated_records, estimated),
        );
        vec![
            key.name.clone(),
            screen::count(key.records),
            screen::percent(share, 1),
            repeats,
        ]
    });
    screen::table(&[title, "records", "share", "same as another's"], 1, lines)
}

/// A count, marked if it is estimated.
fn about(count: u64, estimated: bool) -> String {
    let mark = if estimated { "~" } else { "" };
    format!("{mark}{}", screen::count(count))
}
