//! Registers of synthetic people, written as tokens and keys without any keyed hashing.
//!
//! Skewed names, birth dates, numbers and districts; half of the second register's people are in
//! the first. Errors in the second: another given name 8 %, another surname 0.5 %, birth date
//! missing 1 %, wrong 1.5 %, day and month swapped 1 %, number missing 5 % or wrong 2 %, phone
//! missing 10 % or changed 15 %, moved 12 %; half as often in the first.

use std::io::Write;

use linkage_core::encode::batch::{BatchWriter, Header, Row, StreamError};
use linkage_core::keys::KeyId;
use linkage_core::schema::{Agreement, LinkColumn, LinkRole, Profile, Suite};

/// One link key (the number) and five block keys.
const BLOCK_KEYS: u8 = 5;

/// Bits set by each field in a token of 512; together they fill it to about 0.36.
const NAME_BITS: u64 = 24;
const DATE_BITS: u64 = 17;
const SEX_BITS: u64 = 8;
const NUMBER_BITS: u64 = 60;
const PHONE_BITS: u64 = 40;

/// SplitMix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Even in 0..n.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// In 0..n, small numbers far more often.
    fn skewed(&mut self, n: u64) -> u64 {
        let u = self.next() as f64 / u64::MAX as f64;
        ((u * u * u * n as f64) as u64).min(n - 1)
    }

    fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }
}

/// One value of some field.
fn tag(field: u64, parts: &[u64]) -> u64 {
    let start = Random(field).next();
    parts
        .iter()
        .fold(start, |sum, part| Random(sum ^ part).next())
}

struct Person {
    surname: u64,
    given: [u64; 2],
    /// Year, month and day.
    born: Option<[u64; 3]>,
    sex: u64,
    number: Option<u64>,
    phone: Option<u64>,
    district: u64,
}

impl Person {
    fn new(id: u64) -> Self {
        let mut random = Random(tag(1, &[id]));
        Self {
            surname: random.skewed(400),
            given: [random.skewed(400), random.skewed(500)],
            born: Some([random.below(80), random.below(12), random.below(28)]),
            sex: random.below(2),
            number: Some(tag(2, &[id])),
            phone: Some(tag(3, &[id])),
            district: random.skewed(600),
        }
    }

    /// As one register has it; `rate` 2 for the full rates of error, 1 for half.
    fn noted(mut self, random: &mut Random, rate: u64) -> Self {
        if random.chance(40 * rate) {
            let [first, second] = &mut self.given;
            let one = if random.chance(500) { first } else { second };
            *one = random.skewed(400);
        }
        if random.below(2000) < 5 * rate {
            self.surname = random.skewed(400);
        }
        match (random.below(2000), &mut self.born) {
            (dice, born) if dice < 10 * rate => *born = None,
            (dice, Some([_, _, day])) if dice < 25 * rate => *day = random.below(28),
            (dice, Some([_, month, day])) if dice < 35 * rate && *day < 12 => {
                std::mem::swap(month, day);
            }
            _ => {}
        }
        match random.below(2000) {
            dice if dice < 50 * rate => self.number = None,
            dice if dice < 70 * rate => self.number = Some(random.next()),
            _ => {}
        }
        match random.below(2000) {
            dice if dice < 100 * rate => self.phone = None,
            dice if dice < 250 * rate => self.phone = Some(random.next()),
            _ => {}
        }
        if random.chance(60 * rate) {
            self.district = random.skewed(600);
        }
        self
    }

    fn token(&self, token: &mut [u64]) {
        token.fill(0);
        let bits = token.len() as u64 * 64;
        let mut set = |field: u64, value: &[u64], count: u64| {
            let mut random = Random(tag(field, value));
            for _ in 0..count * bits / 512 {
                let bit = random.below(bits);
                if let Some(word) = token.get_mut(bit as usize / 64) {
                    *word |= 1 << (bit % 64);
                }
            }
        };
        set(11, &[self.surname], NAME_BITS);
        for (place, given) in (12..).zip(self.given) {
            set(place, &[given], NAME_BITS);
        }
        for (place, part) in (15..).zip(self.born.into_iter().flatten()) {
            set(place, &[part], DATE_BITS);
        }
        set(18, &[self.sex], SEX_BITS);
        for (field, value, count) in [(19, self.number, NUMBER_BITS), (20, self.phone, PHONE_BITS)]
        {
            if let Some(value) = value {
                set(field, &[value], count);
            }
        }
    }

    fn block_keys(&self) -> [Option<u64>; BLOCK_KEYS as usize] {
        let [first, second] = self.given;
        let born = |field: u64, parts: &[u64]| {
            let [year, month, day] = self.born?;
            let all = [parts, &[year, month.min(day), month.max(day)]].concat();
            Some(tag(field, &all))
        };
        [
            self.phone.map(|phone| tag(21, &[phone])),
            born(22, &[self.surname]),
            Some(tag(23, &[self.surname, first, second, self.district])),
            born(24, &[first, second]),
            self.born
                .map(|[year, ..]| tag(25, &[self.surname, first, second, year])),
        ]
    }
}

/// The header of a register.
pub fn header(rows: u32, token_bits: u32) -> Header {
    Header {
        project: [0; 32],
        schema: [0; 32],
        key: KeyId([0; 8]),
        pack: [0; 32],
        suite: Suite::HmacSha256,
        profile: Profile::PlainClk,
        agreement: Agreement::Dice,
        token_bits,
        link_columns: vec![LinkColumn {
            rule: 0,
            role: LinkRole::Link,
        }],
        block_keys: BLOCK_KEYS,
        classes: 0,
        segments: vec![],
        rows: rows.into(),
    }
}

/// Writes the first or the second register of `rows` people as a batch.
pub fn write(header: &Header, second: bool, out: impl Write) -> Result<(), StreamError> {
    let mut writer = BatchWriter::new(out, header)?;
    let mut token = vec![0; header.layout().words()];
    let mut random = Random(tag(4, &[u64::from(second)]));
    let (first, factor) = if second {
        (header.rows / 2, 2_246_822_519)
    } else {
        (0, 2_654_435_761)
    };
    for place in 0..header.rows {
        // A prime that does not divide the number of rows reaches every person once.
        let turned = place.wrapping_mul(factor) % header.rows.max(1);
        let person = Person::new(first + turned).noted(&mut random, 1 + u64::from(second));
        person.token(&mut token);
        let number = person.number.map(|number| {
            let tag = u128::from(tag(31, &[number])) << 64 | u128::from(tag(32, &[number]));
            tag.to_be_bytes()
        });
        writer.push(&Row {
            token: &token,
            link_keys: &[number],
            block_keys: &person.block_keys(),
            classes: &[],
        })?;
    }
    writer.finish()?;
    Ok(())
}
