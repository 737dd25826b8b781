//! Regular expressions of Python's `re`, as far as they mean the same everywhere.
//!
//! The two languages differ in corners. What this module passes on means in Rust what
//! `re.fullmatch` makes of it, with one exception that only refuses: `$` before a line end inside a
//! value. All else is refused by name when the schema is read.

use regex::Regex;

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "\"{0}\" is not supported in patterns; supported are literals, classes such as [a-z] and \
         \\d, groups, alternatives, repetition, ^ and $"
    )]
    Unsupported(String),
    #[error("not a regular expression: {0}")]
    Invalid(String),
}

/// A pattern that a whole value must match.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a Python pattern.
    ///
    /// # Errors
    /// [`Error`], naming what is not supported.
    pub(super) fn new(python: &str) -> Result<Self, Error> {
        let translated = translate(python)?;
        let invalid = |error: regex::Error| {
            // The last line of the message says what is wrong, the others draw the place.
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default();
            Error::Invalid(last.trim_start_matches("error: ").to_owned())
        };
        // Alone first, so that an unbalanced bracket does not close the group around it.
        Regex::new(&translated).map_err(invalid)?;
        Regex::new(&format!(r"\A(?:{translated})\z"))
            .map(Self)
            .map_err(invalid)
    }

    /// Whether the whole value matches.
    pub(super) fn matches(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

/// A class of Python's as Rust's regular expressions write it, inside brackets or not.
fn class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => r"\d",
        'D' => r"\D",
        // Python's letters and digits have no marks, its white space has four control characters.
        'w' => r"[\p{L}\p{N}_]",
        'W' => r"[^\p{L}\p{N}_]",
        's' => r"[\s\x1c-\x1f]",
        'S' => r"[^\s\x1c-\x1f]",
        _ => return None,
    })
}

fn translate(python: &str) -> Result<String, Error> {
    let unsupported = |what: &str| Err(Error::Unsupported(what.to_owned()));
    let mut out = String::new();
    let mut chars = python.chars().peekable();
    // Whether within brackets, and how many of their characters were read.
    let mut bracket: Option<usize> = None;
    let mut repeated = false;
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let was_repeated = std::mem::take(&mut repeated);
        if let Some(read) = bracket.as_mut() {
            match (c, next) {
                (']', _) if *read > 0 => bracket = None,
                // Rust has nested brackets and operations on classes, Python does not.
                ('[', _) => return unsupported("[ within brackets"),
                ('&' | '~' | '|', Some(twice)) if twice == c => {
                    return unsupported(&format!("{c}{c} within brackets"));
                }
                ('-', Some('-')) => return unsupported("-- within brackets"),
                ('^', _) if *read == 0 && out.ends_with('[') => {
                    out.push('^');
                    continue;
                }
                _ => *read += 1,
            }
        }
        match (c, next) {
            ('\\', Some(escaped)) => {
                chars.next();
                match class(escaped) {
                    Some(class) => out.push_str(class),
                    None if escaped.is_ascii_punctuation() && !"<>".contains(escaped)
                        || "fnrtv".contains(escaped) =>
                    {
                        out.extend(['\\', escaped]);
                    }
                    None => return unsupported(&format!("\\{escaped}")),
                }
                continue;
            }
            ('[', _) if bracket.is_none() => bracket = Some(0),
            ('(', Some('?')) if bracket.is_none() => {
                chars.next();
                if chars.next() != Some(':') {
                    return unsupported("(? other than (?:");
                }
                out.push_str("(?:");
                continue;
            }
            ('+', _) if bracket.is_none() && was_repeated => {
                return unsupported("a possessive repetition");
            }
            ('*' | '+' | '?' | '}', _) if bracket.is_none() => {
                // Python refuses a repetition of a repetition; one question mark makes it lazy,
                // which makes no difference to whether the whole matches.
                if was_repeated && c != '?' {
                    return unsupported("a repeated repetition");
                }
                repeated = !was_repeated;
                if was_repeated && matches!(next, Some('*' | '+' | '?' | '{')) {
                    return unsupported("a repeated repetition");
                }
            }
            ('{', _) if bracket.is_none() && was_repeated => {
                return unsupported("a repeated repetition");
            }
            _ => {}
        }
        out.push(c);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_values_are_matched_as_python_does() {
        for (pattern, good, bad) in [
            ("a|ab", &["a", "ab"][..], &["abc", "a\n", "xa", ""][..]),
            (r"^\d{4}$", &["1234", "１２３４"], &["123", "12345"]),
            (
                r"[A-Z][a-z]+(?:-[A-Z][a-z]+)*",
                &["Smith-Jones"],
                &["smith", "Smith-"],
            ),
            (r"\w+", &["Zoë_1", "李"], &["e\u{301}", "a b", ""]),
            (r"[\w ']+", &["O'Brien x"], &["a-b"]),
            (r"[^\W\d]+", &["ab"], &["a1", "a-"]),
            (r"a\sb", &["a\x1cb", "a\u{a0}b"], &["a_b"]),
            (r"[]a]+", &["]a]"], &["b"]),
            (r"[^]a]+", &["bc"], &["]", "a"]),
            (r"\[\]\.\-\\", &[r"[].-\"], &["x"]),
            (r".*", &["", "ab"], &["a\nb"]),
            (r"a{2,3}?", &["aa", "aaa"], &["a", "aaaa"]),
            (r"(a+)+", &["aaa"], &["b"]),
            (r"[a-z-]+", &["a-b"], &["A"]),
            (r"[a&b]", &["&"], &["c"]),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            for value in good {
                assert!(pattern.matches(value), "{pattern:?} {value}");
            }
            for value in bad {
                assert!(!pattern.matches(value), "{pattern:?} {value}");
            }
        }
    }

    #[test]
    fn what_means_something_else_in_python_is_refused() {
        for pattern in [
            r"a++",
            r"a*+",
            r"a{2}+",
            r"a**",
            r"a{2}{3}",
            r"a???",
            r"(?i)a",
            r"(?=a)",
            r"(a)\1",
            r"\bA",
            r"A\Z",
            r"\p{L}",
            r"\x41",
            r"\<a",
            r"[[:alpha:]]",
            r"[a&&b]",
            r"[a--b]",
            r"[a~~b]",
            r"a)(b",
            r"(",
            r"[a",
            r"\",
            r"a{",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
        let message = |pattern| Pattern::new(pattern).unwrap_err().to_string();
        assert!(message(r"(?i)a").contains("(? other than (?:"));
        assert!(
            message("(a").contains("unclosed group"),
            "{}",
            message("(a")
        );
    }
}
