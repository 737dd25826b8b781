//! The whole path on this machine.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use linkage_node::demo::{self, Input, Narrator, Options};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::{EXIT_OK, Failure};
use super::generate::Errors;
use super::screen::{self, Form};
use super::{progress, runtime};

/// Exit code after Ctrl-C, as shells give it: 128 and the signal's number.
const EXIT_INTERRUPTED: u8 = 130;

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Starts a matcher and three owners as processes of their own on loopback, with mutual TLS under
certificates made on the spot; agrees a project and its key; encodes, uploads and links; asks for
cross-tables; verifies every audit log; and leaves a folder with the data, the nodes' configurations
and logs, and a report to open in a browser.

Your own files become one owner each, named by the file. The requests may use the schema's
[[attribute]]s:

  linkage demo --input tax.csv health.csv --schema persons.toml \\
    --query \"SELECT tax.bracket, health.chronic, count(*) FROM persons GROUP BY 1, 2\"

Example:
  linkage demo --out demo-out")]
pub struct Demo {
    /// Folder for everything; must be new or empty
    #[arg(long, default_value = "demo-out", value_name = "DIR")]
    out: PathBuf,
    /// Records of each made-up department
    #[arg(long, default_value_t = 5000, conflicts_with = "input")]
    records: u64,
    /// Seed of the made-up data: the same seed, the same people
    #[arg(long, default_value_t = 1, conflicts_with = "input")]
    seed: u64,
    /// Errors in the made-up data
    #[arg(long, value_enum, default_value_t, conflicts_with = "input")]
    errors: Errors,
    /// Leave out the Febrl 4 benchmark
    #[arg(long, conflicts_with = "input")]
    no_benchmark: bool,
    /// Your own CSV files, two or more
    #[arg(long, num_args = 2.., value_name = "CSV", requires = "schema")]
    input: Vec<PathBuf>,
    /// Schema of your files
    #[arg(long, value_name = "FILE", requires = "input")]
    schema: Option<PathBuf>,
    /// Which of your records belong together: columns dataset,record_id,entity_id
    #[arg(long, value_name = "FILE", requires = "input")]
    truth: Option<PathBuf>,
    /// A request to ask instead of the demo's own; repeat for more
    #[arg(long = "query", value_name = "SQL")]
    queries: Vec<String>,
}

/// Shows the demo's words on standard error, so that the result stands alone on standard output.
struct Teller {
    bar: Option<ProgressBar>,
}

impl Teller {
    fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| screen::note(text)),
            None => screen::note(text),
        }
    }
}

impl Narrator for Teller {
    fn heading(&mut self, text: &str) {
        self.note(&format!("\n{text}\n{}", "-".repeat(text.chars().count())));
    }

    fn line(&mut self, text: &str) {
        let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
        self.note(&lines.join("\n"));
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        let bar = self
            .bar
            .get_or_insert_with(|| progress::counted(what, total));
        bar.set_message(what.to_owned());
        bar.set_length(total);
        bar.set_position(done);
    }

    fn progress_end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Demo {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let input = match self.schema {
            Some(schema) => Input::Files {
                files: self.input,
                schema,
                truth: self.truth,
            },
            None => Input::Generated {
                records: self.records,
                seed: self.seed,
                errors: self.errors.into(),
                benchmark: !self.no_benchmark,
            },
        };
        let program = std::env::current_exe()?;
        let options = Options {
            out: self.out,
            program,
            input,
            queries: self.queries,
        };
        let mut teller = Teller { bar: None };
        let finished = runtime()?.block_on(async {
            // Listening starts before the work, so that Ctrl-C never finds nodes without a master.
            let mut interrupt = signal(SignalKind::interrupt())?;
            Ok::<_, std::io::Error>(tokio::select! {
                finished = demo::run(&options, &mut teller) => Some(finished),
                // Dropping the demo stops its nodes.
                _ = interrupt.recv() => None,
            })
        });
        teller.progress_end();
        let Some(finished) = finished? else {
            screen::note("\ninterrupted; every node has been stopped");
            return Ok(EXIT_INTERRUPTED);
        };
        let finished = finished.map_err(|error| match error {
            demo::Error::Input(_) => Failure::input(error),
            error => error.into(),
        })?;
        let page = std::fs::canonicalize(&finished.page).unwrap_or(finished.page);
        let data = json!({ "page": page, "report": finished.report });
        if std::io::stderr().is_terminal() {
            screen::note("");
        }
        form.show(&data, || {
            format!(
                "\nResult\n------\n{}\n\nOpen the report: {}",
                finished.summary.trim_end(),
                page.display()
            )
        })?;
        if finished.logs_verified {
            Ok(EXIT_OK)
        } else {
            Err(anyhow::anyhow!("an audit log does not verify").into())
        }
    }
}
