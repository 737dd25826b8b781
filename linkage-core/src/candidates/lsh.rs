//! Candidates without keys: records whose tokens agree at drawn positions.
//!
//! Hamming locality-sensitive hashing (Indyk, Motwani, STOC 1998; for record linkage Durham 2012,
//! Karapiperis, Verykios 2015): each of several tables brings together the records whose tokens are
//! equal at `bits` positions drawn at random. Similar tokens meet in one of the tables almost
//! surely, strangers seldom. Positions are drawn from the most balanced ones, since a position at
//! which nearly all tokens are alike tells nobody apart.
//!
//! Diffused tokens are out: similar records differ in nearly half of their positions there.

#![allow(
    clippy::indexing_slicing,
    reason = "positions are below the token's bits, whose words are there when a row has a token"
)]

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;

use crate::encode::Columns;
use crate::schema::{Agreement, Profile};

/// Positions that tables draw from. With all 512 of a token instead, six to eight times as many
/// strangers meet for one or two points of recall a table.
const POSITIONS: usize = 256;

/// Rows of a side that say which positions are balanced: their shares are then known to 0.004.
const BALANCE_ROWS: usize = 16_384;

/// Public: who knows the tokens' positions learns nothing by it, and a fixed seed gives the same
/// candidates in every run.
const SEED: [u8; 32] = *b"linkage candidates: token bits 1";

/// Stream of the draws by which over-large blocks are cut; tables count up from 0.
const SPLIT_STREAM: u64 = 1 << 32;

/// Draws made ready for cutting blocks.
const SPLIT_DRAWS: usize = 4;

/// How many bits and tables find what is to be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tables {
    /// Positions that a table draws.
    pub bits: u32,
    /// Number of tables.
    pub count: u32,
    /// Share of the pairs sought that meet in one of the tables, by the sample.
    pub recall: f64,
    /// Pairs that meet, over all tables.
    pub pairs: f64,
}

/// The positions that draws are made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Draws {
    positions: Vec<u32>,
    split: Vec<Vec<u32>>,
}

impl Draws {
    /// From the most balanced positions of both sides; none where tokens are diffused.
    pub fn new(a: &Columns<'_>, b: &Columns<'_>) -> Option<Self> {
        if a.header.profile == Profile::Hardened {
            return None;
        }
        let mut counts = vec![0_u32; a.width() * 64];
        let mut rows = 0_u32;
        for columns in [a, b] {
            let step = columns.len().div_ceil(BALANCE_ROWS).max(1);
            for row in (0..columns.len()).step_by(step) {
                if columns.ones(row) == 0 {
                    continue;
                }
                rows += 1;
                for (counts, word) in counts.chunks_exact_mut(64).zip(columns.token(row)) {
                    for (bit, count) in counts.iter_mut().enumerate() {
                        *count += (word >> bit & 1) as u32;
                    }
                }
            }
        }
        let mut positions: Vec<u32> = (0..a.header.token_bits).collect();
        positions.sort_by_key(|at| (2 * counts[*at as usize]).abs_diff(rows));
        positions.truncate(POSITIONS);
        let mut draws = Self {
            positions,
            split: vec![],
        };
        draws.split = (0..SPLIT_DRAWS as u64)
            .map(|draw| draws.order(SPLIT_STREAM + draw))
            .collect();
        Some(draws)
    }

    /// The positions in the order of draw `stream`.
    fn order(&self, stream: u64) -> Vec<u32> {
        let mut rng = ChaCha20Rng::from_seed(SEED);
        rng.set_stream(stream);
        let mut order = self.positions.clone();
        order.shuffle(&mut rng);
        order
    }

    /// Draws for cutting blocks.
    pub fn orders(&self) -> &[Vec<u32>] {
        &self.split
    }

    /// The positions that a table draws.
    pub fn mask(&self, table: u32, bits: u32) -> Mask {
        let mut order = self.order(table.into());
        order.truncate(bits as usize);
        Mask::new(&order)
    }

    /// The positions that it does not draw, in the order of the draw.
    pub fn further(&self, table: u32, bits: u32) -> Vec<u32> {
        self.order(table.into())
            .split_off((bits as usize).min(self.positions.len()))
    }

    /// Of the first `count` positions, to reckon with.
    #[cfg(test)]
    pub fn of_positions(count: u32) -> Self {
        Self {
            positions: (0..count).collect(),
            split: vec![],
        }
    }

    /// Number of positions.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Number of positions at which two tokens differ.
    pub fn differing(&self, a: &[u64], b: &[u64]) -> usize {
        let differ = |at: &&u32| {
            let (word, bit) = (**at as usize / 64, **at % 64);
            (a[word] ^ b[word]) >> bit & 1 == 1
        };
        self.positions.iter().filter(differ).count()
    }

    /// How many different pairs that differ at `differing` positions all `tables` bring together,
    /// for each that one of them does.
    pub fn distinct(&self, differing: f64, tables: &Tables) -> f64 {
        let meet = self.meet(differing, tables.bits);
        let all = f64::from(tables.count);
        if meet * all < 1e-6 {
            return all;
        }
        (1.0 - (1.0 - meet).powf(all)) / meet
    }

    /// Probability that two tokens that differ at `differing` positions meet in one table.
    pub fn meet(&self, differing: f64, bits: u32) -> f64 {
        let all = self.len() as f64;
        let same = all - differing;
        (0..bits)
            .map(f64::from)
            .map(|drawn| ((same - drawn) / (all - drawn).max(1.0)).max(0.0))
            .product()
    }
}

/// How far apart tokens of a given agreement are, if they differ everywhere alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance {
    /// Positions differing in tokens that agree in nothing.
    positions: f64,
}

impl Distance {
    pub fn new(a: &Columns<'_>, b: &Columns<'_>, draws: &Draws) -> Self {
        let share = match a.header.agreement {
            Agreement::Hamming => 1.0,
            // Two tokens of m set bits each and a coefficient of s differ in 2 m (1 - s) bits.
            Agreement::Dice => {
                let mean = |columns: &Columns<'_>| {
                    let ones: f64 = columns.ones.iter().map(|ones| f64::from(*ones)).sum();
                    ones / columns.len().max(1) as f64
                };
                (mean(a) + mean(b)) / f64::from(a.header.token_bits)
            }
        };
        Self {
            positions: share * draws.len() as f64,
        }
    }

    /// Positions at which tokens of this agreement differ.
    pub fn at(self, agreement: f64) -> f64 {
        (1.0 - agreement) * self.positions
    }
}

/// Some positions of a token.
#[derive(Debug)]
pub(super) struct Mask {
    /// Word, mask, and two odd numbers that its bits are mixed with.
    words: Vec<(usize, u64, u64, u64)>,
}

impl Mask {
    fn new(positions: &[u32]) -> Self {
        let mut masks = std::collections::BTreeMap::new();
        for at in positions {
            *masks.entry(*at as usize / 64).or_insert(0_u64) |= 1 << (at % 64);
        }
        // Odd multiples of the golden section's 64 bits: any fixed odd numbers do.
        let number = |n: usize| (2 * n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let words = masks
            .into_iter()
            .map(|(word, mask)| (word, mask, number(2 * word), number(2 * word + 1)))
            .collect();
        Self { words }
    }

    /// A number that tokens equal at the positions share, and others share with a chance of about
    /// 2^-32, far below that of being equal at all positions; none for a row without a token.
    #[inline]
    pub fn key(&self, columns: &Columns<'_>, row: usize) -> Option<u32> {
        if columns.ones(row) == 0 {
            return None;
        }
        let token = columns.token(row);
        let fold = |(word, mask, add, by): &(usize, u64, u64, u64)| {
            let product = u128::from((token[*word] & mask) ^ add) * u128::from(*by);
            product as u64 ^ (product >> 64) as u64
        };
        let sum = self.words.iter().map(fold).fold(0, u64::wrapping_add);
        // The product's highest bits are those that all bits of the word have reached.
        Some((sum >> 32) as u32)
    }
}
