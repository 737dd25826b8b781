//! What the demo found, as the report's plain data and as a closing summary.

use std::collections::HashMap;
use std::fmt::Write;

use linkage_core::disclosure::release::ReleasedTable;
use linkage_core::extract::DimensionRef;

use super::cluster::{ANALYST, Cluster};
use super::data::Input;
use super::judge::{Judged, OwnerView};
use super::leak::Leaks;
use super::project::Released;
use super::{Linked, Round};
use crate::auditlog::verify::verify_dir;
use crate::report::data::Round as RoundView;
use crate::report::data::{
    AuditResult, DatasetLine, Flow, FlowStep, Level, ProcessUse, Report, Sight, Stage, TableView,
    WhatPartySaw,
};
use crate::report::from_run;

/// Widest line of the closing words, in columns.
const SUMMARY_COLUMNS: usize = 90;

/// Bytes of a position on the wire.
const POSITION_BYTES: u64 = 4;

pub(super) fn empty_report(input: &Input) -> Report {
    let title = match input {
        Input::Generated { .. } => "Linkage demo: departments link records without showing them",
        Input::Files { .. } => "Linkage of your files",
    };
    Report {
        title: title.to_owned(),
        generated_at: jiff::Timestamp::now()
            .strftime("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        linkage_version: env!("CARGO_PKG_VERSION").to_owned(),
        rounds: vec![],
        parties: vec![],
        audit: vec![],
        processes: vec![],
    }
}

pub(super) fn round(
    round: &Round,
    linked: &Linked,
    judged: &Judged,
    tables: &[Released],
) -> RoundView {
    let number = |of: &serde_json::Value, name: &str| {
        of.get(name)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0)
    };
    let datasets: Vec<DatasetLine> = linked
        .uploads
        .iter()
        .map(|(party, upload)| {
            let summary = upload.get("summary").unwrap_or(&serde_json::Value::Null);
            let rejected: u64 = summary
                .get("rejected")
                .and_then(serde_json::Value::as_object)
                .map_or(0, |reasons| {
                    reasons.values().filter_map(serde_json::Value::as_u64).sum()
                });
            DatasetLine {
                owner: party.to_string(),
                rows_read: number(summary, "rows") + rejected,
                rows_rejected: rejected,
                tokens_sent: number(summary, "rows") - number(summary, "without_token"),
                bytes_sent: number(upload, "bytes"),
            }
        })
        .collect();
    let mut flows: Vec<Flow> = judged
        .owners
        .iter()
        .map(|owner| Flow {
            step: FlowStep::Positions,
            party: owner.party.clone(),
            bytes: owner.positions.len() as u64 * POSITION_BYTES,
        })
        .collect();
    for table in tables {
        // What the two owners exchanged is counted once, at the first.
        let party = table.request.parties().first().map(ToString::to_string);
        flows.push(Flow {
            step: FlowStep::Tables,
            party: party.unwrap_or_default(),
            bytes: table.bytes,
        });
    }
    let name = |at: usize| {
        judged
            .owners
            .get(at)
            .map(|o| o.party.clone())
            .unwrap_or_default()
    };
    let pairs = judged
        .outcome
        .pairs
        .iter()
        .zip(&judged.pairs)
        .map(|(pair, measured)| {
            let owners = (name(pair.owner_a), name(pair.owner_b));
            let mut shown = from_run::pair(owners, pair, 1);
            if let Some((quality, curve)) = measured {
                shown.measured = Some(from_run::counted(quality));
                shown.curve = from_run::curve(curve);
            }
            shown
        })
        .collect();
    let clusters = from_run::clusters(&judged.outcome.clusters.sizes());
    let mut stages: Vec<Stage> = linked
        .seconds
        .iter()
        .map(|(name, seconds)| Stage {
            name: (*name).to_owned(),
            seconds: *seconds,
            cpu_seconds: None,
            memory_peak_bytes: None,
            detail: String::new(),
        })
        .collect();
    stages.extend(tables.iter().enumerate().map(|(at, table)| Stage {
        name: format!("oblivious table {}", at + 1),
        seconds: table.seconds,
        cpu_seconds: None,
        memory_peak_bytes: None,
        detail: format!("{} bytes between the two owners", table.bytes),
    }));
    let tables = tables
        .iter()
        .map(|table| table_view(table, judged))
        .collect();
    RoundView {
        name: round.name.clone(),
        description: match judged.out_of_reach {
            0 => round.description.clone(),
            count => format!(
                "{} {count} of the true pairs are out of reach: an owner has the person twice, and a \
                 cluster has one record of each owner.",
                round.description
            ),
        },
        datasets,
        flows,
        pairs,
        clusters,
        overall: judged.overall.as_ref().map(from_run::counted),
        stages,
        tables,
    }
}

fn table_view(released: &Released, judged: &Judged) -> TableView {
    TableView {
        true_cells: plain_table(released, &judged.owners),
        ..crate::report::extract::table_view(&released.request.canonical(), &released.table)
    }
}

/// The same table counted in plain over the same positions, which only a demo that plays all
/// parties can do. Only for one attribute of each of two owners, as the demo asks for.
fn plain_table(released: &Released, owners: &[OwnerView]) -> Option<Vec<Vec<i64>>> {
    let [row, column] = released.request.dimensions() else {
        return None;
    };
    let [rows, columns] = released.table.axes() else {
        return None;
    };
    if row.party == column.party || !released.request.filters().is_empty() {
        return None;
    }
    let placed = |dimension: &DimensionRef| -> Option<HashMap<u32, u16>> {
        let owner = owners.iter().find(|owner| owner.party == dimension.party)?;
        let mut attributes = owner.attributes.iter();
        let (_, categories) = attributes.find(|(name, _)| *name == dimension.attribute)?;
        let placed = owner.positions.iter().zip(categories);
        Some(
            placed
                .filter_map(|(position, category)| Some((*position, (*category)?)))
                .collect(),
        )
    };
    let mut cells = vec![vec![0; columns.labels.len()]; rows.labels.len()];
    let across = placed(column)?;
    for (position, row) in placed(row)? {
        if let Some(column) = across.get(&position)
            && let Some(cell) = cells
                .get_mut(usize::from(row))
                .and_then(|r: &mut Vec<i64>| r.get_mut(usize::from(*column)))
        {
            *cell += 1;
        }
    }
    Some(cells)
}

pub(super) fn processes(cluster: &Cluster) -> Vec<ProcessUse> {
    cluster
        .nodes()
        .iter()
        .filter_map(|node| {
            let usage = node.usage()?;
            Some(ProcessUse {
                name: node.party.to_string(),
                role: node.role.role().to_string(),
                memory_peak_bytes: usage.memory_peak_bytes,
                cpu_seconds: usage.cpu_seconds,
                log_path: node.log.display().to_string(),
            })
        })
        .collect()
}

pub(super) fn audit(cluster: &Cluster) -> Vec<AuditResult> {
    cluster
        .nodes()
        .iter()
        .map(|node| {
            let name = format!("{} {}", node.role.role(), node.party);
            match verify_dir(&node.data_dir.join("audit")) {
                Ok(summary) => AuditResult {
                    node: name,
                    entries: summary.entries,
                    head_hash: summary.root.to_string(),
                    verified: true,
                    detail: "every entry in place, the root of the tree signed".to_owned(),
                },
                Err(fault) => AuditResult {
                    node: name,
                    entries: 0,
                    head_hash: String::new(),
                    verified: false,
                    detail: fault.to_string(),
                },
            }
        })
        .collect()
}

pub(super) fn parties(cluster: &Cluster, rounds: &[RoundView], leaks: &Leaks) -> Vec<WhatPartySaw> {
    let sight = |level: Level, text: &str| Sight {
        level,
        text: text.to_owned(),
    };
    let mut parties = vec![];
    let uploaded = |party: Option<&str>| -> u64 {
        let lines = rounds.iter().flat_map(|round| &round.datasets);
        lines
            .filter(|line| party.is_none_or(|p| line.owner == p))
            .map(|line| line.bytes_sent)
            .sum()
    };
    let flowed = |step: FlowStep, party: Option<&str>| -> u64 {
        let flows = rounds.iter().flat_map(|round| &round.flows);
        let of = flows.filter(|f| f.step == step && party.is_none_or(|p| f.party == p));
        of.map(|flow| flow.bytes).sum()
    };
    for node in cluster.nodes().iter().skip(1) {
        let name = node.party.as_str();
        parties.push(WhatPartySaw {
            party: name.to_owned(),
            role: "owner".to_owned(),
            identifiers: sight(Level::Own, "its own records only"),
            keys: sight(Level::Own, "the project key, shared with the other owners"),
            tokens: sight(Level::Own, "its own only"),
            link_map: sight(
                Level::Nothing,
                "a random position for every own record, linked or not",
            ),
            attributes: sight(Level::Own, "its own; others' only encrypted or masked"),
            table: sight(Level::Nothing, "one random share"),
            bytes_in: flowed(FlowStep::Positions, Some(name)),
            bytes_out: uploaded(Some(name)) + flowed(FlowStep::Tables, Some(name)),
        });
    }
    let searched = format!(
        "{} values searched for in its files, {} found",
        leaks.searched, leaks.found
    );
    let identifiers = if leaks.found == 0 {
        Level::Nothing
    } else {
        Level::Own
    };
    parties.push(WhatPartySaw {
        party: "matcher".to_owned(),
        role: "matcher".to_owned(),
        identifiers: sight(identifiers, &searched),
        keys: sight(Level::Nothing, "carried the contributions sealed"),
        tokens: sight(
            Level::Pseudonymous,
            "of all owners: de-identified, not anonymous",
        ),
        link_map: sight(Level::Own, "which rows belong together, not whose they are"),
        attributes: sight(Level::Nothing, ""),
        table: sight(Level::Nothing, ""),
        bytes_in: uploaded(None),
        bytes_out: flowed(FlowStep::Positions, None),
    });
    parties.push(WhatPartySaw {
        party: ANALYST.to_owned(),
        role: "analyst".to_owned(),
        identifiers: sight(Level::Nothing, ""),
        keys: sight(Level::Nothing, ""),
        tokens: sight(Level::Nothing, ""),
        link_map: sight(Level::Nothing, ""),
        attributes: sight(Level::Nothing, "names and value lists only"),
        table: sight(Level::Released, "noised counts; small ones hidden"),
        bytes_in: 0,
        bytes_out: 0,
    });
    parties
}

/// A released table's cells, without the words on method.
pub(super) fn grid(table: &ReleasedTable) -> String {
    let text = table.to_string();
    text.split_once("\n\n")
        .map_or(text.clone(), |(grid, _)| grid.to_owned())
}

/// Breaks words into lines of at most `width` characters, each indented.
fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
}

/// The closing words: quality, tables, logs, who saw what.
pub(super) fn summary(report: &Report, grids: &[String], leaks: &Leaks) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for round in &report.rounds {
        if let Some(quality) = &round.overall {
            let _ = writeln!(
                text,
                "{}: F1 {:.4} (precision {:.4}, recall {:.4}); {} tables released",
                round.name,
                quality.f1,
                quality.precision,
                quality.recall,
                round.tables.len()
            );
        } else {
            let _ = writeln!(text, "{}: linked; no truth to compare with", round.name);
        }
    }
    for (table, grid) in report
        .rounds
        .iter()
        .flat_map(|round| &round.tables)
        .zip(grids)
    {
        let _ = writeln!(text, "\n{}", table.sql.replace('"', ""));
        for line in grid.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    let mut notes = report
        .rounds
        .iter()
        .flat_map(|round| &round.tables)
        .map(|table| &table.method_note);
    if let Some(note) = notes.next_back() {
        text.push_str(&wrap(note, SUMMARY_COLUMNS, "  "));
    }
    text.push('\n');
    let verified = report.audit.iter().filter(|log| log.verified).count();
    let entries: u64 = report.audit.iter().map(|log| log.entries).sum();
    let _ = writeln!(
        text,
        "audit logs: {verified} of {} verified, {entries} entries",
        report.audit.len()
    );
    for log in report.audit.iter().filter(|log| !log.verified) {
        let _ = writeln!(text, "  {}: {}", log.node, log.detail);
    }
    let _ = writeln!(
        text,
        "matcher: {} raw values searched for in {} bytes, {} found",
        leaks.searched, leaks.bytes, leaks.found
    );
    let peak = report
        .processes
        .iter()
        .map(|process| process.memory_peak_bytes)
        .max()
        .unwrap_or(0);
    let _ = writeln!(text, "largest process: {} MiB", peak / (1024 * 1024));
    text.push_str("\nWhat each party saw\n");
    let _ = writeln!(
        text,
        "  {:<16} {:<13} {:<13} {:<13} {:<13} {:<13} {:<9}",
        "party", "identifiers", "keys", "tokens", "link map", "attributes", "table"
    );
    for party in &report.parties {
        let sights = [
            &party.identifiers,
            &party.keys,
            &party.tokens,
            &party.link_map,
            &party.attributes,
            &party.table,
        ];
        let words: Vec<String> = sights
            .iter()
            .map(|sight| format!("{:<13}", word(sight.level)))
            .collect();
        let _ = writeln!(text, "  {:<16} {}", party.party, words.join(" ").trim_end());
    }
    text
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Own => "own",
        Level::Nothing => "nothing",
        Level::Pseudonymous => "pseudonymous",
        Level::Released => "released",
    }
}
