//! The joins against their plain definition: two nested loops.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::encode::Header;
use crate::keys::KeyId;
use crate::schema::{Agreement, LinkColumn, LinkRole, Lsh, Profile, Segment, Suite};
use crate::similarity::Comparison;

/// One owner's columns, made row by row.
struct Register {
    words: Vec<u64>,
    ones: Vec<u16>,
    link: Vec<Vec<u128>>,
    block: Vec<Vec<u64>>,
}

impl Register {
    fn columns<'a>(&'a self, header: &'a Header) -> Columns<'a> {
        Columns {
            header,
            words: &self.words,
            ones: &self.ones,
            link_keys: self.link.iter().map(Vec::as_slice).collect(),
            block_keys: self.block.iter().map(Vec::as_slice).collect(),
            classes: vec![],
        }
    }
}

/// What a row is made of: token, link key, block keys; 0 is absent.
type Row = (u8, u8, [u8; 3]);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0_u8..8, 0_u8..12, [0_u8..4, 0_u8..9, 0_u8..9]);
    prop::collection::vec(row, 0..60)
}

fn header(bits: u32, profile: Profile, agreement: Agreement) -> Header {
    let segment = |bits| Segment {
        bits,
        weight: 2,
        swaps_with: None,
        frequency: false,
    };
    let fields = profile == Profile::Fields;
    Header {
        project: [0; 32],
        schema: [0; 32],
        key: KeyId([0; 8]),
        pack: [0; 32],
        suite: Suite::HmacSha256,
        profile,
        agreement,
        token_bits: bits,
        link_columns: vec![LinkColumn {
            rule: 0,
            role: LinkRole::Link,
        }],
        block_keys: 3,
        classes: 0,
        segments: if fields {
            vec![segment(64), segment(bits - 64)]
        } else {
            vec![]
        },
        rows: 0,
    }
}

fn headers() -> impl Strategy<Value = Header> {
    let whole = prop::sample::select(vec![64, 200, 256, 512, 1024, 2048, 4096]);
    let profile = prop::sample::select(vec![Profile::PlainClk, Profile::Hardened, Profile::Fields]);
    let agreement = prop::sample::select(vec![Agreement::Dice, Agreement::Hamming]);
    (whole, profile, agreement).prop_map(|(bits, profile, agreement)| {
        let bits = if profile == Profile::Fields {
            256
        } else {
            bits
        };
        header(bits, profile, agreement)
    })
}

/// Equal numbers make equal tokens and keys; token 0 is empty.
fn register(header: &Header, rows: &[Row]) -> Register {
    let width = (header.token_bits as usize).div_ceil(64);
    let mut made = Register {
        words: vec![],
        ones: vec![],
        link: vec![vec![]],
        block: vec![vec![]; 3],
    };
    let spread = |n: u8| u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for (token, link, block) in rows {
        let mut rng = ChaCha20Rng::seed_from_u64((*token).into());
        let mut words: Vec<u64> = (0..width).map(|_| rng.random()).collect();
        if *token == 0 {
            words.fill(0);
        }
        let beyond = width as u32 * 64 - header.token_bits;
        *words.last_mut().unwrap() &= u64::MAX >> beyond;
        made.ones
            .push(words.iter().map(|word| word.count_ones()).sum::<u32>() as u16);
        made.words.extend(words);
        // Two link keys in three are equal in one half, so that whole keys must be compared.
        made.link[0].push(match link {
            0 => 0,
            n if n % 3 == 0 => u128::from(spread(*n)),
            n => u128::from(spread(*n)) << 64 | 1,
        });
        for (column, key) in made.block.iter_mut().zip(block) {
            column.push(spread(*key));
        }
    }
    made
}

fn settings(block_pairs_max: u64, agreement_min: f64) -> CandidateSettings {
    CandidateSettings {
        all_pairs_max: 0,
        block_pairs_max,
        lsh: Some(Lsh::Off),
        agreement_min: Some(agreement_min),
        ..CandidateSettings::default()
    }
}

/// Pairs that share a key, with the size of the smallest block that proposes them, and the linked.
fn proposed(a: &Columns<'_>, b: &Columns<'_>, side: Side) -> BTreeMap<(u32, u32), (u64, bool)> {
    let mut pairs = BTreeMap::new();
    let count = |column: &[u64], key: u64| column.iter().filter(|k| **k == key).count() as u64;
    let links = |column: &[u128], key: u128| column.iter().filter(|k| **k == key).count();
    for i in 0..a.len() {
        for j in 0..b.len() {
            if side == Side::Within && i >= j {
                continue;
            }
            let link = a
                .link_key(i, 0)
                .filter(|key| b.link_key(j, 0) == Some(*key));
            let linked = link
                .is_some_and(|key| links(a.link_keys[0], key) * links(b.link_keys[0], key) <= 64);
            let block = (0..3).filter_map(|rule| {
                let key = a.block_key(i, rule)?;
                let size = count(a.block_keys[rule], key) * count(b.block_keys[rule], key);
                (b.block_key(j, rule) == Some(key)).then_some(size)
            });
            let smallest = block.min();
            if linked || smallest.is_some() {
                pairs.insert((i as u32, j as u32), (smallest.unwrap_or(0), linked));
            }
        }
    }
    pairs
}

fn check(a: &Columns<'_>, b: &Columns<'_>, side: Side, found: &Candidates, least: f64) {
    let proposed = proposed(a, b, side);
    let comparison = Comparison::new(a, b);
    let expected: Vec<ScoredPair> = proposed
        .iter()
        .map(|((a, b), (_, linked))| ScoredPair {
            a: *a,
            b: *b,
            link_rule: linked.then_some(0),
            score: comparison.score(*a, *b),
        })
        .filter(|pair| pair.link_rule.is_some() || pair.score >= least && pair.score > 0.0)
        .collect();
    assert_eq!(found.pairs, expected);
    if least == 0.0 {
        assert_eq!(found.compared, proposed.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pairs_are_those_of_nested_loops(
        header in headers(), a in rows(), b in rows(), least in prop::sample::select(vec![0.0, 0.4, 0.52, 0.9]),
    ) {
        let (a, b) = (register(&header, &a), register(&header, &b));
        let (a, b) = (a.columns(&header), b.columns(&header));
        let settings = settings(u64::MAX, least);
        check(&a, &b, Side::Across, &across(&a, &b, &settings), least);
        check(&a, &a, Side::Within, &within(&a, &settings), least);
        for prefilter in [Prefilter::Off, Prefilter::Bloom] {
            check(&a, &b, Side::Across, &across_by_keys(&a, &b, &settings, prefilter), least);
        }
    }

    #[test]
    fn over_large_blocks_lose_nothing_uncounted(
        header in headers(), a in rows(), b in rows(), max in 1_u64..60,
    ) {
        let (a, b) = (register(&header, &a), register(&header, &b));
        let (a, b) = (a.columns(&header), b.columns(&header));
        for side in [Side::Across, Side::Within] {
            let b = if side == Side::Across { &b } else { &a };
            let find = |max| match side {
                Side::Across => across(&a, b, &settings(max, 0.0)),
                Side::Within => within(&a, &settings(max, 0.0)),
            };
            let (found, whole) = (find(max), find(u64::MAX));
            let proposed = proposed(&a, b, side);
            for (count, all) in found.block_rules.iter().zip(&whole.block_rules) {
                prop_assert_eq!(count.pairs + count.pairs_left_out, all.pairs);
                prop_assert!(count.pairs_split <= count.pairs);
                prop_assert!(count.blocks_left_out <= count.blocks_split);
                prop_assert_eq!(all.blocks_split, 0);
            }
            // Nothing is proposed that shares no key, and all that a small enough block proposes.
            let listed: BTreeMap<(u32, u32), _> =
                found.pairs.iter().map(|pair| ((pair.a, pair.b), pair)).collect();
            prop_assert!(listed.keys().all(|pair| proposed.contains_key(pair)));
            for pair in &whole.pairs {
                let (smallest, linked) = proposed[&(pair.a, pair.b)];
                if linked || smallest <= max {
                    prop_assert_eq!(listed.get(&(pair.a, pair.b)), Some(&pair));
                }
            }
        }
    }
}

/// Many people in two registers: half of the second's are in the first, a tenth of their tokens'
/// set bits elsewhere.
fn people(header: &Header, count: u32, seed: u64) -> [Register; 2] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let width = header.token_bits / 64;
    let mut sides = [(); 2].map(|()| register(header, &[]));
    for person in 0..count {
        let mut token: Vec<u64> = (0..width)
            .map(|_| rng.random::<u64>() & rng.random::<u64>())
            .collect();
        let blocks = [
            rng.random_range(1..4),
            rng.random_range(1..90),
            rng.random_range(1..900),
        ];
        for (side, register) in sides.iter_mut().enumerate() {
            if side == 1 {
                let other = person % 2 == 1;
                for word in &mut token {
                    let fresh = rng.random::<u64>() & rng.random::<u64>();
                    let change = (0..4).fold(u64::MAX, |mask, _| mask & rng.random::<u64>());
                    let change = if other { u64::MAX } else { change };
                    *word = *word & !change | fresh & change;
                }
            }
            let ones: u32 = token.iter().map(|word| word.count_ones()).sum();
            register.ones.push(ones as u16);
            register.words.extend(&token);
            register.link[0].push(if person % 10 == 0 { rng.random() } else { 0 });
            for (column, key) in register.block.iter_mut().zip(blocks) {
                column.push(u64::from(key as u32).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
        }
    }
    sides
}

#[test]
fn threads_and_pre_filter_change_nothing() {
    let header = header(512, Profile::PlainClk, Agreement::Dice);
    let [a, b] = people(&header, 12_000, 1);
    let (a, b) = (a.columns(&header), b.columns(&header));
    let mut settings = settings(20_000, 0.0);
    settings.lsh = Some(Lsh::Auto);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let (keyed, own) = (across(&a, &b, &settings), within(&a, &settings));
            let bloom = across_by_keys(&a, &b, &settings, Prefilter::Bloom);
            let off = across_by_keys(&a, &b, &settings, Prefilter::Off);
            assert_eq!(bloom.pairs, off.pairs);
            assert_eq!(bloom.block_rules, off.block_rules);
            assert!(off.block_rules.iter().any(|rule| rule.blocks_split > 0));
            (
                keyed.pairs,
                keyed.token_bits,
                keyed.block_rules,
                own.pairs,
                off.pairs,
            )
        })
    };
    let one = run(1);
    assert!(one.0.len() > 6000);
    for threads in [2, 4] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn what_two_over_large_blocks_share_is_still_compared() {
    let header = header(512, Profile::Hardened, Agreement::Hamming);
    // Everyone shares the first key or lacks it; the second and third cut that into parts.
    let rows: Vec<Row> = (0..60)
        .map(|n| (1 + n % 7, 0, [1, 1 + n % 2, 1 + n % 3]))
        .collect();
    let made = register(&header, &rows);
    let columns = made.columns(&header);
    let found = across(&columns, &columns, &settings(150, 0.0));
    let shared = |pair: &&ScoredPair| {
        let [x, y] = [pair.a, pair.b].map(|row| rows[row as usize].2);
        x[1] == y[1] && x[2] == y[2]
    };
    // Second and third key together make six parts of 10 x 10.
    assert_eq!(found.pairs.iter().filter(shared).count(), 600);
    assert_eq!(found.pairs.len(), 600);
    let rule = &found.block_rules[0];
    assert_eq!((rule.blocks_split, rule.pairs_split), (1, 600));
    assert_eq!((rule.blocks_left_out, rule.pairs_left_out), (1, 3000));
}

#[test]
fn token_bits_find_the_pairs_sought() {
    let mut header = header(512, Profile::PlainClk, Agreement::Dice);
    header.block_keys = 0;
    let [mut a, mut b] = people(&header, 5000, 2);
    (a.block, b.block) = (vec![], vec![]);
    let (a, b) = (a.columns(&header), b.columns(&header));
    let settings = CandidateSettings {
        all_pairs_max: 0,
        ..CandidateSettings::default()
    };
    let found = across(&a, &b, &settings);
    assert_eq!(found.method, Method::TokenBits);
    let bits = found.token_bits.unwrap();
    assert!(bits.recall >= 0.99);
    assert!(found.compared < 25_000_000 / 4, "{bits:?}");
    let comparison = Comparison::new(&a, &b);
    let sought: Vec<u32> = (0..5000)
        .filter(|row| comparison.score(*row, *row) >= settings.lsh_agreement())
        .collect();
    assert!(sought.len() > 2000);
    let hit = |row: &&u32| {
        let at = found
            .pairs
            .binary_search_by_key(&(**row, **row), |pair| (pair.a, pair.b));
        at.is_ok()
    };
    let recall = sought.iter().filter(hit).count() as f64 / sought.len() as f64;
    assert!(recall >= 0.985, "{recall}, {bits:?}");
    // Diffused tokens have no such bits.
    let diffused = Header {
        profile: Profile::Hardened,
        ..header.clone()
    };
    let [a, b] = [a, b].map(|columns| Columns {
        header: &diffused,
        ..columns
    });
    assert!(across(&a, &b, &settings).token_bits.is_none());
}

#[test]
fn equal_tokens_without_end_are_counted_as_left_out() {
    let mut header = header(64, Profile::PlainClk, Agreement::Dice);
    header.block_keys = 0;
    let mut made = register(&header, &vec![(1, 0, [0; 3]); 2100]);
    made.block.clear();
    let columns = made.columns(&header);
    let settings = CandidateSettings {
        all_pairs_max: 0,
        ..CandidateSettings::default()
    };
    let bits = across(&columns, &columns, &settings).token_bits.unwrap();
    assert_eq!(bits.count.pairs, 0);
    assert_eq!(bits.count.blocks_left_out, u64::from(bits.tables));
    assert_eq!(
        bits.count.pairs_left_out,
        u64::from(bits.tables) * 2100 * 2100
    );
}

#[test]
fn a_plan_says_what_the_run_does() {
    let header = header(512, Profile::PlainClk, Agreement::Dice);
    let [a, b] = people(&header, 3000, 3);
    let (a, b) = (a.columns(&header), b.columns(&header));
    let costs = Costs::measured(&a, &b, |work| {
        work();
        0.01
    });
    for (all_pairs_max, lsh) in [(u64::MAX, None), (0, None), (0, Some(Lsh::Auto))] {
        let settings = CandidateSettings {
            all_pairs_max,
            lsh,
            ..CandidateSettings::default()
        };
        let plan = plan(&a, &b, &settings, &costs);
        let found = across(&a, &b, &settings);
        assert_eq!(plan.method, found.method);
        let option = plan
            .options
            .iter()
            .find(|option| option.method == plan.method);
        assert_eq!(option.unwrap().refused, None);
        for (estimate, count) in plan.block_rules.iter().zip(&found.block_rules) {
            let small = count.pairs - count.pairs_split;
            assert!(
                (estimate.pairs - small as f64).abs() < 0.5,
                "{estimate:?} {count:?}"
            );
            assert!((estimate.blocks_over - count.blocks_split as f64).abs() < 0.5);
        }
        assert_eq!(plan.tables, found.token_bits.map(|bits| bits.tables));
    }
}
