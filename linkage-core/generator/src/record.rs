//! A department's records: its imperfect copies of the persons it covers.

use crate::department::Department;
use crate::noise::rates::Rates;
use crate::noise::{dates, names, numbers};
use crate::permutation::Permutation;
use crate::population::address::Address;
use crate::population::person::mobile_number;
use crate::population::{Household, PERSONS_MAX, Person, Population, Sex};
use crate::settings::Settings;
use crate::stream::{Purpose, Stream, mix};

/// A column that can hold an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `name`
    Name,
    /// `sex`
    Sex,
    /// `birth_date`
    BirthDate,
    /// `id_number`
    IdNumber,
    /// `mobile`
    Mobile,
    /// `address`
    Address,
}

impl Field {
    /// The column's name.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Sex => "sex",
            Self::BirthDate => "birth_date",
            Self::IdNumber => "id_number",
            Self::Mobile => "mobile",
            Self::Address => "address",
        }
    }
}

macro_rules! kinds {
    ($($variant:ident $slug:literal $doc:literal)+) => {
        /// What went wrong in a field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $(#[doc = $doc] $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in the error log.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }
        }
    };
}

kinds! {
    HomophoneGiven "homophone-given" "Given-name character of the same sound."
    HomophoneSurname "homophone-surname" "Surname of the same sound."
    DialectNear "dialect-near" "Character that sounds the same where zh/z, n/l, -ng/-n merge."
    Mistyped "mistyped" "Character of a neighbouring syllable."
    LookAlike "look-alike" "Character of similar shape, written by hand or eye."
    Misread "misread" "Character of similar shape, read by a scanner."
    Traditional "traditional" "Name in traditional characters."
    CharacterLost "character-lost" "A given-name character is missing."
    Swapped "swapped" "Given-name characters in the wrong order."
    Unprintable "unprintable" "`?`, `*` or `□` for a character."
    PinyinInPlace "pinyin-in-place" "Pinyin for a character."
    Newborn "newborn" "Mother's name with 之子 or 之女 for a child not yet named."
    DigitWrong "digit-wrong" "One digit of the date."
    DayMonthSwapped "day-month-swapped" "Day and month exchanged."
    LunarDate "lunar-date" "The lunar date written as if solar."
    YearOff "year-off" "One year early or late."
    FirstOfJanuary "first-of-january" "Only the year was known."
    Flipped "flipped" "The other sex."
    Substituted "substituted" "One digit of the number."
    Transposed "transposed" "Two neighbouring digits exchanged."
    LengthWrong "length-wrong" "A digit lost or doubled."
    LastLost "last-lost" "Last character lost or starred."
    OldForm "old-form" "The 15-digit form."
    Relative "relative" "A relative's number."
    Missing "missing" "Empty."
    Placeholder "placeholder" "A value that stands for none."
    Other "other" "Another number of the person or family."
    Moved "moved" "An earlier or later address."
    FullWidth "full-width" "Right, but in full-width digits."
}

/// One row of a department, with the truth about it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Identifies the record within its department; says nothing of the person.
    pub record_id: String,
    /// Index of the person it is a copy of.
    pub person: u32,
    /// `name`
    pub name: String,
    /// `sex`, in the department's code.
    pub sex: &'static str,
    /// `birth_date`, in the department's format.
    pub birth_date: String,
    /// `id_number`
    pub id_number: String,
    /// `mobile`
    pub mobile: String,
    /// `address`
    pub address: String,
    /// Values of [`Department::attributes`].
    pub attributes: Vec<&'static str>,
    /// What went wrong, in column order; a field may appear twice (wrong, and in full width).
    pub errors: Vec<(Field, Kind)>,
}

impl Record {
    /// The person's id in the truth, the same in every department.
    pub fn entity_id(&self) -> String {
        format!("P{:08}", self.person)
    }
}

impl Department {
    /// The department's records, in an order that is shuffled per department and therefore tells
    /// nothing about who is who. Memory does not grow with the number of persons.
    pub fn records(self, settings: &Settings) -> Records {
        let seed = settings.seed();
        let visits = u64::from(settings.persons()) * COPIES;
        let scope = self as u64;
        let key = |purpose: Purpose| mix([seed, purpose as u64, scope, 0]);
        Records {
            department: self,
            seed,
            rates: Rates::of(self, settings.errors()),
            population: Population::new(settings),
            order: Permutation::new(visits, key(Purpose::Order)),
            record_ids: Permutation::new(RECORD_IDS, key(Purpose::RecordId)),
            visits: 0..visits,
            left: settings.records_max().unwrap_or(u64::MAX),
        }
    }
}

/// A person is visited once for the record and once for a possible duplicate.
const COPIES: u64 = 2;
/// Duplicates within a source: 1.5 %, in units of 0.01 %.
const DUPLICATES: u64 = 150;
/// Record ids are drawn from a range far larger than any department, so they are not dense.
const RECORD_IDS: u64 = 1_000_000_000_000;
const _: () = assert!(PERSONS_MAX as u64 * COPIES < RECORD_IDS);

/// Iterator over a department's records.
pub struct Records {
    department: Department,
    seed: u64,
    rates: Rates,
    population: Population,
    order: Permutation,
    record_ids: Permutation,
    visits: std::ops::Range<u64>,
    left: u64,
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.left == 0 {
            return None;
        }
        loop {
            let visit = self.order.apply(self.visits.next()?);
            if let Some(record) = self.visit(visit) {
                self.left -= 1;
                return Some(record);
            }
        }
    }
}

impl Records {
    /// The record of a visit, if the department covers the person and has this copy.
    fn visit(&self, visit: u64) -> Option<Record> {
        let (index, copy) = (visit / COPIES, visit % COPIES);
        let happens = |purpose: Purpose, rate: u64| {
            mix([self.seed, purpose as u64, self.department as u64, index]) % 10_000 < rate
        };
        // Cheap draws first: most visits end here.
        if copy == 1 && !happens(Purpose::Duplicate, DUPLICATES)
            || !happens(Purpose::Coverage, self.department.coverage())
        {
            return None;
        }
        let (household, person) = self.population.person(index as u32)?;
        if !self.department.admits(person.age()) {
            return None;
        }
        let scope = self.department as u64;
        let mut stream = Stream::open(self.seed, Purpose::Copy, scope, visit);
        let mut clerk = Clerk {
            department: self.department,
            rates: self.rates,
            household: &household,
            person: &person,
            stream: &mut stream,
            errors: Vec::new(),
        };
        let number = self.record_ids.apply(visit);
        Some(Record {
            record_id: format!("{}{number:012}", self.department.letter()),
            person: index as u32,
            name: clerk.name(),
            sex: clerk.sex(),
            birth_date: clerk.birth_date(),
            id_number: clerk.id_number(),
            mobile: clerk.mobile(),
            address: clerk.address(),
            attributes: self.department.attribute_values(&person),
            errors: clerk.errors,
        })
    }
}

/// Copies one person and notes what goes wrong.
struct Clerk<'a> {
    department: Department,
    rates: Rates,
    household: &'a Household,
    person: &'a Person,
    stream: &'a mut Stream,
    errors: Vec<(Field, Kind)>,
}

impl Clerk<'_> {
    fn name(&mut self) -> String {
        let person = self.person;
        // Three in ten children under one year are not yet named when a hospital enters them.
        if self.department == Department::Health
            && person.age() == 0
            && self.stream.chance(3_000)
            && let Some(mother) = self.household.mother_of(person.place)
        {
            self.errors.push((Field::Name, Kind::Newborn));
            let suffix = if person.sex == Sex::Male {
                "之子"
            } else {
                "之女"
            };
            return format!("{}{}{suffix}", mother.surname, mother.given);
        }
        if self.stream.chance(self.rates.name) {
            let (name, kind) = names::garbled(self.stream, person);
            self.errors.push((Field::Name, kind));
            return name;
        }
        format!("{}{}", person.surname, person.given)
    }

    fn sex(&mut self) -> &'static str {
        let sex = if !self.stream.chance(self.rates.sex) {
            Some(self.person.sex)
        } else if self.stream.chance(2_000) {
            self.errors.push((Field::Sex, Kind::Missing));
            None
        } else {
            self.errors.push((Field::Sex, Kind::Flipped));
            Some(if self.person.sex == Sex::Male {
                Sex::Female
            } else {
                Sex::Male
            })
        };
        self.department.sex_code(sex)
    }

    fn birth_date(&mut self) -> String {
        let mut date = Some(self.person.birth_date);
        if self.stream.chance(self.rates.birth_date) {
            let kind;
            (date, kind) = dates::mistaken(self.stream, self.person.birth_date);
            if date.is_none() {
                let text = self.blank(Field::BirthDate, &["1900-01-01", "9999-12-31"]);
                return text.to_owned();
            }
            self.errors.push((Field::BirthDate, kind));
        }
        let text = date.map(|date| self.department.date_text(date, self.stream));
        self.width(Field::BirthDate, text.unwrap_or_default())
    }

    fn id_number(&mut self) -> String {
        let rates = self.rates;
        // One draw decides, so that the rates add up.
        let drawn = self.stream.below(10_000);
        let infant = self.person.age() < 6;
        let relative = if infant {
            rates.id_relative_infant
        } else {
            rates.id_relative
        };
        let mut text = self.person.id_number.clone();
        if drawn < rates.id_missing {
            return self.blank(Field::IdNumber, &ID_PLACEHOLDERS).to_owned();
        } else if drawn < rates.id_missing + rates.id_wrong {
            let kind;
            (text, kind) = numbers::mistaken(self.stream, &text);
            self.errors.push((Field::IdNumber, kind));
        } else if drawn < rates.id_missing + rates.id_wrong + relative {
            // Who lives alone has nobody's number to show.
            if let Some(relative) = self.household.relative_of(self.person.place) {
                text = relative.id_number;
                self.errors.push((Field::IdNumber, Kind::Relative));
            }
        }
        self.width(Field::IdNumber, text)
    }

    fn mobile(&mut self) -> String {
        let rates = self.rates;
        let drawn = self.stream.below(10_000);
        let mut number = self.person.mobile.clone();
        if drawn < rates.mobile_missing {
            return self.blank(Field::Mobile, &MOBILE_PLACEHOLDERS).to_owned();
        } else if drawn < rates.mobile_missing + rates.mobile_other {
            number = mobile_number(self.stream);
            self.errors.push((Field::Mobile, Kind::Other));
        }
        let text = self.department.mobile_text(&number, self.stream);
        self.width(Field::Mobile, text)
    }

    fn address(&mut self) -> String {
        let rates = self.rates;
        let drawn = self.stream.below(10_000);
        if drawn < rates.address_missing {
            return self.blank(Field::Address, &ADDRESS_PLACEHOLDERS).to_owned();
        }
        let text = if drawn < rates.address_missing + rates.address_moved {
            self.errors.push((Field::Address, Kind::Moved));
            Address::draw(self.stream).written(self.stream)
        } else {
            self.household.address.written(self.stream)
        };
        self.width(Field::Address, text)
    }

    /// Nothing, or one time in ten something that stands for nothing.
    fn blank(&mut self, field: Field, placeholders: &[&'static str]) -> &'static str {
        if self.stream.chance(1_000) {
            self.errors.push((field, Kind::Placeholder));
            return self.stream.pick(placeholders);
        }
        self.errors.push((field, Kind::Missing));
        ""
    }

    fn width(&mut self, field: Field, text: String) -> String {
        if !self.stream.chance(self.rates.full_width) {
            return text;
        }
        self.errors.push((field, Kind::FullWidth));
        numbers::full_width(&text)
    }
}

/// What clerks enter for want of a value, less what is shaped like a real number.
const ID_PLACEHOLDERS: [&str; 4] = ["000000000000000000", "111111111111111111", "无", "不详"];
const MOBILE_PLACEHOLDERS: [&str; 3] = ["00000000000", "11111111111", "无"];
const ADDRESS_PLACEHOLDERS: [&str; 3] = ["不详", "无", "同上"];
