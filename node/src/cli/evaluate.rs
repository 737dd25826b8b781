//! Links against the truth.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use clap::Args;
use linkage_core::quality::Quality;
use serde::Serialize;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::screen::{self, Form};
use super::table_file::{self, TableFile};
use super::truth::Known;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "\
LINKS.csv is what `linkage match` wrote, with the columns dataset_a,record_a,dataset_b,record_b. \
TRUTH.csv has dataset,record_id,entity_id: records with the same entity_id belong together; an empty \
entity_id means unknown. Data sets of the truth without any link are left out, and named. Pairs of \
records within a data set count as soon as one of them is linked.

Example:
  linkage evaluate result/links.csv --truth truth.csv")]
pub struct Evaluate {
    /// Links found
    #[arg(value_name = "LINKS.csv")]
    links: PathBuf,
    /// Which records belong together
    #[arg(long, value_name = "TRUTH.csv")]
    truth: PathBuf,
}

/// Why links cannot be evaluated. No message shows a record's id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum Error {
    #[error(transparent)]
    Table(#[from] table_file::Error),
    #[error(
        "{}, row {row}: data set \"{dataset}\" is not in {}, which has: {known}",
        links.display(), truth.display()
    )]
    Dataset {
        links: PathBuf,
        row: u64,
        dataset: String,
        truth: PathBuf,
        known: String,
    },
    #[error(
        "{}: {} not in {}, the first in row {row} (data set \"{dataset}\")",
        links.display(), are(*.count), truth.display()
    )]
    Records {
        links: PathBuf,
        count: usize,
        row: u64,
        dataset: String,
        truth: PathBuf,
    },
}

fn are(count: usize) -> String {
    match count {
        1 => "1 record is".to_owned(),
        count => format!("{} records are", screen::count(count as u64)),
    }
}

/// A link: data set and record, twice, the lower first.
type Pair = ((usize, u32), (usize, u32));

#[derive(Serialize)]
struct Evaluation {
    overall: Quality,
    pairs: Vec<PairEvaluation>,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct PairEvaluation {
    datasets: (String, String),
    quality: Quality,
}

impl Evaluate {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let known = Known::read(&self.truth).or_input()?;
        let links = self.read_links(&known).or_input()?;
        let evaluation = evaluate(known, &links);
        form.show(&evaluation, || text(&evaluation))?;
        Ok(EXIT_OK)
    }

    fn read_links(&self, known: &Known) -> Result<BTreeSet<Pair>, Error> {
        let columns = ["dataset_a", "record_a", "dataset_b", "record_b"];
        let mut table = TableFile::open(&self.links, columns)?;
        let mut links = BTreeSet::new();
        let mut unknown: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut first_unknown = None;
        while let Some((row, [name_a, a, name_b, b])) = table.next_row()? {
            let find = |name: &str| {
                let found = known.datasets.get(name).copied();
                found.ok_or_else(|| Error::Dataset {
                    links: self.links.clone(),
                    row,
                    dataset: name.to_owned(),
                    truth: self.truth.clone(),
                    known: known.names.join(", "),
                })
            };
            let (owner_a, owner_b) = (find(name_a)?, find(name_b)?);
            let ends = [(owner_a, a), (owner_b, b)];
            let mut found = [(0, 0); 2];
            let mut complete = true;
            for (slot, (owner, record)) in found.iter_mut().zip(ends) {
                match known.record(owner, record) {
                    Some(index) => *slot = (owner, index),
                    None => {
                        complete = false;
                        unknown.insert((owner, record.to_owned()));
                        first_unknown.get_or_insert((row, owner));
                    }
                }
            }
            if complete {
                let [x, y] = found;
                // A record and itself are no pair.
                if x != y {
                    links.insert((x.min(y), x.max(y)));
                }
            }
        }
        match first_unknown {
            Some((row, owner)) => Err(Error::Records {
                links: self.links.clone(),
                count: unknown.len(),
                row,
                dataset: known.names.get(owner).cloned().unwrap_or_default(),
                truth: self.truth.clone(),
            }),
            None => Ok(links),
        }
    }
}

fn evaluate(known: Known, links: &BTreeSet<Pair>) -> Evaluation {
    let linked: BTreeSet<usize> = links.iter().flat_map(|(x, y)| [x.0, y.0]).collect();
    // Without any link there is nothing to tell which data sets were matched: all of them.
    let matched = |at: &usize| linked.is_empty() || linked.contains(at);
    let (kept, left_out): (Vec<usize>, Vec<usize>) = (0..known.names.len()).partition(matched);
    let names = known.names.clone();
    let truth = known.into_truth();
    let mut counts: HashMap<(usize, usize), (u64, u64)> = HashMap::new();
    for ((owner_a, a), (owner_b, b)) in links {
        let (found, correct) = counts.entry((*owner_a, *owner_b)).or_default();
        *found += 1;
        *correct += u64::from(truth.together(*owner_a, *a, *owner_b, *b));
    }
    let name = |at: usize| names.get(at).cloned().unwrap_or_default();
    let mut pairs = vec![];
    // Links within data sets are judged where there are some, or can be no others.
    let duplicates = kept.len() == 1 || links.iter().any(|(x, y)| x.0 == y.0);
    for (place, a) in kept.iter().enumerate() {
        for b in kept.iter().skip(place + usize::from(!duplicates)) {
            let (found, correct) = counts.get(&(*a, *b)).copied().unwrap_or_default();
            pairs.push(PairEvaluation {
                datasets: (name(*a), name(*b)),
                quality: Quality::of(truth.pairs(*a, *b), found, correct),
            });
        }
    }
    let sum = |part: fn(&Quality) -> u64| pairs.iter().map(|pair| part(&pair.quality)).sum();
    let overall = Quality::of(sum(|q| q.true_pairs), sum(|q| q.found), sum(|q| q.correct));
    Evaluation {
        overall,
        pairs,
        left_out: left_out.into_iter().map(name).collect(),
    }
}

fn text(evaluation: &Evaluation) -> String {
    let row = |name: String, q: &Quality| {
        let counts = [q.true_pairs, q.found, q.correct].map(screen::count);
        let shares = [q.precision, q.recall, q.f1].map(|share| screen::percent(share, 2));
        [name]
            .into_iter()
            .chain(counts)
            .chain(shares)
            .collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = evaluation
        .pairs
        .iter()
        .map(|pair| {
            row(
                format!("{} - {}", pair.datasets.0, pair.datasets.1),
                &pair.quality,
            )
        })
        .collect();
    if rows.len() != 1 {
        rows.push(row("overall".into(), &evaluation.overall));
    }
    let heading = [
        "pairs of records",
        "true",
        "found",
        "correct",
        "precision",
        "recall",
        "F1",
    ];
    let mut text = screen::table(&heading, 1, rows);
    if !evaluation.left_out.is_empty() {
        let names = evaluation.left_out.join(", ");
        text.push_str(&format!("\n\nLeft out, no link names them: {names}"));
    }
    text
}
