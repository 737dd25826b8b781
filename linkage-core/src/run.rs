//! A linkage run: batches of several owners in, clusters and the evidence for them out.

use rayon::prelude::*;
use serde::Serialize;

use crate::candidates::{self, Candidates, Method, RuleCount, ScoredPair};
use crate::decide::fellegi_sunter::{self, Report, Scored, Unfit};
use crate::decide::{Apart, Calibration, Clusters, Evidence, Link, calibrate, cluster, one_to_one};
use crate::encode::{BatchError, Columns};
use crate::schema::{CandidateSettings, Profile};

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
    /// Under the `fields` profile, what each filter's agreement weighs; scores and threshold are
    /// then probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
}

/// What a run found out about the weights of filters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// The estimated model.
    Estimated(Report),
    /// Why there is none; scores are then weighted means of the filters' agreement.
    Unfit(Unfit),
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
    let finder = InMemory { batches, settings };
    link_with(batches, settings, &finder, progress)
}

/// Links the records of all `batches` as [`link`] does, with the candidate pairs that `finder`
/// finds.
///
/// # Errors
/// [`BatchError::Incomparable`] when two batches were not made under one project, key and schema;
/// the finder's own.
pub fn link_with<F: Finder>(
    batches: &[Columns<'_>],
    settings: &CandidateSettings,
    finder: &F,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, F::Error> {
    comparable(batches)?;
    let owners = batches.len();
    let total = owners * owners.saturating_sub(1) / 2 + owners;
    // Memory is bounded by one pair of owners at a time; the cores are used within it.
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };
    let fields = |batch: &Columns<'_>| batch.header.profile == Profile::Fields;
    let mut strangers = Vec::with_capacity(owners);
    // What the estimate looks at are the few most similar strangers, not the bulk.
    let within = |owner: usize| -> Result<Candidates, F::Error> {
        let mut within = finder.within(owner)?;
        within.pairs.retain(|pair| pair.link_rule.is_none());
        within.pairs.shrink_to_fit();
        Ok(within)
    };
    for (owner, batch) in batches.iter().enumerate() {
        // Posterior probabilities need no strangers beside.
        strangers.push(if fields(batch) {
            None
        } else {
            Some(within(owner)?)
        });
        step();
    }
    let (mut pairs, mut assigned, mut links) = (Vec::new(), Vec::new(), Vec::new());
    let mut apart = Vec::new();
    for (owner_a, a) in batches.iter().enumerate() {
        for (owner_b, b) in batches.iter().enumerate().skip(owner_a + 1) {
            let mut found = finder.across(owner_a, owner_b)?;
            let weighed = fields(a).then(|| weigh(a, b, &mut found, settings));
            let (chosen, calibration, weights) = match weighed {
                Some(Ok(scored)) => (
                    scored.assigned,
                    scored.calibration,
                    Some(Weights::Estimated(scored.report)),
                ),
                other => {
                    for owner in [owner_a, owner_b] {
                        if let Some(none @ None) = strangers.get_mut(owner) {
                            *none = Some(within(owner)?);
                        }
                    }
                    let side = |owner: usize| strangers.get(owner).and_then(Option::as_ref);
                    let sides = [side(owner_a), side(owner_b)];
                    let (chosen, calibration) = by_strangers((a, b), &found, sides);
                    let unfit = other.and_then(Result::err).map(Weights::Unfit);
                    (chosen, calibration, unfit)
                }
            };
            let ends = (owner_a, owner_b);
            apart.extend(kept_apart(ends, &found));
            links.par_extend(linked(ends, &found.pairs, calibration.threshold));
            pairs.push(report(
                owner_a,
                owner_b,
                (a, b),
                &found,
                &chosen,
                (calibration, weights),
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

/// Whether all batches were made under one project, key and schema.
fn comparable(batches: &[Columns<'_>]) -> Result<(), BatchError> {
    let Some((first, rest)) = batches.split_first() else {
        return Ok(());
    };
    let mut rest = rest.iter();
    rest.try_for_each(|batch| first.header.comparable(batch.header))
}

fn report(
    owner_a: usize,
    owner_b: usize,
    (a, b): (&Columns<'_>, &Columns<'_>),
    found: &candidates::Candidates,
    chosen: &[ScoredPair],
    (calibration, weights): (Calibration, Option<Weights>),
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
        weights,
    }
}

/// The pairs in identity conflict.
fn kept_apart(
    (owner_a, owner_b): (usize, usize),
    found: &Candidates,
) -> impl Iterator<Item = Apart> {
    let conflicts = found.identity_conflicts.iter();
    conflicts.map(move |(a, b)| Apart {
        owner_a,
        a: *a,
        owner_b,
        b: *b,
    })
}

/// The pairs that share a link key or reach the threshold.
fn linked(
    (owner_a, owner_b): (usize, usize),
    pairs: &[ScoredPair],
    threshold: f64,
) -> impl ParallelIterator<Item = Link> {
    let links = move |pair: &&ScoredPair| pair.link_rule.is_some() || pair.score >= threshold;
    pairs.par_iter().filter(links).map(move |pair| Link {
        owner_a,
        a: pair.a,
        owner_b,
        b: pair.b,
        link_rule: pair.link_rule,
        score: pair.score,
    })
}

/// The one-to-one assignment, and the threshold by how alike strangers are.
fn by_strangers(
    (a, b): (&Columns<'_>, &Columns<'_>),
    found: &Candidates,
    strangers: [Option<&Candidates>; 2],
) -> (Vec<ScoredPair>, Calibration) {
    let chosen = one_to_one(&found.pairs, a.len(), b.len());
    let [strangers_a, strangers_b] = strangers.map(|side| side.map_or(&[][..], |s| &s.pairs));
    let floors = strangers.into_iter().flatten().map(|side| side.floor);
    let calibration = calibrate(&Evidence {
        assigned: &chosen,
        strangers_a,
        strangers_b,
        rows_a: a.len(),
        rows_b: b.len(),
        floor: floors.fold(found.floor, f64::max),
    });
    (chosen, calibration)
}

/// Makes the scores of candidates of the `fields` profile posterior probabilities, after adding
/// each record's nearest to them.
fn weigh(
    a: &Columns<'_>,
    b: &Columns<'_>,
    found: &mut Candidates,
    settings: &CandidateSettings,
) -> Result<Scored, Unfit> {
    let added = fellegi_sunter::add_neighbours(
        (a, b),
        &mut found.pairs,
        &found.identity_conflicts,
        settings.neighbours().into(),
    );
    if found.method == Method::Keys {
        found.compared += added;
    }
    fellegi_sunter::score(
        (a, b),
        &mut found.pairs,
        fellegi_sunter::Settings::default(),
    )
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
