//! A linkage run: batches of several owners in, clusters and the evidence for them out.

use rayon::prelude::*;
use serde::Serialize;

use crate::candidates::{self, Method, RuleCount, ScoredPair};
use crate::decide::{Apart, Calibration, Clusters, Evidence, Link, calibrate, cluster, one_to_one};
use crate::encode::{BatchError, Columns};
use crate::schema::CandidateSettings;

/// Bars of a score histogram.
const HISTOGRAM_BARS: usize = 50;

/// What a run found out about two owners' records: counts and estimates, nothing about a record.
#[derive(Debug, Clone, Serialize)]
pub struct PairReport {
    /// Index of the first owner.
    pub owner_a: usize,
    /// Index of the second owner.
    pub owner_b: usize,
    /// How candidate pairs were found.
    pub method: Method,
    /// Pairs compared.
    pub compared: u64,
    /// Share of all pairs that was not compared.
    pub reduction_ratio: f64,
    /// Counts of the block-key rules.
    pub block_rules: Vec<RuleCount>,
    /// Pairs of records that share an identity number, say, and contradict each other in everything
    /// that should support it. Not linked; for review.
    pub identity_conflicts: u64,
    /// One-to-one assigned pairs that share a link key.
    pub keyed: u64,
    /// One-to-one assigned pairs at or above the threshold, those by link key included.
    pub links: u64,
    /// Agreements of all assigned pairs.
    pub histogram: Histogram,
    /// The threshold and the estimated quality.
    pub calibration: Calibration,
}

/// Counts of scores in bars of equal width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Left edge of the first bar.
    pub from: f64,
    /// Right edge of the last bar.
    pub to: f64,
    /// Number of pairs in each bar.
    pub counts: Vec<u64>,
    /// Expected number of false links in each bar.
    pub expected_false: Vec<f64>,
}

/// The outcome of [`link`].
#[derive(Debug)]
pub struct Outcome {
    /// Every record's cluster.
    pub clusters: Clusters,
    /// One report per pair of owners.
    pub pairs: Vec<PairReport>,
    /// Each pair of owners' one-to-one assignment without a threshold, in the order of `pairs`:
    /// what a curve over thresholds is measured on. Held by whoever runs the matcher; never
    /// delivered.
    pub assigned: Vec<Vec<ScoredPair>>,
    /// The links that the clusters were made from.
    pub links: Vec<Link>,
}

/// Finds the candidate pairs of a run, by whatever means: the pairs are those of [`candidates`].
pub trait Finder {
    /// Why there are none.
    type Error: From<BatchError>;

    /// What [`candidates::within`] finds in the records of `owner`.
    ///
    /// # Errors
    /// The finder's own.
    fn within(&self, owner: usize) -> Result<candidates::Candidates, Self::Error>;

    /// What [`candidates::across`] finds between the records of two owners.
    ///
    /// # Errors
    /// The finder's own.
    fn across(&self, owner_a: usize, owner_b: usize)
    -> Result<candidates::Candidates, Self::Error>;
}

/// Finds candidate pairs in memory.
struct InMemory<'a> {
    batches: &'a [Columns<'a>],
    settings: &'a CandidateSettings,
}

impl InMemory<'_> {
    fn batch(&self, owner: usize) -> Result<&Columns<'_>, BatchError> {
        let none = BatchError::Incomparable("there is no such owner");
        self.batches.get(owner).ok_or(none)
    }
}

impl Finder for InMemory<'_> {
    type Error = BatchError;

    fn within(&self, owner: usize) -> Result<candidates::Candidates, BatchError> {
        Ok(candidates::within(self.batch(owner)?, self.settings))
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<candidates::Candidates, BatchError> {
        let (a, b) = (self.batch(owner_a)?, self.batch(owner_b)?);
        Ok(candidates::across(a, b, self.settings))
    }
}

/// Links the records of all `batches`. `progress` is told how many of how many comparisons of
/// owners are done.
///
/// # Errors
/// [`BatchError::Incomparable`] when two batches were not made under one project, key and schema.
pub fn link(
    batches: &[Columns<'_>],
    settings: &CandidateSettings,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, BatchError> {
    link_with(batches, &InMemory { batches, settings }, progress)
}

/// Links the records of all `batches` as [`link`] does, with the candidate pairs that `finder`
/// finds.
///
/// # Errors
/// [`BatchError::Incomparable`] when two batches were not made under one project, key and schema;
/// the finder's own.
pub fn link_with<F: Finder>(
    batches: &[Columns<'_>],
    finder: &F,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, F::Error> {
    if let Some((first, rest)) = batches.split_first() {
        rest.iter()
            .try_for_each(|batch| first.header.comparable(batch.header))?;
    }
    let owners = batches.len();
    let total = owners * owners.saturating_sub(1) / 2 + owners;
    // Memory is bounded by one pair of owners at a time; the cores are used within it.
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };
    let mut strangers = Vec::with_capacity(owners);
    for owner in 0..owners {
        let mut within = finder.within(owner)?;
        // What the estimate looks at are the few most similar strangers, not the bulk.
        within.pairs.retain(|pair| pair.link_rule.is_none());
        within.pairs.shrink_to_fit();
        strangers.push(within);
        step();
    }
    let (mut pairs, mut assigned, mut links) = (Vec::new(), Vec::new(), Vec::new());
    let mut apart = Vec::new();
    for (owner_a, a) in batches.iter().enumerate() {
        for (owner_b, b) in batches.iter().enumerate().skip(owner_a + 1) {
            let found = finder.across(owner_a, owner_b)?;
            let chosen = one_to_one(&found.pairs, a.len(), b.len());
            let side = |owner: usize| strangers.get(owner);
            let floors = [side(owner_a), side(owner_b)]
                .into_iter()
                .flatten()
                .map(|s| s.floor);
            let calibration = calibrate(&Evidence {
                assigned: &chosen,
                strangers_a: side(owner_a).map_or(&[], |s| &s.pairs),
                strangers_b: side(owner_b).map_or(&[], |s| &s.pairs),
                rows_a: a.len(),
                rows_b: b.len(),
                floor: floors.fold(found.floor, f64::max),
            });
            let threshold = calibration.threshold;
            apart.extend(found.identity_conflicts.iter().map(|(a, b)| Apart {
                owner_a,
                a: *a,
                owner_b,
                b: *b,
            }));
            links.par_extend(
                found
                    .pairs
                    .par_iter()
                    .filter(|pair| pair.link_rule.is_some() || pair.score >= threshold)
                    .map(|pair| Link {
                        owner_a,
                        a: pair.a,
                        owner_b,
                        b: pair.b,
                        link_rule: pair.link_rule,
                        score: pair.score,
                    }),
            );
            pairs.push(report(
                owner_a,
                owner_b,
                (a, b),
                &found,
                &chosen,
                calibration,
            ));
            assigned.push(chosen);
            step();
        }
    }
    let rows: Vec<usize> = batches.iter().map(Columns::len).collect();
    Ok(Outcome {
        clusters: cluster(&rows, &links, &apart),
        pairs,
        assigned,
        links,
    })
}

fn report(
    owner_a: usize,
    owner_b: usize,
    (a, b): (&Columns<'_>, &Columns<'_>),
    found: &candidates::Candidates,
    chosen: &[ScoredPair],
    calibration: Calibration,
) -> PairReport {
    let keyed = chosen
        .iter()
        .filter(|pair| pair.link_rule.is_some())
        .count() as u64;
    let linked =
        |pair: &&ScoredPair| pair.link_rule.is_some() || pair.score >= calibration.threshold;
    let all = (a.len() as f64 * b.len() as f64).max(1.0);
    PairReport {
        owner_a,
        owner_b,
        method: found.method,
        compared: found.compared,
        reduction_ratio: 1.0 - found.compared as f64 / all,
        block_rules: found.block_rules.clone(),
        identity_conflicts: found.identity_conflicts.len() as u64,
        keyed,
        links: chosen.iter().filter(linked).count() as u64,
        histogram: histogram(chosen, &calibration),
        calibration,
    }
}

fn histogram(chosen: &[ScoredPair], calibration: &Calibration) -> Histogram {
    let from = calibration
        .curve
        .first()
        .map_or(0.0, |point| point.threshold);
    let width = (1.0 - from) / HISTOGRAM_BARS as f64;
    let mut counts = vec![0; HISTOGRAM_BARS];
    for pair in chosen.iter().filter(|pair| pair.score >= from) {
        let bar = ((pair.score - from) / width) as usize;
        if let Some(count) = counts.get_mut(bar.min(HISTOGRAM_BARS - 1)) {
            *count += 1;
        }
    }
    // The curve gives false links at or above each of its points; a bar's share is the difference.
    let above = |score: f64| {
        let points = calibration.curve.iter().zip(&calibration.expected_false);
        let mut before = None;
        for (point, count) in points {
            if point.threshold >= score {
                return match before {
                    Some((t, c)) if point.threshold > t => {
                        let part = (score - t) / (point.threshold - t);
                        c + (count - c) * part
                    }
                    _ => *count,
                };
            }
            before = Some((point.threshold, *count));
        }
        0.0
    };
    let expected_false = (0..HISTOGRAM_BARS)
        .map(|bar| {
            let left = from + width * bar as f64;
            (above(left) - above(left + width)).max(0.0)
        })
        .collect();
    Histogram {
        from,
        to: 1.0,
        counts,
        expected_false,
    }
}
