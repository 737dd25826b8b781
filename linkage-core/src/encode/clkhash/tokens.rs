//! Canonical values to tokens, and tokens to bytes.

use std::ops::Range;

use zeroize::{Zeroize as _, Zeroizing};

use super::number::{self, NotNumber};
use super::rows::RECORD_BYTES_MAX;
use super::schema::{Comparison, Encoding};

/// Bytes of the longest token that has a key.
const KEY_BYTES_MAX: usize = 15;

/// Longest n-gram that has a key with its place: seven digits, more than a row has bytes, and a
/// blank stand before it.
const PLACED_MAX: usize = KEY_BYTES_MAX - 8;

/// A token of at most 15 bytes in one number, by which it can be compared and hashed without
/// following a pointer. The highest byte is the length and one, the lowest is the token's last;
/// never 0.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key(u128);

impl Key {
    /// No key.
    pub(super) const NONE: Self = Self(0);

    fn new(token: &str) -> Option<Self> {
        let fold = |bytes: u128, byte| bytes << 8 | u128::from(byte);
        let length = token.len();
        (length <= KEY_BYTES_MAX).then(|| Self::of(token.bytes().fold(0, fold), length))
    }

    /// The key of so many bytes, whose last is the lowest.
    fn of(bytes: u128, length: usize) -> Self {
        Self(bytes | (length as u128 + 1) << 120)
    }

    /// A number that depends on all bytes: multiplicative hashing (Knuth, The Art of Computer
    /// Programming 3, section 6.4) by 2^64 over the golden ratio.
    pub(super) fn hash(self) -> u64 {
        let mixed = self.0 as u64 ^ ((self.0 >> 64) as u64).rotate_left(23);
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    }

    /// Forgets the token.
    pub(super) fn wipe(&mut self) {
        self.0.zeroize();
    }

    /// The token, out of the key's bytes from the highest on.
    fn bytes(all: &[u8; KEY_BYTES_MAX + 1]) -> &[u8] {
        let [length, ..] = all;
        let start = all
            .len()
            .saturating_sub(usize::from(*length).saturating_sub(1));
        all.get(start..).unwrap_or_default()
    }
}

/// A token.
pub(super) enum Token {
    Short(Key),
    /// Where it is in [`Tokens::text`].
    Long(Range<usize>),
}

/// The tokens of one value. Its buffers serve value after value, and are wiped at the end.
#[derive(Default)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
    /// The long ones.
    text: Zeroizing<String>,
    /// Where the characters of a padded value begin, and its end.
    starts: Vec<usize>,
    padded: Zeroizing<String>,
    /// A token being made.
    token: Zeroizing<String>,
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Tokens {
    /// The tokens, in order, with those that occur more than once.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Splits a value. An empty value has no tokens.
    ///
    /// # Errors
    /// [`NotNumber`], under the numeric comparison.
    pub(super) fn split(&mut self, comparison: &Comparison, value: &str) -> Result<(), NotNumber> {
        self.text.clear();
        self.forget();
        self.tokens.clear();
        if value.is_empty() {
            return Ok(());
        }
        match *comparison {
            Comparison::Exact => self.push(value),
            Comparison::Ngram { n, positional } => {
                let n = n as usize;
                let short = n <= PLACED_MAX && value.len() <= RECORD_BYTES_MAX;
                if short && value.is_ascii() {
                    self.ascii_ngrams(n, positional, value);
                } else {
                    self.ngrams(n, positional, value);
                }
            }
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

    /// Writes a token in an encoding.
    pub(super) fn encode(&self, token: &Token, encoding: Encoding, out: &mut Vec<u8>) {
        match token {
            Token::Short(key) => {
                let bytes = Zeroizing::new(key.0.to_be_bytes());
                // Tokens are cut between characters.
                encode(
                    str::from_utf8(Key::bytes(&bytes)).unwrap_or_default(),
                    encoding,
                    out,
                );
            }
            Token::Long(span) => {
                encode(
                    self.text.get(span.clone()).unwrap_or_default(),
                    encoding,
                    out,
                );
            }
        }
    }

    /// Wipes the short tokens; the others are wiped with their text.
    fn forget(&mut self) {
        for token in &mut self.tokens {
            if let Token::Short(key) = token {
                key.wipe();
            }
        }
    }

    fn push(&mut self, token: &str) {
        self.tokens.push(match Key::new(token) {
            Some(key) => Token::Short(key),
            None => {
                let start = self.text.len();
                self.text.push_str(token);
                Token::Long(start..self.text.len())
            }
        });
    }

    /// Windows over ASCII: the next one is the last one without its first byte and with a new last.
    fn ascii_ngrams(&mut self, n: usize, positional: bool, value: &str) {
        let mask = (1_u128 << (8 * n)) - 1;
        let pad = std::iter::repeat_n(b' ', n - 1);
        let mut window = pad
            .clone()
            .fold(0, |window, byte| window << 8 | u128::from(byte));
        for (place, byte) in (1..).zip(value.bytes().chain(pad)) {
            window = (window << 8 | u128::from(byte)) & mask;
            let key = if positional {
                let (digits, length) = decimal(place);
                let before = digits << 8 | u128::from(b' ');
                Key::of(before << (8 * n) | window, length + 1 + n)
            } else {
                Key::of(window, n)
            };
            self.tokens.push(Token::Short(key));
        }
    }

    fn ngrams(&mut self, n: usize, positional: bool, value: &str) {
        let mut text = std::mem::take(&mut self.padded);
        text.clear();
        let pad = |text: &mut String| text.extend(std::iter::repeat_n(' ', n.saturating_sub(1)));
        pad(&mut text);
        text.push_str(value);
        pad(&mut text);
        let mut starts = std::mem::take(&mut self.starts);
        starts.clear();
        starts.extend(text.char_indices().map(|(at, _)| at));
        starts.push(text.len());
        let mut token = std::mem::take(&mut self.token);
        for (place, (start, end)) in (1..).zip(starts.iter().zip(starts.iter().skip(n))) {
            token.clear();
            if positional {
                number::push_padded(&mut token, place, 1);
                token.push(' ');
            }
            token.push_str(text.get(*start..*end).unwrap_or_default());
            self.push(&token);
        }
        (self.padded, self.starts, self.token) = (text, starts, token);
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
            let mut token = std::mem::take(&mut self.token);
            token.clear();
            number::push(&mut token, nearest + step * distance);
            self.push(&token);
            self.token = token;
        }
    }
}

/// A number's digits in ASCII, the last in the lowest byte, and how many there are.
fn decimal(number: u32) -> (u128, usize) {
    let (mut digits, mut length, mut left) = (0, 0, number);
    while left > 0 || length == 0 {
        digits |= u128::from(u32::from(b'0') + left % 10) << (8 * length);
        left /= 10;
        length += 1;
    }
    (digits, length)
}

/// Writes text in an encoding. UTF-16 and UTF-32 are Python's on a little-endian machine, which
/// puts a byte-order mark in front of every token.
fn encode(text: &str, encoding: Encoding, out: &mut Vec<u8>) {
    out.clear();
    match encoding {
        // ASCII is the same, and was checked with the value.
        Encoding::Utf8 | Encoding::Ascii => out.extend_from_slice(text.as_bytes()),
        Encoding::Utf16 => {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            out.extend(units.flat_map(u16::to_le_bytes));
        }
        Encoding::Utf32 => {
            let units = std::iter::once('\u{feff}').chain(text.chars());
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
        let text = |token| {
            let mut bytes = vec![9];
            tokens.encode(token, Encoding::Utf8, &mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                matches!(token, Token::Short(_)),
                text.len() <= KEY_BYTES_MAX
            );
            text
        };
        tokens.tokens().iter().map(text).collect()
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
    fn rule_5_windows_are_the_same_however_they_are_made() {
        let value = "Jane Mary-Ann O'Brien the 2nd, of No 1\0";
        for n in 1..=PLACED_MAX + 3 {
            for positional in [false, true] {
                let other = format!("{value}é");
                let found = ngram(n as u32, positional, value);
                let others = ngram(n as u32, positional, &other);
                // The first windows do not see the last letter.
                let same = found.len() - n;
                assert_eq!(found[..same], others[..same], "{n}");
                let pad = " ".repeat(n - 1);
                let padded = format!("{pad}{value}{pad}");
                let windows = padded.as_bytes().windows(n).enumerate();
                let expected: Vec<String> = windows
                    .map(|(at, window)| {
                        let window = str::from_utf8(window).unwrap();
                        match positional {
                            true => format!("{} {window}", at + 1),
                            false => window.to_owned(),
                        }
                    })
                    .collect();
                assert_eq!(found, expected, "{n}");
            }
        }
    }

    #[test]
    fn keys_tell_short_tokens_apart() {
        let mut keys = std::collections::HashSet::new();
        let long = "x".repeat(KEY_BYTES_MAX);
        for token in ["", "a", "a\0", "\0a", "ab", "é", &long, &long[1..]] {
            let key = Key::new(token).unwrap();
            assert!(key != Key::NONE && keys.insert(key.0), "{token:?}");
            assert_eq!(Key::bytes(&key.0.to_be_bytes()), token.as_bytes());
        }
        assert!(Key::new(&format!("{long}x")).is_none());
    }

    #[test]
    fn rule_8_every_token_has_its_own_mark() {
        let bytes = |encoding| {
            let mut tokens = Tokens::default();
            tokens.split(&Comparison::Exact, "a😀").unwrap();
            let mut out = vec![9];
            tokens.encode(&tokens.tokens()[0], encoding, &mut out);
            out
        };
        assert_eq!(bytes(Encoding::Utf8), "a😀".as_bytes());
        let utf16 = [0xff, 0xfe, b'a', 0, 0x3d, 0xd8, 0x00, 0xde];
        assert_eq!(bytes(Encoding::Utf16), utf16);
        let utf32 = [0xff, 0xfe, 0, 0, b'a', 0, 0, 0, 0x00, 0xf6, 0x01, 0];
        assert_eq!(bytes(Encoding::Utf32), utf32);
    }
}
