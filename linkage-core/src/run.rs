//! A linkage run: batches of several owners in, clusters and the evidence for them out.

use serde::Serialize;

use crate::candidates::{self, Candidates, Method, RuleCount, ScoredPair};
use crate::decide::{
    Agglomeration, Apart, Calibration, Clusters, Evidence, Link, Linker, Strangers, calibrate,
    many_to_one, one_to_one, optimal,
};
use crate::encode::{BatchError, Columns};
use crate::schema::{Assignment, CandidateSettings, DecideSettings, RecordsPerOwner};

/// How the pairs found become links, and what of them is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deciding {
    /// The schema's settings.
    pub settings: DecideSettings,
    /// Whether [`Outcome::assigned`] is kept: 24 bytes for every record and other owner.
    pub keep_assigned: bool,
}

impl Deciding {
    /// The same settings, and the assigned pairs kept.
    pub fn keeping(settings: DecideSettings) -> Self {
        Self {
            settings,
            keep_assigned: true,
        }
    }
}

impl From<DecideSettings> for Deciding {
    fn from(settings: DecideSettings) -> Self {
        Self {
            settings,
            keep_assigned: false,
        }
    }
}

/// What a run found out about two owners' records, or one owner's own: counts and estimates,
/// nothing about a record.
#[derive(Debug, Clone, Serialize)]
pub struct PairReport {
    /// Index of the first owner.
    pub owner_a: usize,
    /// Index of the second owner; of the first again for the links within it.
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
    /// Assigned pairs that share a link key.
    pub keyed: u64,
    /// Assigned pairs at or above the threshold, those by link key included.
    pub links: u64,
    /// Groups of records too large for the optimal assignment, assigned greedily.
    pub components_beyond: u64,
    /// Agreements of all assigned pairs.
    pub histogram: Histogram,
    /// The threshold and the estimated quality.
    pub calibration: Calibration,
}

/// Counts of scores in bars of equal width; their left edges are the thresholds of the curve.
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
    /// One report per pair of owners, then, where owners may have several records of an entity, one
    /// per owner.
    pub pairs: Vec<PairReport>,
    /// Each report's assigned pairs without a threshold, in the order of `pairs`: what a curve over
    /// thresholds is measured on. Held by whoever runs the matcher; never delivered. Empty unless
    /// [`Deciding::keep_assigned`].
    pub assigned: Vec<Vec<ScoredPair>>,
}

/// Finds the candidate pairs of a run, by whatever means: the pairs are those of [`candidates`].
pub trait Finder {
    /// Why there are none.
    type Error: From<BatchError>;

    /// What [`candidates::within`] finds in the records of `owner`.
    ///
    /// # Errors
    /// The finder's own.
    fn within(&self, owner: usize) -> Result<Candidates, Self::Error>;

    /// What [`candidates::across`] finds between the records of two owners.
    ///
    /// # Errors
    /// The finder's own.
    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, Self::Error>;
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

    fn within(&self, owner: usize) -> Result<Candidates, BatchError> {
        Ok(candidates::within(self.batch(owner)?, self.settings))
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, BatchError> {
        let (a, b) = (self.batch(owner_a)?, self.batch(owner_b)?);
        Ok(candidates::across(a, b, self.settings))
    }
}

/// Links the records of all `batches`. `progress` is told how many of how many comparisons of
/// owners are done.
///
/// Memory is bounded by one pair of owners at a time and by what clusters are made from: see
/// [`Linker`] and [`Agglomeration`]. The cores are used within a pair; their number does not
/// change the outcome.
///
/// # Errors
/// [`BatchError::Incomparable`] when two batches were not made under one project, key and schema.
pub fn link(
    batches: &[Columns<'_>],
    settings: &CandidateSettings,
    deciding: impl Into<Deciding>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, BatchError> {
    let finder = InMemory { batches, settings };
    link_with(batches, &finder, deciding.into(), progress)
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
    deciding: impl Into<Deciding>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, F::Error> {
    let deciding = deciding.into();
    if let Some((first, rest)) = batches.split_first() {
        rest.iter()
            .try_for_each(|batch| first.header.comparable(batch.header))?;
    }
    let owners = batches.len();
    // Of one owner alone nothing is compared but its records among themselves, at the end.
    let sampled = if owners > 1 { owners } else { 0 };
    let within = owners_within(deciding.settings, owners);
    let total = sampled + owners * owners.saturating_sub(1) / 2 + within;
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };
    let mut strangers = Vec::with_capacity(sampled);
    for (owner, batch) in batches.iter().enumerate().take(sampled) {
        let found = finder.within(owner)?;
        strangers.push(Strangers::within(&found.pairs, batch.len(), found.floor));
        step();
    }
    let mut run = Run::new(batches, deciding);
    for owner_a in 0..owners {
        for owner_b in owner_a + 1..owners {
            let sides = strangers.get(owner_a).zip(strangers.get(owner_b));
            let register = run.assignment((owner_a, owner_b)) == Assignment::ManyToOne;
            // A register without duplicates has the purer strangers.
            let both = sides.map(|(a, b)| {
                if register {
                    b.clone()
                } else {
                    a.clone().and(b)
                }
            });
            let found = finder.across(owner_a, owner_b)?;
            run.decide((owner_a, owner_b), found, both.as_ref());
            step();
        }
    }
    for owner in 0..within {
        let found = finder.within(owner)?;
        run.decide((owner, owner), found, None);
        step();
    }
    Ok(run.finish())
}

/// Number of owners, from the first, whose own records are linked among themselves.
fn owners_within(decide: DecideSettings, owners: usize) -> usize {
    match (decide.records_per_owner, decide.assignment()) {
        (RecordsPerOwner::One, _) => 0,
        (RecordsPerOwner::Any, Assignment::ManyToOne) => owners.saturating_sub(1),
        (RecordsPerOwner::Any, _) => owners,
    }
}

/// What links are collected in.
enum Links {
    One(Linker),
    Any {
        pairs: Agglomeration,
        /// Strangers' agreement less the threshold, of every report.
        missing: Vec<f64>,
    },
}

/// A run under way.
struct Run {
    rows: Vec<usize>,
    deciding: Deciding,
    links: Links,
    pairs: Vec<PairReport>,
    assigned: Vec<Vec<ScoredPair>>,
}

impl Run {
    fn new(batches: &[Columns<'_>], deciding: Deciding) -> Self {
        let rows: Vec<usize> = batches.iter().map(Columns::len).collect();
        let links = match deciding.settings.records_per_owner {
            RecordsPerOwner::One => Links::One(Linker::new(&rows)),
            RecordsPerOwner::Any => {
                let last = rows.len().checked_sub(1);
                let single = deciding.settings.assignment() == Assignment::ManyToOne;
                Links::Any {
                    pairs: Agglomeration::new(&rows, last.filter(|_| single)),
                    missing: Vec::new(),
                }
            }
        };
        Self {
            rows,
            deciding,
            links,
            pairs: Vec::new(),
            assigned: Vec::new(),
        }
    }

    fn rows(&self, owner: usize) -> usize {
        self.rows.get(owner).copied().unwrap_or(0)
    }

    /// Assigns, calibrates and notes the links of two owners, or of one with itself.
    fn decide(
        &mut self,
        owners: (usize, usize),
        mut found: Candidates,
        strangers: Option<&Strangers>,
    ) {
        let (rows_a, rows_b) = (self.rows(owners.0), self.rows(owners.1));
        let pairs = std::mem::take(&mut found.pairs);
        let assignment = self.assignment(owners);
        let mut chosen = match assignment {
            Assignment::Greedy | Assignment::Optimal => one_to_one(&pairs, rows_a, rows_b),
            Assignment::ManyToOne => many_to_one(&pairs, rows_a, rows_b),
            Assignment::ManyToMany => pairs.clone(),
        };
        let calibration = calibrate(&Evidence {
            assigned: &chosen,
            strangers,
            assignment,
            rows_a,
            rows_b,
            floor: found.floor,
            threshold: self.threshold(owners),
        });
        let mut components_beyond = 0;
        if assignment == Assignment::Optimal {
            let (threshold, base) = (calibration.threshold, calibration.strangers);
            let best = optimal(&pairs, (rows_a, rows_b), threshold, base);
            (chosen, components_beyond) = (best.pairs, best.components_beyond);
        }
        drop(pairs);
        self.note(owners, &found, &chosen, &calibration);
        let mut report = report(owners, (rows_a, rows_b), &found, &chosen, calibration);
        report.components_beyond = components_beyond;
        self.pairs.push(report);
        if self.deciding.keep_assigned {
            self.assigned.push(chosen);
        }
    }

    /// Only the last owner's register has one record of an entity under many-to-one.
    fn assignment(&self, (owner_a, owner_b): (usize, usize)) -> Assignment {
        let declared = self.deciding.settings.assignment();
        let register = owner_a != owner_b && owner_b + 1 == self.rows.len();
        if declared == Assignment::ManyToOne && !register {
            Assignment::ManyToMany
        } else {
            declared
        }
    }

    /// Within an owner, the threshold of the links across that tell most about it, if there are
    /// any: strangers are known apart there.
    fn threshold(&self, (owner_a, owner_b): (usize, usize)) -> Option<f64> {
        let across = self.pairs.iter().filter(|report| {
            report.owner_a != report.owner_b && [report.owner_a, report.owner_b].contains(&owner_a)
        });
        let most = across.reduce(|most, report| {
            let more = report.calibration.true_pairs > most.calibration.true_pairs;
            if more { report } else { most }
        });
        most.filter(|_| owner_a == owner_b)
            .map(|report| report.calibration.threshold)
    }

    fn note(
        &mut self,
        (owner_a, owner_b): (usize, usize),
        found: &Candidates,
        chosen: &[ScoredPair],
        calibration: &Calibration,
    ) {
        let threshold = calibration.threshold;
        let conflicts = found.identity_conflicts.iter().map(|(a, b)| Apart {
            owner_a,
            a: *a,
            owner_b,
            b: *b,
        });
        match &mut self.links {
            Links::One(linker) => {
                conflicts.for_each(|pair| linker.keep_apart(&pair));
                for pair in chosen.iter().filter(|pair| is_link(pair, threshold)) {
                    linker.link(&Link {
                        owner_a,
                        a: pair.a,
                        owner_b,
                        b: pair.b,
                        link_rule: pair.link_rule,
                        score: pair.score,
                    });
                }
            }
            Links::Any { pairs, missing } => {
                conflicts.for_each(|pair| pairs.keep_apart(&pair));
                // A pair that agrees no more than strangers do says what a missing one says.
                for pair in chosen
                    .iter()
                    .filter(|pair| is_link(pair, calibration.strangers))
                {
                    let (keyed, above) = (pair.link_rule.is_some(), pair.score - threshold);
                    pairs.pair((owner_a, pair.a), (owner_b, pair.b), above, keyed);
                }
                missing.push(calibration.strangers - threshold);
            }
        }
    }

    fn finish(self) -> Outcome {
        let clusters = match self.links {
            Links::One(linker) => linker.into_clusters(),
            Links::Any { pairs, missing } => {
                let mean = missing.iter().sum::<f64>() / missing.len().max(1) as f64;
                pairs.into_clusters(mean)
            }
        };
        Outcome {
            clusters,
            pairs: self.pairs,
            assigned: self.assigned,
        }
    }
}

fn is_link(pair: &ScoredPair, threshold: f64) -> bool {
    pair.link_rule.is_some() || pair.score >= threshold
}

fn report(
    (owner_a, owner_b): (usize, usize),
    (rows_a, rows_b): (usize, usize),
    found: &Candidates,
    chosen: &[ScoredPair],
    calibration: Calibration,
) -> PairReport {
    let keyed = |pair: &&ScoredPair| pair.link_rule.is_some();
    let linked = |pair: &&ScoredPair| is_link(pair, calibration.threshold);
    let (rows_a, rows_b) = (rows_a as f64, rows_b as f64);
    let all = if owner_a == owner_b {
        rows_a * (rows_a - 1.0) / 2.0
    } else {
        rows_a * rows_b
    };
    let from = calibration.curve.first();
    PairReport {
        owner_a,
        owner_b,
        method: found.method,
        compared: found.compared,
        reduction_ratio: 1.0 - found.compared as f64 / all.max(1.0),
        block_rules: found.block_rules.clone(),
        identity_conflicts: found.identity_conflicts.len() as u64,
        keyed: chosen.iter().filter(keyed).count() as u64,
        links: chosen.iter().filter(linked).count() as u64,
        components_beyond: 0,
        histogram: Histogram {
            from: from.map_or(0.0, |point| point.threshold),
            to: 1.0,
            counts: calibration.counts.clone(),
            expected_false: calibration.expected_false.clone(),
        },
        calibration,
    }
}
