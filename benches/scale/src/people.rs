//! Two registers of synthetic people, as tokens and keys: what the matcher sees.
//!
//! The people have skewed names, a birth date, a sex, an identity number, a telephone number and a
//! district. Half of the second register's people are in the first. The first has half of these
//! errors, the second all: a name mistyped 8 %, another surname 0.5 %, birth date missing 1 %,
//! wrong 1.5 %, day and month swapped 1 %, number missing 5 % or wrong 2 %, telephone missing
//! 10 %, changed 15 % or mistyped 2 %, moved 12 %.
//!
//! Features set bits by a seeded hash. That is no encoder (there is no key): what is measured is
//! the matcher.

use rayon::prelude::*;

/// Positions that a filter has before diffusion.
const FILTER_WORDS: usize = 8;

/// Rules of block keys.
pub const RULES: usize = 6;

const SEED: u64 = 20_240_101;

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): as a generator and as a hash.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(SEED, |state, part| mix(state ^ part))
}

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / 2.0_f64.powi(64)
    }

    /// One of `end`, the first ones far more often: the cube of a uniform number.
    fn skewed(&mut self, end: u64) -> u64 {
        let share = self.share();
        ((share.powi(3) * end as f64) as u64).min(end - 1)
    }
}

#[derive(Clone, Copy)]
struct Person {
    surname: u64,
    given: [u64; 2],
    /// Year, month, day.
    born: Option<[u64; 3]>,
    sex: u64,
    id: Option<u64>,
    phone: Option<u64>,
    district: u64,
}

impl Person {
    fn new(number: u64) -> Self {
        let mut dice = Dice(mix(number ^ SEED));
        let born = [
            1930 + dice.below(85),
            1 + dice.below(12),
            1 + dice.below(28),
        ];
        let district = dice.skewed(400);
        let digits = born[0] * 10_000 + born[1] * 100 + born[2];
        Self {
            surname: dice.skewed(400),
            given: [dice.skewed(450), dice.skewed(450)],
            born: Some(born),
            sex: dice.below(2),
            // Region of birth, birth date, running number: 17 digits.
            id: Some(
                (110_000 + dice.skewed(3000)) * 100_000_000_000 + digits * 1000 + dice.below(1000),
            ),
            phone: Some(13_000_000_000 + dice.below(6_000_000_000)),
            district,
        }
    }

    fn with_errors(mut self, dice: &mut Dice, rate: f64) -> Self {
        let mut hit = |share: f64| dice.share() < share * rate;
        let (typo, surname, no_birth) = (hit(0.08), hit(0.005), hit(0.01));
        let (wrong_birth, swapped, no_id, wrong_id) = (hit(0.015), hit(0.01), hit(0.05), hit(0.02));
        let (no_phone, changed, mistyped, moved) = (hit(0.1), hit(0.15), hit(0.02), hit(0.12));
        if typo {
            let at = usize::from(dice.below(2) == 1);
            self.given = std::array::from_fn(|i| {
                if i == at {
                    dice.skewed(450)
                } else {
                    self.given[i]
                }
            });
        }
        if surname {
            self.surname = dice.skewed(400);
        }
        if let Some([year, month, day]) = self.born {
            self.born = Some([year, month, day]);
            if swapped && day <= 12 {
                self.born = Some([year, day, month]);
            }
            if wrong_birth {
                self.born = Some([year, month, 1 + dice.below(28)]);
            }
            if no_birth {
                self.born = None;
            }
        }
        let digit = |dice: &mut Dice, digits: u64, count: u32| {
            let place = 10_u64.pow(dice.below(count.into()) as u32);
            let old = digits / place % 10;
            digits - old * place + (old + 1 + dice.below(9)) % 10 * place
        };
        if wrong_id {
            self.id = self.id.map(|id| digit(dice, id, 8));
        }
        if no_id {
            self.id = None;
        }
        if mistyped {
            self.phone = self.phone.map(|phone| digit(dice, phone, 9));
        }
        if changed {
            self.phone = Some(13_000_000_000 + dice.below(6_000_000_000));
        }
        if no_phone {
            self.phone = None;
        }
        if moved {
            self.district = dice.skewed(400);
        }
        self
    }

    fn filter(&self) -> [u64; FILTER_WORDS] {
        let mut filter = [0; FILTER_WORDS];
        let mut set = |bits: u64, feature: &[u64]| {
            let seed = hash(feature);
            for bit in 0..bits {
                let at = mix(seed ^ bit) % (64 * FILTER_WORDS as u64);
                filter[at as usize / 64] |= 1 << (at % 64);
            }
        };
        let [first, second] = self.given;
        set(10, &[1, self.surname]);
        set(10, &[2, first]);
        set(10, &[2, second]);
        set(8, &[3, self.surname, first]);
        set(8, &[4, first, second]);
        if let Some([year, month, day]) = self.born {
            set(8, &[5, year]);
            set(6, &[6, year / 10]);
            set(10, &[7, month]);
            set(10, &[8, day]);
            set(8, &[9, month, day]);
        }
        set(4, &[10, self.sex]);
        for (kind, digits, count) in [(11, self.id, 17_u64), (12, self.phone, 11)] {
            let Some(mut rest) = digits else { continue };
            for place in 0..count - 1 {
                set(4, &[kind, place, rest % 100]);
                rest /= 10;
            }
        }
        filter
    }

    /// Tail of the number; telephone; surname and birth date; full name and district; given name
    /// and birth date whatever the order of day and month; full name and birth year.
    fn keys(&self) -> [u64; RULES] {
        let [first, second] = self.given;
        let name = [self.surname, first, second];
        let born = self.born.unwrap_or_default();
        let key = |rule: u64, parts: &[u64], known: bool| {
            if known {
                hash(&[&[rule], parts].concat()).max(1)
            } else {
                0
            }
        };
        let dated = self.born.is_some();
        let unordered = [born[0], born[1].min(born[2]), born[1].max(born[2])];
        [
            key(1, &[self.id.unwrap_or(0) % 100_000_000], self.id.is_some()),
            key(2, &[self.phone.unwrap_or(0)], self.phone.is_some()),
            key(3, &[&[self.surname], &born[..]].concat(), dated),
            key(4, &[&name[..], &[self.district]].concat(), true),
            key(5, &[&self.given[..], &unordered[..]].concat(), dated),
            key(6, &[&name[..], &born[..1]].concat(), dated),
        ]
    }
}

/// One register's columns.
pub struct Register {
    /// Tokens, row after row.
    pub words: Vec<u64>,
    /// Their numbers of set bits.
    pub ones: Vec<u16>,
    /// Block keys, by rule.
    pub keys: [Vec<u64>; RULES],
}

/// Which register a row is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Person `i` in row `i`, with half of the errors.
    First,
    /// Shuffled, half of them in the first register, with all errors.
    Second,
}

/// The row of the first register that has the person of the second register's row `row`.
pub fn partner(row: u64, rows: u64) -> Option<u64> {
    let person = shuffled(row, rows);
    (person < rows / 2).then_some(person)
}

/// A multiplicative permutation: the rows are powers of ten times a digit, 7919 is prime.
fn shuffled(row: u64, rows: u64) -> u64 {
    (row * 7919 + 17) % rows
}

/// Makes `rows` rows, tokens of `bits` bits: 512, or diffused from 512 into more.
pub fn register(which: Which, rows: u64, bits: u32) -> Register {
    let width = bits as usize / 64;
    let mut words = vec![0; rows as usize * width];
    let made: Vec<(u16, [u64; RULES])> = words
        .par_chunks_mut(width)
        .enumerate()
        .map(|(row, token)| {
            let row = row as u64;
            let mut dice = Dice(hash(&[77, row, u64::from(which == Which::Second)]));
            let person = match which {
                Which::First => Person::new(row).with_errors(&mut dice, 0.5),
                Which::Second => {
                    let number = partner(row, rows).unwrap_or(rows + row);
                    Person::new(number).with_errors(&mut dice, 1.0)
                }
            };
            diffuse(&person.filter(), token);
            let ones: u32 = token.iter().map(|word| word.count_ones()).sum();
            (ones as u16, person.keys())
        })
        .collect();
    let keys = std::array::from_fn(|rule| made.iter().map(|(_, keys)| keys[rule]).collect());
    Register {
        words,
        ones: made.iter().map(|(ones, _)| *ones).collect(),
        keys,
    }
}

/// The filter itself; into more bits, every bit the exclusive or of five of the filter's, word by
/// word at fixed distances.
fn diffuse(filter: &[u64; FILTER_WORDS], token: &mut [u64]) {
    if token.len() == FILTER_WORDS {
        return token.copy_from_slice(filter);
    }
    for (at, word) in (0_u64..).zip(token) {
        *word = (0..5).fold(0, |sum, input| {
            let chosen = hash(&[99, at, input]);
            let from = filter[(chosen % FILTER_WORDS as u64) as usize];
            sum ^ from.rotate_left((chosen >> 32) as u32 % 64)
        });
    }
}
