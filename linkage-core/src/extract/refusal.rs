//! A refused request: the reason, and the place in the text it points at.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

/// The whole grammar, shown with every refusal.
pub const ALLOWED: &str = "SELECT owner.attribute, ... count(*) FROM persons \
     [WHERE owner.attribute IN ('value', ...) AND ...] GROUP BY 1, ...";

/// Values and names listed in a refusal; the catalogue has them all.
const LISTED_MAX: usize = 20;

/// Characters shown on either side of the word a refusal points at.
const CONTEXT_CHARS: usize = 60;

/// Why a request was refused, and where.
///
/// `Display` is one line; [`Refusal::render`] shows the word in its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {reason}", place.line, place.column)]
pub struct Refusal {
    /// Why. Boxed, as its lists of names would make every result large.
    pub reason: Box<Reason>,
    /// Where.
    pub place: Place,
    /// The line that `place` lies in, cut to the surroundings of the word.
    excerpt: Excerpt,
}

/// A stretch of the request text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// The bytes of the text; empty at the end of the text.
    pub bytes: Range<usize>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// More than [`super::TEXT_BYTES_MAX`] bytes.
    #[error(
        "the request has {bytes} bytes; {} are possible",
        super::TEXT_BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a sequence of SQL words, such as an unclosed quote.
    #[error("not readable as SQL: {0}")]
    Unreadable(String),
    /// A word that has another meaning in SQL but is not offered.
    #[error("{word} is not allowed: {why}")]
    NotAllowed {
        /// The word.
        word: String,
        /// Why it is not offered.
        why: &'static str,
    },
    /// Something else stands where the grammar wants a certain word.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What would have been accepted.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The catalogue has no such owner.
    #[error("there is no owner {name:?}{}; owners: {}", Near(near), allowed.join(", "))]
    UnknownParty {
        /// The name in the request.
        name: String,
        /// Owners with similar names.
        near: Vec<String>,
        /// All owners.
        allowed: Vec<String>,
    },
    /// The owner offers no such attribute.
    #[error(
        "{party} offers no attribute {name:?}{}; its attributes: {}",
        Near(near),
        allowed.join(", ")
    )]
    UnknownAttribute {
        /// The owner.
        party: String,
        /// The name in the request.
        name: String,
        /// Attributes of the owner with similar names.
        near: Vec<String>,
        /// All attributes of the owner.
        allowed: Vec<String>,
    },
    /// The attribute has no such value.
    #[error(
        "{party}.{attribute} has no value {name:?}{}; its values: {}",
        Near(near),
        Listed(allowed)
    )]
    UnknownValue {
        /// The owner.
        party: String,
        /// The attribute.
        attribute: String,
        /// The value in the request.
        name: String,
        /// Values with similar names.
        near: Vec<String>,
        /// All values of the attribute.
        allowed: Vec<String>,
    },
    /// More than two owners.
    #[error("{}: a table is about the records of one owner or two", parties.join(", "))]
    TooManyOwners {
        /// The owners that the request names.
        parties: Vec<String>,
    },
    /// The same dimension twice.
    #[error("{party}.{attribute} is selected twice")]
    SelectedTwice {
        /// The owner.
        party: String,
        /// The attribute.
        attribute: String,
    },
    /// Two restrictions of one attribute.
    #[error("{party}.{attribute} is restricted twice; put all its values into one list")]
    RestrictedTwice {
        /// The owner.
        party: String,
        /// The attribute.
        attribute: String,
    },
    /// More than [`super::DIMENSIONS_MAX`] dimensions.
    #[error("a table has at most {} dimensions", super::DIMENSIONS_MAX)]
    TooManyDimensions,
    /// More than [`super::CATEGORIES_MAX`] categories of one owner.
    #[error(
        "the dimensions of {party} have {categories} combinations of values; {} are possible: leave one \
         out, or restrict it with WHERE",
        super::CATEGORIES_MAX
    )]
    TooManyCategories {
        /// The owner.
        party: String,
        /// Values of its dimensions, multiplied.
        categories: usize,
    },
    /// More than [`super::CELLS_MAX`] cells.
    #[error(
        "the table has {cells} cells; {} are possible: leave a dimension out, or restrict one with WHERE",
        super::CELLS_MAX
    )]
    TooManyCells {
        /// Its number of cells.
        cells: usize,
    },
    /// The grouping is not exactly the selected dimensions.
    #[error("GROUP BY names each selected dimension once, by number from 1 or by name")]
    Grouping,
}

/// The text around a place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    before: String,
    word: String,
    after: String,
}

impl Refusal {
    /// A refusal of the bytes `bytes` of `text`.
    pub(super) fn new(text: &str, bytes: Range<usize>, reason: Reason) -> Self {
        let (head, rest) = text.split_at_checked(bytes.start).unwrap_or((text, ""));
        let line_head = head.rsplit('\n').next().unwrap_or_default();
        let span = rest.get(..bytes.len()).unwrap_or(rest);
        // A span over several lines is marked in its first line only.
        let word = span.lines().next().unwrap_or_default();
        let line_tail = rest
            .get(word.len()..)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let line_chars = line_head.chars().count();
        let place = Place {
            line: head.matches('\n').count() + 1,
            column: line_chars + 1,
            bytes: head.len()..head.len() + span.len(),
        };
        let excerpt = Excerpt {
            before: shown(
                line_head
                    .chars()
                    .skip(line_chars.saturating_sub(CONTEXT_CHARS)),
            ),
            word: shown(word.chars().take(CONTEXT_CHARS)),
            after: shown(line_tail.chars().take(CONTEXT_CHARS)),
        };
        Self {
            reason: Box::new(reason),
            place,
            excerpt,
        }
    }

    /// The refusal over several lines: reason, the line with the word marked, what is allowed.
    pub fn render(&self) -> String {
        let Excerpt {
            before,
            word,
            after,
        } = &self.excerpt;
        let number = self.place.line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(before.width());
        let carets = "^".repeat(word.width().max(1));
        format!(
            "{}\n{gutter} |\n{number} | {before}{word}{after}\n{gutter} | {indent}{carets}\n\
             {gutter} = allowed: {ALLOWED}\n",
            self.reason
        )
    }
}

/// Text for one terminal line: control characters would break the alignment or worse.
fn shown(chars: impl Iterator<Item = char>) -> String {
    chars
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// ` (did you mean a, b?)`, or nothing.
struct Near<'a>(&'a [String]);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            names => write!(f, " (did you mean {}?)", names.join(", ")),
        }
    }
}

/// The first values, and how many more there are.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: Vec<&str> = self.0.iter().take(LISTED_MAX).map(String::as_str).collect();
        f.write_str(&first.join(", "))?;
        match self.0.len().saturating_sub(LISTED_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The names in `allowed` that `name` may be a slip of the pen for: at most a third of the
/// characters differ, or one in short names.
pub(super) fn near_misses(name: &str, allowed: &[&str]) -> Vec<String> {
    let folded = super::folded(name);
    // Beyond this length every name differs by more than a third; it also bounds the work.
    if folded.chars().count() > 2 * super::NAME_CHARS_MAX {
        return Vec::new();
    }
    let distance_max = (folded.chars().count() / 3).max(1);
    let is_near = |other: &&&str| edit_distance(&folded, &super::folded(other)) <= distance_max;
    allowed
        .iter()
        .filter(is_near)
        .map(|&other| other.to_owned())
        .collect()
}

/// Levenshtein distance in characters (Wagner and Fischer 1974), one row of the matrix at a time.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, &above) in b.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(from != to))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distances_of_known_pairs() {
        for (a, b, distance) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("saturday", "sunday", 3),
            ("健康", "健身", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn near_misses_are_close_names_only() {
        let allowed = ["credit", "health", "social-security"];
        assert_eq!(near_misses("credt", &allowed), ["credit"]);
        assert_eq!(near_misses("Social_Securty", &allowed), ["social-security"]);
        assert!(near_misses("tax", &allowed).is_empty());
        assert!(near_misses(&"x".repeat(4000), &allowed).is_empty());
    }

    #[test]
    fn carets_stand_under_wide_characters() {
        let text = "SELECT 信用.等极, x";
        let start = text.find("等极").unwrap();
        let refusal = Refusal::new(text, start..start + "等极".len(), Reason::Grouping);
        assert_eq!((refusal.place.line, refusal.place.column), (1, 11));
        let rendered = refusal.render();
        assert_eq!(rendered.lines().nth(2), Some("1 | SELECT 信用.等极, x"));
        assert_eq!(rendered.lines().nth(3), Some("  |             ^^^^"));
    }

    #[test]
    fn long_lines_are_cut_around_the_word() {
        let text = format!("{}BAD{}", "a ".repeat(500), " b".repeat(500));
        let refusal = Refusal::new(&text, 1000..1003, Reason::Grouping);
        assert_eq!(refusal.place.column, 1001);
        assert!(
            refusal
                .render()
                .lines()
                .all(|line| line.chars().count() < 140)
        );
        assert!(refusal.render().lines().nth(3).unwrap().ends_with(" ^^^"));
    }

    #[test]
    fn a_place_outside_the_text_is_its_end() {
        let refusal = Refusal::new("ab\ncd", 99..120, Reason::Grouping);
        assert_eq!(
            refusal.place,
            Place {
                line: 2,
                column: 3,
                bytes: 5..5
            }
        );
    }
}
