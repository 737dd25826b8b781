//! Who may call what: every procedure of the protocol, really called by every kind of caller, about
//! a project in every state, one that is not the caller's and one that is not there.
//!
//! The outcome is the page `docs/authorisation.md`; `BLESS=1` renews it. A new procedure is called
//! without being named here, so that nobody can forget it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use linkage_core::ids::ProjectId;
use linkage_core::project::notice::Kind;
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::{ANALYST, MATCHER, Node};
use linkage_node::identity::Role;
use linkage_tests::protocol::{Procedure, procedures};
use linkage_tests::world::World;
use linkage_tests::{calls, certificates};
use tonic::Code;
use tonic::transport::Channel;

/// Few records: nothing here depends on them.
const RECORDS: u64 = 50;

/// How long a call may take: a handler that waits for others answers first.
const PATIENCE: Duration = Duration::from_secs(20);

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/authorisation.md");
const UNCOVERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/uncovered-procedures.txt");

/// A kind of caller.
struct Caller {
    words: &'static str,
    role: Role,
    party: &'static str,
    /// Whether the project is none of its business.
    is_stranger: bool,
}

const CALLERS: [Caller; 8] = {
    const fn caller(words: &'static str, role: Role, party: &'static str) -> Caller {
        let is_stranger = false;
        Caller {
            words,
            role,
            party,
            is_stranger,
        }
    }
    const fn stranger(words: &'static str, role: Role, party: &'static str) -> Caller {
        let is_stranger = true;
        Caller {
            words,
            role,
            party,
            is_stranger,
        }
    }
    [
        caller("owner", Role::Owner, "health"),
        stranger("other owner", Role::Owner, "outsider"),
        caller("own operator", Role::Operator, "credit"),
        stranger("other operator", Role::Operator, "outsider"),
        caller("analyst", Role::Analyst, ANALYST),
        stranger("other analyst", Role::Analyst, "other-lab"),
        stranger("auditor", Role::Auditor, "court"),
        stranger("matcher", Role::Matcher, MATCHER),
    ]
};

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    code: Code,
    reason: String,
    message: String,
}

async fn answer(procedure: &Procedure, channel: &Channel, project: ProjectId) -> Result<Answer> {
    let call = procedure.call(channel, procedure.request(project));
    let reply = tokio::time::timeout(PATIENCE, call).await;
    let reply = reply.with_context(|| format!("{} does not answer", procedure.path))?;
    Ok(match reply {
        Ok(()) => Answer {
            code: Code::Ok,
            reason: "**answered**".to_owned(),
            message: String::new(),
        },
        Err(status) => Answer {
            code: status.code(),
            reason: calls::reason(&status),
            message: status.message().to_owned(),
        },
    })
}

/// Projects with the words for their state; the first is not there.
async fn projects(world: &World) -> Result<Vec<(&'static str, ProjectId)>> {
    let rules = Rules::default();
    let first = world.owner(0)?;
    let (suspended, closed) = (world.agreed(&rules).await?, world.agreed(&rules).await?);
    world.notice(&first, suspended, Kind::Suspend).await?;
    world.notice(&first, closed, Kind::Close).await?;
    Ok(vec![
        ("absent", [7; 32].into()),
        ("proposed", world.propose(&rules).await?),
        ("agreed", world.agreed(&rules).await?),
        ("keyed", world.keyed(&rules).await?),
        ("open", world.linked(&rules).await?),
        ("suspended", suspended),
        ("closed", closed),
    ])
}

/// Every caller's channel to a node.
async fn channels(world: &World, node: &Node) -> Result<Vec<Channel>> {
    let mut channels = vec![];
    for caller in &CALLERS {
        let today = certificates::today()?;
        let pki = world.cluster.pki();
        let files = pki.issue(caller.role, caller.party, certificates::HOSTS, today)?;
        channels.push(calls::connect_as(&files, node).await??);
    }
    Ok(channels)
}

/// The rows of a procedure's table: callers who are told the same stand together.
fn table(columns: &[&str], answers: &[Vec<Answer>]) -> String {
    let mut callers_by_cells: Vec<(Vec<&str>, Vec<&str>)> = vec![];
    for (caller, answers) in CALLERS.iter().zip(answers) {
        let cells: Vec<&str> = answers
            .iter()
            .map(|answer| answer.reason.as_str())
            .collect();
        match callers_by_cells.iter_mut().find(|(same, _)| *same == cells) {
            Some((_, callers)) => callers.push(caller.words),
            None => callers_by_cells.push((cells, vec![caller.words])),
        }
    }
    let mut table = format!("| caller | {} |\n", columns.join(" | "));
    table.push_str(&format!("|---{}|\n", "|---".repeat(columns.len())));
    for (cells, callers) in callers_by_cells {
        let row = format!("| {} | {} |\n", callers.join(", "), cells.join(" | "));
        table.push_str(&row);
    }
    table
}

fn page(tables: &BTreeMap<(usize, String), String>) -> String {
    let mut page = String::from(
        "# Who may call what\n\n\
         Every procedure of the protocol, called by every kind of caller. The columns are states of\n\
         the project that the call names; `absent` is one that is not there. The cells are reason\n\
         codes. What is neither answered nor denied (`authz.*`, `project.unknown`) is refused for the\n\
         call's content: the calls hold the project and nothing else.\n\n\
         An *other* owner or analyst is one that the manifest does not name, an *other* operator is\n\
         another department's. They are told the same of every project, code, reason and words: no\n\
         answer tells them whether it exists.\n\n\
         `BLESS=1 cargo test -p linkage-tests --test authorisation` renews this page from what a\n\
         matcher and an owner answer over TLS.\n",
    );
    for ((_, path), table) in tables {
        page.push_str(&format!("\n## `{path}`\n\n{table}"));
    }
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn every_procedure_answers_those_it_should() -> Result<()> {
    let (world, _) = World::witnessed(RECORDS, 12)?;
    let projects = projects(&world).await?;
    let nodes = [world.matcher()?, world.node(&"credit".parse()?)?];
    let mut channels_by_node = vec![];
    for node in nodes {
        channels_by_node.push(channels(&world, node).await?);
    }

    let (mut tables, mut uncovered) = (BTreeMap::new(), vec![]);
    for (at, procedure) in procedures()?.iter().enumerate() {
        let named = if procedure.names_project() {
            projects.len()
        } else {
            1
        };
        let mut served = false;
        for channels in &channels_by_node {
            let mut answers = vec![];
            for channel in channels {
                let mut of_caller = vec![];
                for (_, project) in projects.iter().take(named) {
                    of_caller.push(answer(procedure, channel, *project).await?);
                }
                answers.push(of_caller);
            }
            let unknown = |answer: &Answer| answer.reason == "authz.unknown_procedure";
            if answers.iter().flatten().all(unknown) {
                continue;
            }
            served = true;
            for (caller, answers) in CALLERS.iter().zip(&answers) {
                let first = answers.first().context("no answer")?;
                let told = answers.iter().any(|answer| answer != first);
                assert!(
                    !(caller.is_stranger && told),
                    "{} tells {} which projects exist: {answers:?}",
                    procedure.path,
                    caller.words
                );
            }
            let columns: Vec<&str> = match named {
                1 => vec!["any"],
                _ => projects.iter().map(|(state, _)| *state).collect(),
            };
            tables.insert((at, procedure.path.clone()), table(&columns, &answers));
        }
        if !served {
            uncovered.push(procedure.path.clone());
        }
    }

    let (page, uncovered) = (page(&tables), uncovered.join("\n"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PAGE, &page)?;
        std::fs::write(UNCOVERED, &uncovered)?;
    }
    let read = |path: &str| std::fs::read_to_string(PathBuf::from(path));
    assert_eq!(
        read(UNCOVERED)?,
        uncovered,
        "procedures that no node serves"
    );
    assert_eq!(read(PAGE)?, page, "docs/authorisation.md is not up to date");
    Ok(())
}
