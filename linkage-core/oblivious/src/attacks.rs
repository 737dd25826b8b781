//! Attacks of semi-honest parties, each shown to succeed against the unprotected intermediate
//! value and to fail against what is sent, in tables of every measure.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::context::{Nonce, RunContext, RunId};
use crate::encrypt::{Encryptor, blur};
use crate::evaluate::Evaluator;
use crate::keys::PublicKey;
use crate::masked::MaskedTable;
use crate::params::{Measure, TableShape, WORD_BITS};
use crate::polynomial::{expand_mask, schoolbook};
use crate::shares::{MaskShare, PhaseShare, unmasked};
use crate::three::Splitter;

const MEASURES: [Measure; 3] = [Measure::Count, Measure::Sum, Measure::CountOfThree];

/// A table of one chunk, and of one layer where a third owner takes part.
fn context(measure: Measure, rows: u16, columns: u16, nonce: u8) -> RunContext {
    let positions = measure.positions_per_chunk() as u32;
    let shape = match measure {
        Measure::Count => TableShape::new(positions, rows, columns),
        Measure::Sum => TableShape::sums(positions, rows, columns),
        Measure::CountOfThree => TableShape::three_way(positions, rows, columns, 1),
    };
    let nonces = (Nonce::new([nonce; 32]), Nonce::new([201; 32]));
    RunContext::derive(RunId::new([1; 16]), nonces.0, nonces.1, shape.unwrap()).unwrap()
}

/// One record of B at every third slot, columns in turn.
fn records(shape: TableShape) -> Vec<(u32, u16)> {
    let slots = (0..shape.positions()).step_by(3);
    slots.zip((0..shape.columns()).cycle()).collect()
}

/// A with one record at every other slot, and B after absorbing the only chunk.
fn absorbed(context: &RunContext, rng: &mut ChaCha20Rng) -> (Encryptor, Evaluator) {
    let shape = context.shape();
    let mut a = Encryptor::new(context, rng);
    let categories: Vec<_> = (0..shape.positions() as u16)
        .map(|j| j.is_multiple_of(2).then_some((j / 2) % shape.rows()))
        .collect();
    let mut b = Evaluator::new(context, a.public_key(), &records(shape)).unwrap();
    match shape.measure() {
        Measure::Count => {
            let chunk = a.encrypt_chunk(0, &categories).unwrap();
            b.absorb(0, &chunk).unwrap();
        }
        Measure::Sum => {
            let values = categories.iter().zip(0..);
            let entries = values.map(|(row, value)| row.map(|row| (row, value)));
            let chunk = a.encrypt_values(0, &entries.collect::<Vec<_>>()).unwrap();
            b.absorb(0, &chunk).unwrap();
        }
        Measure::CountOfThree => {
            let mut c = Splitter::new(context, rng).unwrap();
            let split = c.split_chunk(0, &vec![Some(0); categories.len()]).unwrap();
            let seed = c.seed_message();
            let chunk = a.encrypt_split(0, &categories, &seed).unwrap();
            b.absorb_split(0, &chunk, &split).unwrap();
        }
    }
    (a, b)
}

/// Inverse of an odd-sum polynomial modulo 2^64.
///
/// `a^N = a(1) = 1` modulo 2 (Frobenius, N a power of two), so `a^(N-1)` is the inverse modulo 2;
/// Newton's iteration then doubles the number of right bits.
fn inverse(a: &[u64]) -> Vec<u64> {
    let mut power = a.to_vec();
    let mut inverse = a.to_vec();
    for _ in 1..a.len().ilog2() {
        power = schoolbook(&power, &power);
        inverse = schoolbook(&inverse, &power);
    }
    for _ in 0..6 {
        let mut error: Vec<u64> = schoolbook(a, &inverse)
            .iter()
            .map(|value| value.wrapping_neg())
            .collect();
        error[0] = error[0].wrapping_add(2);
        inverse = schoolbook(&inverse, &error);
    }
    inverse
}

#[test]
fn dividing_the_mask_reads_bs_records_only_without_rerandomisation() {
    MEASURES.into_iter().for_each(divide_the_mask);
}

fn divide_the_mask(measure: Measure) {
    let (parameters, n) = (measure.parameters(), measure.positions_per_chunk());
    // A mask is invertible if its coefficients have an odd sum, so half of all nonces do.
    let is_odd = |nonce: &u8| {
        let seed = context(measure, 1, 2, *nonce).chunk_mask_seed(0);
        let mask = expand_mask(parameters, seed);
        mask.iter().fold(0, |sum, value| sum ^ (value & 1)) == 1
    };
    let context = context(measure, 1, 2, (0..200).find(is_odd).unwrap());
    let inverse = inverse(&expand_mask(parameters, context.chunk_mask_seed(0)));

    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (_, b) = absorbed(&context, &mut rng);
    // Of three owners there is a second mask, weighted with C's words.
    let of_column = |number: &usize| context.shape().sum(*number).column == 1;
    let numbers: Vec<usize> = (0..b.sums.len()).filter(of_column).collect();
    let naive_masks: Vec<_> = numbers.iter().map(|k| b.sums[*k].mask.to_vec()).collect();
    let (sent, _) = b.finish(|| 0, &mut rng).unwrap();
    let sent = MaskedTable::decode(&context, &sent).unwrap();
    let sent_masks = numbers.iter().map(|k| sent.masks()[*k].to_vec());

    let mut truth = vec![0u64; n];
    let of_column = |record: &&(u32, u16)| record.1 == 1;
    for (position, _) in records(context.shape()).iter().filter(of_column) {
        truth[n - 1 - *position as usize] = 1;
    }
    for (naive_mask, sent_mask) in naive_masks.iter().zip(sent_masks) {
        let divided = schoolbook(naive_mask, &inverse);
        let weights = divided.iter().map(|weight| u64::from(*weight != 0));
        assert_eq!(
            weights.collect::<Vec<_>>(),
            truth,
            "the attack itself must work"
        );
        assert!(divided.iter().all(|weight| *weight < 1 << WORD_BITS));
        assert_hidden(&sent_mask, naive_mask, &inverse, &truth);
    }
}

/// Neither does a mask that is sent divide into B's records, nor is it close to the one before.
fn assert_hidden(sent_mask: &[u64], naive_mask: &[u64], inverse: &[u64], truth: &[u64]) {
    let n = truth.len();
    let divided = schoolbook(sent_mask, inverse);
    assert!(
        divided.iter().all(|value| *value > 1),
        "no coefficient looks like a record"
    );
    let agreeing = divided
        .iter()
        .zip(truth)
        .filter(|(d, t)| *d & 1 == **t)
        .count();
    assert!(
        (n / 2 - 150..n / 2 + 150).contains(&agreeing),
        "{agreeing} of {n} low bits agree"
    );
    // Nor is the difference to the naive mask small, as it were with added errors alone.
    let small = sent_mask
        .iter()
        .zip(naive_mask)
        .filter(|(sent, naive)| sent.wrapping_sub(**naive).cast_signed().unsigned_abs() < 1 << 40)
        .count();
    assert_eq!(small, 0);
}

/// Solves for a key from the low bits of `body - phase = <mask, key>` by elimination over GF(2).
/// `None` if the equations contradict each other or leave a bit open.
fn solve_key(equations: &[(Vec<u64>, u64)]) -> Option<Vec<u64>> {
    let (first, _) = equations.first()?;
    let n = first.len();
    let last = n / 64;
    let mut rows: Vec<Vec<u64>> = equations
        .iter()
        .map(|(mask, product)| {
            let mut row = vec![0; last + 1];
            for (k, value) in mask.iter().enumerate() {
                let unknown = n - 1 - k;
                row[unknown / 64] |= (value & 1) << (unknown % 64);
            }
            row[last] = product & 1;
            row
        })
        .collect();
    for unknown in 0..n {
        let bit = |row: &[u64]| row[unknown / 64] >> (unknown % 64) & 1 == 1;
        let pivot = (unknown..rows.len()).find(|index| bit(&rows[*index]))?;
        rows.swap(unknown, pivot);
        let pivot_row = rows[unknown].clone();
        for (_, row) in rows
            .iter_mut()
            .enumerate()
            .filter(|(i, row)| *i != unknown && bit(row))
        {
            for (word, pivot_word) in row.iter_mut().zip(&pivot_row) {
                *word ^= pivot_word;
            }
        }
    }
    let consistent = rows[n..].iter().all(|row| row[last] == 0);
    consistent.then(|| rows[..n].iter().map(|row| row[last]).collect())
}

#[test]
fn phases_give_the_key_away_only_when_exact() {
    MEASURES.into_iter().for_each(solve_for_the_key);
}

fn solve_for_the_key(measure: Measure) {
    let (parameters, n) = (measure.parameters(), measure.positions_per_chunk());
    let context = context(measure, 1, 1, 3);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let (a, _) = absorbed(&context, &mut rng);
    let public_key = PublicKey::decode(&context, a.public_key()).unwrap();

    // B knows masks and bodies of its own making; many more cells under one key than a table has.
    let table = |index: u32| {
        let mut seed = [9; 16];
        seed[..4].copy_from_slice(&index.to_le_bytes());
        let zero = public_key.encrypt_zero(seed);
        (zero.mask.to_vec(), zero.bodies[0])
    };
    let mut exact = Vec::new();
    let mut released = Vec::new();
    for (mask, body) in (0..n as u32 + 100).map(table) {
        let mut phase = [body.wrapping_sub(a.keys[0].top_of_product(&mask))];
        exact.push((mask.clone(), body.wrapping_sub(phase[0])));
        blur(parameters, &mut phase, || 0, &mut rng);
        released.push((mask, body.wrapping_sub(phase[0])));
    }
    let key = a.keys[0].coefficients();
    assert_eq!(solve_key(&exact), Some(key), "the attack itself must work");
    assert_eq!(solve_key(&released), None);

    // With just as many equations as unknowns there is nothing to contradict, and still no key.
    let guessed = (n..released.len()).find_map(|end| solve_key(&released[end - n..end]));
    assert!(guessed.is_some_and(|guessed| guessed != a.keys[0].coefficients()));
}

/// Pearson's statistic of 256 classes against the uniform distribution.
fn chi_square(values: impl IntoIterator<Item = u8>) -> f64 {
    let mut classes = [0u32; 256];
    for value in values {
        classes[usize::from(value)] += 1;
    }
    let expected = f64::from(classes.iter().sum::<u32>()) / 256.0;
    classes
        .iter()
        .map(|seen| (f64::from(*seen) - expected).powi(2) / expected)
        .sum()
}

/// 0.9999 quantile of chi-square with 255 degrees of freedom.
const CHI_SQUARE_LIMIT: f64 = 347.7;

#[test]
fn the_phases_a_sees_are_uniform() {
    MEASURES.into_iter().for_each(look_at_phases);
}

fn look_at_phases(measure: Measure) {
    let context = context(measure, 64, 128, 4);
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (a, b) = absorbed(&context, &mut rng);
    let (sent, share) = b.finish(|| 0, &mut rng).unwrap();
    let seen = MaskedTable::decode(&context, &sent)
        .unwrap()
        .phases(context.shape(), &a.keys)
        .to_vec();
    let exact = PhaseShare::new(*context.envelope(), seen.clone().into());
    let bare: Vec<u64> = unmasked(&exact, &share).map(i64::cast_unsigned).collect();

    for shift in [0, 8, 16, 24, 32, 40, 48, 56] {
        let byte = |phase: &u64| phase.to_le_bytes()[shift / 8];
        let statistic = chi_square(seen.iter().map(byte));
        assert!(
            statistic < CHI_SQUARE_LIMIT,
            "byte at bit {shift}: {statistic}"
        );
        if shift >= 32 {
            let statistic = chi_square(bare.iter().map(byte));
            assert!(
                statistic > 10.0 * CHI_SQUARE_LIMIT,
                "the test must see bare phases"
            );
        }
    }
}

/// Phases of one table before and after A's blurring, B's mask taken off.
fn noised_phases(measure: Measure, noise_a: &[i128], noise_b: &[i128]) -> (Vec<i64>, Vec<i64>) {
    let context = context(measure, 2, 3, 5);
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (a, b) = absorbed(&context, &mut rng);
    let mut noise_b = noise_b.iter().copied();
    let (sent, masks) = b.finish(|| noise_b.next().unwrap(), &mut rng).unwrap();
    let exact = MaskedTable::decode(&context, &sent)
        .unwrap()
        .phases(context.shape(), &a.keys);
    let exact = unmasked(&PhaseShare::new(*context.envelope(), exact), &masks).collect();
    let mut noise_a = noise_a.iter().copied();
    let released = a.open(&sent, || noise_a.next().unwrap(), &mut rng).unwrap();
    let masks = MaskShare::decode(&masks.encode(), context.run_id(), context.shape()).unwrap();
    (exact, unmasked(&released, &masks).collect())
}

#[test]
fn noise_reaches_the_phases_bit_by_bit() {
    let zeros = [0; 6];
    let noise_a = [1, -1, 1 << 41, -(3 << 40) + 7, 12_345_678_901, 0];
    let noise_b = [0, 5, -(1 << 45), 1 << 30, -77, 1 << 100];
    for measure in MEASURES {
        let (plain, plain_released) = noised_phases(measure, &zeros, &zeros);
        let (noised, noised_released) = noised_phases(measure, &noise_a, &noise_b);
        for cell in 0..6 {
            let from_b = noised[cell].wrapping_sub(plain[cell]);
            let from_both = noised_released[cell].wrapping_sub(plain_released[cell]);
            assert_eq!(from_b, noise_b[cell] as i64);
            assert_eq!(from_both, (noise_a[cell] + noise_b[cell]) as i64);
        }
    }
}

#[test]
fn released_phases_are_blurred_whatever_the_noise() {
    for parameters in MEASURES.map(Measure::parameters) {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut phases = vec![1000u64; 50_000];
        blur(parameters, &mut phases, || 0, &mut rng);
        let bound = 1i64 << parameters.flood_bound_log2;
        let floods: Vec<i64> = phases
            .iter()
            .map(|phase| phase.cast_signed() - 1000)
            .collect();
        assert!(floods.iter().all(|flood| (-bound..bound).contains(flood)));
        for shift in [0, 8, 16, parameters.flood_bound_log2 - 7] {
            let bits = |flood: &i64| ((flood + bound) >> shift) as u8;
            let statistic = chi_square(floods.iter().map(bits));
            assert!(
                statistic < CHI_SQUARE_LIMIT,
                "bits from {shift}: {statistic}"
            );
        }
        assert!(
            bound < 1 << (parameters.scale_log2 - 2),
            "leaves room to round to the right unit"
        );
    }
}
