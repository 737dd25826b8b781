//! Synthetic registers with known levels: is what goes in found again?

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::encode::Header;
use crate::keys::KeyId;
use crate::schema::{Agreement, Profile, Segment, Suite};

/// Bits of a filter, and how many of them a value sets.
const BITS: u32 = 128;
const ONES: usize = 40;

/// Values of one field: how many there are, and how a copy of a record fares.
#[derive(Clone, Copy)]
struct Field {
    values: u64,
    /// Share of copies with another value altogether.
    other: f64,
    /// Share of copies with a fifth of the bits changed.
    close: f64,
    missing: f64,
}

const NAME: Field = Field {
    values: 500,
    other: 0.05,
    close: 0.1,
    missing: 0.02,
};
const BORN: Field = Field {
    values: 20_000,
    other: 0.03,
    close: 0.05,
    missing: 0.05,
};
const PLACE: Field = Field {
    values: 300,
    other: 0.25,
    close: 0.0,
    missing: 0.1,
};

/// One owner's columns.
struct Owner {
    header: Header,
    words: Vec<u64>,
    ones: Vec<u16>,
    classes: Vec<Vec<u16>>,
}

impl Owner {
    fn columns(&self) -> Columns<'_> {
        Columns {
            header: &self.header,
            words: &self.words,
            ones: &self.ones,
            link_keys: vec![],
            block_keys: vec![],
            classes: self.classes.iter().map(Vec::as_slice).collect(),
        }
    }

    fn new(segments: Vec<Segment>) -> Self {
        let classes = segments.iter().filter(|s| s.frequency).count();
        Self {
            header: Header {
                project: [0; 32],
                schema: [0; 32],
                key: KeyId([0; 8]),
                pack: [0; 32],
                suite: Suite::HmacSha256,
                profile: Profile::Fields,
                agreement: Agreement::Dice,
                token_bits: segments.iter().map(|s| s.bits).sum(),
                link_columns: vec![],
                block_keys: 0,
                classes: u8::try_from(classes).unwrap(),
                segments,
                rows: 0,
            },
            words: vec![],
            ones: vec![],
            classes: vec![vec![]; classes],
        }
    }

    fn push(&mut self, filters: &[Vec<u64>]) {
        let words = filters.concat();
        let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
        self.words.extend(words);
        self.ones.push(u16::try_from(ones).unwrap());
        for classes in &mut self.classes {
            // The first filter's value stands for its class.
            let first = filters[0][0] as u16;
            classes.push(if filters[0] == [0, 0] {
                0
            } else {
                first.max(1)
            });
        }
    }
}

/// The filter of a value.
fn filter(field: usize, value: u64) -> Vec<u64> {
    let mut rng = ChaCha20Rng::seed_from_u64(value * 64 + field as u64);
    let mut words = vec![0; BITS as usize / 64];
    set(&mut words, ONES, &mut rng);
    words
}

fn set(words: &mut [u64], count: usize, rng: &mut ChaCha20Rng) {
    for _ in 0..count {
        let bit = rng.random_range(0..BITS as usize);
        words[bit / 64] |= 1 << (bit % 64);
    }
}

/// Clears about `share` of the set bits and sets as many others.
fn change(words: &mut [u64], share: f64, rng: &mut ChaCha20Rng) {
    let mut cleared = 0;
    for bit in 0..BITS as usize {
        if words[bit / 64] >> (bit % 64) & 1 == 1 && rng.random_bool(share) {
            words[bit / 64] &= !(1 << (bit % 64));
            cleared += 1;
        }
    }
    set(words, cleared, rng);
}

/// Two owners of `rows` records each, the first `common` of which are copies: record i of the one
/// is record i of the other.
fn registers(fields: &[Field], rows: u32, common: u32, seed: u64) -> (Owner, Owner) {
    let segment = |_: &Field| Segment::new(BITS, 1);
    let segments: Vec<Segment> = fields.iter().map(segment).collect();
    let (mut a, mut b) = (Owner::new(segments.clone()), Owner::new(segments));
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let fresh = |rng: &mut ChaCha20Rng| -> Vec<Vec<u64>> {
        let draw = |(at, field): (usize, &Field)| filter(at, rng.random_range(0..field.values));
        fields.iter().enumerate().map(draw).collect()
    };
    for row in 0..rows {
        let original = fresh(&mut rng);
        let mut copy = if row < common {
            original.clone()
        } else {
            fresh(&mut rng)
        };
        for (at, (filter, field)) in copy.iter_mut().zip(fields).enumerate() {
            let fate: f64 = rng.random();
            if fate < field.other {
                *filter = self::filter(at, rng.random_range(0..field.values));
            } else if fate < field.other + field.close {
                change(filter, 0.15, &mut rng);
            }
            if rng.random_bool(field.missing) {
                filter.fill(0);
            }
        }
        a.push(&original);
        b.push(&copy);
    }
    (a, b)
}

/// Every pair of records that have an equal filter, and each record's nearest.
fn candidates(a: &Columns<'_>, b: &Columns<'_>) -> Vec<ScoredPair> {
    let comparison = Comparison::new(a, b);
    let mut pairs = vec![];
    for row_a in 0..a.len() as u32 {
        for row_b in 0..b.len() as u32 {
            let pattern = comparison.pattern(row_a, row_b);
            let filters = a.header.segments.len();
            if (0..filters).any(|at| pattern.level(at) == Level::Exact as usize) {
                pairs.push(ScoredPair {
                    a: row_a,
                    b: row_b,
                    link_rule: None,
                    score: 0.5,
                });
            }
        }
    }
    add_neighbours((a, b), &mut pairs, &[], 3);
    pairs
}

fn run((a, b): &(Owner, Owner), settings: Settings) -> (Result<Scored, Unfit>, Vec<ScoredPair>) {
    let (a, b) = (a.columns(), b.columns());
    let mut pairs = candidates(&a, &b);
    let scored = score((&a, &b), &mut pairs, settings);
    (scored, pairs)
}

/// Precision and recall of the assigned pairs at the threshold.
fn quality(scored: &Scored, common: u32) -> (f64, f64) {
    let threshold = scored.calibration.threshold;
    let links = scored.assigned.iter().filter(|p| p.score >= threshold);
    let (mut found, mut right) = (0.0, 0.0);
    for link in links {
        found += 1.0;
        right += f64::from(u8::from(link.a == link.b && link.a < common));
    }
    (right / found, right / f64::from(common))
}

fn level(report: &Report, filter: usize, word: &str) -> LevelReport {
    let levels = &report.filters[filter].levels;
    levels.iter().find(|l| l.level == word).unwrap().clone()
}

#[test]
fn m_and_u_are_found_again() {
    let fields = [NAME, BORN, PLACE];
    let registers = registers(&fields, 1500, 1000, 1);
    let (scored, _) = run(&registers, Settings::default());
    let report = scored.unwrap().report;
    assert!(report.converged, "{} rounds", report.rounds);
    assert_eq!(report.basis, Basis::Data);
    assert!((report.links - 1000.0).abs() < 30.0, "{}", report.links);
    for (at, field) in fields.iter().enumerate() {
        let exact = level(&report, at, "exact");
        let equal = 1.0 - field.other - field.close + field.other / field.values as f64;
        assert!((exact.m - equal).abs() < 0.03, "{at}: {exact:?}");
        let chance = 1.0 / field.values as f64;
        assert!((exact.u / chance).log2().abs() < 0.3, "{at}: {exact:?}");
        let apart = level(&report, at, "below 0.2");
        let faint = level(&report, at, "0.2 to 0.4");
        // A value drawn anew is far from the old one.
        assert!(
            (apart.m + faint.m - field.other).abs() < 0.03,
            "{at}: {apart:?}"
        );
    }
}

#[test]
fn links_are_found_and_their_quality_is_known() {
    let registers = registers(&[NAME, BORN, PLACE], 1500, 1000, 2);
    let (scored, pairs) = run(&registers, Settings::default());
    let scored = scored.unwrap();
    let (precision, recall) = quality(&scored, 1000);
    assert!(precision > 0.98 && recall > 0.95, "{precision} {recall}");
    let estimate = scored.calibration.estimate;
    assert!(
        (estimate.precision - precision).abs() < 0.01,
        "{estimate:?}"
    );
    assert!(
        (estimate.recall - recall).abs() < 0.02,
        "{estimate:?}, {recall}"
    );
    assert!(pairs.iter().all(|pair| (0.0..=1.0).contains(&pair.score)));
}

/// Two fields of 300 and 500 values hardly tell 1500 records apart: 100 pairs of strangers agree in
/// both for every ten links.
#[test]
fn few_fields_do_not_make_it_run_away() {
    for one_partner in [true, false] {
        let registers = registers(&[NAME, PLACE], 1500, 1000, 3);
        let settings = Settings {
            one_partner,
            ..Settings::default()
        };
        let (scored, _) = run(&registers, settings);
        let Ok(scored) = scored else { continue };
        let report = &scored.report;
        assert!(
            report.links > 300.0 && report.links < 1500.0,
            "{}",
            report.links
        );
        for filter in &report.filters {
            assert!(
                filter
                    .levels
                    .iter()
                    .all(|l| l.m >= 5e-4 && l.bits.is_finite())
            );
            assert!(filter.levels.is_sorted_by(|x, y| x.bits >= y.bits));
        }
        let exact = level(report, 0, "exact");
        assert!((exact.u / 0.002).log2().abs() < 0.5, "{exact:?}");
    }
}

/// 60 names and 700 dates for 1000 records: strangers often look alike, and a record's partner
/// tells which of its pairs they are.
#[test]
fn competition_lifts_links_that_rivals_blur() {
    let born = Field {
        values: 700,
        ..BORN
    };
    let name = Field { values: 60, ..NAME };
    let f1 = |one_partner, seed| {
        let registers = registers(&[name, born], 1000, 960, seed);
        let settings = Settings {
            one_partner,
            ..Settings::default()
        };
        let (scored, pairs) = run(&registers, settings);
        scored.unwrap();
        let links = pairs.iter().filter(|pair| pair.score >= 0.5);
        let (mut found, mut right) = (0.0, 0.0);
        for link in links {
            found += 1.0;
            right += f64::from(u8::from(link.a == link.b && link.a < 960));
        }
        2.0 * right / (found + 960.0)
    };
    for seed in 4..7 {
        let (with, without) = (f1(true, seed), f1(false, seed));
        assert!(with > without, "{with} {without}");
    }
}

#[test]
fn registers_without_common_people_hardly_link() {
    let registers = registers(&[NAME, BORN, PLACE], 800, 0, 5);
    let (scored, _) = run(&registers, Settings::default());
    let scored = scored.unwrap();
    assert_eq!(scored.report.basis, Basis::Assumption);
    assert!(scored.report.links < 20.0, "{}", scored.report.links);
    let threshold = scored.calibration.threshold;
    let links = scored
        .assigned
        .iter()
        .filter(|p| p.score >= threshold)
        .count();
    assert!(links < 20, "{links}");
}

#[test]
fn a_dozen_records_are_linked_on_the_assumption() {
    let registers = registers(&[NAME, BORN, PLACE], 12, 6, 11);
    let (scored, _) = run(&registers, Settings::default());
    let scored = scored.unwrap();
    assert_eq!(scored.report.basis, Basis::Assumption);
    let (precision, recall) = quality(&scored, 6);
    assert!(precision > 0.8 && recall > 0.8, "{precision} {recall}");
}

#[test]
fn nothing_to_compare_is_said_so() {
    let (a, b) = registers(&[NAME], 30, 30, 6);
    assert!(matches!(
        score(
            (&a.columns(), &b.columns()),
            &mut vec![],
            Settings::default()
        ),
        Err(Unfit::NothingToCompare)
    ));
    let mut whole = Owner::new(vec![]);
    whole.header.profile = Profile::PlainClk;
    assert!(matches!(
        score(
            (&whole.columns(), &whole.columns()),
            &mut vec![],
            Settings::default()
        ),
        Err(Unfit::NoFilters)
    ));
}

/// Half of all records bear one name: agreeing on it says little, on a rare one much.
#[test]
fn rare_values_weigh_more_than_frequent_ones() {
    let mut segments = vec![Segment::new(BITS, 1); 2];
    segments[0].frequency = true;
    let (mut a, mut b) = (Owner::new(segments.clone()), Owner::new(segments));
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    for row in 0..1000_u64 {
        let name = filter(
            0,
            if row % 2 == 0 {
                0
            } else {
                rng.random_range(1..400)
            },
        );
        let born = filter(1, rng.random_range(0..3000));
        a.push(&[name.clone(), born.clone()]);
        // The second field of every copy in five is another person's.
        let other = filter(1, rng.random_range(0..3000));
        b.push(&[name, if row % 5 == 0 { other } else { born }]);
    }
    let (a, b) = (a.columns(), b.columns());
    let frequencies = Frequencies::count(&a, &b);
    let agree = Pattern::new([Level::Exact, Level::Missing]);
    let (frequent, rare) = (frequencies.of(0, 0, agree), frequencies.of(1, 1, agree));
    assert!(frequent < -0.5 && rare > 5.0, "{frequent} {rare}");
    // Two who differ, and who agree on nothing, get nothing.
    assert!(frequencies.of(0, 1, agree).abs() < f32::EPSILON);
    let differ = Pattern::new([Level::Close, Level::Exact]);
    assert!(frequencies.of(1, 1, differ).abs() < f32::EPSILON);
    let right = |term_frequency| {
        let mut pairs = candidates(&a, &b);
        let settings = Settings {
            term_frequency,
            ..Settings::default()
        };
        let scored = score((&a, &b), &mut pairs, settings).unwrap();
        assert_eq!(scored.report.filters[0].term_frequency, term_frequency);
        quality(&scored, 1000).1
    };
    let (with, without) = (right(true), right(false));
    assert!(with >= without, "{with} {without}");
}

#[test]
fn swapped_values_are_recognised_once() {
    let mut segments = vec![Segment::new(BITS, 1); 3];
    (segments[0].swaps_with, segments[2].swaps_with) = (Some(2), Some(0));
    let (mut a, mut b) = (Owner::new(segments.clone()), Owner::new(segments));
    let (x, y, other) = (filter(0, 1), filter(0, 2), filter(0, 3));
    let born = filter(1, 1);
    a.push(&[x.clone(), born.clone(), y.clone()]);
    b.push(&[y.clone(), born.clone(), x.clone()]);
    b.push(&[x.clone(), born.clone(), y]);
    b.push(&[other, born.clone(), x.clone()]);
    // Two equal names: nothing is swapped.
    a.push(&[x.clone(), born.clone(), x.clone()]);
    b.push(&[x.clone(), born, x]);
    let comparison = Comparison::new(&a.columns(), &b.columns());
    let levels = |a, b| [0, 1, 2].map(|at| Level::ALL[comparison.pattern(a, b).level(at)]);
    assert_eq!(levels(0, 0), [Level::Swapped, Level::Exact, Level::Missing]);
    assert_eq!(levels(0, 1), [Level::Exact; 3]);
    assert!(!levels(0, 2).contains(&Level::Swapped));
    assert_eq!(levels(1, 3), [Level::Exact; 3]);
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let registers = registers(&[NAME, BORN, PLACE], 600, 400, 8);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(|| run(&registers, Settings::default()))
    };
    let ((one, pairs_one), (four, pairs_four)) = (on(1), on(4));
    let (one, four) = (one.unwrap(), four.unwrap());
    assert_eq!(one.report, four.report);
    assert_eq!(one.assigned, four.assigned);
    assert_eq!(one.calibration, four.calibration);
    assert_eq!(pairs_one, pairs_four);
}

#[test]
fn small_counts_are_not_shown() {
    let registers = registers(&[NAME, BORN, PLACE], 600, 400, 9);
    let candidates = candidates(&registers.0.columns(), &registers.1.columns()).len();
    let (scored, pairs) = run(&registers, Settings::default());
    let report = scored.unwrap().report;
    // Those without a chance are dropped, and counted all the same.
    assert!(pairs.len() < candidates);
    assert!(report.patterns.iter().all(|p| p.pairs >= PATTERN_PAIRS_MIN));
    let shown: u64 = report.patterns.iter().map(|p| p.pairs).sum();
    assert_eq!(shown + report.pairs_hidden, candidates as u64);
    assert!(report.patterns_hidden > 0);
    let [strong, _, weak] = report.examples();
    let bits = |pattern: Option<&PatternReport>| pattern.unwrap().total_bits(report.prior_bits);
    assert!(bits(strong) > 3.0 && bits(weak) < -3.0);
}

proptest! {
    #[test]
    fn levels_are_symmetric_and_rise_with_likeness(
        x in prop::array::uniform2(any::<u64>()), share in 0.0..1.0_f64, seed in any::<u64>()
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut y = x;
        change(&mut y, share, &mut rng);
        let mut z = y;
        change(&mut z, 0.0, &mut rng);
        let segments = vec![Segment::new(BITS, 1)];
        let (mut a, mut b) = (Owner::new(segments.clone()), Owner::new(segments));
        a.push(&[x.to_vec()]);
        b.push(&[y.to_vec()]);
        let (a, b) = (a.columns(), b.columns());
        let there = Comparison::new(&a, &b).pattern(0, 0);
        prop_assert_eq!(there, Comparison::new(&b, &a).pattern(0, 0));
        if x != [0, 0] {
            prop_assert_eq!(Comparison::new(&a, &a).pattern(0, 0).level(0), Level::Exact as usize);
        }
        prop_assert_eq!(z, y);
    }
}

#[test]
fn the_bands_stand_where_they_are_said_to() {
    // Filters of 64 bits with 20 set: chance gives 6.25 common bits, 20 are all.
    let segments = vec![Segment::new(64, 1)];
    let mut a = Owner::new(segments);
    let mut b = Owner::new(a.header.segments.clone());
    a.push(&[vec![0xf_ffff]]);
    for common in 0..=20_u32 {
        b.push(&[vec![0xf_ffff << (20 - common)]]);
    }
    let comparison = Comparison::new(&a.columns(), &b.columns());
    for common in 0..=20_u32 {
        let similarity = (f64::from(common) - 6.25) / 13.75;
        let expected = match similarity {
            s if common == 20 && s >= 1.0 => Level::Exact,
            s if s >= 0.8 => Level::Close,
            s if s >= 0.6 => Level::Near,
            s if s >= 0.4 => Level::Alike,
            s if s >= 0.2 => Level::Faint,
            _ => Level::Apart,
        };
        let found = comparison.pattern(0, common).level(0);
        assert_eq!(Level::ALL[found], expected, "{common}");
    }
}
