//! The whole path on one machine: departments and a matcher as real processes, a project from
//! proposal to released tables, and a report that judges it all against the truth.
//!
//! The demo plays every party and may therefore look into every party's folder; each node sees its
//! own only.

pub mod cluster;
pub mod leak;

mod data;
mod judge;
mod policy;
mod project;
mod show;

use std::path::{Path, PathBuf};

use linkage_core::ids::PartyId;

use crate::report::data::Report;
use cluster::{Cluster, OwnerSpec};

pub use data::{Input, Round};
pub use project::{Linked, Rules, last_day};

/// Says what happens as it happens.
pub trait Narrator: Send {
    /// A new part of the demo.
    fn heading(&mut self, text: &str);
    /// Something that was done.
    fn line(&mut self, text: &str);
    /// Long work under way: `done` of `total`.
    fn progress(&mut self, what: &str, done: u64, total: u64);
    /// The long work is over; nothing of it needs to stay on screen.
    fn progress_end(&mut self);
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node could not be started or has ended.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// A node refused or could not be reached.
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    /// The input.
    #[error("{0}")]
    Input(String),
    /// A file.
    #[error("{what}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A node's store cannot be read.
    #[error("a node's store cannot be read")]
    Store(#[from] crate::store::Error),
    /// A node's database cannot be read.
    #[error("a node's database cannot be read")]
    Database(#[from] rusqlite::Error),
    /// The report.
    #[error("the report cannot be written")]
    Report(#[from] crate::report::Error),
    /// The recomputed run differs from the delivered one, or a log does not verify.
    #[error("{0}")]
    Check(String),
}

/// What the demo is run on.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for everything; made, and refused if it holds anything.
    pub out: PathBuf,
    /// The `linkage` binary to start nodes from.
    pub program: PathBuf,
    /// The data.
    pub input: Input,
    /// Requests to ask; the round's own if empty.
    pub queries: Vec<String>,
}

/// What the demo ended with.
pub struct Finished {
    /// The report that was written.
    pub report: Report,
    /// Its page.
    pub page: PathBuf,
    /// What [`crate::auditlog::verify`] found, per node.
    pub logs_verified: bool,
    /// The closing summary as text.
    pub summary: String,
}

/// Runs the demo.
///
/// # Errors
/// [`Error`]; every node is stopped in any case.
pub async fn run(options: &Options, narrator: &mut dyn Narrator) -> Result<Finished, Error> {
    // Nodes read paths relative to their configuration: every path given to them is absolute.
    let out = make_empty(&options.out)?;
    let data_dir = out.join("data");
    crate::store::private_folder(&data_dir)?;
    narrator.heading("Data");
    let mut rounds = data::prepare(&options.input, &data_dir, narrator)?;
    if !options.queries.is_empty()
        && let Some(first) = rounds.first_mut()
    {
        first.queries.clone_from(&options.queries);
    }
    rounds.iter().try_for_each(data::check_queries)?;

    narrator.heading("Nodes");
    let owners = owner_specs(&rounds);
    let mut cluster = Cluster::start_with(&out, &options.program, &owners, true)?;
    for node in cluster.nodes() {
        let role = node.role.role();
        let (party, pid, address) = (&node.party, node.pid(), &node.address);
        narrator.line(&format!("{role:<8} {party:<18} process {pid:<8} {address}"));
    }
    narrator.line("mutual TLS 1.3 between all of them; certificates of a development authority");

    let mut report = show::empty_report(&options.input);
    let mut grids = vec![];
    for round in &rounds {
        narrator.heading(&format!("Project: {}", round.name));
        let linked = project::link(&cluster, round, &Rules::default(), narrator).await;
        let linked = linked.map_err(|error| blame(&mut cluster, error))?;
        let judged = judge::round(&cluster, round, &linked, narrator)?;
        let tables = project::tables(&cluster, round, &linked, narrator).await;
        let tables = tables.map_err(|error| blame(&mut cluster, error))?;
        grids.extend(tables.iter().map(|table| show::grid(&table.table)));
        report
            .rounds
            .push(show::round(round, &linked, &judged, &tables));
    }

    narrator.heading("Accounts");
    report.processes = show::processes(&cluster);
    let leaks = leak::search_matcher(&cluster, &rounds)?;
    cluster.check()?;
    cluster.stop();
    narrator.line(&format!(
        "{} values of the input files searched for in the matcher's data and log: {} found",
        leaks.searched, leaks.found
    ));
    report.audit = show::audit(&cluster);
    report.parties = show::parties(&cluster, &report.rounds, &leaks);
    let logs_verified = report.audit.iter().all(|log| log.verified);
    let page = crate::report::write(&out.join("report"), &report)?;
    let summary = show::summary(&report, &grids, &leaks);
    if leaks.found > 0 {
        return Err(Error::Check(
            "raw values were found at the matcher".to_owned(),
        ));
    }
    Ok(Finished {
        report,
        page,
        logs_verified,
        summary,
    })
}

/// An error behind which a dead node stands is that node's end.
fn blame(cluster: &mut Cluster, error: Error) -> Error {
    match cluster.check() {
        Err(died) => died.into(),
        Ok(()) => error,
    }
}

fn make_empty(dir: &Path) -> Result<PathBuf, Error> {
    let io = |source| Error::Io {
        what: format!("cannot use {}", dir.display()),
        source,
    };
    std::fs::create_dir_all(dir).map_err(io)?;
    if std::fs::read_dir(dir).map_err(io)?.next().is_some() {
        return Err(Error::Input(format!(
            "{} is not empty; name a new folder with --out, or remove it",
            dir.display()
        )));
    }
    std::fs::canonicalize(dir).map_err(io)
}

/// Every owner of any round, with its data set of each.
fn owner_specs(rounds: &[Round]) -> Vec<OwnerSpec> {
    let mut owners: Vec<OwnerSpec> = vec![];
    for round in rounds {
        for (party, path) in &round.sources {
            let dataset = (round.slug.clone(), path.clone());
            match owners.iter_mut().find(|owner| owner.party == *party) {
                Some(owner) => owner.datasets.push(dataset),
                None => owners.push(OwnerSpec {
                    party: party.clone(),
                    datasets: vec![dataset],
                }),
            }
        }
    }
    owners
}

fn party(name: &str) -> Result<PartyId, Error> {
    name.parse()
        .map_err(|error| Error::Input(format!("{error}")))
}
