//! A household of a population, and its members in full.

pub(super) mod composition;

use super::address::Address;
use super::documents;
use super::naming;
use super::pattern::{Member, Origin, PATTERN_HOUSEHOLDS, PATTERN_PERSONS, Pattern, Role};
use super::person::{Person, Sex, mobile_number};
use super::resident_id::Share;
use super::traits::{Traits, standing};
use crate::data::surnames::SURNAMES;
use crate::stream::{Purpose, Stream, happens, mix};

/// Moves per half-year in 10 000: 8 % a year.
pub(crate) const MOVES: u64 = 408;
/// Changes of mobile number per half-year in 10 000: 12 % a year.
pub(crate) const PHONE_CHANGES: u64 = 619;
/// Changes of legal name per half-year in 40 000: 0.05 % a year.
const RENAMINGS: u64 = 10;
/// Of 100 000 people, those who were given the number of another: 0.13 %, as registers from before
/// 2017 show.
const SHARED_NUMBERS: u64 = 130;
/// Of 10 000 people, those whose number was corrected: 0.1 %.
const CORRECTED_NUMBERS: u64 = 10;
/// Of 10 000 people born before 1985, those still known by 15 digits somewhere: 3 %.
const FIFTEEN_DIGITS: u64 = 300;
const FIFTEEN_DIGITS_UNTIL: i16 = 1985;

/// People at one address.
pub struct Household<'a> {
    seed: u64,
    pattern: &'a Pattern,
    cycle: u32,
    index: u64,
    first_person: u64,
    members: &'a [Member],
    surnames: [&'static str; 2],
    generation: Option<char>,
    /// Economic standing, 0 to 99; members' incomes spread around it.
    standing: i32,
}

impl<'a> Household<'a> {
    pub(super) fn new(
        seed: u64,
        pattern: &'a Pattern,
        cycle: u32,
        seat: u32,
        member: &Member,
    ) -> Self {
        let index = u64::from(cycle) * u64::from(PATTERN_HOUSEHOLDS) + u64::from(member.household);
        let members = pattern.household(seat, member);
        let mut stream = Stream::open(seed, Purpose::Household, 0, index);
        let surnames = [0, 1].map(|_| surname(&mut stream, member.origin));
        // Siblings who share a generation character: 35 %, an assumption.
        let shares = stream.chance(3_500);
        let child = members.iter().rfind(|member| member.role == Role::Child);
        let generation = child
            .filter(|child| shares && child.origin == Origin::Mainland)
            .map(|child| naming::generation(&mut stream, child));
        let mut household = Self {
            seed,
            pattern,
            cycle,
            index,
            first_person: u64::from(cycle) * u64::from(PATTERN_PERSONS) + u64::from(seat)
                - u64::from(member.place),
            members,
            surnames,
            generation,
            standing: 0,
        };
        household.standing = standing(&mut stream, &household.address(0));
        household
    }

    /// The members; a member's position is its place.
    pub fn members(&self) -> &[Member] {
        self.members
    }

    /// Where they live; after so many moves back, where they lived.
    pub fn address(&self, moves: u32) -> Address {
        Address::draw(&mut Stream::open(
            self.seed,
            Purpose::Address,
            u64::from(moves),
            self.index,
        ))
    }

    /// Family name of the member at `place`: empty where names have none.
    pub fn surname(&self, place: usize) -> &'static str {
        let Some(member) = self.members.get(place) else {
            return "";
        };
        if matches!(member.origin, Origin::Interpunct | Origin::Foreign(_)) {
            return "";
        }
        let [first, second] = self.surnames;
        match member.role {
            // The first adult is the man of a couple; his partner keeps her own name.
            Role::Adult if place > 0 => second,
            Role::Adult => first,
            Role::Child if member.mothers_name => second,
            Role::Child => first,
            Role::Grandparent if member.sex == Sex::Male => first,
            Role::Grandparent => {
                surname(&mut self.stream(Purpose::Person, 9, place), member.origin)
            }
        }
    }

    /// The member at `place`, in full.
    pub fn person(&self, place: usize) -> Option<Person> {
        let member = *self.members.get(place)?;
        let mut stream = self.stream(Purpose::Person, 0, place);
        let traits = Traits::draw(&mut stream, &member, self.standing);
        let numbers = self.numbers(place, &member)?;
        Some(Person {
            place,
            index: self.first_person + place as u64,
            surname: self.surname(place),
            given: self.given(place, &member, 0),
            sex: member.sex,
            birth_date: numbers.birth_date,
            id_number: numbers.own,
            former_number: numbers.former,
            shared_number: numbers.shared,
            travel_permit: documents::travel_permit(
                self.seed,
                &member,
                self.cycle,
                self.pattern.border_count,
                self.pattern.realistic,
            ),
            fifteen_digits: member.birth_year < FIFTEEN_DIGITS_UNTIL
                && matches!(member.origin, Origin::Mainland)
                && self.happens(Purpose::FifteenDigits, 0, place, FIFTEEN_DIGITS),
            origin: member.origin,
            mobile: self.mobile(place, 0),
            traits,
        })
    }

    /// Given name before a change of legal name, if there was one in the last `lag` half-years.
    pub(crate) fn former_given(&self, place: usize, lag: u32) -> Option<String> {
        let person = self.first_person + place as u64;
        let drawn = mix([self.seed, Purpose::Renaming as u64, 0, person]) % 40_000;
        let member = self.members.get(place)?;
        let former = (drawn < u64::from(lag) * RENAMINGS).then(|| self.given(place, member, 1))?;
        (former != self.given(place, member, 0)).then_some(former)
    }

    /// Moves of the household in the last `lag` half-years.
    pub(crate) fn moves(&self, lag: u32) -> u32 {
        let moved = |half: &u32| {
            happens(
                self.seed,
                Purpose::Move,
                u64::from(*half),
                self.index,
                MOVES,
            )
        };
        (0..lag).filter(moved).count() as u32
    }

    /// Changes of a member's number, or of the number they use, in the last `lag` half-years.
    pub(crate) fn phone_changes(&self, place: usize, lag: u32) -> u32 {
        let holder = self.phone_holder(place).unwrap_or(place);
        let changed = |half: &u32| {
            self.happens(
                Purpose::PhoneChange,
                u64::from(*half),
                holder,
                PHONE_CHANGES,
            )
        };
        (0..lag).filter(changed).count() as u32
    }

    /// The mobile number that a member uses; after so many changes back, the one they used.
    pub(crate) fn mobile(&self, place: usize, changes: u32) -> String {
        let holder = self.phone_holder(place).unwrap_or(place);
        mobile_number(&mut self.stream(Purpose::Mobile, u64::from(changes), holder))
    }

    /// A relative whose document may be shown by mistake: a parent for a child, else any other.
    pub fn relative_of(&self, place: usize) -> Option<Person> {
        let child = self.members.get(place)?.role == Role::Child;
        let fits = |member: &Member| !child || member.role == Role::Adult;
        let mut others = (0..).zip(self.members).filter(|(at, _)| *at != place);
        let (other, _) = others.find(|(_, member)| fits(member))?;
        self.person(other)
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

    fn given(&self, place: usize, member: &Member, renamings: u64) -> String {
        let mut stream = self.stream(Purpose::Person, 1 + renamings, place);
        let generation = self.generation.filter(|_| member.role == Role::Child);
        naming::given_name(&mut stream, member, generation)
    }

    /// Whose phone a member uses: children under 6 always a parent's, to 13 mostly, and three in
    /// ten of those over 70 their family's.
    fn phone_holder(&self, place: usize) -> Option<usize> {
        let member = self.members.get(place)?;
        let rate = match (member.role, member.age()) {
            (Role::Child, ..6) => 10_000,
            (Role::Child, 6..14) => 8_000,
            (Role::Grandparent, 70..) => 3_000,
            _ => return None,
        };
        let mut stream = self.stream(Purpose::Mobile, u64::MAX, place);
        let adults = self
            .members
            .iter()
            .filter(|m| m.role == Role::Adult)
            .count();
        let holder = stream.below(adults.max(1) as u32) as usize;
        stream.chance(rate).then_some(holder)
    }

    fn numbers(&self, place: usize, member: &Member) -> Option<Numbers> {
        let holder = if member.twin {
            self.members.get(place.checked_sub(1)?)?
        } else {
            member
        };
        let stratum = holder.stratum();
        let ordinal = self.cycle * u32::from(holder.count) + u32::from(holder.rank);
        let share = match member.twin {
            false => Share::Own,
            true if holder.sex == member.sex => Share::Second,
            true => Share::Cross,
        };
        let person = self.first_person + place as u64;
        let drawn = mix([self.seed, Purpose::SharedNumber as u64, 0, person]) % 100_000;
        let shared = drawn < SHARED_NUMBERS && member.sole && ordinal > 0;
        let (birth_date, own) = stratum.issue(self.seed, ordinal - u32::from(shared), share);
        let corrected = member.sole
            && !shared
            && self.happens(Purpose::NumberChange, 0, place, CORRECTED_NUMBERS);
        let former = corrected.then(|| stratum.issue(self.seed, ordinal, Share::Second).1);
        Some(Numbers {
            birth_date,
            own,
            former,
            shared,
        })
    }

    fn stream(&self, purpose: Purpose, scope: u64, place: usize) -> Stream {
        Stream::open(self.seed, purpose, scope, self.first_person + place as u64)
    }

    fn happens(&self, purpose: Purpose, scope: u64, place: usize, rate: u64) -> bool {
        let person = self.first_person + place as u64;
        happens(self.seed, purpose, scope, person, rate)
    }
}

fn surname(stream: &mut Stream, origin: Origin) -> &'static str {
    match origin {
        Origin::HongKong | Origin::Macau => naming::romanisable_surname(stream),
        _ => SURNAMES.pick(stream),
    }
}

/// What a person's document says.
struct Numbers {
    birth_date: jiff::civil::Date,
    own: String,
    former: Option<String>,
    shared: bool,
}

#[cfg(test)]
mod tests;
