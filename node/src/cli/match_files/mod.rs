//! Token files to links, clusters and a report.

mod beyond;
mod inputs;
mod judge;
mod links;
mod plan;
mod stages;
mod standing;
mod summary;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_core::encode::Columns;
use linkage_core::run::{self, InMemory, Outcome};
use linkage_core::schema::{CandidateSettings, DecideSettings, Schema};
use linkage_engine::search::{Finder, Limits};
use linkage_engine::standing::Standing;
use linkage_node::report::count::Count;
use linkage_node::report::data::Stage;
use linkage_node::report::{self, DATA_FILE, PAGE_FILE};
use serde_json::Value;

use self::inputs::{Input, Records};
use self::judge::Judge;
use self::stages::{Finding, Start};
use self::standing::Changes;
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

With --truth the report also has the measured quality and the pair completeness, the share of the \
true pairs that were candidates. TRUTH.csv is that of `linkage evaluate`; records are known by the \
ids in A.ids.csv.

With --memory and --work-dir the tokens are copied once to DIR, and pairs are searched there. The \
result is the same. Deciding takes about 60 bytes of memory for every candidate pair on top. DIR \
holds tokens: remove it when the project ends.

With --standing the tokens and candidate pairs are kept in DIR, and the next run with the same DIR \
searches only for what has been added, changed or deleted since. The result is that of a full run, \
to the last bit; where only a full search can promise that, one is made, and the summary says why. \
DIR holds tokens: remove it when the project ends.

Example:
  linkage match health.tokens credit.tokens --schema persons.toml --out result
  linkage match plan health.tokens credit.tokens --schema persons.toml
  linkage match health.tokens credit.tokens --schema persons.toml --out result --force \\
      --standing standing")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Match {
    #[command(subcommand)]
    question: Option<Question>,
    /// Token files, made by `linkage encode` under one key and one schema
    #[arg(value_name = "TOKENS", num_args = 1.., required = true)]
    tokens: Vec<PathBuf>,
    /// Folder to write to, made if need be
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// The schema of the tokens, for its names and settings of candidates; default settings without
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<PathBuf>,
    /// Overwrite the files of an earlier run
    #[arg(long)]
    force: bool,
    /// Count the true pairs that are found, too; linking does not look at them
    #[arg(long, value_name = "TRUTH.csv")]
    truth: Option<PathBuf>,
    /// Search candidate pairs on disk with at most this memory, such as 4GiB
    #[arg(long, value_name = "SIZE", requires = "work_dir", value_parser = beyond::size)]
    memory: Option<u64>,
    /// Folder for what is searched on disk; the same command goes on there after a stop
    #[arg(long, value_name = "DIR", requires = "memory")]
    work_dir: Option<PathBuf>,
    /// Folder that keeps what the next run takes over: then only changes are searched
    #[arg(long, value_name = "DIR", conflicts_with = "memory")]
    standing: Option<PathBuf>,
}

/// What is asked before matching.
#[derive(Debug, Subcommand)]
enum Question {
    /// Show how candidate pairs would be found, and what that would cost
    Plan(plan::Plan),
}

/// Places of the outputs in [`Outputs`].
const LINKS: usize = 0;
const CLUSTERS: usize = 1;
const PAGE: usize = 2;

impl Match {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        if let Some(Question::Plan(plan)) = self.question {
            return plan.run(form);
        }
        let schema = match &self.schema {
            Some(path) => Some(schema::read(path).or_input()?),
            None => None,
        };
        let mut read_files: Vec<&Path> = self.tokens.iter().map(PathBuf::as_path).collect();
        read_files.extend(self.schema.as_deref());
        read_files.extend(self.truth.as_deref());
        let names = ["links.csv", "clusters.csv", PAGE_FILE, DATA_FILE];
        let out = self.out.as_deref().unwrap_or(Path::new("."));
        let outputs = Outputs::within(out, &names, &read_files, self.force)?;

        let settings = schema.as_ref().map(|schema| schema.candidates.clone());
        let settings = settings.unwrap_or_default();
        let decide = schema.as_ref().map(|schema| schema.decide);
        let decide = decide.unwrap_or_default();
        inputs::check_count(&self.tokens, decide).or_input()?;
        let started = Start::now();
        if let Some(folder) = &self.standing {
            let (schema, run) = (schema.as_ref(), (&settings, decide));
            return self.run_standing(folder, schema, run, outputs, form);
        }
        let (Some(memory_bytes), Some(work)) = (self.memory, &self.work_dir) else {
            let read = inputs::read(&self.tokens, |path, _| inputs::tokens(path));
            let (inputs, batches) = read.or_input()?;
            let finding = self.finding(&inputs, &batches)?;
            let link = |columns: &[Columns<'_>], progress: &Progress| {
                let finder = InMemory {
                    batches: columns,
                    settings: &settings,
                };
                let finder = finding.by(&finder);
                run::link_with(columns, &settings, &finder, decide, progress).or_input()
            };
            let matching = self.matching(schema.as_ref(), &inputs, &batches, started)?;
            return matching.conclude((&link, &finding), &|| None, outputs, form);
        };
        beyond::make(work)?;
        let read = inputs::read(&self.tokens, |path, name| inputs::store(path, name, work));
        let (inputs, stores) = read.or_input()?;
        let finding = self.finding(&inputs, &stores)?;
        let limits = Limits {
            memory_bytes,
            threads: 0,
        };
        let finder = Finder::new(&stores, &settings, limits, work);
        let link = |columns: &[Columns<'_>], progress: &Progress| {
            let finder = finding.by(&finder);
            run::link_with(columns, &settings, &finder, decide, progress).map_err(beyond::blame)
        };
        let matching = self.matching(schema.as_ref(), &inputs, &stores, started)?;
        let code = matching.conclude((&link, &finding), &|| None, outputs, form)?;
        finder.remove()?;
        Ok(code)
    }

    /// Links what has changed since the run that stands in `folder`, and lets this one stand.
    fn run_standing(
        &self,
        folder: &Path,
        schema: Option<&Schema>,
        (settings, decide): (&CandidateSettings, DecideSettings),
        outputs: Outputs,
        form: Form,
    ) -> Result<u8, Failure> {
        let started = Start::now();
        let names = standing::names(&self.tokens);
        let standing = Standing::open(folder, names.clone()).map_err(beyond::blame)?;
        let read = inputs::read(&self.tokens, |path, name| {
            let owner = names.iter().position(|known| known == name);
            standing::store(&standing, path, owner.unwrap_or(names.len()))
        });
        let (inputs, stores) = read.or_input()?;
        let finding = self.finding(&inputs, &stores)?;
        let finder = standing.finder(&stores, settings).map_err(beyond::blame)?;
        let link = |columns: &[Columns<'_>], progress: &Progress| {
            let finder = finding.by(&finder);
            run::link_with(columns, settings, &finder, decide, progress).map_err(beyond::blame)
        };
        let matching = self.matching(schema, &inputs, &stores, started)?;
        let changes = || Some(standing::changes(&finder, &inputs));
        let code = matching.conclude((&link, &finding), &changes, outputs, form)?;
        drop(finder);
        // After the outputs: a stop in between leaves the run before standing, from which the next
        // one comes to the same result.
        standing.commit(settings)?;
        Ok(code)
    }

    /// The account of finding candidates in the records, with the truth if it is given.
    fn finding<R: Records>(&self, inputs: &[Input], records: &[R]) -> Result<Finding, Failure> {
        let Some(path) = &self.truth else {
            return Ok(Finding::default());
        };
        let rows = records.iter().map(|records| records.columns().len());
        let judge = Judge::read(path, inputs, &rows.collect::<Vec<_>>());
        Ok(Finding::new(Some(judge.or_input()?)))
    }

    /// The matching of what was read since `started`.
    fn matching<'a, R: Records>(
        &self,
        schema: Option<&'a Schema>,
        inputs: &'a [Input],
        records: &'a [R],
        started: Start,
    ) -> Result<Matching<'a>, Failure> {
        let columns: Vec<_> = records.iter().map(Records::columns).collect();
        if let (Some(schema), Some(path)) = (schema, &self.schema) {
            inputs::check_schema(schema, path, inputs, &columns).or_input()?;
        }
        let rows = columns.iter().map(|columns| columns.len() as u64).sum();
        let read = started.stage("Read tokens", screen::counted(rows, "record"));
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
        (link_records, finding): (&LinkRecords<'_>, &Finding),
        changes: &dyn Fn() -> Option<Changes>,
        outputs: Outputs,
        form: Form,
    ) -> Result<u8, Failure> {
        let Self {
            schema,
            inputs,
            columns,
            read,
        } = self;
        let started = Start::now();
        let outcome = link(&columns, link_records)?;
        let compared: u64 = outcome.pairs.iter().map(|pair| pair.compared).sum();
        let records = columns.iter().map(|columns| columns.len() as u64).sum();
        let [find, decide] = finding.split(
            started.stage("Decide and cluster", screen::counted(records, "record")),
            screen::counted(compared, "comparison"),
        );
        let mut stages = vec![read, find, decide];
        let writing = Start::now();

        let links = links::of(&outcome.clusters, &columns);
        let judge = finding.judge();
        if let Some(judge) = judge {
            judge.note_links(&links);
        }
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
        let written = format!("{} links", Count::from(links.len() as u64));
        stages.push(writing.stage("Write links and clusters", written));
        let shown = summary::report(schema, inputs, &columns, &outcome, (&counts, judge), stages);
        report::write(outputs.staging(), &shown)?;
        let page = outputs.target(PAGE);
        outputs.commit()?;
        let changes = changes();
        let mut data = summary::data(inputs, &columns, &outcome, (&counts, judge));
        if let (Value::Object(data), Some(changes)) = (&mut data, &changes) {
            data.insert("standing".into(), changes.data.clone());
        }
        form.show(&data, || {
            let text = summary::text(inputs, &columns, &outcome, (&counts, judge), schema, &page);
            let changes = changes.map(|changes| format!("{}\n\n", changes.text));
            changes.unwrap_or_default() + &text
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
