//! Copies persons, and notes what goes wrong.

use crate::department::Department;
use crate::errors::{Field, Finding, Kind};
use crate::noise::rates::{Rates, residual};
use crate::noise::{blank, dates, names, numbers};
use crate::population::address::Address;
use crate::population::household::{MOVES, PHONE_CHANGES};
use crate::population::person::mobile_number;
use crate::population::{Household, Origin, Person, Sex, naming};
use crate::stream::{Purpose, Stream, happens};

/// One who writes one record.
pub(crate) struct Clerk<'a> {
    pub(crate) department: Department,
    pub(crate) rates: &'a Rates,
    /// What is left of life's changes when this is false: nothing.
    pub(crate) careless: bool,
    /// Half-years between this record and the present.
    pub(crate) lag: u32,
    pub(crate) seed: u64,
    pub(crate) household: &'a Household<'a>,
    pub(crate) person: &'a Person,
    pub(crate) stream: &'a mut Stream,
    pub(crate) errors: Vec<Finding>,
}

impl Clerk<'_> {
    pub(crate) fn name(&mut self) -> String {
        let person = self.person;
        // Three in ten children under one year are not yet named when a hospital enters them.
        if person.age() == 0
            && self.stream.chance(self.rates.newborn)
            && let Some(mother) = self.household.mother_of(person.place)
        {
            self.note(Field::Name, Kind::Newborn);
            let suffix = if person.sex == Sex::Male {
                "之子"
            } else {
                "之女"
            };
            return format!("{}{suffix}", mother.name());
        }
        let former = self.household.former_given(person.place, self.lag);
        if former.is_some() {
            self.note(Field::Name, Kind::Renamed);
        }
        let given = former.as_deref().unwrap_or(&person.given);
        if matches!(person.origin, Origin::HongKong | Origin::Macau)
            && self.stream.chance(self.rates.romanised)
            && let Some(name) = naming::romanised(person.surname, given)
        {
            self.note(Field::Name, Kind::Romanised);
            return name;
        }
        let name = if self.stream.chance(self.rates.name) {
            let (name, kind) = names::garbled(self.stream, person.surname, given);
            self.note(Field::Name, kind);
            name
        } else {
            format!("{}{given}", person.surname)
        };
        if person.origin == Origin::Interpunct && self.stream.chance(self.rates.interpunct) {
            self.note(Field::Name, Kind::Interpunct);
            return names::separated_otherwise(self.stream, &name);
        }
        name
    }

    pub(crate) fn sex(&mut self) -> &'static str {
        let sex = if !self.stream.chance(self.rates.sex) {
            Some(self.person.sex)
        } else if self.stream.chance(2_000) {
            self.note(Field::Sex, Kind::Missing);
            None
        } else {
            self.note(Field::Sex, Kind::Flipped);
            Some(if self.person.sex == Sex::Male {
                Sex::Female
            } else {
                Sex::Male
            })
        };
        self.department.sex_code(sex)
    }

    pub(crate) fn birth_date(&mut self) -> String {
        let mut date = self.person.birth_date;
        if self.stream.chance(self.rates.birth_date) {
            let (wrong, kind) = dates::mistaken(self.stream, date);
            let Some(wrong) = wrong else {
                return self.blank(Field::BirthDate, &blank::BIRTH_DATES).to_owned();
            };
            date = wrong;
            self.note(Field::BirthDate, kind);
        }
        let text = self.department.date_text(date, self.stream);
        self.width(Field::BirthDate, text)
    }

    pub(crate) fn id_number(&mut self) -> String {
        let rates = self.rates;
        // One draw decides, so that the rates add up.
        let drawn = self.stream.below(10_000);
        let infant = self.person.age() < 6;
        let relative = if infant {
            rates.id_relative_infant
        } else {
            rates.id_relative
        };
        if drawn < rates.id_missing {
            return self.blank(Field::IdNumber, &blank::ID_NUMBERS).to_owned();
        }
        let mut text = self.document();
        if drawn < rates.id_missing + rates.id_wrong {
            let kind;
            (text, kind) = numbers::mistaken(self.stream, &text);
            self.note(Field::IdNumber, kind);
        } else if drawn < rates.id_missing + rates.id_wrong + relative {
            // Who lives alone has nobody's number to show.
            if let Some(relative) = self.household.relative_of(self.person.place) {
                text = relative.id_number;
                self.note(Field::IdNumber, Kind::Relative);
            }
        }
        self.width(Field::IdNumber, text)
    }

    /// The number that the department knows when nobody errs. What it knows does not depend on
    /// the visit.
    fn document(&mut self) -> String {
        let person = self.person;
        if person.shared_number {
            self.note(Field::IdNumber, Kind::SharedNumber);
        }
        let known = |purpose, rate| {
            let scope = self.department as u64 + 1;
            self.careless && happens(self.seed, purpose, scope, person.index, rate)
        };
        if let Some(permit) = &person.travel_permit
            && known(Purpose::Document, u64::from(self.rates.other_document))
        {
            self.note(Field::IdNumber, Kind::OtherDocument);
            return permit.clone();
        }
        if let Some(former) = &person.former_number
            && known(Purpose::NumberChange, 5_000)
        {
            self.note(Field::IdNumber, Kind::FormerNumber);
            return former.clone();
        }
        if person.fifteen_digits
            && known(Purpose::FifteenDigits, 5_000)
            && let Some(old) = numbers::old_form(&person.id_number)
        {
            self.note(Field::IdNumber, Kind::OldForm);
            return old;
        }
        person.id_number.clone()
    }

    pub(crate) fn mobile(&mut self) -> String {
        let rates = self.rates;
        if self.stream.chance(rates.mobile_missing) {
            return self.blank(Field::Mobile, &blank::PHONES).to_owned();
        }
        let other = residual(
            rates.mobile_other,
            rates.mobile_missing,
            rates.lag_max,
            PHONE_CHANGES,
        );
        let place = self.person.place;
        let changes = self.household.phone_changes(place, self.lag);
        let number = if changes > 0 {
            self.note(Field::Mobile, Kind::Other);
            self.household.mobile(place, changes)
        } else if self.stream.chance(other) {
            self.note(Field::Mobile, Kind::Other);
            mobile_number(self.stream)
        } else {
            self.person.mobile.clone()
        };
        let text = self.department.mobile_text(&number, self.stream);
        self.width(Field::Mobile, text)
    }

    pub(crate) fn address(&mut self) -> String {
        let rates = self.rates;
        if self.stream.chance(rates.address_missing) {
            return self.blank(Field::Address, &blank::ADDRESSES).to_owned();
        }
        let other = residual(
            rates.address_moved,
            rates.address_missing,
            rates.lag_max,
            MOVES,
        );
        let moves = self.household.moves(self.lag);
        let address = if moves > 0 {
            self.note(Field::Address, Kind::Moved);
            self.household.address(moves)
        } else if self.stream.chance(other) {
            self.note(Field::Address, Kind::Moved);
            Address::draw(self.stream)
        } else {
            self.household.address(0)
        };
        if !self.careless {
            return address.plain();
        }
        let text = address.written(self.stream);
        self.width(Field::Address, text)
    }

    fn note(&mut self, field: Field, kind: Kind) {
        self.errors.push((field, kind));
    }

    /// Nothing, or one time in ten something that stands for nothing.
    fn blank(&mut self, field: Field, placeholders: &[&'static str]) -> &'static str {
        let (text, kind) = blank::blank(self.stream, placeholders);
        self.note(field, kind);
        text
    }

    fn width(&mut self, field: Field, text: String) -> String {
        if !self.stream.chance(self.rates.full_width) {
            return text;
        }
        let wide = numbers::full_width(&text);
        if wide != text {
            self.note(field, Kind::FullWidth);
        }
        wide
    }
}
