//! Who lives with whom: one pattern of households, repeated with other names, dates and addresses.
//!
//! A population of millions is the same 20 000 households over and over as far as their members'
//! roles, sexes, birth years and regions go. That makes the number of people of each region,
//! birth year and sex known in advance, which identity numbers need to be distinct without a set
//! of those given out; and it bounds the memory.

use std::collections::HashMap;

use super::REFERENCE_YEAR;
use super::person::Sex;
use super::resident_id::{HIGH_RANKS_MAX, NEVER_ISSUED, RANKS_MAX, Stratum, WITHDRAWN_SINCE};
use crate::data::foreign::NATIONALITIES;
use crate::data::places::CITIES;
use crate::data::regions::{FOLLOWED, GUANGDONG, OTHER_COUNTIES, OTHER_PROVINCES, county_codes};
use crate::permutation::Permutation;
use crate::population::household::composition::compose;
use crate::settings::Settings;
use crate::stream::{Purpose, Stream, mix};

/// Households of one to five per block of 100: shares .33 .24 .21 .14 .08.
pub(super) const SIZES: [u32; 5] = [33, 24, 21, 14, 8];
/// 33 + 2 * 24 + 3 * 21 + 4 * 14 + 5 * 8.
const PERSONS_PER_BLOCK: u32 = 240;
const HOUSEHOLDS_PER_BLOCK: u32 = 100;
const BLOCKS: u32 = 200;
pub(super) const PATTERN_HOUSEHOLDS: u32 = HOUSEHOLDS_PER_BLOCK * BLOCKS;
/// Persons of a pattern.
pub(super) const PATTERN_PERSONS: u32 = PERSONS_PER_BLOCK * BLOCKS;

/// Of 17 households 4 come from other provinces: 23.5 %, as the census of 2020 counted.
const CYCLE: u32 = 17;
const LOCAL: u32 = 13;

/// With region codes in use: households of 1 000 whose county followed another. Since the
/// younger ones carry the present code, it makes 12 % of numbers with a withdrawn code.
const FOLLOWED_PER_1000: u32 = 155;

/// What a member is to the household.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Lives alone, heads a family or is the partner of its head.
    Adult,
    /// Child of the adults, of any age.
    Child,
    /// Parent of the first adult.
    Grandparent,
}

/// Where a household is from, which decides its names and documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Registered on the mainland, with a name of two to four characters.
    Mainland,
    /// Registered on the mainland, with given name and father's name parted by an interpunct.
    Interpunct,
    /// Of Hong Kong.
    HongKong,
    /// Of Macau.
    Macau,
    /// Of Taiwan.
    Taiwan,
    /// From abroad, by its place in the list of nationalities.
    Foreign(u8),
}

impl Origin {
    /// Another origin of the same group, for those who find theirs full; after some, the mainland.
    fn next(self, attempt: u32) -> Self {
        let nationalities = NATIONALITIES.len() as u8;
        match self {
            _ if attempt > u32::from(nationalities) => match self {
                Self::Interpunct => self,
                _ => Self::Mainland,
            },
            Self::HongKong => Self::Macau,
            Self::Macau => Self::Taiwan,
            Self::Taiwan => Self::HongKong,
            Self::Foreign(place) => Self::Foreign((place + 1) % nationalities),
            other => other,
        }
    }

    /// Whether the documents are those of Hong Kong, Macau or Taiwan.
    pub fn is_cross_border(self) -> bool {
        matches!(self, Self::HongKong | Self::Macau | Self::Taiwan)
    }
}

/// What the pattern fixes of a person.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Position in the family.
    pub role: Role,
    /// Sex.
    pub sex: Sex,
    /// Year of birth.
    pub birth_year: i16,
    /// Shares the birth date of the member before.
    pub twin: bool,
    /// Has the mother's surname.
    pub mothers_name: bool,
    /// Where the household is from.
    pub origin: Origin,
    /// Position in the household.
    pub(super) place: u8,
    /// Index of the household in the pattern.
    pub(super) household: u32,
    /// Region of the identity number.
    pub(super) region: u32,
    /// Rank among the pattern's people of the same stratum, and how many they are.
    pub(super) rank: u8,
    pub(super) count: u8,
    /// No twin shares the slot of the number.
    pub(super) sole: bool,
    /// Rank among those of a cross-border origin.
    pub(super) border_rank: u16,
}

impl Member {
    /// Age in years at the reference date.
    pub fn age(&self) -> i16 {
        REFERENCE_YEAR - self.birth_year
    }

    pub(super) fn stratum(&self) -> Stratum {
        Stratum {
            region: self.region,
            birth_year: self.birth_year,
            male: self.sex == Sex::Male,
            high: !matches!(self.origin, Origin::Mainland | Origin::Interpunct),
        }
    }
}

/// The households of one repetition.
pub(super) struct Pattern {
    members: Vec<Member>,
    adults: Vec<u32>,
    /// How many have a cross-border origin.
    pub(super) border_count: u16,
    /// Whether region codes are those in use.
    pub(super) realistic: bool,
}

impl Pattern {
    pub(super) fn new(settings: &Settings) -> Self {
        let realistic = settings.realistic_ids;
        let origins = origins(settings);
        let regions = Regions::new(settings);
        let mut counts: HashMap<Stratum, u8> = HashMap::new();
        let mut members: Vec<Member> = Vec::with_capacity(PATTERN_PERSONS as usize);
        let mut border_count = 0;
        for (household, origin) in (0..).zip(origins) {
            let index = u64::from(household);
            let mut stream = Stream::open(settings.seed, Purpose::Pattern, 0, index);
            let mut family = compose(&mut stream, size_of(household % HOUSEHOLDS_PER_BLOCK));
            for (place, member) in (0..).zip(&mut family) {
                (member.household, member.place, member.origin) = (household, place, origin);
                if origin.is_cross_border() {
                    member.border_rank = border_count;
                    border_count += 1;
                }
            }
            register(&mut family, &regions, &mut counts);
            members.append(&mut family);
        }
        for member in &mut members {
            member.count = counts.get(&member.stratum()).copied().unwrap_or(1);
        }
        let adult = |member: &Member| (18..=75).contains(&member.age());
        let adults = (0..).zip(&members).filter(|(_, member)| adult(member));
        Self {
            adults: adults.map(|(seat, _)| seat).collect(),
            members,
            border_count,
            realistic,
        }
    }

    pub(super) fn member(&self, seat: u32) -> Option<&Member> {
        self.members.get(seat as usize)
    }

    /// The household around a seat.
    pub(super) fn household(&self, seat: u32, member: &Member) -> &[Member] {
        let start = seat as usize - usize::from(member.place);
        let tail = self.members.get(start..).unwrap_or_default();
        let size = tail
            .iter()
            .take_while(|other| other.household == member.household)
            .count();
        tail.get(..size).unwrap_or_default()
    }

    pub(super) fn adults(&self) -> &[u32] {
        &self.adults
    }
}

/// Size of a household of the block. Households of different size alternate, so that a population
/// smaller than a block is a fair sample too: 37 is coprime to 100 and visits every one once.
pub(super) fn size_of(household: u32) -> usize {
    let mut left = household * 37 % HOUSEHOLDS_PER_BLOCK;
    let size = SIZES.iter().position(|&count| {
        let inside = left < count;
        left = left.saturating_sub(count);
        inside
    });
    size.unwrap_or_default() + 1
}

/// Where each household is from. Persons, not households, are counted, as the shares are: names
/// with interpunct 0.125 %, Hong Kong, Macau and Taiwan together 0.3 % (the division among them
/// is an assumption), foreigners 0.1 %.
fn origins(settings: &Settings) -> Vec<Origin> {
    let key = mix([settings.seed, Purpose::Pattern as u64, 1, 0]);
    let order = Permutation::new(u64::from(PATTERN_HOUSEHOLDS), key);
    let mut origins = vec![Origin::Mainland; PATTERN_HOUSEHOLDS as usize];
    let mut households = (0..u64::from(PATTERN_HOUSEHOLDS)).map(|rank| order.apply(rank));
    let shares = [
        (Origin::Interpunct, 125),
        (Origin::HongKong, 190),
        (Origin::Macau, 40),
        (Origin::Taiwan, 70),
        (Origin::Foreign(0), 100),
    ];
    for (origin, per_100_000) in shares {
        let wanted = PATTERN_PERSONS * per_100_000 * settings.oversample / 100_000;
        let (mut persons, mut rank) = (0, 0);
        while persons < wanted {
            let Some(household) = households.next() else {
                break;
            };
            persons += size_of(household as u32 % HOUSEHOLDS_PER_BLOCK) as u32;
            if let Some(place) = origins.get_mut(household as usize) {
                *place = match origin {
                    Origin::Foreign(_) => Origin::Foreign(rank % NATIONALITIES.len() as u8),
                    origin => origin,
                };
                rank = rank.wrapping_add(1);
            }
        }
    }
    origins
}

/// The codes that households are registered under.
struct Regions {
    realistic: bool,
    local: Vec<u32>,
    other: Vec<u32>,
}

impl Regions {
    fn new(settings: &Settings) -> Self {
        if settings.realistic_ids {
            let districts = CITIES.iter().flat_map(|city| city.districts);
            return Self {
                realistic: true,
                local: districts.map(|district| district.1).collect(),
                other: OTHER_COUNTIES.to_vec(),
            };
        }
        Self {
            realistic: false,
            local: county_codes(GUANGDONG).collect(),
            other: county_codes(OTHER_PROVINCES).collect(),
        }
    }

    /// The code at a member's number when the household takes the `attempt`-th choice.
    fn code(&self, member: &Member, attempt: u32) -> u32 {
        let household = member.household;
        match member.origin {
            Origin::HongKong => return 810_000,
            Origin::Macau => return 820_000,
            Origin::Taiwan => return 830_000,
            // 9, the province (Guangdong) and the numeric nationality of ISO 3166-1.
            Origin::Foreign(place) => {
                let nationality = NATIONALITIES.get(usize::from(place));
                return 944_000 + nationality.map_or(0, |nationality| nationality.code);
            }
            Origin::Mainland | Origin::Interpunct => {}
        }
        let (round, turn) = (household / CYCLE, household % CYCLE);
        let pick = |list: &[u32], at: u32| {
            let place = (at + attempt) as usize % list.len().max(1);
            list.get(place).copied().unwrap_or_default()
        };
        if self.realistic && turn < LOCAL && household * 379 % 1_000 < FOLLOWED_PER_1000 {
            let place = (household + attempt) as usize % FOLLOWED.len();
            let Some(&(code, former, last_year)) = FOLLOWED.get(place) else {
                return 0;
            };
            return if member.birth_year <= last_year {
                former
            } else {
                code
            };
        }
        let county = if turn < LOCAL {
            pick(&self.local, round * LOCAL + turn)
        } else {
            pick(&self.other, round * (CYCLE - LOCAL) + turn - LOCAL)
        };
        if !self.realistic && member.birth_year < WITHDRAWN_SINCE {
            return county + NEVER_ISSUED;
        }
        county
    }
}

/// Gives a family its region and ranks: the first choice of county that is not yet full.
fn register(family: &mut [Member], regions: &Regions, counts: &mut HashMap<Stratum, u8>) {
    let mut attempt = 0;
    loop {
        for member in family.iter_mut() {
            member.region = regions.code(member, attempt);
        }
        let full = family.iter().any(|member| {
            let stratum = member.stratum();
            let limit = if stratum.high {
                HIGH_RANKS_MAX
            } else {
                RANKS_MAX
            };
            let same = family.iter().filter(|other| other.stratum() == stratum);
            usize::from(counts.get(&stratum).copied().unwrap_or_default()) + same.count()
                > usize::from(limit)
        });
        if !full {
            break;
        }
        attempt += 1;
        for member in family.iter_mut() {
            member.origin = member.origin.next(attempt);
        }
    }
    let mut previous: Option<(u8, usize)> = None;
    for place in 0..family.len() {
        let Some(member) = family.get(place).copied() else {
            continue;
        };
        let rank = match previous {
            Some((rank, before)) if member.twin => {
                for twin in [before, place] {
                    if let Some(twin) = family.get_mut(twin) {
                        twin.sole = false;
                    }
                }
                rank
            }
            _ => {
                let count = counts.entry(member.stratum()).or_default();
                *count += 1;
                *count - 1
            }
        };
        if let Some(member) = family.get_mut(place) {
            member.rank = rank;
        }
        previous = Some((rank, place));
    }
}
