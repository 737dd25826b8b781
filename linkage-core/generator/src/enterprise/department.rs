//! Departments that keep records of enterprises: whom they know and by which code.

use std::fmt;

use super::Enterprise;
use super::seat::{BLOCK, BRANCHES, INDIVIDUALS, Kind, UNIT_INDIVIDUALS, UNITS};

/// A department that keeps records of enterprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Department {
    /// 市场监管: every enterprise, by credit code.
    Market,
    /// 税务: nearly every one, by credit code.
    Tax,
    /// 社保: 70 % of legal units, some by organisation code or a number of its own.
    SocialSecurity,
    /// 征信: 60 % of legal units.
    Credit,
    /// 海关: 15 % of legal units, many without credit code.
    Customs,
}

impl fmt::Display for Department {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// The columns that every department has, in order. Where a department does not hold a code, its
/// column is empty; `registration_number` holds the department's own number where it has one.
pub const IDENTIFYING_COLUMNS: [&str; 8] = [
    "record_id",
    "company_name",
    "uscc",
    "org_code",
    "registration_number",
    "legal_representative",
    "phone",
    "address",
];

/// Industry sections that occur.
const SECTIONS: &[&str] = &[
    "A", "C", "E", "F", "G", "H", "I", "K", "L", "M", "O", "P", "Q", "R",
];
const SIZES: &[&str] = &["micro", "small", "medium", "large"];
const OWNERSHIPS: &[&str] = &["private", "state", "hmt", "foreign", "other"];
const RATINGS: &[&str] = &["A", "B", "C", "D"];

/// Which code of an enterprise a department holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Uscc,
    OrgCode,
    OwnNumber,
}

impl Department {
    /// Every department.
    pub const ALL: [Self; 5] = [
        Self::Market,
        Self::Tax,
        Self::SocialSecurity,
        Self::Credit,
        Self::Customs,
    ];

    /// The departments of a usual demonstration.
    pub const USUAL: [Self; 3] = [Self::Market, Self::Tax, Self::SocialSecurity];

    /// The name used in file names and in the `dataset` column.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Tax => "tax",
            Self::SocialSecurity => "social-security",
            Self::Credit => "credit",
            Self::Customs => "customs",
        }
    }

    /// The attributes it adds to the identifying columns, in column order, with their values.
    pub fn attributes(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Market => &[("industry", SECTIONS), ("ownership", OWNERSHIPS)],
            Self::Tax => &[("industry", SECTIONS), ("size", SIZES)],
            Self::SocialSecurity => &[("size", SIZES)],
            Self::Credit => &[("rating", RATINGS)],
            Self::Customs => &[("ownership", OWNERSHIPS)],
        }
    }

    /// The header of its CSV: the same eight columns everywhere, then its attributes.
    pub fn header(self) -> impl Iterator<Item = &'static str> {
        let attributes = self.attributes().iter().map(|attribute| attribute.0);
        IDENTIFYING_COLUMNS.into_iter().chain(attributes)
    }

    pub(super) fn attribute_values(self, enterprise: &Enterprise) -> Vec<&'static str> {
        match self {
            Self::Market => vec![enterprise.section, enterprise.ownership],
            Self::Tax => vec![enterprise.section, enterprise.size],
            Self::SocialSecurity => vec![enterprise.size],
            Self::Credit => vec![enterprise.rating],
            Self::Customs => vec![enterprise.ownership],
        }
    }

    /// Share of the enterprises of a kind that it covers, in units of 0.01 %: assumptions.
    pub(super) fn coverage(self, kind: Kind) -> u64 {
        let (unit, branch, individual) = match self {
            Self::Market => (10_000, 10_000, 10_000),
            Self::Tax => (9_600, 9_600, 8_500),
            Self::SocialSecurity => (7_000, 5_000, 1_500),
            Self::Credit => (6_000, 2_000, 2_000),
            Self::Customs => (1_500, 200, 50),
        };
        match kind {
            Kind::Company | Kind::Cooperative => unit,
            Kind::Branch => branch,
            Kind::Individual => individual,
        }
    }

    /// Records per 10 000 enterprises.
    pub(super) fn rows_per_10_000(self, individuals: bool) -> u64 {
        let small = UNIT_INDIVIDUALS + if individuals { INDIVIDUALS } else { 0 };
        let kinds = [
            (Kind::Company, UNITS - UNIT_INDIVIDUALS),
            (Kind::Branch, BRANCHES),
            (Kind::Individual, small),
        ];
        let all = if individuals { BLOCK } else { UNITS + BRANCHES };
        let covered = kinds.map(|(kind, count)| self.coverage(kind) * u64::from(count));
        (covered.iter().sum::<u64>() / u64::from(all)).max(1)
    }

    /// Of 100 enterprises, those it knows by credit code and those by organisation code only; the
    /// rest it knows by a number of its own.
    fn codes(self) -> (u32, u32) {
        match self {
            Self::Market | Self::Tax => (100, 0),
            Self::SocialSecurity => (85, 10),
            Self::Credit => (95, 3),
            Self::Customs => (70, 20),
        }
    }

    /// What it knows an enterprise by, from a draw of 0 to 99.
    pub(super) fn held(self, drawn: u32) -> Held {
        let (uscc, org_code) = self.codes();
        match drawn {
            drawn if drawn < uscc => Held::Uscc,
            drawn if drawn < uscc + org_code => Held::OrgCode,
            _ => Held::OwnNumber,
        }
    }

    /// Separates its random draws from those of other departments, of persons' too.
    pub(super) fn scope(self) -> u64 {
        16 + self as u64
    }

    /// First letters of its record ids.
    pub(super) fn letters(self) -> &'static str {
        match self {
            Self::Market => "EM",
            Self::Tax => "ET",
            Self::SocialSecurity => "ES",
            Self::Credit => "EC",
            Self::Customs => "EU",
        }
    }
}
