//! Canonical values to tokens, and tokens to bytes.

use std::ops::Range;

use zeroize::Zeroizing;

use super::number::{self, NotNumber};
use super::schema::{Comparison, Encoding};

/// The tokens of one value. Its buffers serve value after value, and are wiped at the end.
#[derive(Default)]
pub(super) struct Tokens {
    text: Zeroizing<String>,
    spans: Vec<Range<usize>>,
    /// Where the characters of a padded value begin, and its end.
    starts: Vec<usize>,
    padded: Zeroizing<String>,
}

impl Tokens {
    /// The tokens, in order, with those that occur more than once.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let token = |span: &Range<usize>| self.text.get(span.clone()).unwrap_or_default();
        self.spans.iter().map(token)
    }

    /// Splits a value. An empty value has no tokens.
    ///
    /// # Errors
    /// [`NotNumber`], under the numeric comparison.
    pub(super) fn split(&mut self, comparison: &Comparison, value: &str) -> Result<(), NotNumber> {
        self.text.clear();
        self.spans.clear();
        if value.is_empty() {
            return Ok(());
        }
        match *comparison {
            Comparison::Exact => self.add(|text| text.push_str(value)),
            Comparison::Ngram { n, positional } => self.ngrams(n as usize, positional, value),
            Comparison::Numeric {
                distance,
                resolution,
                precision,
            } => {
                let value = number::scaled(value, precision, &mut self.padded)?;
                self.neighbours(value, distance, i128::from(resolution));
            }
        }
        Ok(())
    }

    fn add(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        self.spans.push(start..self.text.len());
    }

    fn ngrams(&mut self, n: usize, positional: bool, value: &str) {
        let text = if positional {
            &mut self.padded
        } else {
            &mut self.text
        };
        text.clear();
        let pad = |text: &mut String| text.extend(std::iter::repeat_n(' ', n.saturating_sub(1)));
        pad(text);
        text.push_str(value);
        pad(text);
        self.starts.clear();
        self.starts.extend(text.char_indices().map(|(at, _)| at));
        self.starts.push(text.len());
        let windows = self.starts.iter().zip(self.starts.iter().skip(n));
        if !positional {
            self.spans.extend(windows.map(|(start, end)| *start..*end));
            return;
        }
        for (place, (start, end)) in (1..).zip(windows) {
            let begin = self.text.len();
            number::push_padded(&mut self.text, place, 1);
            self.text.push(' ');
            self.text
                .push_str(self.padded.get(*start..*end).unwrap_or_default());
            self.spans.push(begin..self.text.len());
        }
    }

    /// Tokens of all multiples of the distance that are near a number, which is doubled and
    /// stretched so that half a distance and every step of the resolution are whole.
    fn neighbours(&mut self, value: i128, distance: i128, resolution: i128) {
        let value = 2 * resolution * value;
        let over = value.rem_euclid(distance);
        let nearest = if 2 * over < distance {
            value - over
        } else {
            value - over + distance
        };
        for step in -resolution..=resolution {
            self.add(|text| number::push(text, nearest + step * distance));
        }
    }
}

/// Writes a token in an encoding. UTF-16 and UTF-32 are Python's on a little-endian machine, which
/// puts a byte-order mark in front of every token.
pub(super) fn encode(token: &str, encoding: Encoding, out: &mut Vec<u8>) {
    out.clear();
    match encoding {
        // ASCII is the same, and was checked with the value.
        Encoding::Utf8 | Encoding::Ascii => out.extend_from_slice(token.as_bytes()),
        Encoding::Utf16 => {
            let units = std::iter::once(0xfeff).chain(token.encode_utf16());
            out.extend(units.flat_map(u16::to_le_bytes));
        }
        Encoding::Utf32 => {
            let units = std::iter::once('\u{feff}').chain(token.chars());
            out.extend(units.flat_map(|c| u32::from(c).to_le_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(comparison: Comparison, value: &str) -> Vec<String> {
        let mut tokens = Tokens::default();
        tokens.split(&comparison, value).unwrap();
        tokens.iter().map(str::to_owned).collect()
    }

    fn ngram(n: u32, positional: bool, value: &str) -> Vec<String> {
        split(Comparison::Ngram { n, positional }, value)
    }

    #[test]
    fn rule_4_empty_values_have_no_tokens_and_exact_ones_one() {
        assert_eq!(split(Comparison::Exact, " a b "), [" a b "]);
        assert!(split(Comparison::Exact, "").is_empty());
        assert!(ngram(2, false, "").is_empty());
    }

    #[test]
    fn rule_5_windows_of_code_points_keep_duplicates_and_count_places_from_one() {
        assert_eq!(ngram(2, false, "aaa"), [" a", "aa", "aa", "a "]);
        assert_eq!(ngram(1, false, "aé李"), ["a", "é", "李"]);
        assert_eq!(ngram(3, false, "é"), ["  é", " é ", "é  "]);
        assert_eq!(ngram(2, true, "李"), ["1  李", "2 李 "]);
    }

    #[test]
    fn rule_6_numbers_share_tokens_with_their_neighbours() {
        let numeric = |value| {
            let comparison = Comparison::Numeric {
                distance: 5,
                resolution: 2,
                precision: 0,
            };
            split(comparison, value)
        };
        // 4 x 7 = 28 is nearest to 30, 4 x -7 to -30.
        assert_eq!(numeric("7"), ["20", "25", "30", "35", "40"]);
        assert_eq!(numeric("-7"), ["-40", "-35", "-30", "-25", "-20"]);
    }

    #[test]
    fn rule_6_a_tie_goes_up() {
        let comparison = Comparison::Numeric {
            distance: 8,
            resolution: 1,
            precision: 0,
        };
        assert_eq!(split(comparison, "2"), ["0", "8", "16"]);
        assert_eq!(split(comparison, "-2"), ["-8", "0", "8"]);
    }

    #[test]
    fn rule_8_every_token_has_its_own_mark() {
        let bytes = |encoding| {
            let mut out = vec![9];
            encode("a😀", encoding, &mut out);
            out
        };
        assert_eq!(bytes(Encoding::Utf8), "a😀".as_bytes());
        let utf16 = [0xff, 0xfe, b'a', 0, 0x3d, 0xd8, 0x00, 0xde];
        assert_eq!(bytes(Encoding::Utf16), utf16);
        let utf32 = [0xff, 0xfe, 0, 0, b'a', 0, 0, 0, 0x00, 0xf6, 0x01, 0];
        assert_eq!(bytes(Encoding::Utf32), utf32);
    }
}
