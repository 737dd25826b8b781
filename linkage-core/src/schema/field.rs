//! Fields, how they are normalised, and what of them is hashed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Component;

/// One compared field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name within the schema.
    pub name: String,
    /// Column in the source; the name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How values are normalised.
    pub kind: Kind,
    /// Replacement of whole values before normalisation, for code lists that differ between owners
    /// (`"男" = "1"`). Keys are compared after folding.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// For a date or a sex: the `document` field whose valid resident number supplies the value
    /// where the field itself has none, and which a value is checked against. For an organisation
    /// code: the field whose credit code has it inside.
    #[serde(rename = "from", default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<String>,
    /// For a date: last year that a two-digit year may mean, such as 2026 (then `27` is 1927).
    /// Without it two-digit years are invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_digit_years_to: Option<u16>,
    /// For a date: the calendar that the source writes.
    #[serde(default, skip_serializing_if = "Calendar::is_gregorian")]
    pub calendar: Calendar,
    /// What is hashed, with which weight. A field without features takes part in keys only.
    #[serde(rename = "feature", default)]
    pub features: Vec<Feature>,
}

impl Field {
    /// Column of the source that holds the field.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}

/// How a field's values are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Free text: NFKC, lower case, simplified characters, spaces collapsed.
    Text,
    /// A person's name in Han characters, Latin letters or both.
    Name,
    /// The number of a person's document: resident identity number, permits, passports.
    Document,
    /// A calendar day in any of the usual spellings.
    Date,
    /// A person's sex, canonically 1 (male) or 2 (female) of GB/T 2261.1.
    Sex,
    /// One or several telephone numbers.
    Phone,
    /// A postal address.
    Address,
    /// A code of an enterprise or other organisation: unified social credit code, organisation
    /// code, registration number, tax number.
    OrganisationCode,
    /// The name of a company or other organisation.
    CompanyName,
    /// A code of another kind: letters and digits only, upper case.
    Code,
    /// A number such as a file number: decimal digits only.
    Digits,
    /// A quantity: an optional sign, digits, an optional decimal point.
    Quantity,
}

impl Kind {
    /// The components that values of this kind may have beside the whole.
    pub fn components(self) -> &'static [Component] {
        use Component as C;
        match self {
            Self::Name => &[
                C::Surname,
                C::Given,
                C::Pinyin,
                C::SurnamePinyin,
                C::GivenPinyin,
                C::Weak,
                C::Alias,
                C::Segment,
                C::HongKong,
                C::WadeGiles,
            ],
            Self::Document => &[C::DocumentType, C::Province, C::City, C::District],
            Self::Phone => &[C::Number],
            Self::Address => &[
                C::Province,
                C::City,
                C::District,
                C::Town,
                C::Road,
                C::HouseNumber,
            ],
            Self::OrganisationCode => &[C::CreditCode, C::OrganisationCode, C::RegistrationNumber],
            Self::CompanyName => &[
                C::Province,
                C::City,
                C::District,
                C::Brand,
                C::BrandPinyin,
                C::Pinyin,
                C::Trade,
                C::Form,
                C::Branch,
            ],
            Self::Text | Self::Date | Self::Sex | Self::Code | Self::Digits | Self::Quantity => &[],
        }
    }
}

/// Calendars of dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calendar {
    /// The civil calendar.
    #[default]
    Gregorian,
    /// 农历, the Chinese lunisolar calendar.
    Lunisolar,
}

impl Calendar {
    // serde hands a reference.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature is serde's"
    )]
    fn is_gregorian(&self) -> bool {
        *self == Self::Gregorian
    }
}

/// What of a field is hashed into the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What is cut out of the component.
    pub kind: FeatureKind,
    /// Which component of the value it is cut out of; all of it if absent. A component that a value
    /// has several of (telephone numbers, house numbers) gives the features of each.
    #[serde(default, skip_serializing_if = "Component::is_whole")]
    pub part: Component,
    /// Length of a q-gram in characters, 1..=4; with `q-gram` and `positional-q-gram` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<u8>,
    /// With `numeric-neighbourhood` only: quantities at least this far apart share no feature. In
    /// units of the value; more than 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
    /// With `numeric-neighbourhood` only: number of steps on either side, 1..=20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u8>,
    /// Bits that the feature set may set in the token: the field's weight.
    pub bits: u16,
}

/// What is cut out of a value's component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// Every run of `q` characters, the text padded by `q - 1` blanks on both sides.
    QGram,
    /// Every run of `q` characters together with its place in the text.
    PositionalQGram,
    /// Pairs of letters of each syllable of the toneless pinyin; of each word of a Latin text.
    PinyinBigram,
    /// Each syllable of the pinyin with the sounds merged that southern speakers and typists mix
    /// up: zh/z, ch/c, sh/s, n/l, ang/an, eng/en, ing/in.
    FuzzySyllable,
    /// Digits of each character's four-corner code, with their corner: what it looks like.
    FourCorner,
    /// Year, month and day, each by itself.
    DateComponents,
    /// The steps of a quantity's neighbourhood, which near quantities share (Vatsalan, Christen
    /// 2016).
    NumericNeighbourhood,
    /// The whole component.
    Whole,
}
