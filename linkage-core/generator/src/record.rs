//! A department's records of persons: its imperfect copies of those it covers.

use crate::book::Book;
use crate::clerk::Clerk;
use crate::department::Department;
use crate::errors::Finding;
use crate::noise::rates::Rates;
use crate::output::{Dataset, Row};
use crate::plan::{Shape, Visit};
use crate::population::{PERSONS_MAX, Population};
use crate::settings::{Error, Extent, Settings};
use crate::stream::{Purpose, mix};

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
    pub errors: Vec<Finding>,
}

impl Row for Record {
    fn record_id(&self) -> &str {
        &self.record_id
    }

    fn entity_id(&self) -> String {
        format!("P{:09}", self.person)
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        let identifying = [
            self.record_id.as_str(),
            &self.name,
            self.sex,
            &self.birth_date,
            &self.id_number,
            &self.mobile,
            &self.address,
        ];
        identifying
            .into_iter()
            .chain(self.attributes.iter().copied())
    }

    fn errors(&self) -> &[Finding] {
        &self.errors
    }
}

/// A person's rows: the record, a possible duplicate, and further visits to health.
const COPIES: u64 = 8;
/// First copy that is a further visit.
const FIRST_VISIT: u64 = 2;
/// People with at least 2, 3, ... 6 visits, in units of 0.01 %: an assumption.
const VISITS: [u64; 5] = [5_000, 2_800, 1_600, 900, 500];
/// Numbers that record ids are drawn from.
const RECORD_IDS: u64 = 1_000_000_000_000;
const _: () = assert!(PERSONS_MAX as u64 * COPIES < RECORD_IDS);

/// A department's records of persons, as the settings ask for them.
pub struct Records {
    department: Department,
    rates: Rates,
    population: Population,
    book: Book,
}

impl Department {
    /// The department's records, in an order that is shuffled per department and therefore tells
    /// nothing about who is who. Memory does not grow with their number.
    ///
    /// # Errors
    /// [`Error::TooMany`] if the settings need more persons than there can be.
    pub fn records(self, settings: &Settings) -> Result<Records, Error> {
        let population = Population::new(settings);
        let episodes = self == Department::Health && settings.episodes > 1;
        let further = if episodes { settings.episodes - 1 } else { 0 };
        let overlap = matches!(settings.extent, Extent::Overlap { .. });
        let shape = Shape {
            scope: self as u64,
            rank: self as u64,
            departments: Department::ALL.len() as u64,
            copies: FIRST_VISIT + u64::from(further),
            rows_per_10_000: self.rows_per_10_000(),
            entities_max: if overlap {
                population.adults()
            } else {
                u64::from(PERSONS_MAX)
            },
            entities_name: "persons",
        };
        Ok(Records {
            department: self,
            rates: Rates::of(self, settings.errors),
            population,
            book: Book::open(settings, &shape, COPIES, RECORD_IDS)?,
        })
    }
}

impl Dataset for Records {
    type Row = Record;

    fn slug(&self) -> &'static str {
        self.department.slug()
    }

    fn header(&self) -> Vec<&'static str> {
        self.department.header().collect()
    }

    fn visits(&self) -> u64 {
        self.book.plan.visits()
    }

    fn rows_max(&self) -> u64 {
        self.book.plan.rows_max()
    }

    fn row(&self, position: u64) -> Option<Record> {
        let visit = self.book.plan.at(position);
        if self.book.plan.is_overlap() {
            return self.write(self.population.adult(visit.entity)?, 0);
        }
        let index = u32::try_from(visit.entity).ok()?;
        // Cheap draws first: most visits end here.
        let coverage = self.department.coverage();
        let covered = self.book.happens(Purpose::Coverage, index, coverage);
        let admitted = |index| {
            let member = self.population.member(index);
            member.is_some_and(|member| self.department.admits(member.age()))
        };
        let written = self.has_copy(&visit, index) && covered && admitted(index);
        written.then(|| self.write(index, visit.copy))?
    }
}

impl Records {
    fn has_copy(&self, visit: &Visit, index: u32) -> bool {
        match visit.copy {
            0 => true,
            1 => self.book.is_duplicated(index),
            copy => {
                let drawn = mix([
                    self.book.seed,
                    Purpose::Episodes as u64,
                    0,
                    u64::from(index),
                ]);
                let least = VISITS.get((copy - FIRST_VISIT) as usize);
                least.is_some_and(|share| drawn % 10_000 < *share)
            }
        }
    }

    fn write(&self, index: u32, copy: u64) -> Option<Record> {
        let (household, place) = self.population.household(index)?;
        let person = household.person(place)?;
        let (mut stream, number) = self.book.open_row(index, copy);
        let mut clerk = Clerk {
            department: self.department,
            rates: &self.rates,
            careless: self.book.careless,
            lag: stream.below(self.rates.lag_max + 1),
            seed: self.book.seed,
            household: &household,
            person: &person,
            stream: &mut stream,
            errors: Vec::new(),
        };
        Some(Record {
            record_id: format!("{}{number:012}", self.department.letter()),
            person: index,
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
