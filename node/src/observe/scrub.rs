//! The last check before a log line leaves the process: what has the form of a known identifier is
//! replaced. Nothing should ever be left for it to find: values of records have types that cannot
//! be logged. A find is counted, so that an operator can tell of it.
//!
//! | form | example |
//! |---|---|
//! | resident number of 18 (GB 11643) | 17 digits and a digit or X |
//! | resident number of 15 (before 1999) | 15 digits |
//! | unified social credit code (GB 32100) | 18 digits and capitals, the third to eighth digits |
//! | mobile number | 11 digits from 13 to 19 |
//!
//! A name has no form: only types keep it out.

use std::borrow::Cow;

/// What stands in the place of an identifier.
const REPLACEMENT: &str = "[removed]";

/// The line without identifiers of known forms, and how many there were.
pub fn scrub(line: &str) -> (Cow<'_, str>, u64) {
    let mut clean = String::new();
    let (mut kept, mut found) = (0, 0);
    let mut strings = Strings::of(line);
    for word in Words::of(line) {
        let text = line.get(word.start..word.end).unwrap_or_default();
        let is_quoted = strings.reach(word.start);
        if let Some((from, to)) = identifier(text, is_quoted) {
            clean.push_str(line.get(kept..word.start + from).unwrap_or_default());
            clean.push_str(REPLACEMENT);
            kept = word.start + to;
            found += 1;
        }
    }
    if found == 0 {
        return (Cow::Borrowed(line), 0);
    }
    clean.push_str(line.get(kept..).unwrap_or_default());
    (Cow::Owned(clean), found)
}

/// Where in a word of ASCII letters and digits an identifier lies. `is_quoted` is false for a
/// number of JSON: counts and sizes have 11 or 15 digits as well.
fn identifier(word: &str, is_quoted: bool) -> Option<(usize, usize)> {
    if is_credit_code(word) {
        return Some((0, word.len()));
    }
    // Within a word that has letters, such as a digest or `id110105...`, only the longest form is
    // told from chance: 18 digits in a row are one in 10^4 digests.
    let bytes = word.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.iter().skip(at).take_while(|c| c.is_ascii_digit());
        let length = digits.count();
        let next = bytes.get(at + length);
        let has_check_letter = length == 17 && matches!(next, Some(b'X' | b'x'));
        if length == 18 || has_check_letter {
            return Some((at, at + 18));
        }
        let is_alone = at == 0 && length == bytes.len();
        if is_alone && is_quoted && (length == 15 || is_mobile(bytes)) {
            return Some((0, length));
        }
        at += length + 1;
    }
    None
}

fn is_mobile(digits: &[u8]) -> bool {
    digits.len() == 11 && matches!(digits, [b'1', b'3'..=b'9', ..])
}

/// Two of digits and capitals, six digits of the region, nine and one of digits and capitals; with
/// at least one capital, or it would be a number.
fn is_credit_code(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 18
        && bytes
            .iter()
            .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
        && bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().skip(2).take(6).all(u8::is_ascii_digit)
}

fn is_json(line: &str) -> bool {
    line.starts_with('{')
}

/// Tells what of a line of JSON is within a string. Of what is no JSON, all is.
struct Strings<'a> {
    bytes: &'a [u8],
    at: usize,
    is_json: bool,
    is_within: bool,
}

impl<'a> Strings<'a> {
    fn of(line: &'a str) -> Self {
        Self {
            bytes: line.as_bytes(),
            at: 0,
            is_json: is_json(line),
            is_within: false,
        }
    }

    /// Whether the byte at `to` is within a string; asked from left to right.
    fn reach(&mut self, to: usize) -> bool {
        while self.at < to {
            match self.bytes.get(self.at) {
                // What is escaped is no end of a string.
                Some(b'\\') => self.at += 1,
                Some(b'"') => self.is_within = !self.is_within,
                _ => {}
            }
            self.at += 1;
        }
        self.is_within || !self.is_json
    }
}

/// A longest run of ASCII letters and digits; Han characters and signs part words.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
    is_json: bool,
}

struct Word {
    start: usize,
    end: usize,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        Self {
            bytes: line.as_bytes(),
            at: 0,
            is_json: is_json(line),
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let mut start = self.at;
        loop {
            match self.bytes.get(start)? {
                // `\n13...` is no word that begins with an n.
                b'\\' if self.is_json => {
                    start += match self.bytes.get(start + 1) {
                        Some(b'u') => 6,
                        Some(byte) if !byte.is_ascii_digit() => 2,
                        _ => 1,
                    }
                }
                byte if byte.is_ascii_alphanumeric() => break,
                _ => start += 1,
            }
        }
        let length = self.bytes.iter().skip(start);
        let length = length.take_while(|c| c.is_ascii_alphanumeric()).count();
        self.at = start + length;
        Some(Word {
            start,
            end: self.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_of_known_forms_are_removed() {
        for value in [
            "11010519491231002X",
            "11010519491231002x",
            "110105194912310029",
            "110105491231002",
            "91440300MA5DA1234X",
            "13900138000",
        ] {
            for line in [
                format!("{{\"message\":\"row {value} is bad\"}}"),
                format!("{{\"message\":\"手机{value}无效\"}}"),
                format!("{{\"message\":\"a {value}, b {value}\"}}"),
                format!("{{\"n\":13700137000,\"message\":\"mobile:{value},\\n{value}\\\"\"}}"),
                format!("no JSON: {value}"),
            ] {
                let (clean, found) = scrub(&line);
                assert!(!clean.contains(value), "{clean}");
                assert!(clean.contains(REPLACEMENT) && found > 0, "{clean}");
            }
        }
        let (clean, _) = scrub("\"id110105194912310029z\"");
        assert_eq!(clean, "\"id[removed]z\"");
    }

    #[test]
    fn what_a_node_logs_is_kept() {
        for line in [
            r#"{"timestamp":"2026-11-30T14:27:32.123456Z","level":"INFO"}"#,
            r#"{"op":"01932f8e-13f0-7a00-8000-139001380001","bytes":13900138000}"#,
            r#"{"said":"a \"word\"","counts":[13900138000,110105491231002],"seq":1900138000}"#,
            r#"{"digest":"91a1d13900138000f00dcafe13900138000aaaaa0123456789abcdef12345678"}"#,
            r#"{"address":"127.0.0.1:50051","caller":"spiffe://linkage.test/owner/health"}"#,
        ] {
            assert_eq!(scrub(line), (Cow::Borrowed(line), 0));
        }
    }

    proptest! {
        #[test]
        fn no_resident_number_passes(
            before in "[^0-9Xx{]{0,12}",
            number in "[1-9][0-9]{16}[0-9Xx]",
            after in "[^0-9Xx]{0,12}",
        ) {
            let line = format!("{before}{number}{after}");
            let (clean, _) = scrub(&line);
            prop_assert!(!clean.contains(&number), "{}", clean);
        }

        #[test]
        fn any_line_is_answered(line in ".{0,200}") {
            let (clean, found) = scrub(&line);
            prop_assert_eq!(found == 0, clean == line);
        }
    }
}
