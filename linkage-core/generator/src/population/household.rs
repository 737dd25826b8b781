//! Households by index arithmetic, and who lives in them.

use std::sync::LazyLock;

use super::address::Address;
use super::naming;
use super::person::{Person, Sex, mobile_number};
use super::resident_id::Registration;
use super::traits::{Traits, standing};
use super::{PERSONS_MAX, REFERENCE_YEAR};
use crate::data::surnames::SURNAMES;
use crate::settings::Settings;
use crate::stream::{Purpose, Stream, Weighted};

/// Households of one to five per block of 100: shares .33 .24 .21 .14 .08.
const SIZES: [u32; 5] = [33, 24, 21, 14, 8];
/// 33 + 2 * 24 + 3 * 21 + 4 * 14 + 5 * 8.
pub(super) const PERSONS_PER_BLOCK: u32 = 240;
const HOUSEHOLDS_PER_BLOCK: u32 = 100;

/// Where in its block a person lives.
#[derive(Clone, Copy)]
struct Seat {
    household: u32,
    place: usize,
    size: usize,
}

/// The seats of a block. Households of different size alternate, so that a population smaller
/// than a block is a fair sample too: 37 is coprime to 100 and visits every household once.
static SEATS: LazyLock<Vec<Seat>> = LazyLock::new(|| {
    let size_of = |rank: u32| {
        let mut left = rank;
        SIZES.iter().position(|&count| {
            let inside = left < count;
            left = left.saturating_sub(count);
            inside
        })
    };
    let sizes = (0..HOUSEHOLDS_PER_BLOCK).filter_map(|household| {
        Some((
            household,
            size_of(household * 37 % HOUSEHOLDS_PER_BLOCK)? + 1,
        ))
    });
    sizes
        .flat_map(|(household, size)| {
            (0..size).map(move |place| Seat {
                household,
                place,
                size,
            })
        })
        .collect()
});

/// The population of a seed: any person or household, computed when asked for.
#[derive(Clone, Debug)]
pub struct Population {
    seed: u64,
    persons: u32,
}

impl Population {
    /// The population that the settings describe.
    pub fn new(settings: &Settings) -> Self {
        Self {
            seed: settings.seed(),
            persons: settings.persons(),
        }
    }

    /// How many persons there are.
    pub fn persons(&self) -> u32 {
        self.persons
    }

    /// The person with this index and the household around it; `None` beyond the population. The
    /// household is complete even where its later members lie beyond the population.
    pub fn person(&self, index: u32) -> Option<(Household, Person)> {
        if index >= self.persons.min(PERSONS_MAX) {
            return None;
        }
        let block = index / PERSONS_PER_BLOCK;
        let seat = *SEATS.get((index % PERSONS_PER_BLOCK) as usize)?;
        let household = block * HOUSEHOLDS_PER_BLOCK + seat.household;
        let household = Household::new(self.seed, household, seat.size);
        let person = household.person(seat.place)?;
        Some((household, person))
    }
}

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

/// What the household fixes of a member.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Position in the family.
    pub role: Role,
    /// Sex.
    pub sex: Sex,
    /// Year of birth.
    pub birth_year: i16,
    /// Family name.
    pub surname: &'static str,
    /// Shares the birth date of the member before.
    pub twin: bool,
}

impl Member {
    /// Age in years at the reference date.
    pub fn age(&self) -> i16 {
        REFERENCE_YEAR - self.birth_year
    }
}

/// People at one address.
#[derive(Debug)]
pub struct Household {
    seed: u64,
    index: u32,
    registration: Registration,
    members: Vec<Member>,
    generation: Option<char>,
    /// Where they live.
    pub address: Address,
    /// Economic standing, 0 to 99; members' incomes spread around it.
    pub(super) standing: i32,
}

impl Household {
    fn new(seed: u64, index: u32, size: usize) -> Self {
        let mut stream = Stream::open(seed, Purpose::Household, 0, u64::from(index));
        let address = Address::draw(&mut stream);
        let standing = standing(&mut stream, &address);
        let members = compose(&mut stream, size);
        let child = members.iter().rfind(|member| member.role == Role::Child);
        // Siblings who share a generation character: 35 %, an assumption.
        let shares = stream.chance(3_500);
        let generation = child
            .filter(|_| shares)
            .map(|child| naming::generation(&mut stream, child));
        let registration = Registration::of_household(index);
        Self {
            seed,
            index,
            registration,
            members,
            generation,
            address,
            standing,
        }
    }

    /// The members; a member's position is its place.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member at `place`, in full.
    pub fn person(&self, place: usize) -> Option<Person> {
        let member = *self.members.get(place)?;
        let id = u64::from(self.index) * 8 + place as u64;
        let mut stream = Stream::open(self.seed, Purpose::Person, 0, id);
        let generation = self.generation.filter(|_| member.role == Role::Child);
        let given = naming::given_name(&mut stream, member.sex, member.birth_year, generation);
        let own_mobile = mobile_number(&mut stream);
        let traits = Traits::draw(&mut stream, &member, self.standing);
        let (slot, twin) = (place - usize::from(member.twin), member.twin);
        let (birth_date, id_number) =
            self.registration
                .issue(self.seed, slot as u32, twin, member.birth_year, member.sex);
        let guardian = self.phone_holder(place, &mut stream);
        let mobile = guardian.map_or(own_mobile, |holder| self.own_mobile(holder));
        Some(Person {
            place,
            surname: member.surname,
            given,
            sex: member.sex,
            birth_date,
            id_number,
            mobile,
            traits,
        })
    }

    /// A relative whose document may be shown by mistake: a parent for a child, else any other.
    pub fn relative_of(&self, place: usize) -> Option<Person> {
        let child = self.members.get(place)?.role == Role::Child;
        let other = (0..self.members.len())
            .filter(|&other| other != place)
            .find(|&other| {
                !child
                    || self
                        .members
                        .get(other)
                        .is_some_and(|m| m.role == Role::Adult)
            });
        self.person(other?)
    }

    /// The mother, or else the only adult, of a child.
    pub fn mother_of(&self, place: usize) -> Option<Person> {
        let adult = |m: &Member| m.role == Role::Adult;
        let mother = self
            .members
            .iter()
            .position(|m| adult(m) && m.sex == Sex::Female);
        self.members
            .get(place)
            .filter(|member| member.role == Role::Child)?;
        self.person(mother.or_else(|| self.members.iter().position(adult))?)
    }

    /// Whose phone a member uses: children under 6 always a parent's, to 13 mostly, and three in
    /// ten of those over 70 their family's.
    fn phone_holder(&self, place: usize, stream: &mut Stream) -> Option<usize> {
        let member = self.members.get(place)?;
        let rate = match (member.role, member.age()) {
            (Role::Child, ..6) => 10_000,
            (Role::Child, 6..14) => 8_000,
            (Role::Grandparent, 70..) => 3_000,
            _ => 0,
        };
        let shares = stream.chance(rate);
        let adults = self
            .members
            .iter()
            .filter(|m| m.role == Role::Adult)
            .count();
        let holder = stream.below(adults.max(1) as u32) as usize;
        shares.then_some(holder)
    }

    /// The number in a member's own name.
    fn own_mobile(&self, place: usize) -> String {
        let id = u64::from(self.index) * 8 + place as u64;
        let mut stream = Stream::open(self.seed, Purpose::Person, 0, id);
        if let Some(member) = self.members.get(place) {
            // The name comes first in the person's stream and has to be drawn to get past it.
            naming::given_name(&mut stream, member.sex, member.birth_year, None);
        }
        mobile_number(&mut stream)
    }
}

/// Ages of those who live alone, by bands of five years from 18; with [`COUPLE_AGES`] tuned so that
/// the whole population follows the census of 2020.
static SINGLE_AGES: LazyLock<Weighted<i32>> = LazyLock::new(|| {
    let bands = [
        50, 150, 150, 130, 90, 60, 60, 70, 60, 40, 40, 30, 24, 20, 16,
    ];
    Weighted::new((18..93).step_by(5).zip(bands))
});
/// Ages of wives without children at home, by bands of five years from 21.
static COUPLE_AGES: LazyLock<Weighted<i32>> = LazyLock::new(|| {
    let bands = [60, 150, 130, 70, 50, 70, 110, 110, 80, 70, 40, 25, 12, 6];
    Weighted::new((21..91).step_by(5).zip(bands))
});

/// Who lives in a household of `size`. Adults come first, then grandparents, then children from
/// the oldest to the youngest.
fn compose(stream: &mut Stream, size: usize) -> Vec<Member> {
    let grandparents = match size {
        3 => usize::from(stream.chance(1_500)),
        4 => usize::from(stream.chance(2_000)),
        5 => {
            let drawn = stream.below(100);
            usize::from(drawn < 50) + usize::from(drawn < 25)
        }
        _ => 0,
    };
    // A pair is a parent with a child in one case of four.
    let adults = if size == 1 || (size == 2 && stream.chance(2_500)) {
        1
    } else {
        2
    };
    let children = size - adults - grandparents;
    let child_ages = child_ages(stream, children, grandparents == 0);
    let (first, second) = adults_of(stream, adults, grandparents, child_ages.first().copied());
    let mut members = vec![first];
    members.extend(second);
    let first_year = first.birth_year;
    for rank in 0..grandparents {
        // One grandparent is mostly the grandmother; of two, the grandfather comes first.
        let male = if grandparents == 2 {
            rank == 0
        } else {
            stream.chance(3_500)
        };
        let surname = if male {
            first.surname
        } else {
            SURNAMES.pick(stream)
        };
        let born = i32::from(first_year) - stream.between(22, 33);
        members.push(member(Role::Grandparent, sex(male), born, surname));
    }
    // The mother's surname: 4 %.
    let inherits_second = stream.chance(400);
    let surname = second.filter(|_| inherits_second).unwrap_or(first).surname;
    let mut previous = None;
    for age in child_ages {
        let male = stream.chance(5_350);
        let born = i32::from(REFERENCE_YEAR) - age;
        let mut child = member(Role::Child, sex(male), born, surname);
        child.twin = previous == Some(age);
        previous = Some(age);
        members.push(child);
    }
    members
}

/// Ages of `children` from the oldest to the youngest; equal ages are twins. Third children are
/// twins of the second in 5 % of families. `grown` permits children who are all grown up.
fn child_ages(stream: &mut Stream, children: usize, grown: bool) -> Vec<i32> {
    let mut ages: Vec<i32> = Vec::with_capacity(children);
    if children == 0 {
        return ages;
    }
    // Grown children at home are rarer than minors.
    let minor = stream.chance(8_600) || !grown;
    let youngest = if minor {
        stream.below(17)
    } else {
        17 + stream.below(16)
    };
    let mut age = youngest as i32;
    ages.push(age);
    for rank in 1..children {
        let twins = children == 3 && rank == 1 && stream.chance(500);
        age += if twins { 0 } else { stream.between(2, 6) };
        ages.push(age);
    }
    ages.reverse();
    ages
}

/// The one or two adults; a couple's first is the man, whose surname children take.
fn adults_of(
    stream: &mut Stream,
    adults: usize,
    grandparents: usize,
    oldest: Option<i32>,
) -> (Member, Option<Member>) {
    let year = i32::from(REFERENCE_YEAR);
    let surname = SURNAMES.pick(stream);
    if adults == 1 {
        // Men among those who live alone: 70 %, which brings all men near 53 %; lone parents: 35 %.
        let male = stream.chance(if oldest.is_some() { 3_500 } else { 7_000 });
        let age = match oldest {
            Some(oldest) => oldest + stream.between(21, 36),
            None => SINGLE_AGES.pick(stream) + stream.between(0, 4),
        };
        return (member(Role::Adult, sex(male), year - age, surname), None);
    }
    let age = match oldest {
        Some(oldest) => oldest + stream.between(20, 33),
        // Whoever lives with a parent is not old.
        None if grandparents > 0 => stream.between(25, 58),
        None => COUPLE_AGES.pick(stream) + stream.between(0, 4),
    };
    let wife = member(Role::Adult, Sex::Female, year - age, SURNAMES.pick(stream));
    let husband_age = (age + stream.between(-2, 5)).max(20);
    (
        member(Role::Adult, Sex::Male, year - husband_age, surname),
        Some(wife),
    )
}

fn sex(male: bool) -> Sex {
    if male { Sex::Male } else { Sex::Female }
}

fn member(role: Role, sex: Sex, born: i32, surname: &'static str) -> Member {
    Member {
        role,
        sex,
        birth_year: born as i16,
        surname,
        twin: false,
    }
}

#[cfg(test)]
mod tests;
