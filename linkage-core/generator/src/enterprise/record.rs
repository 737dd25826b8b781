//! A department's records of enterprises.

use super::codes::ENTERPRISES_MAX;
use super::department::{Department, Held};
use super::seat::enterprises_max;
use super::{Enterprise, MOVES, Register, SUCCESSIONS};
use crate::book::Book;
use crate::errors::{Field, Finding, Kind};
use crate::noise::companies::{self, Rates};
use crate::noise::rates::residual;
use crate::noise::{blank, names, numbers};
use crate::output::{Dataset, Row};
use crate::plan::Shape;
use crate::population::address::Address;
use crate::population::person::mobile_number;
use crate::settings::{Error, Settings};
use crate::stream::{Purpose, Stream, mix};

/// One row of a department, with the truth about it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Identifies the record within its department; says nothing of the enterprise.
    pub record_id: String,
    /// Index of the enterprise it is a copy of.
    pub enterprise: u32,
    /// `company_name`
    pub company_name: String,
    /// `uscc`
    pub uscc: String,
    /// `org_code`
    pub org_code: String,
    /// `registration_number`
    pub registration_number: String,
    /// `legal_representative`
    pub legal_representative: String,
    /// `phone`
    pub phone: String,
    /// `address`
    pub address: String,
    /// Values of [`Department::attributes`].
    pub attributes: Vec<&'static str>,
    /// What went wrong, in column order.
    pub errors: Vec<Finding>,
}

impl Row for Record {
    fn record_id(&self) -> &str {
        &self.record_id
    }

    fn entity_id(&self) -> String {
        format!("E{:09}", self.enterprise)
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        let identifying = [
            self.record_id.as_str(),
            &self.company_name,
            &self.uscc,
            &self.org_code,
            &self.registration_number,
            &self.legal_representative,
            &self.phone,
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

/// An enterprise's rows: the record and a possible duplicate.
const COPIES: u64 = 2;
/// Numbers that record ids are drawn from.
const RECORD_IDS: u64 = 10_000_000_000;
const _: () = assert!(ENTERPRISES_MAX as u64 * COPIES < RECORD_IDS);

/// A department's records of enterprises, as the settings ask for them.
pub struct Records {
    department: Department,
    rates: Rates,
    register: Register,
    book: Book,
}

impl Department {
    /// The department's records, in an order that is shuffled per department. Memory does not grow
    /// with their number.
    ///
    /// # Errors
    /// [`Error::TooMany`] if the settings need more enterprises than there can be.
    pub fn records(self, settings: &Settings) -> Result<Records, Error> {
        let individuals = settings.individual_businesses;
        let shape = Shape {
            scope: self.scope(),
            rank: self as u64,
            departments: Department::ALL.len() as u64,
            copies: COPIES,
            rows_per_10_000: self.rows_per_10_000(individuals),
            entities_max: u64::from(enterprises_max(individuals)),
            entities_name: "enterprises",
        };
        Ok(Records {
            department: self,
            rates: Rates::of(self, settings.errors),
            register: Register::new(settings),
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
        let index = u32::try_from(visit.entity).ok()?;
        if self.book.plan.is_overlap() {
            return self.write(index, 0);
        }
        if visit.copy > 0 && !self.book.is_duplicated(index) {
            return None;
        }
        let coverage = self.department.coverage(self.register.kind(index)?);
        let covered = self.book.happens(Purpose::Coverage, index, coverage);
        covered.then(|| self.write(index, visit.copy))?
    }
}

impl Records {
    fn write(&self, index: u32, copy: u64) -> Option<Record> {
        let enterprise = self.register.enterprise(index)?;
        let (mut stream, number) = self.book.open_row(index, copy);
        let lag = stream.below(self.rates.lag_max + 1);
        let mut clerk = Clerk {
            records: self,
            index,
            lag,
            enterprise: &enterprise,
            stream,
            errors: Vec::new(),
        };
        let company_name = clerk.company_name();
        let [uscc, org_code, registration_number] = clerk.codes();
        Some(Record {
            record_id: format!("{}{number:010}", self.department.letters()),
            enterprise: index,
            company_name,
            uscc,
            org_code,
            registration_number,
            legal_representative: clerk.representative(),
            phone: clerk.phone(),
            address: clerk.address(),
            attributes: self.department.attribute_values(&enterprise),
            errors: clerk.errors,
        })
    }
}

/// One who copies one enterprise and notes what goes wrong.
struct Clerk<'a> {
    records: &'a Records,
    index: u32,
    lag: u32,
    enterprise: &'a Enterprise,
    stream: Stream,
    errors: Vec<Finding>,
}

impl Clerk<'_> {
    fn company_name(&mut self) -> String {
        let former = match self.lag {
            0 => None,
            _ => self.records.register.former_name(self.index),
        };
        if former.is_some() {
            self.note(Field::CompanyName, Kind::Renamed);
        }
        let name = former.as_ref().unwrap_or(&self.enterprise.name);
        if !self.stream.chance(self.records.rates.altered) {
            return name.text();
        }
        let (text, kind) = companies::altered(&mut self.stream, name);
        self.note(Field::CompanyName, kind);
        text
    }

    /// Credit code, organisation code and registration number, as the department holds them.
    fn codes(&mut self) -> [String; 3] {
        let (records, enterprise) = (self.records, self.enterprise);
        let rates = &records.rates;
        let number = enterprise.registration_number.clone().unwrap_or_default();
        let mut codes = [String::new(), String::new(), String::new()];
        let [uscc, org_code, registration_number] = &mut codes;
        // Which code a department holds does not depend on the clerk.
        let scope = records.department.scope();
        let index = u64::from(self.index);
        let drawn = mix([records.book.seed, Purpose::Document as u64, scope, index]) % 100;
        match records.department.held(drawn as u32) {
            _ if !records.book.careless => {
                *uscc = enterprise.uscc.clone();
                *registration_number = number;
                return codes;
            }
            Held::OrgCode => {
                self.note(Field::Uscc, Kind::OldCode);
                *org_code = enterprise.org_code.clone();
                return codes;
            }
            Held::OwnNumber => {
                self.note(Field::Uscc, Kind::OwnNumber);
                *registration_number = records.register.own_number(self.index, scope);
                return codes;
            }
            Held::Uscc => *registration_number = number,
        }
        let drawn = self.stream.below(10_000);
        if drawn < rates.code_missing {
            *uscc = self.blank(Field::Uscc, &blank::CODES).to_owned();
        } else if drawn < rates.code_missing + rates.code_wrong {
            let (wrong, kind) = numbers::mistaken_code(&mut self.stream, &enterprise.uscc);
            self.note(Field::Uscc, kind);
            *uscc = wrong;
        } else {
            *uscc = enterprise.uscc.clone();
        }
        codes
    }

    fn representative(&mut self) -> String {
        let rates = &self.records.rates;
        if self.stream.chance(rates.representative_missing) {
            return self
                .blank(Field::LegalRepresentative, &blank::PEOPLE)
                .to_owned();
        }
        let former = self
            .records
            .register
            .former_representative(self.index, self.lag);
        if former.is_some() {
            self.note(Field::LegalRepresentative, Kind::FormerRepresentative);
        }
        let (surname, given) = former.as_ref().unwrap_or(&self.enterprise.representative);
        if self.stream.chance(rates.representative_wrong) {
            let (name, kind) = names::garbled(&mut self.stream, surname, given);
            self.note(Field::LegalRepresentative, kind);
            return name;
        }
        format!("{surname}{given}")
    }

    fn phone(&mut self) -> String {
        let rates = &self.records.rates;
        if self.stream.chance(rates.phone_missing) {
            return self.blank(Field::Phone, &blank::PHONES).to_owned();
        }
        let present = 10_000 - rates.phone_missing;
        if self.stream.chance(rates.phone_other * 10_000 / present) {
            self.note(Field::Phone, Kind::Other);
            return mobile_number(&mut self.stream);
        }
        self.enterprise.phone.clone()
    }

    fn address(&mut self) -> String {
        let rates = &self.records.rates;
        if self.stream.chance(rates.address_missing) {
            return self.blank(Field::Address, &blank::ADDRESSES).to_owned();
        }
        let other = residual(
            rates.address_moved,
            rates.address_missing,
            rates.lag_max,
            MOVES,
        );
        let register = &self.records.register;
        let former = register.former_address(self.index, self.lag);
        let address = if let Some(former) = former {
            self.note(Field::Address, Kind::Moved);
            former
        } else if self.stream.chance(other) {
            self.note(Field::Address, Kind::Moved);
            Address::draw(&mut self.stream)
        } else {
            self.enterprise.address.clone()
        };
        if !self.records.book.careless {
            return address.plain();
        }
        let text = address.written(&mut self.stream);
        if !self.stream.chance(rates.full_width) {
            return text;
        }
        self.note(Field::Address, Kind::FullWidth);
        numbers::full_width(&text)
    }

    fn note(&mut self, field: Field, kind: Kind) {
        self.errors.push((field, kind));
    }

    fn blank(&mut self, field: Field, placeholders: &[&'static str]) -> &'static str {
        let (text, kind) = blank::blank(&mut self.stream, placeholders);
        self.note(field, kind);
        text
    }
}

/// Half-years after which a legal representative has changed in one case of three: no department
/// lags longer.
const _: () = assert!(companies::LAG_LONGEST as u64 * SUCCESSIONS < 3_400);
