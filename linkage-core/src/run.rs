//! A linkage run: batches of several owners in, clusters and the evidence for them out.

mod finder;
mod report;

pub use finder::{Finder, InMemory};
pub use report::{Histogram, PairReport, Weights};

use self::report::{Decided, is_link, report};
use crate::candidates::{self, Candidates, Method, ScoredPair};
use crate::decide::{
    Agglomeration, Apart, Calibration, Clusters, Evidence, Link, Linker, Strangers, calibrate,
    fellegi_sunter, many_to_one, one_to_one, optimal,
};
use crate::encode::{BatchError, Columns};
use crate::schema::{Assignment, CandidateSettings, DecideSettings, Profile, RecordsPerOwner};

/// How the pairs found become links, and what of them is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deciding {
    /// The schema's settings.
    pub settings: DecideSettings,
    /// Whether [`Outcome::assigned`] is kept: 24 bytes for every record and other owner.
    pub keep_assigned: bool,
    /// Whether only the tokens that were asked for are there, see [`crate::ask`]: the others are
    /// not without any feature, they are unknown.
    pub asked: bool,
}

impl Deciding {
    /// The same settings, and the assigned pairs kept.
    pub fn keeping(settings: DecideSettings) -> Self {
        Self {
            settings,
            keep_assigned: true,
            asked: false,
        }
    }
}

impl From<DecideSettings> for Deciding {
    fn from(settings: DecideSettings) -> Self {
        Self {
            settings,
            keep_assigned: false,
            asked: false,
        }
    }
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
    link_with(batches, settings, &finder, deciding, progress)
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
    deciding: impl Into<Deciding>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Outcome, F::Error> {
    comparable(batches)?;
    let deciding = deciding.into();
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
    let mut run = Run::new(batches, settings, deciding);
    for (owner, batch) in batches.iter().enumerate().take(sampled) {
        // Posterior probabilities need no strangers beside.
        if batch.header.profile != Profile::Fields {
            run.sample(finder, owner)?;
        }
        step();
    }
    for owner_a in 0..owners {
        for owner_b in owner_a + 1..owners {
            let found = finder.across(owner_a, owner_b)?;
            run.across(finder, (owner_a, owner_b), found)?;
            step();
        }
    }
    for owner in 0..within {
        run.within(owner, finder.within(owner)?);
        step();
    }
    Ok(run.finish())
}

/// Whether all batches were made under one project, key and schema.
fn comparable(batches: &[Columns<'_>]) -> Result<(), BatchError> {
    let Some((first, rest)) = batches.split_first() else {
        return Ok(());
    };
    let mut rest = rest.iter();
    rest.try_for_each(|batch| first.header.comparable(batch.header))
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
struct Run<'a> {
    batches: &'a [Columns<'a>],
    candidates: &'a CandidateSettings,
    deciding: Deciding,
    /// By owner, as far as they were needed.
    strangers: Vec<Option<Strangers>>,
    links: Links,
    pairs: Vec<PairReport>,
    assigned: Vec<Vec<ScoredPair>>,
}

impl<'a> Run<'a> {
    fn new(
        batches: &'a [Columns<'a>],
        candidates: &'a CandidateSettings,
        deciding: Deciding,
    ) -> Self {
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
            batches,
            candidates,
            deciding,
            strangers: batches.iter().map(|_| None).collect(),
            links,
            pairs: Vec::new(),
            assigned: Vec::new(),
        }
    }

    fn rows(&self, owner: usize) -> usize {
        self.batches.get(owner).map_or(0, Columns::len)
    }

    /// Notes how alike an owner's strangers are, if that is not known.
    fn sample<F: Finder>(&mut self, finder: &F, owner: usize) -> Result<(), F::Error> {
        let rows = self.rows(owner);
        if let Some(none @ None) = self.strangers.get_mut(owner) {
            let mut found = finder.within(owner)?;
            let mut share = 1.0;
            if self.deciding.asked {
                // Pairs without both tokens are not listed as ones that do not agree, and the rate
                // of strangers is that among the pairs that have both.
                found.pairs.retain(|pair| pair.score > 0.0);
                share = self
                    .batches
                    .get(owner)
                    .map_or(1.0, candidates::share_with_tokens);
            }
            let strangers = Strangers::within(&found.pairs, rows, found.floor);
            *none = Some(strangers.among(share));
        }
        Ok(())
    }

    /// Decides about two owners: by the weights of filters where tokens have some, else by how
    /// alike strangers are.
    fn across<F: Finder>(
        &mut self,
        finder: &F,
        (owner_a, owner_b): (usize, usize),
        mut found: Candidates,
    ) -> Result<(), F::Error> {
        let assignment = self.assignment((owner_a, owner_b));
        let ends = self.batches.get(owner_a).zip(self.batches.get(owner_b));
        let fields = ends.filter(|(a, _)| a.header.profile == Profile::Fields);
        let weighed = fields.map(|ends| weigh(ends, &mut found, self.candidates, assignment));
        let decided = match weighed {
            Some(Ok(decided)) => decided,
            other => {
                self.sample(finder, owner_a)?;
                self.sample(finder, owner_b)?;
                let side = |owner: usize| self.strangers.get(owner).and_then(Option::as_ref);
                // A register without duplicates has the purer strangers.
                let register = assignment == Assignment::ManyToOne;
                let both = side(owner_a).zip(side(owner_b));
                let both = both.map(|(a, b)| {
                    if register {
                        b.clone()
                    } else {
                        a.clone().and(b)
                    }
                });
                let mut decided = self.by_likeness((owner_a, owner_b), &mut found, both.as_ref());
                decided.weights = other.and_then(Result::err).map(Weights::Unfit);
                decided
            }
        };
        self.note((owner_a, owner_b), &found, decided);
        Ok(())
    }

    /// Decides about one owner's own records.
    fn within(&mut self, owner: usize, mut found: Candidates) {
        let decided = self.by_likeness((owner, owner), &mut found, None);
        self.note((owner, owner), &found, decided);
    }

    /// Assigns and calibrates by how alike strangers and the found pairs are. Takes the pairs.
    fn by_likeness(
        &self,
        owners: (usize, usize),
        found: &mut Candidates,
        strangers: Option<&Strangers>,
    ) -> Decided {
        let rows = (self.rows(owners.0), self.rows(owners.1));
        let assignment = self.assignment(owners);
        let pairs = std::mem::take(&mut found.pairs);
        let (pairs, chosen) = assign(pairs, rows, assignment);
        let calibration = calibrate(&Evidence {
            assigned: &chosen,
            strangers,
            assignment,
            rows_a: rows.0,
            rows_b: rows.1,
            floor: found.floor,
            threshold: self.threshold(owners),
            asked: self.deciding.asked,
        });
        settle(&pairs, rows, assignment, chosen, calibration)
    }

    /// Only the last owner's register has one record of an entity under many-to-one.
    fn assignment(&self, (owner_a, owner_b): (usize, usize)) -> Assignment {
        let declared = self.deciding.settings.assignment();
        let register = owner_a != owner_b && owner_b + 1 == self.batches.len();
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
            let ends = [report.owner_a, report.owner_b];
            // Probabilities are another measure.
            let likeness = !matches!(report.weights, Some(Weights::Estimated(_)));
            likeness && report.owner_a != report.owner_b && ends.contains(&owner_a)
        });
        let most = across.reduce(|most, report| {
            let more = report.calibration.true_pairs > most.calibration.true_pairs;
            if more { report } else { most }
        });
        most.filter(|_| owner_a == owner_b)
            .map(|report| report.calibration.threshold)
    }

    fn note(&mut self, (owner_a, owner_b): (usize, usize), found: &Candidates, decided: Decided) {
        let (chosen, calibration) = (&decided.chosen, &decided.calibration);
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
        let rows = (self.rows(owner_a), self.rows(owner_b));
        let (report, chosen) = report((owner_a, owner_b), rows, found, decided);
        self.pairs.push(report);
        if self.deciding.keep_assigned {
            self.assigned.push(chosen);
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

/// The pairs, and those of them that an assignment takes.
fn assign(
    pairs: Vec<ScoredPair>,
    (rows_a, rows_b): (usize, usize),
    assignment: Assignment,
) -> (Vec<ScoredPair>, Vec<ScoredPair>) {
    match assignment {
        // The greedy one is what the threshold is found on.
        Assignment::Greedy | Assignment::Optimal => {
            let chosen = one_to_one(&pairs, rows_a, rows_b);
            (pairs, chosen)
        }
        Assignment::ManyToOne => {
            let chosen = many_to_one(&pairs, rows_a, rows_b);
            (pairs, chosen)
        }
        Assignment::ManyToMany => (vec![], pairs),
    }
}

/// What is decided under a calibration: where asked for, the optimal assignment instead of the one
/// chosen.
fn settle(
    pairs: &[ScoredPair],
    rows: (usize, usize),
    assignment: Assignment,
    chosen: Vec<ScoredPair>,
    calibration: Calibration,
) -> Decided {
    let (threshold, base) = (calibration.threshold, calibration.strangers);
    let best = (assignment == Assignment::Optimal).then(|| optimal(pairs, rows, threshold, base));
    let (chosen, components_beyond) = match best {
        Some(best) => (best.pairs, best.components_beyond),
        None => (chosen, 0),
    };
    Decided {
        chosen,
        calibration,
        components_beyond,
        weights: None,
    }
}

/// Makes the scores of candidates of the `fields` profile posterior probabilities, after adding
/// each record's nearest to them, and decides by these. Takes the pairs unless they are unfit.
fn weigh(
    (a, b): (&Columns<'_>, &Columns<'_>),
    found: &mut Candidates,
    settings: &CandidateSettings,
    assignment: Assignment,
) -> Result<Decided, fellegi_sunter::Unfit> {
    let added = fellegi_sunter::add_neighbours(
        (a, b),
        &mut found.pairs,
        &found.identity_conflicts,
        settings.neighbours().into(),
    );
    if found.method == Method::Keys {
        found.compared += added;
    }
    let one_partner = assignment.is_one_to_one();
    let model = fellegi_sunter::Settings {
        one_partner,
        ..fellegi_sunter::Settings::default()
    };
    let scored = fellegi_sunter::score((a, b), &mut found.pairs, model)?;
    let pairs = std::mem::take(&mut found.pairs);
    let rows = (a.len(), b.len());
    let chosen = match assignment {
        Assignment::ManyToOne => many_to_one(&pairs, rows.0, rows.1),
        _ => scored.assigned,
    };
    let mut decided = settle(&pairs, rows, assignment, chosen, scored.calibration);
    decided.weights = Some(Weights::Estimated(scored.report));
    Ok(decided)
}
