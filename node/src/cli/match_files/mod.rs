//! Token files to links, clusters and a report.

mod inputs;
mod links;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use linkage_core::encode::{Batch, Columns};
use linkage_core::run::{self, Outcome};
use linkage_core::schema::{CandidateSettings, Schema};
use linkage_node::report::data::Stage;
use linkage_node::report::{self, DATA_FILE, PAGE_FILE};

use self::inputs::Input;
use super::failure::{Blame as _, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::screen::{self, Form};
use super::{progress, schema};

/// Arguments of `match`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes, all or none:
  DIR/links.csv     dataset_a,record_a,dataset_b,record_b,agreement,link_key
  DIR/clusters.csv  cluster,dataset,record: every record, linked or not
  DIR/index.html    the report; its figures are in report.json

links.csv has every pair of records in one cluster; link_key is empty where the agreement of the \
tokens made the link.

A data set is named after its file. A record is named by its id where A.ids.csv lies beside \
A.tokens, else by its row in the token file, from 1. The threshold and the quality are estimated \
from the tokens alone, taking each person to have at most one record in each data set.

Example:
  linkage match health.tokens credit.tokens --schema persons.toml --out result")]
pub struct Match {
    /// Token files, made by `linkage encode` under one key and one schema
    #[arg(value_name = "TOKENS", num_args = 2.., required = true)]
    tokens: Vec<PathBuf>,
    /// Folder to write to, made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The schema of the tokens, for its names and settings of candidates; default settings without
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<PathBuf>,
    /// Overwrite the files of an earlier run
    #[arg(long)]
    force: bool,
}

/// Places of the outputs in [`Outputs`].
const LINKS: usize = 0;
const CLUSTERS: usize = 1;
const PAGE: usize = 2;

impl Match {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = match &self.schema {
            Some(path) => Some(schema::read(path).or_input()?),
            None => None,
        };
        let mut read_files: Vec<&Path> = self.tokens.iter().map(PathBuf::as_path).collect();
        read_files.extend(self.schema.as_deref());
        let names = ["links.csv", "clusters.csv", PAGE_FILE, DATA_FILE];
        let outputs = Outputs::within(&self.out, &names, &read_files, self.force)?;

        let started = Instant::now();
        let (inputs, batches) = inputs::read(&self.tokens).or_input()?;
        if let (Some(schema), Some(path)) = (&schema, &self.schema) {
            inputs::check_schema(schema, path, &inputs, &batches).or_input()?;
        }
        let mut stages = vec![stage("Read tokens", started, records(&batches))];

        let started = Instant::now();
        let settings = schema.as_ref().map(|schema| schema.candidates.clone());
        let columns: Vec<_> = batches.iter().map(Batch::columns).collect();
        let outcome = link(&columns, &settings.unwrap_or_default())?;
        let compared: u64 = outcome.pairs.iter().map(|pair| pair.compared).sum();
        let detail = screen::counted(compared, "comparison");
        stages.push(stage("Compare and decide", started, detail));

        let links = links::of(&outcome, &columns);
        let rule = |rule: u8| rule_name(schema.as_ref(), rule);
        let write = |index, write: &dyn Fn(&mut csv::Writer<_>) -> csv::Result<()>| {
            let mut csv = csv::Writer::from_writer(outputs.create(index)?);
            write(&mut csv)
                .and_then(|()| csv.flush().map_err(csv::Error::from))
                .map_err(|error| outputs::io_error(&outputs.target(index))(error.into()))
        };
        write(LINKS, &|csv| links::write(csv, &links, &inputs, &rule))?;
        write(CLUSTERS, &|csv| {
            links::write_clusters(csv, &outcome.clusters, &inputs)
        })?;
        let counts = links::count(&links);
        let shown = summary::report(
            schema.as_ref(),
            &inputs,
            &batches,
            &outcome,
            &counts,
            stages,
        );
        report::write(outputs.staging(), &shown)?;
        let page = outputs.target(PAGE);
        outputs.commit()?;
        form.show(&summary::data(&inputs, &batches, &outcome, &counts), || {
            summary::text(&inputs, &batches, &outcome, &counts, schema.as_ref(), &page)
        })?;
        Ok(EXIT_OK)
    }
}

fn link(batches: &[Columns<'_>], settings: &CandidateSettings) -> Result<Outcome, Failure> {
    // Each data set with itself, for the strangers in it, and with each other one.
    let owners = batches.len() as u64;
    let bar = progress::counted("comparing", owners * (owners + 1) / 2);
    let outcome = run::link(batches, settings, &|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    outcome.or_input()
}

fn stage(name: &str, started: Instant, detail: String) -> Stage {
    Stage {
        name: name.into(),
        seconds: started.elapsed().as_secs_f64(),
        detail,
    }
}

fn records(batches: &[Batch]) -> String {
    let rows = batches.iter().map(|batch| batch.len() as u64).sum();
    screen::counted(rows, "record")
}

/// Name of a link-key rule: the schema's, else its number in the schema's order, from 1.
fn rule_name(schema: Option<&Schema>, rule: u8) -> String {
    schema
        .and_then(|schema| schema.link_keys.get(usize::from(rule)))
        .map_or_else(|| (u32::from(rule) + 1).to_string(), |key| key.name.clone())
}

/// Name of a pair of data sets.
fn pair_name(inputs: &[Input], owner_a: usize, owner_b: usize) -> (String, String) {
    let name = |at: usize| {
        inputs
            .get(at)
            .map(|input| input.name.clone())
            .unwrap_or_default()
    };
    (name(owner_a), name(owner_b))
}
