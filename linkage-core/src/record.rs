//! Records before encoding. They hold what a person would recognise, so they cannot be serialised,
//! print nothing of their values, and are wiped when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// One row of an owner's source, as read.
///
/// Raw records never leave the owner's process, and no code can send one by mistake:
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<linkage_core::record::RawRecord>();
/// ```
pub struct RawRecord {
    /// The record's identity in the owner's source.
    pub id: Zeroizing<String>,
    /// One value per schema field, in schema order; empty where the source has none.
    pub values: Vec<Zeroizing<String>>,
}

impl fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawRecord({} values, redacted)", self.values.len())
    }
}

/// A calendar day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// Year, 1..=9999.
    pub year: u16,
    /// Month, 1..=12.
    pub month: u8,
    /// Day of the month, 1..=31.
    pub day: u8,
}

/// Stands in a name for a character that is there and cannot be read (`王?明`). Keeps its place and
/// gives no feature.
pub const WILDCARD: char = '\u{FFFD}';

/// A named part of a canonical value: what features and keys are cut out of.
///
/// Which components a value has depends on its kind; a component that the value lacks gives no
/// feature and no key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// The whole canonical value. Every value has it, once.
    #[default]
    Whole,
    /// Name: the surname, folded.
    Surname,
    /// Name: the given name, folded.
    Given,
    /// Name or company name: toneless pinyin, syllables separated by blanks (`zhang san feng`),
    /// [`WILDCARD`] for a character that cannot be read aloud. For a Latin name its words.
    Pinyin,
    /// Pinyin of the surname.
    SurnamePinyin,
    /// Pinyin of the given name.
    GivenPinyin,
    /// Name: the name with every character of a class of confused characters (肖 and 萧) replaced
    /// by the class's representative; only where the name has one.
    Weak,
    /// Name: other forms of the name (former names, without the husband's surname, cut to the
    /// length of older systems); any number.
    Alias,
    /// Name: each segment of a name with interpuncts; any number.
    Segment,
    /// Name: spellings of the Hong Kong government, words separated by blanks; any number.
    HongKong,
    /// Name: the Wade-Giles spelling.
    WadeGiles,
    /// Document: the type, such as `resident`, `hkid`, `passport`.
    DocumentType,
    /// Phone: each number; any number of them.
    Number,
    /// Address or company name: GB/T 2260 code of the province, `44`.
    Province,
    /// Address or company name: GB/T 2260 code of the city, `4401`.
    City,
    /// Address or company name: GB/T 2260 code of the district, `440104`.
    District,
    /// Address: town or subdistrict.
    Town,
    /// Address: road or village, without numbers.
    Road,
    /// Address: each number with what it numbers (`#33`, `b2`, `f2`, `r201`); any number.
    HouseNumber,
    /// Organisation code: the unified social credit code.
    CreditCode,
    /// Organisation code: the nine characters of GB 11714.
    OrganisationCode,
    /// Organisation code: the registration number of GS 15.
    RegistrationNumber,
    /// Company name: the brand (字号).
    Brand,
    /// Company name: toneless pinyin of the brand.
    BrandPinyin,
    /// Company name: the trade (行业).
    Trade,
    /// Company name: class of the organisation form (有限, 股份, 个体 ...).
    Form,
    /// Company name: the branch, such as 深圳分公司; `-` in the name of a head office.
    Branch,
}

impl Component {
    /// Whether this is the whole value.
    // serde hands a reference.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature is serde's"
    )]
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

/// A set of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Components(u32);

impl Components {
    /// Every component.
    pub const ALL: Self = Self(u32::MAX);

    /// Whether `component` is one of them.
    pub fn contains(self, component: Component) -> bool {
        self.0 & 1 << component as u32 != 0
    }
}

impl FromIterator<Component> for Components {
    fn from_iter<I: IntoIterator<Item = Component>>(components: I) -> Self {
        let bits = components.into_iter().map(|one| 1 << one as u32);
        Self(bits.fold(0, |set, bit: u32| set | bit))
    }
}

/// Components that most names and addresses have, and room for their texts in bytes.
const USUAL_COMPONENTS: usize = 8;
const USUAL_BYTES: usize = 96;

/// A field's value in canonical form: its text and its named components, wiped when dropped.
pub struct NormalValue {
    whole: Zeroizing<String>,
    day: Option<Day>,
    /// Every component, and where its text ends in `texts`; it starts where the one before ends.
    components: Vec<(Component, u32)>,
    texts: Zeroizing<String>,
}

impl NormalValue {
    /// A value that is nothing but its text.
    pub fn text(whole: Zeroizing<String>) -> Self {
        Self {
            whole,
            day: None,
            components: Vec::new(),
            texts: Zeroizing::default(),
        }
    }

    /// A calendar day; its text is `yyyymmdd`.
    pub fn day(day: Day) -> Self {
        let number = (u32::from(day.year) * 100 + u32::from(day.month)) * 100 + u32::from(day.day);
        let mut whole = Zeroizing::new(String::with_capacity(8));
        let places = [10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
        let digits = places.map(|place| number / place % 10);
        whole.extend(
            digits
                .into_iter()
                .filter_map(|digit| char::from_digit(digit, 10)),
        );
        Self {
            day: Some(day),
            ..Self::text(whole)
        }
    }

    /// Adds a component; an empty one is left out. [`Component::Whole`] is set by the constructors
    /// only and ignored here.
    pub fn add(&mut self, component: Component, text: impl AsRef<str>) {
        let text = text.as_ref();
        if self.make_room(component, text.len()) {
            self.texts.push_str(text);
        }
    }

    /// Adds bytes `part` of the whole as a component, under the rules of [`NormalValue::add`].
    pub(crate) fn add_part(&mut self, component: Component, part: std::ops::Range<usize>) {
        let length = self.whole.get(part.clone()).map_or(0, str::len);
        if self.make_room(component, length) {
            self.texts.push_str(self.whole.get(part).unwrap_or(""));
        }
    }

    /// Notes a component whose text of `length` bytes comes next, if it is to be added.
    fn make_room(&mut self, component: Component, length: usize) -> bool {
        let total = self.texts.len() + length;
        let Ok(end) = u32::try_from(total) else {
            return false;
        };
        if length == 0 || component.is_whole() {
            return false;
        }
        if self.components.is_empty() {
            self.components.reserve_exact(USUAL_COMPONENTS);
        }
        if self.texts.capacity() < total {
            // Room is made by moving, so that no copy is left behind unwiped.
            let room = (2 * total).max(USUAL_BYTES);
            let mut larger = Zeroizing::new(String::with_capacity(room));
            larger.push_str(&self.texts);
            self.texts = larger;
        }
        self.components.push((component, end));
        true
    }

    /// The whole value as one text: the text itself, or the day as `yyyymmdd`.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// The day, if this is a date.
    pub fn as_day(&self) -> Option<Day> {
        self.day
    }

    /// The texts of `component`, in order; none where the value has no such component.
    pub fn texts(&self, component: Component) -> impl Iterator<Item = &str> {
        let whole = component.is_whole().then(|| self.whole.as_str());
        let parts = self
            .components()
            .filter(move |(this, _)| *this == component);
        whole.into_iter().chain(parts.map(|(_, text)| text))
    }

    /// The first text of `component`.
    pub fn first(&self, component: Component) -> Option<&str> {
        self.texts(component).next()
    }

    /// Every component with its text, in order; without the whole.
    pub fn components(&self) -> impl Iterator<Item = (Component, &str)> {
        let mut start = 0;
        self.components.iter().map(move |(component, end)| {
            let end = *end as usize;
            let text = self.texts.get(start..end).unwrap_or("");
            start = end;
            (*component, text)
        })
    }
}

impl fmt::Debug for NormalValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NormalValue(redacted)")
    }
}

/// What the normaliser found in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldState {
    /// A usable value.
    Valid,
    /// A usable value after a repair that cannot make another's value of it.
    Repaired(Finding),
    /// A usable value with something odd about it.
    Suspect(Finding),
    /// A usable value that contradicts another field of the record.
    Conflict(Finding),
    /// Nothing there.
    Missing,
    /// A value that stands for "none", such as `不详` or `1900-01-01`.
    Placeholder,
    /// A value that the field's kind does not allow, such as a 30th of February.
    Invalid(Finding),
}

impl FieldState {
    /// What was found, beyond the state itself.
    pub fn finding(self) -> Option<Finding> {
        match self {
            Self::Repaired(finding)
            | Self::Suspect(finding)
            | Self::Conflict(finding)
            | Self::Invalid(finding) => Some(finding),
            Self::Valid | Self::Missing | Self::Placeholder => None,
        }
    }
}

/// Why a value is repaired, suspect, in conflict or invalid. The name in reports is the variant in
/// kebab-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// Full-width, look-alike or separating characters were brought to the plain form.
    Spelling,
    /// A remark such as `(已注销)` was cut off.
    RemarkRemoved,
    /// A 15-digit resident number was brought to 18.
    UpgradedFrom15,
    /// Letters that the code does not use were read as the digits they look like.
    LookAlikeLetters,
    /// The check character is wrong.
    BadCheck,
    /// The check character of the organisation code inside a credit code is wrong.
    BadInnerCheck,
    /// No such calendar day, or one in the future.
    BadDate,
    /// A region that no code list ever had.
    BadRegion,
    /// A region within a known province that the code list lacks: new, perhaps.
    UnknownRegion,
    /// A spreadsheet has cut the number to 15 significant digits.
    TruncatedBySpreadsheet,
    /// Digits are hidden by asterisks.
    Masked,
    /// Of the wrong length.
    BadLength,
    /// Characters that the kind does not allow.
    BadCharacters,
    /// A reserved code that identifies nothing outside its owner.
    PrivateUse,
    /// Only the year is known; month and day are a default.
    YearOnly,
    /// The date differs from the one in the record's resident number.
    DateDiffersFromNumber,
    /// The sex differs from the one in the record's resident number.
    SexDiffersFromNumber,
    /// The field has no value of its own; it is taken from the record's resident number.
    TakenFromNumber,
    /// The organisation code differs from the one inside the record's credit code.
    CodeDiffersFromNumber,
    /// Characters of the value cannot be read.
    Unreadable,
    /// A landline where a mobile number is expected.
    Landline,
    /// The place named is not found in the table of regions.
    UnknownPlace,
    /// The value's parts cannot be told apart.
    Unparsed,
}

/// A record in canonical form: one value or none per schema field.
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<linkage_core::record::NormalRecord>();
/// ```
pub struct NormalRecord {
    pub(crate) values: Vec<(Option<NormalValue>, FieldState)>,
}

impl NormalRecord {
    /// The value of field `index` (schema order), if it has a usable one.
    pub fn value(&self, index: usize) -> Option<&NormalValue> {
        self.values.get(index).and_then(|(value, _)| value.as_ref())
    }

    /// What the normaliser found in each field, in schema order.
    pub fn states(&self) -> impl Iterator<Item = FieldState> + '_ {
        self.values.iter().map(|(_, state)| *state)
    }
}

impl fmt::Debug for NormalRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NormalRecord({} values, redacted)", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_value() {
        let raw = RawRecord {
            id: Zeroizing::new("id-77".into()),
            values: vec![Zeroizing::new("欧阳锋".into())],
        };
        let mut value = NormalValue::text(Zeroizing::new("欧阳锋".into()));
        value.add(Component::Surname, "欧阳");
        let normal = NormalRecord {
            values: vec![(Some(value), FieldState::Valid)],
        };
        let shown = format!("{raw:?} {normal:?} {:?}", normal.value(0));
        assert!(
            !shown.contains("欧阳") && !shown.contains("id-77"),
            "{shown}"
        );
    }

    #[test]
    fn components_are_found_by_name_and_empty_ones_left_out() {
        let mut value = NormalValue::text(Zeroizing::new("13800000001 13900000002".into()));
        for text in ["13800000001", "", "13900000002"] {
            value.add(Component::Number, text);
        }
        let numbers: Vec<_> = value.texts(Component::Number).collect();
        assert_eq!(numbers, ["13800000001", "13900000002"]);
        assert_eq!(value.texts(Component::Whole).count(), 1);
        assert_eq!(value.first(Component::Brand), None);
    }
}
