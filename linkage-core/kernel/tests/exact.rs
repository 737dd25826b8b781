//! Every method on every instruction set finds what comparing pair by pair in doubles finds.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use linkage_kernel::{
    Error, Hit, Isa, Measure, Method, Pairs, Rows, Rule, Scorer, Settings, join, join_with,
    nearest, plan,
};
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;

/// Tokens of one length, owned.
#[derive(Debug, Clone)]
struct Tokens {
    words: Vec<u64>,
    ones: Vec<u16>,
    bits: u32,
}

impl Tokens {
    fn new(rows: &[Vec<u64>], bits: u32) -> Self {
        let last = u64::MAX >> (63 - (bits - 1) % 64);
        let mut words = Vec::new();
        let mut ones = Vec::new();
        for row in rows {
            let mut row = row.clone();
            assert_eq!(row.len(), bits.div_ceil(64) as usize);
            *row.last_mut().unwrap() &= last;
            ones.push(row.iter().map(|word| word.count_ones() as u16).sum());
            words.extend(row);
        }
        Self { words, ones, bits }
    }

    fn rows(&self) -> Rows<'_> {
        Rows::new(&self.words, &self.ones, self.bits).unwrap()
    }

    /// `rows` rows of random bits, `share` of which are set; some are near copies of `like`'s.
    fn random(rows: usize, bits: u32, share: f64, seed: u64, like: Option<&Self>) -> Self {
        let mut state = seed;
        // SplitMix64 (Steele, Lea and Flood, 2014).
        let mut next = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let width = bits.div_ceil(64) as usize;
        let made: Vec<Vec<u64>> = (0..rows)
            .map(|row| {
                let mut token = vec![0_u64; width];
                if let Some(like) = like.filter(|like| row % 3 == 0 && !like.ones.is_empty()) {
                    let from = next() as usize % like.ones.len();
                    token.copy_from_slice(&like.words[from * width..(from + 1) * width]);
                    for _ in 0..next() % (u64::from(bits) / 4) {
                        let bit = (next() % u64::from(bits)) as usize;
                        token[bit / 64] ^= 1 << (bit % 64);
                    }
                } else {
                    for bit in 0..bits as usize {
                        let set = ((next() >> 11) as f64) < share * (1_u64 << 53) as f64;
                        token[bit / 64] |= u64::from(set) << (bit % 64);
                    }
                }
                token
            })
            .collect();
        Self::new(&made, bits)
    }
}

fn score(measure: Measure, bits: u32, i: u32, a: u32, b: u32) -> f64 {
    match measure {
        Measure::Dice => f64::from(2 * i) / f64::from(a + b),
        Measure::Hamming => 1.0 - f64::from(a + b - 2 * i) / f64::from(bits),
    }
}

fn common(a: &Rows<'_>, b: &Rows<'_>, i: usize, j: usize) -> u32 {
    let pairs = a.token(i).iter().zip(b.token(j));
    pairs.map(|(x, y)| (x & y).count_ones()).sum()
}

/// The definition: every pair, in doubles.
fn reference(a: &Tokens, b: &Tokens, measure: Measure, t: f64, pairs: Pairs) -> Vec<Hit> {
    let (rows_a, rows_b) = match pairs {
        Pairs::Across => (a.rows(), b.rows()),
        Pairs::Within => (a.rows(), a.rows()),
    };
    let mut hits = Vec::new();
    for i in 0..rows_a.len() {
        let first = if pairs == Pairs::Within { i + 1 } else { 0 };
        for j in first..rows_b.len() {
            let (p, q) = (rows_a.ones()[i].into(), rows_b.ones()[j].into());
            let intersection = common(&rows_a, &rows_b, i, j);
            if p > 0 && q > 0 && score(measure, a.bits, intersection, p, q) >= t {
                hits.push(Hit {
                    a: i as u32,
                    b: j as u32,
                    intersection,
                });
            }
        }
    }
    hits
}

const MEASURES: [Measure; 2] = [Measure::Dice, Measure::Hamming];

/// Checks every instruction set, method and choice of pairs.
fn check(a: &Tokens, b: &Tokens, threshold: f64) {
    for measure in MEASURES {
        let rule = Rule::new(measure, threshold, a.bits).unwrap();
        for pairs in [Pairs::Across, Pairs::Within] {
            let expected = reference(a, b, measure, threshold, pairs);
            for isa in Isa::available() {
                for method in [Method::FullWidth, Method::Slices, Method::Auto] {
                    let settings = Settings { isa, method, pairs };
                    let hits = join(&a.rows(), &b.rows(), &rule, &settings).unwrap();
                    let sizes = (a.ones.len(), b.ones.len());
                    assert!(
                        hits == expected,
                        "{measure:?} {threshold} {settings:?} {} bits, {sizes:?}: {} for {}",
                        a.bits,
                        hits.len(),
                        expected.len()
                    );
                }
            }
        }
    }
}

fn sides() -> impl Strategy<Value = (Tokens, Tokens)> {
    let bits = prop_oneof![8..=200u32, Just(512), 500..=1100u32, Just(2048), Just(4096)];
    let rows = || prop_oneof![0..4usize, 60..70usize, 505..600usize];
    (bits, rows(), rows(), 0.05..0.95f64, any::<u64>()).prop_map(|(bits, n, m, share, seed)| {
        // Less of what is long: the reference is slow.
        let less = |rows: usize| if bits > 1100 { rows.min(70) } else { rows };
        let a = Tokens::random(less(n), bits, share, seed, None);
        let b = Tokens::random(less(m), bits, share, !seed, Some(&a));
        (a, b)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn joins_are_exact((a, b) in sides(), threshold in prop_oneof![0.5..0.95f64, 0.0..=1.0f64]) {
        check(&a, &b, threshold);
    }

    #[test]
    fn the_nearest_are_the_nearest(
        (a, b) in sides(), k in 1..6usize, threshold in 0.0..0.9f64, hamming in any::<bool>(),
        within in any::<bool>(),
    ) {
        let measure = MEASURES[usize::from(hamming)];
        let rule = Rule::new(measure, threshold, a.bits).unwrap();
        let pairs = if within { Pairs::Within } else { Pairs::Across };
        let other = if within { &a } else { &b };
        let mut all = reference(&a, other, measure, threshold, Pairs::Across);
        all.retain(|hit| !within || hit.a != hit.b);
        let (ones_a, ones_b) = (a.rows().ones(), other.rows().ones());
        let key = |hit: &Hit| {
            let (p, q) = (ones_a[hit.a as usize].into(), ones_b[hit.b as usize].into());
            score(measure, a.bits, hit.intersection, p, q)
        };
        all.sort_by(|x, y| {
            x.a.cmp(&y.a).then(key(y).total_cmp(&key(x))).then(x.b.cmp(&y.b))
        });
        let expected: Vec<Hit> = all
            .chunk_by(|x, y| x.a == y.a)
            .flat_map(|hits| &hits[..k.min(hits.len())])
            .copied()
            .collect();
        for isa in Isa::available() {
            let settings = Settings { isa, pairs, ..Settings::default() };
            let found = nearest(&a.rows(), &b.rows(), &rule, k, &settings).unwrap();
            prop_assert!(found == expected, "{:?}: {} for {}", isa, found.len(), expected.len());
        }
    }

    #[test]
    fn blocks_are_compared_right((a, b) in sides(), threshold in 0.0..0.9f64) {
        for measure in MEASURES {
            let rule = Rule::new(measure, threshold, a.bits).unwrap();
            let hits = reference(&a, &b, measure, threshold, Pairs::Across);
            for isa in Isa::available() {
                let mut found = Vec::new();
                Scorer::new(isa).unwrap().block(&a.rows(), &b.rows(), &rule, &mut found).unwrap();
                found.sort_unstable();
                prop_assert_eq!(&found, &hits);
            }
        }
    }
}

#[test]
fn joins_of_hostile_tokens_are_exact() {
    for bits in [9, 65, 512] {
        let width = (bits as usize).div_ceil(64);
        let empty = vec![0; width];
        let full = vec![u64::MAX; width];
        let one = {
            let mut token = empty.clone();
            token[0] = 1;
            token
        };
        let half = vec![0x5555_5555_5555_5555; width];
        let same = |token: &Vec<u64>, rows: usize| Tokens::new(&vec![token.clone(); rows], bits);
        let mixed: Vec<Vec<u64>> = (0..800)
            .map(|row| [&empty, &full, &one, &half][row % 4].clone())
            .collect();
        let mixed = Tokens::new(&mixed, bits);
        let random = Tokens::random(550, bits, 0.4, 1, Some(&mixed));
        for threshold in [0.0, 0.8, 1.0] {
            check(&same(&empty, 600), &same(&empty, 3), threshold);
            check(&same(&full, 520), &same(&full, 130), threshold);
            check(&same(&half, 300), &same(&full, 515), threshold);
            check(&mixed, &same(&one, 77), threshold);
            check(&random, &mixed, threshold);
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let a = Tokens::random(3000, 512, 0.36, 3, None);
    let b = Tokens::random(2500, 512, 0.36, 4, Some(&a));
    let rule = Rule::new(Measure::Dice, 0.75, 512).unwrap();
    for method in [Method::FullWidth, Method::Slices, Method::Auto] {
        let settings = Settings {
            method,
            ..Settings::default()
        };
        let run = |threads| {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                (
                    join(&a.rows(), &b.rows(), &rule, &settings).unwrap(),
                    nearest(&a.rows(), &b.rows(), &rule, 3, &settings).unwrap(),
                    plan(&a.rows(), &b.rows(), &rule, &settings).unwrap(),
                )
            })
        };
        let one = run(1);
        assert_eq!(one.0, reference(&a, &b, Measure::Dice, 0.75, Pairs::Across));
        assert!(one.0.len() > 100);
        assert!(run(2) == one && run(4) == one);
    }
}

/// More queries than a tile holds.
#[test]
fn many_tiles_give_every_hit_once() {
    let a = Tokens::random(33_500, 64, 0.5, 5, None);
    let b = Tokens::random(33_000, 64, 0.5, 6, Some(&a));
    let rule = Rule::new(Measure::Dice, 0.8, 64).unwrap();
    let all = |isa, method| {
        let settings = Settings {
            isa,
            method,
            pairs: Pairs::Across,
        };
        let hits = std::sync::Mutex::new(Vec::new());
        join_with(&a.rows(), &b.rows(), &rule, &settings, |some| {
            assert!(!some.is_empty());
            hits.lock().unwrap().extend_from_slice(some);
        })
        .unwrap();
        let mut hits = hits.into_inner().unwrap();
        hits.sort_unstable();
        hits
    };
    let full = all(Isa::best(), Method::FullWidth);
    let slices = all(Isa::best(), Method::Slices);
    assert!(full.len() > 10_000, "{}", full.len());
    assert!(full == slices);
    // A part of the reference: it is slow.
    let (rows_a, rows_b) = (a.rows(), b.rows());
    for i in (0..rows_a.len()).step_by(997) {
        for j in 0..rows_b.len() {
            let intersection = common(&rows_a, &rows_b, i, j);
            let (p, q) = (rows_a.ones()[i].into(), rows_b.ones()[j].into());
            let accepted = score(Measure::Dice, 64, intersection, p, q) >= 0.8;
            let hit = Hit {
                a: i as u32,
                b: j as u32,
                intersection,
            };
            assert_eq!(full.binary_search(&hit).is_ok(), accepted);
        }
    }
}

#[test]
fn a_sample_chooses_slices_only_where_they_pay() {
    let method = |share, threshold, measure| {
        let a = Tokens::random(4000, 1024, share, 7, None);
        let b = Tokens::random(4000, 1024, share, 8, Some(&a));
        let rule = Rule::new(measure, threshold, 1024).unwrap();
        plan(&a.rows(), &b.rows(), &rule, &Settings::default()).unwrap()
    };
    let strangers = method(0.36, 0.8, Measure::Dice);
    assert_eq!(strangers.method, Method::Slices);
    assert!(strangers.left < 0.01 && strangers.groups > 0);
    // Diffused tokens: half of the bits set, partners agree in little more than strangers.
    let diffused = method(0.5, 0.55, Measure::Hamming);
    assert_eq!((diffused.method, diffused.groups), (Method::FullWidth, 0));
    assert_eq!(method(0.5, 0.9, Measure::Hamming).method, Method::Slices);
}

#[test]
fn what_does_not_fit_is_refused() {
    let a = Tokens::random(3, 64, 0.5, 9, None);
    let b = Tokens::random(3, 65, 0.5, 9, None);
    let rule = Rule::new(Measure::Dice, 0.5, 64).unwrap();
    let length = Error::Length {
        expected: 64,
        found: 65,
    };
    let settings = Settings::default();
    assert_eq!(join(&a.rows(), &b.rows(), &rule, &settings), Err(length));
    assert_eq!(
        nearest(&b.rows(), &a.rows(), &rule, 1, &settings),
        Err(length)
    );
    assert_eq!(plan(&b.rows(), &a.rows(), &rule, &settings), Err(length));
    let rows = a.rows();
    let mut hits = Vec::new();
    let refused = Scorer::best().block(&rows, &b.rows(), &rule, &mut hits);
    assert_eq!((refused, hits.len()), (Err(length), 0));
    let missing = if cfg!(target_arch = "x86_64") {
        Isa::Neon
    } else {
        Isa::Avx512
    };
    let settings = Settings {
        isa: missing,
        ..Settings::default()
    };
    assert_eq!(
        join(&rows, &rows, &rule, &settings),
        Err(Error::Isa(missing))
    );
    assert!(Scorer::new(missing).is_err());
}
