//! Linear diffusion: every bit of the token is the exclusive or of a few bits of the record's
//! filter (Armknecht, Heng, Schnell, PoPETs 2023(2), 86-106).
//!
//! A matrix row is a bit of the token, with `t` ones. Filter bits take part equally often (as
//! nearly as the numbers allow), so that none stands out, and the `t` of a row are distinct. The
//! matrix follows from the project's key, which the matcher does not hold.
//!
//! 64 records are diffused at a time: their filters are transposed, so that a 64-bit word holds one
//! bit of all of them; a token bit of all 64 is then `t - 1` exclusive ors of words, `t L` memory
//! reads for 64 records instead of `t L` for each.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use crate::keys::ProjectKey;
use crate::schema;

/// Records diffused together: the bits of a word.
pub(super) const LANES: usize = 64;

/// A project's diffusion matrix.
pub(super) struct Diffusion {
    /// Row by row the filter bits that make a token bit, `t` each.
    inputs: Vec<u16>,
    t: usize,
    filter_words: usize,
}

impl Diffusion {
    /// The matrix from filters of `filter_bits` bits.
    pub(super) fn new(key: &ProjectKey, filter_bits: u32, shape: schema::Diffusion) -> Self {
        let context = [filter_bits, shape.inputs, shape.bits].map(u32::to_be_bytes);
        let mut rng = ChaCha20Rng::from_seed(*key.diffusion(context.as_flattened()));
        let t = shape.inputs as usize;
        let mut inputs = deal(&mut rng, filter_bits, t * shape.bits as usize);
        make_distinct(&mut rng, &mut inputs, t);
        Self {
            inputs,
            t,
            filter_words: filter_bits as usize / 64,
        }
    }

    /// Diffuses up to [`LANES`] filters of equal length; `tokens(i, w, word)` takes word `w` of
    /// token `i`.
    pub(super) fn apply(&self, filters: &[&[u64]], mut tokens: impl FnMut(usize, usize, u64)) {
        let mut columns = Vec::with_capacity(self.filter_words * LANES);
        for word in 0..self.filter_words {
            let mut block = [0; LANES];
            for (lane, filter) in block.iter_mut().zip(filters) {
                *lane = filter.get(word).copied().unwrap_or(0);
            }
            transpose(&mut block);
            columns.extend_from_slice(&block);
        }
        let rows = self.inputs.chunks_exact(self.t);
        let mut block = [0; LANES];
        for (at, row) in rows.enumerate() {
            let bit = row.iter().fold(0, |bit, input| {
                bit ^ columns.get(usize::from(*input)).copied().unwrap_or(0)
            });
            if let Some(slot) = block.get_mut(at % LANES) {
                *slot = bit;
            }
            if at % LANES == LANES - 1 {
                transpose(&mut block);
                for (lane, word) in block.iter().enumerate().take(filters.len()) {
                    tokens(lane, at / LANES, *word);
                }
            }
        }
    }
}

/// `slots` filter bits, each equally often; where they do not divide, chance decides which come
/// once more. In random order.
fn deal(rng: &mut ChaCha20Rng, filter_bits: u32, slots: usize) -> Vec<u16> {
    let bits = u16::try_from(filter_bits).unwrap_or(u16::MAX);
    let mut last: Vec<u16> = (0..bits).collect();
    shuffle(rng, &mut last);
    last.truncate(slots % usize::from(bits.max(1)));
    let whole = slots - last.len();
    let mut deck: Vec<u16> = (0..bits).cycle().take(whole).chain(last).collect();
    shuffle(rng, &mut deck);
    deck
}

/// Exchanges entries that repeat within a row of `t` with random ones until no row repeats any. A
/// filter has 256 bits or more and a row 10 at most, so that nearly every exchange helps.
fn make_distinct(rng: &mut ChaCha20Rng, inputs: &mut [u16], t: usize) {
    let start_of = |at: usize| at / t * t;
    let repeats = |inputs: &[u16], at: usize| {
        let row = inputs.get(start_of(at)..start_of(at) + t).unwrap_or(&[]);
        row.iter().filter(|x| inputs.get(at) == Some(x)).count() > 1
    };
    for at in 0..inputs.len() {
        while repeats(inputs, at) {
            let other = below(rng, inputs.len());
            inputs.swap(at, other);
            // An exchange must not make a repeat elsewhere.
            if start_of(other) != start_of(at) && repeats(inputs, other) {
                inputs.swap(at, other);
            }
        }
    }
}

/// Fisher and Yates' shuffle. Written out, as the matrix must stay the same for ever, which no
/// library promises of its shuffle.
fn shuffle(rng: &mut ChaCha20Rng, items: &mut [u16]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

/// A uniform number below `bound` (at most 2^32), by rejection.
fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    let bound = u32::try_from(bound).unwrap_or(u32::MAX).max(1);
    let fair = u32::MAX - u32::MAX % bound;
    loop {
        let number = rng.next_u32();
        if number < fair {
            return (number % bound) as usize;
        }
    }
}

/// Transposes a matrix of 64 by 64 bits in place: bit `i` of word `j` becomes bit `j` of word `i`
/// (Warren, Hacker's Delight, 2nd edition, section 7-3).
fn transpose(block: &mut [u64; LANES]) {
    let mut width = LANES / 2;
    let mut mask = u64::MAX >> width;
    while width > 0 {
        for pair in block.chunks_exact_mut(2 * width) {
            let (low, high) = pair.split_at_mut(width);
            for (low, high) in low.iter_mut().zip(high) {
                let exchanged = ((*low >> width) ^ *high) & mask;
                *high ^= exchanged;
                *low ^= exchanged << width;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matrix(key: u8, filter_bits: u32, inputs: u32, bits: u32) -> Diffusion {
        let key = ProjectKey::from_bytes([key; 32]);
        Diffusion::new(&key, filter_bits, schema::Diffusion { inputs, bits })
    }

    #[test]
    fn rows_are_distinct_and_bits_take_part_equally_often() {
        for (filter_bits, t, bits) in [(1024, 5, 2048), (256, 10, 512), (1984, 3, 8192)] {
            let matrix = matrix(1, filter_bits, t, bits);
            assert_eq!(matrix.inputs.len(), (t * bits) as usize);
            let mut uses = vec![0; filter_bits as usize];
            for row in matrix.inputs.chunks(t as usize) {
                let distinct: std::collections::BTreeSet<_> = row.iter().collect();
                assert_eq!(distinct.len(), t as usize);
                row.iter().for_each(|at| uses[usize::from(*at)] += 1);
            }
            let (least, most) = (uses.iter().min().unwrap(), uses.iter().max().unwrap());
            let even = (t * bits).is_multiple_of(filter_bits);
            assert_eq!(most - least, u32::from(!even), "{filter_bits} {t} {bits}");
        }
    }

    #[test]
    fn keys_and_shapes_give_unrelated_matrices() {
        let equal = |a: &Diffusion, b: &Diffusion| {
            let same = a.inputs.iter().zip(&b.inputs).filter(|(a, b)| a == b);
            same.count()
        };
        let (a, b) = (matrix(1, 1024, 5, 2048), matrix(2, 1024, 5, 2048));
        // 10240 entries agree by chance in 10 places.
        assert!(equal(&a, &b) < 40);
        assert!(equal(&a, &matrix(1, 1024, 5, 1024)) < 40);
        assert_eq!(equal(&a, &matrix(1, 1024, 5, 2048)), a.inputs.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn gives_what_the_definition_gives(
            filters in prop::collection::vec(prop::collection::vec(any::<u64>(), 5), 1..=64),
            t in 2_u32..=10,
        ) {
            let matrix = matrix(7, 320, t, 512);
            let borrowed: Vec<&[u64]> = filters.iter().map(Vec::as_slice).collect();
            let mut tokens = vec![[0; 8]; filters.len()];
            matrix.apply(&borrowed, |lane, word, bits| tokens[lane][word] = bits);
            for (filter, token) in filters.iter().zip(&tokens) {
                for (at, row) in matrix.inputs.chunks(t as usize).enumerate() {
                    let expected = row.iter().fold(0, |bit, input| {
                        bit ^ (filter[usize::from(*input) / 64] >> (input % 64) & 1)
                    });
                    prop_assert_eq!(token[at / 64] >> (at % 64) & 1, expected);
                }
            }
        }

        #[test]
        fn transposes(words in prop::collection::vec(any::<u64>(), 64)) {
            let before: [u64; 64] = words.try_into().unwrap();
            let mut after = before;
            transpose(&mut after);
            for (i, word) in after.iter().enumerate() {
                for (j, was) in before.iter().enumerate() {
                    prop_assert_eq!(word >> j & 1, was >> i & 1);
                }
            }
        }
    }
}
