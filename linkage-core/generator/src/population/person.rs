//! A person as they are, before any department writes them down.

use jiff::civil::Date;

use super::pattern::Origin;
use super::traits::Traits;
use crate::stream::Stream;

/// Sex, as GB/T 2261.1 codes 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

/// A person with everything that is true of them.
#[derive(Clone, Debug)]
pub struct Person {
    /// Position in the household.
    pub place: usize,
    /// Index in the population.
    pub index: u64,
    /// Family name, one or two characters; empty where `given` is the whole name.
    pub surname: &'static str,
    /// Given name, one or two characters, or a whole name with interpunct or in Latin letters.
    pub given: String,
    /// Sex.
    pub sex: Sex,
    /// Date of birth.
    pub birth_date: Date,
    /// Number of the identity document: 18 characters.
    pub id_number: String,
    /// The number before it was corrected.
    pub former_number: Option<String>,
    /// Someone else has been given the same number.
    pub shared_number: bool,
    /// Number of the travel permit, which those from beyond the border may show instead.
    pub travel_permit: Option<String>,
    /// Some departments know the person by the 15-digit form.
    pub fifteen_digits: bool,
    /// Where the household is from.
    pub origin: Origin,
    /// Mobile number, 11 digits; a parent's for small children.
    pub mobile: String,
    /// What departments know beyond identity.
    pub traits: Traits,
}

impl Person {
    /// The whole name.
    pub fn name(&self) -> String {
        format!("{}{}", self.surname, self.given)
    }

    /// Age in years at the reference date.
    pub fn age(&self) -> i16 {
        super::REFERENCE_YEAR - self.birth_date.year()
    }
}

/// Prefixes of valid form (`1[3-9]`) that, as far as the authors know, no operator had been given
/// when this was written. Real departments' prefixes would reach real telephones.
const MOBILE_PREFIXES: [&str; 8] = ["143", "154", "160", "161", "163", "164", "168", "169"];

/// A mobile number of 11 digits.
pub(crate) fn mobile_number(stream: &mut Stream) -> String {
    let prefix = stream.pick(&MOBILE_PREFIXES);
    format!("{prefix}{:08}", stream.below(100_000_000))
}
