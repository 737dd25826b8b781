//! Token files to links, clusters and a report.

mod beyond;
mod inputs;
mod links;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use linkage_core::encode::Columns;
use linkage_core::run::{self, Outcome};
use linkage_core::schema::Schema;
use linkage_engine::search::{Finder, Limits};
use linkage_node::report::data::Stage;
use linkage_node::report::{self, DATA_FILE, PAGE_FILE};

use self::inputs::{Input, Records};
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

links.csv has every pair of records in one cluster; link_key is empty where they share none and \
the agreement of the tokens made the link.

A data set is named after its file. A record is named by its id where A.ids.csv lies beside \
A.tokens, else by its row in the token file, from 1. The threshold and the quality are estimated \
from the tokens alone. Each person is taken to have at most one record in each data set unless the \
schema says records_per_owner = \"any\" under [decide]: then records are linked within data sets, \
too, and one token file alone is searched for duplicates.

With --memory and --work-dir the tokens are copied once to DIR, and pairs are searched there. The \
result is the same. Deciding takes about 60 bytes of memory for every candidate pair on top. DIR \
holds tokens: remove it when the project ends.

Example:
  linkage match health.tokens credit.tokens --schema persons.toml --out result")]
pub struct Match {
    /// Token files, made by `linkage encode` under one key and one schema
    #[arg(value_name = "TOKENS", num_args = 1.., required = true)]
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
    /// Search candidate pairs on disk with at most this memory, such as 4GiB
    #[arg(long, value_name = "SIZE", requires = "work_dir", value_parser = beyond::size)]
    memory: Option<u64>,
    /// Folder for what is searched on disk; the same command goes on there after a stop
    #[arg(long, value_name = "DIR", requires = "memory")]
    work_dir: Option<PathBuf>,
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

        let settings = schema.as_ref().map(|schema| schema.candidates.clone());
        let settings = settings.unwrap_or_default();
        let decide = schema.as_ref().map(|schema| schema.decide);
        let decide = decide.unwrap_or_default();
        inputs::check_count(&self.tokens, decide).or_input()?;
        let started = Instant::now();
        let (Some(memory_bytes), Some(work)) = (self.memory, &self.work_dir) else {
            let read = inputs::read(&self.tokens, |path, _| inputs::tokens(path));
            let (inputs, batches) = read.or_input()?;
            let link = |columns: &[Columns<'_>], progress: &Progress| {
                run::link(columns, &settings, decide, progress).or_input()
            };
            let matching = self.matching(schema.as_ref(), &inputs, &batches, started)?;
            return matching.conclude(&link, outputs, form);
        };
        beyond::make(work)?;
        let read = inputs::read(&self.tokens, |path, name| inputs::store(path, name, work));
        let (inputs, stores) = read.or_input()?;
        let limits = Limits {
            memory_bytes,
            threads: 0,
        };
        let finder = Finder::new(&stores, &settings, limits, work);
        let link = |columns: &[Columns<'_>], progress: &Progress| {
            run::link_with(columns, &settings, &finder, decide, progress).map_err(beyond::blame)
        };
        let matching = self.matching(schema.as_ref(), &inputs, &stores, started)?;
        let code = matching.conclude(&link, outputs, form)?;
        finder.remove()?;
        Ok(code)
    }

    /// The matching of what was read since `started`.
    fn matching<'a, R: Records>(
        &self,
        schema: Option<&'a Schema>,
        inputs: &'a [Input],
        records: &'a [R],
        started: Instant,
    ) -> Result<Matching<'a>, Failure> {
        let columns: Vec<_> = records.iter().map(Records::columns).collect();
        if let (Some(schema), Some(path)) = (schema, &self.schema) {
            inputs::check_schema(schema, path, inputs, &columns).or_input()?;
        }
        let rows = columns.iter().map(|columns| columns.len() as u64).sum();
        let read = stage("Read tokens", started, screen::counted(rows, "record"));
        Ok(Matching {
            schema,
            inputs,
            columns,
            read,
        })
    }
}

/// Told how many of how many comparisons of data sets are done.
type Progress = dyn Fn(usize, usize) + Sync;

/// Links records.
type LinkRecords<'a> = dyn Fn(&[Columns<'_>], &Progress) -> Result<Outcome, Failure> + 'a;

/// Data sets that were read and fit each other.
struct Matching<'a> {
    schema: Option<&'a Schema>,
    inputs: &'a [Input],
    columns: Vec<Columns<'a>>,
    read: Stage,
}

impl Matching<'_> {
    /// Links the records and writes the outputs.
    fn conclude(
        self,
        link_records: &LinkRecords<'_>,
        outputs: Outputs,
        form: Form,
    ) -> Result<u8, Failure> {
        let Self {
            schema,
            inputs,
            columns,
            read,
        } = self;
        let started = Instant::now();
        let outcome = link(&columns, link_records)?;
        let compared: u64 = outcome.pairs.iter().map(|pair| pair.compared).sum();
        let detail = screen::counted(compared, "comparison");
        let stages = vec![read, stage("Compare and decide", started, detail)];

        let links = links::of(&outcome.clusters, &columns);
        let rule = |rule: u8| rule_name(schema, rule);
        let write = |index, write: &dyn Fn(&mut csv::Writer<_>) -> csv::Result<()>| {
            let mut csv = csv::Writer::from_writer(outputs.create(index)?);
            write(&mut csv)
                .and_then(|()| csv.flush().map_err(csv::Error::from))
                .map_err(|error| outputs::io_error(&outputs.target(index))(error.into()))
        };
        write(LINKS, &|csv| links::write(csv, &links, inputs, &rule))?;
        write(CLUSTERS, &|csv| {
            links::write_clusters(csv, &outcome.clusters, inputs)
        })?;
        let counts = links::count(&links);
        let shown = summary::report(schema, inputs, &columns, &outcome, &counts, stages);
        report::write(outputs.staging(), &shown)?;
        let page = outputs.target(PAGE);
        outputs.commit()?;
        form.show(&summary::data(inputs, &columns, &outcome, &counts), || {
            summary::text(inputs, &columns, &outcome, &counts, schema, &page)
        })?;
        Ok(EXIT_OK)
    }
}

fn link(columns: &[Columns<'_>], link_records: &LinkRecords<'_>) -> Result<Outcome, Failure> {
    // Each data set with itself, for the strangers in it, and with each other one.
    let owners = columns.len() as u64;
    let bar = progress::counted("comparing", owners * (owners + 1) / 2);
    let shown = bar.clone();
    let outcome = link_records(columns, &move |done, total| {
        shown.set_length(total as u64);
        shown.set_position(done as u64);
    });
    bar.finish_and_clear();
    outcome
}

fn stage(name: &str, started: Instant, detail: String) -> Stage {
    Stage {
        name: name.into(),
        seconds: started.elapsed().as_secs_f64(),
        detail,
    }
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
