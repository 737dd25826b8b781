//! Departments: whom they know and how they write.

use std::fmt;

use jiff::civil::Date;

use crate::population::{Person, Sex};
use crate::stream::Stream;

/// A department that keeps person records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Department {
    /// 社保: 80 % of those aged 16 to 75.
    SocialSecurity,
    /// 卫健: 70 % of everyone.
    Health,
    /// 征信: 75 % of those aged 18 and more.
    Credit,
    /// 税务: 60 % of those aged 18 and more.
    Tax,
    /// 市场监管: legal representatives, shareholders and supervisors, 9 % of those aged 18 and more.
    Market,
}

impl fmt::Display for Department {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Department {
    /// Every department.
    pub const ALL: [Self; 5] = [
        Self::SocialSecurity,
        Self::Health,
        Self::Credit,
        Self::Tax,
        Self::Market,
    ];

    /// The departments of a usual demonstration.
    pub const USUAL: [Self; 3] = [Self::SocialSecurity, Self::Health, Self::Credit];

    /// The name used in file names and in the `dataset` column.
    pub fn slug(self) -> &'static str {
        match self {
            Self::SocialSecurity => "social-security",
            Self::Health => "health",
            Self::Credit => "credit",
            Self::Tax => "tax",
            Self::Market => "market",
        }
    }

    /// The attributes it adds to the identifying columns, in column order, with their values.
    pub fn attributes(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::SocialSecurity => &[
                (
                    "employment",
                    &["employed", "self-employed", "unemployed", "retired"],
                ),
                ("income_band", &["1", "2", "3", "4", "5"]),
            ],
            Self::Tax => &[("income_band", &["1", "2", "3", "4", "5"])],
            Self::Market => &[(
                "position",
                &["legal-representative", "shareholder", "supervisor"],
            )],
            Self::Health => &[("chronic", &["none", "hypertension", "diabetes", "other"])],
            Self::Credit => &[("grade", &["A", "B", "C", "D"])],
        }
    }

    /// The header of its CSV: the same seven columns everywhere, then its attributes.
    pub fn header(self) -> impl Iterator<Item = &'static str> {
        let attributes = self.attributes().iter().map(|attribute| attribute.0);
        IDENTIFYING_COLUMNS.into_iter().chain(attributes)
    }

    pub(crate) fn attribute_values(self, person: &Person) -> Vec<&'static str> {
        let traits = &person.traits;
        match self {
            Self::SocialSecurity => vec![traits.employment, traits.income_band],
            Self::Health => vec![traits.chronic],
            Self::Credit => vec![traits.grade],
            Self::Tax => vec![traits.income_band],
            Self::Market => vec![traits.position],
        }
    }

    /// Share of the eligible that it covers, in units of 0.01 %.
    pub(crate) fn coverage(self) -> u64 {
        match self {
            Self::SocialSecurity => 8_000,
            Self::Health => 7_000,
            Self::Credit => 7_500,
            Self::Tax => 6_000,
            Self::Market => 900,
        }
    }

    /// Records per 10 000 persons, rounded down from measurement; the test
    /// `every_department_reaches_the_target` fails if the population drifts away from it.
    pub(crate) fn rows_per_10_000(self) -> u64 {
        match self {
            Self::SocialSecurity => 5_800,
            Self::Health => 6_900,
            Self::Credit => 5_700,
            Self::Tax => 4_500,
            Self::Market => 660,
        }
    }

    /// Whether people of this age are eligible.
    pub(crate) fn admits(self, age: i16) -> bool {
        match self {
            Self::SocialSecurity => (16..=75).contains(&age),
            Self::Health => true,
            Self::Credit | Self::Tax | Self::Market => age >= 18,
        }
    }

    /// First letter of its record ids.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::SocialSecurity => 'S',
            Self::Health => 'H',
            Self::Credit => 'C',
            Self::Tax => 'T',
            Self::Market => 'M',
        }
    }

    /// Its code for a sex; `None` where it was not stated.
    pub(crate) fn sex_code(self, sex: Option<Sex>) -> &'static str {
        match (self, sex) {
            (Self::SocialSecurity | Self::Market, Some(Sex::Male)) => "男",
            (Self::SocialSecurity | Self::Market, Some(Sex::Female)) => "女",
            (Self::Health | Self::Tax, Some(Sex::Male)) => "1",
            (Self::Health | Self::Tax, Some(Sex::Female)) => "2",
            // 9 is "unstated" in GB/T 2261.1.
            (Self::Health | Self::Tax, None) => "9",
            (Self::Credit, Some(Sex::Male)) => "M",
            (Self::Credit, Some(Sex::Female)) => "F",
            (_, None) => "",
        }
    }

    /// A date in its format. Health has two: one clerk in ten writes 年月日.
    pub(crate) fn date_text(self, date: Date, stream: &mut Stream) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match self {
            Self::SocialSecurity | Self::Market => format!("{year:04}-{month:02}-{day:02}"),
            Self::Health if stream.chance(1_000) => format!("{year}年{month}月{day}日"),
            Self::Health => format!("{year}/{month}/{day}"),
            Self::Credit | Self::Tax => format!("{year:04}{month:02}{day:02}"),
        }
    }

    /// A mobile number in its format: credit prefixes some with the country, health groups some.
    pub(crate) fn mobile_text(self, mobile: &str, stream: &mut Stream) -> String {
        match (self, mobile.get(..3), mobile.get(3..7), mobile.get(7..)) {
            (Self::Credit, ..) if stream.chance(500) => format!("+86{mobile}"),
            (Self::Health, Some(a), Some(b), Some(c)) if stream.chance(300) => {
                format!("{a} {b} {c}")
            }
            _ => mobile.to_owned(),
        }
    }
}

/// The columns that every department has, in order.
pub const IDENTIFYING_COLUMNS: [&str; 7] = [
    "record_id",
    "name",
    "sex",
    "birth_date",
    "id_number",
    "mobile",
    "address",
];
