//! How many links are right, from strangers' agreements.
//!
//! With S(t) the strangers at or above an agreement t among P pairs of records:
//! * false links: the greedy assignment of u' x v' strangers grows as dm/dr = (u' - m)(v' - m) with
//!   the rate r = S/P, whose solution is in [`chance_links`]; u' and v' are the records without a
//!   partner. Link keys, too, are shared by chance; strangers that share one tell how often.
//! * true links: what is found beyond that. Their number M is counted at the t where it is
//!   clearest: where it is largest after two standard deviations are taken off, among the t at
//!   which strangers are still rare ([`RARE`]). M enters u' and v', so the two are iterated from M
//!   = 0 to their least fixed point.
//! * true links that agree less than that t are too few among strangers to be counted. But those
//!   that share a link key are known at every agreement. They agree more than true pairs without
//!   one, since what makes the key is equal; so true pairs without a key are taken as a multiple of
//!   those with one, which grows as agreement falls. See [`buried`].
//! * duplicates: an owner's pairs of strangers contain its few duplicates. Above the median
//!   agreement of true pairs, strangers are rare: what is there is taken for duplicates, and as
//!   many in proportion are taken off at every agreement.

use super::scores::from_here_on;
use crate::schema::Assignment;

/// Strangers are rare where a record has at most this many of them on average. Below 1/2 the
/// iteration is a contraction: one more true pair lowers the false links by less than one.
const RARE: f64 = 0.1;

/// Rounds of the fixed-point iteration; it converges geometrically with the share of matched
/// records, mostly within ten rounds.
const ROUNDS: usize = 200;

/// Pairs linked by keys from which their agreements say how those of true pairs fall off.
const KEYED_MIN: f64 = 50.0;

/// Pairs by bar of agreement.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    /// Assigned pairs without a link key.
    pub free: Vec<f64>,
    /// Assigned pairs with one.
    pub keyed: Vec<f64>,
    /// Strangers without a link key.
    pub strangers: Vec<f64>,
    /// Strangers with one.
    pub keyed_strangers: Vec<f64>,
}

/// What the counts are from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub rows_a: f64,
    pub rows_b: f64,
    /// Number of pairs of records that the strangers are from.
    pub stranger_pairs: f64,
    pub assignment: Assignment,
}

/// What is estimated.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    /// False links without a link key at or above each bar.
    pub false_links: Vec<f64>,
    /// True pairs without a link key.
    pub true_free: f64,
    /// Links by link key that are right.
    pub keyed_right: f64,
    /// Duplicates within the owners for each true pair across them.
    pub duplicates: f64,
}

/// The model's state in one round.
struct Model<'a> {
    counts: &'a Counts,
    setting: Setting,
    keyed: f64,
    /// True pairs without a link key, and by bar.
    matched: f64,
    free_true: Vec<f64>,
    /// True pairs with one, by bar.
    keyed_true: Vec<f64>,
    false_links: Vec<f64>,
}

/// Fits the model.
pub(super) fn estimate(counts: &Counts, setting: Setting) -> Estimate {
    let mut model = Model {
        counts,
        setting,
        keyed: counts.keyed.iter().sum(),
        matched: 0.0,
        free_true: vec![0.0; counts.free.len()],
        keyed_true: counts.keyed.clone(),
        false_links: vec![],
    };
    for _ in 0..ROUNDS {
        let before = model.matched;
        model.round();
        if (model.matched - before).abs() < 1e-6 {
            break;
        }
    }
    let duplicates = model.duplicates();
    Estimate {
        false_links: model.false_links,
        true_free: model.matched,
        keyed_right: model.keyed_true.iter().sum(),
        duplicates,
    }
}

impl Model<'_> {
    fn round(&mut self) {
        let (free, keyed) = (&self.counts.strangers, &self.counts.keyed_strangers);
        let duplicates = self.duplicates();
        let strangers = from_here_on(&beyond(free, &self.free_true, duplicates));
        let keyed_strangers = from_here_on(&beyond(keyed, &self.keyed_true, duplicates));
        self.keyed_true = self.keyed_right(&keyed_strangers);

        // One pair more than was seen (Laplace's rule of succession): where none was, some may be.
        let (u, v) = self.free_rows();
        self.false_links = strangers
            .iter()
            .map(|seen| self.by_chance((seen + 1.0) / self.setting.stranger_pairs, u, v))
            .collect();
        let found = from_here_on(&self.counts.free);
        let rare = RARE * self.setting.stranger_pairs / u.max(v).max(1.0);
        let may = |bar: usize| {
            let seen = strangers.get(bar);
            seen.is_some_and(|seen| seen + seen.sqrt() + 1.0 <= rare)
        };
        let clear = clearest(&found, &self.false_links, may);
        let counted = self.count_true(&found, clear);
        // As many true pairs more as chance leaves room for, where it can be told.
        let room = |bar: usize| match (found.get(bar), self.false_links.get(bar)) {
            (Some(found), Some(by_chance)) if may(bar) => {
                found - by_chance + 2.0 * (2.0 * by_chance).sqrt() - counted
            }
            _ => f64::INFINITY,
        };
        let buried = buried(&mut self.free_true, &self.keyed_true, clear, room);
        let most = match self.setting.assignment {
            Assignment::Greedy | Assignment::Optimal => u.min(v),
            Assignment::ManyToOne => u,
            Assignment::ManyToMany => u * v,
        };
        self.matched = (counted + buried).min(most);
    }

    /// Records of either side that no link key has linked.
    fn free_rows(&self) -> (f64, f64) {
        let Setting { rows_a, rows_b, .. } = self.setting;
        match self.setting.assignment {
            Assignment::Greedy | Assignment::Optimal => (
                (rows_a - self.keyed).max(0.0),
                (rows_b - self.keyed).max(0.0),
            ),
            Assignment::ManyToOne => ((rows_a - self.keyed).max(0.0), rows_b),
            Assignment::ManyToMany => (rows_a, rows_b),
        }
    }

    fn by_chance(&self, rate: f64, u: f64, v: f64) -> f64 {
        let free = |rows: f64| (rows - self.matched).max(0.0);
        match self.setting.assignment {
            Assignment::Greedy | Assignment::Optimal => chance_links(rate, free(u), free(v)),
            Assignment::ManyToOne => free(u) * -(-rate * v).exp_m1(),
            Assignment::ManyToMany => rate * (u * v - self.matched).max(0.0),
        }
    }

    /// Duplicates within the owners for each true pair across them.
    fn duplicates(&self) -> f64 {
        let pairs = self.free_true.iter().zip(&self.keyed_true);
        let all: Vec<f64> = pairs.map(|(free, keyed)| free + keyed).collect();
        let above = from_here_on(&all);
        let half = above.first().copied().unwrap_or(0.0) / 2.0;
        let median = above.partition_point(|count| *count > half);
        let seen = |counts: &[f64]| counts.iter().skip(median).sum::<f64>();
        let strangers = seen(&self.counts.strangers) + seen(&self.counts.keyed_strangers);
        let pairs = seen(&all);
        if pairs > 0.0 { strangers / pairs } else { 0.0 }
    }

    /// Links by link key, less those that share one by chance, by bar.
    fn keyed_right(&self, strangers: &[f64]) -> Vec<f64> {
        let right: f64 = self.keyed_true.iter().sum();
        let Setting {
            rows_a,
            rows_b,
            stranger_pairs,
            assignment,
        } = self.setting;
        let chance = |seen: &f64| {
            let rate = seen / stranger_pairs;
            match assignment {
                Assignment::ManyToMany => rate * rows_a * rows_b,
                _ => chance_links(rate, (rows_a - right).max(0.0), (rows_b - right).max(0.0)),
            }
        };
        let above: Vec<f64> = strangers.iter().map(chance).collect();
        let next = above.iter().skip(1).copied().chain([0.0]);
        let by_chance = above.iter().zip(next).map(|(here, above)| here - above);
        let found = self.counts.keyed.iter().zip(by_chance);
        found
            .map(|(found, chance)| (found - chance).max(0.0))
            .collect()
    }

    /// Notes the true pairs by bar from bar `clear` on; the answer is their number.
    fn count_true(&mut self, found: &[f64], clear: usize) -> f64 {
        let next = self.false_links.iter().skip(1).copied().chain([0.0]);
        let by_chance = self.false_links.iter().zip(next);
        let bars = self.counts.free.iter().zip(by_chance);
        self.free_true = bars
            .enumerate()
            .map(|(bar, (found, (here, above)))| match bar {
                bar if bar < clear => 0.0,
                _ => (found - (here - above)).max(0.0),
            })
            .collect();
        let at = |values: &[f64]| values.get(clear).copied().unwrap_or(0.0);
        (at(found) - at(&self.false_links)).max(0.0)
    }
}

/// True pairs without a link key below bar `clear`, noted by bar: as many for each with one as
/// among the 40 % of those above that agree least, and more by the root of what that is over the
/// next 40 %, at most twice as many; and no more from any bar on than there is `room` for.
pub(super) fn buried(
    free_true: &mut [f64],
    keyed_true: &[f64],
    clear: usize,
    room: impl Fn(usize) -> f64,
) -> f64 {
    if keyed_true.iter().sum::<f64>() < KEYED_MIN {
        return 0.0;
    }
    let free: f64 = free_true.iter().skip(clear).sum();
    let (mut parts, mut below) = ([(0.0, 0.0); 2], 0.0);
    let bars = free_true.iter().zip(keyed_true).skip(clear);
    for (at, (free_true, keyed_true)) in bars.enumerate() {
        below += free_true;
        let part = match below / free {
            _ if at == 0 => 0,
            share if share <= 0.4 => 0,
            share if share <= 0.8 => 1,
            _ => break,
        };
        if let Some(sums) = parts.get_mut(part) {
            *sums = (sums.0 + free_true, sums.1 + keyed_true);
        }
    }
    // One keyed pair more than was seen: few of them say little about how few there are.
    let [lowest, next] = parts.map(|(free, keyed): (f64, f64)| free / (keyed + 1.0));
    let rise = if next > 0.0 {
        (lowest / next).sqrt().clamp(1.0, 2.0)
    } else {
        1.0
    };
    let mut buried = 0.0;
    let bars = free_true.iter_mut().zip(keyed_true).enumerate();
    for (bar, (free_true, keyed_true)) in bars.take(clear).rev() {
        *free_true = (keyed_true * lowest * rise).min((room(bar) - buried).max(0.0));
        buried += *free_true;
    }
    buried
}

/// What is counted beyond `share` of `pairs`.
fn beyond(counts: &[f64], pairs: &[f64], share: f64) -> Vec<f64> {
    let both = counts.iter().zip(pairs);
    both.map(|(count, pairs)| (count - share * pairs).max(0.0))
        .collect()
}

/// The bar from which on true links are counted most clearly, the highest of equals; the last
/// where none may be.
pub(super) fn clearest(found: &[f64], by_chance: &[f64], may: impl Fn(usize) -> bool) -> usize {
    let mut best = (f64::NEG_INFINITY, found.len().saturating_sub(1));
    for (bar, (found, by_chance)) in found.iter().zip(by_chance).enumerate() {
        // False links scatter like a Poisson count, and so does their estimated rate.
        let clear = found - by_chance - 2.0 * (2.0 * by_chance).sqrt();
        if may(bar) && clear >= best.0 {
            best = (clear, bar);
        }
    }
    best.1
}

/// Links that a greedy one-to-one assignment makes by chance among u x v strangers of which a share
/// `rate` of pairs agrees enough: the solution of dm/dr = (u - m)(v - m), m(0) = 0.
fn chance_links(rate: f64, u: f64, v: f64) -> f64 {
    let (u, v) = (u.max(v), u.min(v));
    if v <= 0.0 {
        return 0.0;
    }
    if u - v < 1e-6 * u {
        return u * (rate * u) / (1.0 + rate * u);
    }
    // With e = exp(-(u - v) r): m = u v (1 - e) / (u - v e), which stays finite for large r.
    let e = (-(u - v) * rate).exp();
    u * v * (1.0 - e) / (u - v * e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_links_follow_their_equation() {
        for (u, v) in [(100.0, 100.0), (100.0, 40.0), (40.0, 100.0), (5.0, 0.0)] {
            let (mut m, dr) = (0.0_f64, 1e-6);
            for _ in 0..20_000 {
                m += (u - m) * (v - m) * dr;
            }
            let got = chance_links(0.02, u, v);
            assert!((got - m).abs() < 0.05, "{u} {v}: {got} against {m}");
        }
        assert!((chance_links(1e9, 30.0, 20.0) - 20.0).abs() < 1e-9);
    }

    fn counts(free: [f64; 8], keyed: [f64; 8], strangers: [f64; 8], keys: [f64; 8]) -> Counts {
        Counts {
            free: free.to_vec(),
            keyed: keyed.to_vec(),
            strangers: strangers.to_vec(),
            keyed_strangers: keys.to_vec(),
        }
    }

    const SETTING: Setting = Setting {
        rows_a: 1000.0,
        rows_b: 1000.0,
        stranger_pairs: 999_000.0,
        assignment: Assignment::Greedy,
    };

    #[test]
    fn keys_tell_how_many_true_pairs_are_buried_among_strangers() {
        let free = [300.0, 130.0, 40.0, 40.0, 40.0, 40.0, 20.0, 0.0];
        let keyed = [5.0, 10.0, 20.0, 20.0, 40.0, 80.0, 80.0, 45.0];
        let strangers = [9000.0, 900.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = estimate(&counts(free, keyed, strangers, [0.0; 8]), SETTING);
        // 178 are clear; below them are some 30 with two for each of the 15 with a key.
        assert!((200.0..235.0).contains(&found.true_free), "{found:?}");
        let keyless = estimate(&counts(free, [0.0; 8], strangers, [0.0; 8]), SETTING);
        assert!((165.0..195.0).contains(&keyless.true_free), "{keyless:?}");
    }

    #[test]
    fn keys_shared_by_chance_are_not_right() {
        let keyed = [0.0, 30.0, 0.0, 0.0, 0.0, 60.0, 80.0, 60.0];
        let keys = [0.0, 40.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = estimate(&counts([0.0; 8], keyed, [0.0; 8], keys), SETTING);
        assert!((200.0..210.0).contains(&found.keyed_right), "{found:?}");
    }

    #[test]
    fn duplicates_within_owners_are_no_strangers() {
        let free = [200.0, 20.0, 20.0, 60.0, 60.0, 60.0, 60.0, 20.0];
        let keyed = [0.0, 0.0, 5.0, 20.0, 40.0, 60.0, 80.0, 95.0];
        let few = free.map(|count| count / 10.0);
        let strangers = [9000.0, 80.0, 6.0, 6.0, 6.0, 6.0, 6.0, 2.0];
        let keys = keyed.map(|count| count / 10.0);
        let with = estimate(&counts(free, keyed, strangers, keys), SETTING);
        let pure = [9000.0, 78.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let without = estimate(&counts(free, keyed, pure, [0.0; 8]), SETTING);
        let difference = (with.true_free - without.true_free).abs();
        assert!(difference < few[3], "{with:?} {without:?}");
        assert!((with.keyed_right - 300.0).abs() < 6.0, "{with:?}");
    }
}
