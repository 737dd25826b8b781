//! What normalisation does to an owner's own rows, on the owner's screen.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use linkage_core::normalise::Normaliser;
use linkage_core::record::{FieldState, NormalRecord, NormalValue, RawRecord};
use linkage_core::schema::Schema;
use linkage_node::dataset::today;
use linkage_node::ingest::{Reject, Row};
use serde_json::Value;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::schema;
use super::screen::{self, Form};
use super::source::{self, SourceArgs};

/// Most rows on one screen's scroll.
const ROWS_MAX: usize = 1000;

/// Why a preview is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Raw values would go to a file, a pipe or a log.
    #[error(
        "a preview shows names and numbers of real people, and standard output is no terminal but a \
         file, a pipe or a log; run it on a screen, or add --even-if-not-a-terminal"
    )]
    NoTerminal,
    /// A form made for programs.
    #[error("a preview is for the eyes of the owner alone; it has no --json")]
    Json,
}

/// Arguments of `schema preview`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows raw values of the source beside what fields, features and keys are made of: the canonical value,
its components, and in which state the normaliser found it. Shown on this screen only, never written
to a file, and only where standard output is a terminal.

Example:
  linkage schema preview --schema persons.toml health.csv --rows 5")]
pub struct Preview {
    #[command(flatten)]
    source: SourceArgs,
    /// Schema, TOML or JSON
    #[arg(long, value_name = "SCHEMA")]
    schema: PathBuf,
    /// Number of rows
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(1..=ROWS_MAX as i64))]
    rows: u16,
    /// Show raw values though standard output is a file, a pipe or a log
    #[arg(long)]
    even_if_not_a_terminal: bool,
}

impl Preview {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        if form == Form::Json {
            return Err(Failure::input(Error::Json));
        }
        if !self.even_if_not_a_terminal && !io::stdout().is_terminal() {
            return Err(Failure::input(Error::NoTerminal));
        }
        let schema = schema::read(&self.schema).or_input()?;
        let opened = self.source.origin()?.open(&schema);
        let mut rows = opened.map_err(source::failure)?;
        let normaliser = Normaliser::new(&schema, today()).with_all_components();
        let parser = rows.parser();
        screen::note(
            "Warning: raw values of real people follow. Do not copy them out of this screen.\n",
        );
        let wanted = usize::from(self.rows);
        let mut shown = vec![];
        while shown.len() < wanted {
            let Some(block) = rows.next_block().map_err(source::failure)? else {
                break;
            };
            parser.rows(&block, &mut |row| {
                if shown.len() < wanted {
                    shown.push(row_text(&schema, &normaliser, row));
                }
            });
        }
        screen::show(&shown.join("\n\n"))?;
        Ok(EXIT_OK)
    }
}

fn row_text(schema: &Schema, normaliser: &Normaliser<'_>, row: Result<&Row, Reject>) -> String {
    match row {
        Err(reject) => format!("Row {}: not usable: {}", reject.row, reject.reason),
        Ok(row) => {
            let normal = normaliser.record(&row.record);
            let table = table(schema, &row.record, &normal);
            format!(
                "Row {}, record {}\n{table}",
                row.number,
                plain(&row.record.id)
            )
        }
    }
}

fn table(schema: &Schema, raw: &RawRecord, normal: &NormalRecord) -> String {
    let fields = schema.fields.iter().enumerate();
    let rows = fields.zip(&raw.values).zip(normal.states());
    let rows = rows.map(|(((at, field), raw), state)| {
        let value = normal.value(at);
        let canonical = value.map_or_else(|| "-".to_owned(), |value| plain(value.whole()));
        vec![
            field.name.clone(),
            plain(raw),
            canonical,
            words(state),
            value.map_or_else(String::new, components),
        ]
    });
    let heading = ["field", "raw", "canonical", "state", "components"];
    screen::table(&heading, heading.len(), rows)
}

fn components(value: &NormalValue) -> String {
    let components = value.components();
    let shown = components.map(|(component, text)| format!("{} {}", word(component), plain(text)));
    shown.collect::<Vec<_>>().join("; ")
}

/// A state in words, with what was found.
fn words(state: FieldState) -> String {
    let name = match state {
        FieldState::Valid => "valid",
        FieldState::Repaired(_) => "repaired",
        FieldState::Suspect(_) => "suspect",
        FieldState::Conflict(_) => "conflict",
        FieldState::Missing => "missing",
        FieldState::Placeholder => "placeholder",
        FieldState::Invalid(_) => "invalid",
    };
    match state.finding() {
        Some(finding) => format!("{name}: {}", word(finding)),
        None => name.to_owned(),
    }
}

fn word(name: impl serde::Serialize) -> String {
    match serde_json::to_value(name) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A value that cannot steer the terminal: control characters are shown as one sign.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_steer_the_terminal() {
        assert_eq!(plain("王\u{1b}[2J\u{9b}1m"), "王\u{fffd}[2J\u{fffd}1m");
    }
}
