//! Text encodings of sources and how they are told apart.

use std::borrow::Cow;
use std::ops::Deref;
use std::path::Path;

use encoding_rs::GB18030;
use serde::Serialize;
use zeroize::Zeroize as _;

use super::Error;

/// Bytes looked at to tell the encoding.
pub(super) const PROBE_BYTES: usize = 1024 * 1024;

/// Text encodings of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// UTF-8, with or without byte-order mark.
    #[serde(rename = "UTF-8")]
    Utf8,
    /// GB 18030, which includes GBK and GB 2312.
    #[serde(rename = "GB 18030")]
    Gb18030,
}

impl Encoding {
    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB 18030",
        }
    }

    /// The text of `bytes`; `None` where they are none.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Text<'_>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes)
                .ok()
                .map(|text| Text(Cow::Borrowed(text))),
            Self::Gb18030 => GB18030
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(Text),
        }
    }
}

/// Decoded text, wiped when dropped if it is a copy.
pub(super) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

/// Byte-order marks (RFC 3629 section 6; GB 18030 has U+FEFF as these four bytes).
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const GB18030_MARK: &[u8] = &[0x84, 0x31, 0x95, 0x33];

/// The encoding of a file that begins with `probe`, and the length of its byte-order mark.
///
/// # Errors
/// [`Error`], saying what to do.
pub(super) fn detect(path: &Path, probe: &[u8]) -> Result<(Encoding, u64), Error> {
    if probe.is_empty() {
        return Err(Error::Empty(path.into()));
    }
    let refuse = |message: &str| Error::Encoding {
        path: path.into(),
        message: message.to_owned(),
    };
    if is_utf16(probe) {
        return Err(refuse("the file is UTF-16; save it as UTF-8 or GB 18030"));
    }
    if probe.contains(&0) {
        return Err(refuse("the file holds binary data; expected CSV text"));
    }
    for (encoding, mark) in [
        (Encoding::Utf8, UTF8_MARK),
        (Encoding::Gb18030, GB18030_MARK),
    ] {
        if probe.starts_with(mark) {
            return Ok((encoding, mark.len() as u64));
        }
    }
    // The probe may end within a line, and so within a character.
    let whole = match memchr::memrchr(b'\n', probe) {
        Some(end) if probe.len() == PROBE_BYTES => probe.get(..end).unwrap_or(probe),
        _ => probe,
    };
    // Only lines that are not ASCII tell. Single bad values are a row's fault, not the file's: the
    // encoding is the one in which fewer lines fail, and UTF-8 where nearly all are in order, as
    // text of the other is hardly ever valid UTF-8 by chance, while the reverse is common.
    let telling = whole.split(|byte| *byte == b'\n');
    let telling: Vec<&[u8]> = telling.filter(|line| !line.is_ascii()).collect();
    let failing = |encoding: Encoding| {
        let failing = telling
            .iter()
            .filter(|line| encoding.decode(line).is_none());
        failing.count()
    };
    let (utf8, gb) = (failing(Encoding::Utf8), failing(Encoding::Gb18030));
    if utf8 <= gb || utf8 * 10 < telling.len() {
        Ok((Encoding::Utf8, 0))
    } else if gb * 10 < telling.len() {
        Ok((Encoding::Gb18030, 0))
    } else {
        Err(refuse(
            "the text is neither UTF-8 nor GB 18030; save it as UTF-8",
        ))
    }
}

/// Whether a text is UTF-16: by its mark, or, where it has none, by the zeros of its commas and
/// digits, which all stand in the same half of a unit.
fn is_utf16(probe: &[u8]) -> bool {
    let zeros = |half: usize| {
        let bytes = probe.iter().skip(half).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let most = probe.len() / 10;
    probe.starts_with(&[0xff, 0xfe])
        || probe.starts_with(&[0xfe, 0xff])
        || (even == 0 && odd > most)
        || (odd == 0 && even > most)
}

#[cfg(test)]
mod tests {
    use encoding_rs::UTF_16LE;
    use linkage_core::pack;

    use super::*;

    fn detected(probe: &[u8]) -> Result<(Encoding, u64), String> {
        detect(Path::new("a.csv"), probe).map_err(|error| error.to_string())
    }

    fn gb(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    #[test]
    fn marks_decide() {
        let marked = |mark: &[u8], rest: &[u8]| detected(&[mark, rest].concat());
        assert_eq!(marked(UTF8_MARK, b"id\n\xff"), Ok((Encoding::Utf8, 3)));
        let text = gb("id,\u{7f16}\u{53f7}\n");
        assert_eq!(marked(GB18030_MARK, &text), Ok((Encoding::Gb18030, 4)));
        assert_eq!(gb("\u{feff}"), GB18030_MARK);
        for text in ["id,name\n1,王\n", "编号,姓名\n1,王小明\n2,李四\n"] {
            let units: Vec<u16> = text.encode_utf16().collect();
            let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            assert!(UTF_16LE.decode_without_bom_handling(&little).0 == text);
            for bytes in [little, big] {
                assert!(detected(&bytes).unwrap_err().contains("UTF-16"), "{text}");
            }
        }
        assert!(
            detected(b"id\0\0\0\x01name")
                .unwrap_err()
                .contains("binary")
        );
    }

    #[test]
    fn lines_that_are_not_ascii_tell() {
        let ascii = "1,Smith\n".repeat(200);
        // One line in two hundred, in either encoding.
        let one = |line: &[u8]| detected(&[ascii.as_bytes(), line, b"\n"].concat());
        assert_eq!(one(&gb("2,王小明")), Ok((Encoding::Gb18030, 0)));
        assert_eq!(one("2,王小明".as_bytes()), Ok((Encoding::Utf8, 0)));
        assert_eq!(one(b"2,Smith"), Ok((Encoding::Utf8, 0)));
        // Text in UTF-8 whose characters come in pairs passes for GB 18030; a bad row in it does
        // not make it so.
        let pairs = "1,李明,北京\n".repeat(50);
        assert!(Encoding::Gb18030.decode(pairs.as_bytes()).is_some());
        let bad = [pairs.as_bytes(), &gb("2,王小明")].concat();
        assert_eq!(detected(&bad), Ok((Encoding::Utf8, 0)));
        let neither = [b"\xe9\xe9\n".as_slice(), b"\xff\n", b"\xff\n"].concat();
        assert!(
            detected(&neither)
                .unwrap_err()
                .contains("neither UTF-8 nor GB 18030")
        );
    }

    #[test]
    fn a_probe_that_ends_within_a_character_is_judged_by_whole_lines() {
        let line = gb("1,王小明,䶮\n");
        for shift in 0..line.len() {
            let mut bytes = b"x".repeat(shift);
            while bytes.len() < PROBE_BYTES {
                bytes.extend(&line);
            }
            bytes.truncate(PROBE_BYTES);
            assert_eq!(detected(&bytes), Ok((Encoding::Gb18030, 0)), "{shift}");
        }
    }

    /// GB 18030-2022 moved 18 characters that its editions of 2000 and 2005 had among the
    /// private-use ones, and 6 more stand there by their two-byte codes. Whichever a file has, the
    /// normaliser takes it for the standard one.
    #[test]
    fn characters_that_were_private_use_are_the_standard_ones() {
        let pairs: [(&[u8], char); 24] = [
            (b"\xa6\xd9", '\u{fe10}'),
            (b"\xa6\xda", '\u{fe12}'),
            (b"\xa6\xdb", '\u{fe11}'),
            (b"\xa6\xdc", '\u{fe13}'),
            (b"\xa6\xdd", '\u{fe14}'),
            (b"\xa6\xde", '\u{fe15}'),
            (b"\xa6\xdf", '\u{fe16}'),
            (b"\xa6\xec", '\u{fe17}'),
            (b"\xa6\xed", '\u{fe18}'),
            (b"\xa6\xf3", '\u{fe19}'),
            (b"\xfe\x51", '\u{20087}'),
            (b"\xfe\x52", '\u{20089}'),
            (b"\xfe\x53", '\u{200cc}'),
            (b"\xfe\x59", '\u{9fb4}'),
            (b"\xfe\x61", '\u{9fb5}'),
            (b"\xfe\x66", '\u{9fb6}'),
            (b"\xfe\x67", '\u{9fb7}'),
            (b"\xfe\x6c", '\u{215d7}'),
            (b"\xfe\x6d", '\u{9fb8}'),
            (b"\xfe\x76", '\u{2298f}'),
            (b"\xfe\x7e", '\u{9fb9}'),
            (b"\xfe\x90", '\u{9fba}'),
            (b"\xfe\x91", '\u{241fe}'),
            (b"\xfe\xa0", '\u{9fbb}'),
        ];
        for (bytes, standard) in pairs {
            let text = Encoding::Gb18030.decode(bytes).unwrap();
            let mut chars = text.chars();
            let (found, rest) = (chars.next().unwrap(), chars.next());
            assert_eq!(
                (pack::standard(found), rest),
                (Some(standard), None),
                "{bytes:x?}"
            );
            // The four-byte code that editions from 2005 on give it means the same.
            let four = GB18030
                .encode(standard.encode_utf8(&mut [0; 4]))
                .0
                .into_owned();
            let text = Encoding::Gb18030.decode(&four).unwrap();
            assert_eq!(text.chars().next().and_then(pack::standard), Some(standard));
        }
        // Four-byte codes: the first and last of the plane, a rare surname, beyond Unicode.
        for (bytes, expected) in [
            (b"\x81\x30\x81\x30", Some('\u{80}')),
            (b"\x82\x35\x90\x37", Some('\u{9fb4}')),
            (b"\x95\x32\x82\x36", Some('\u{20000}')),
            (b"\xe3\x32\x9a\x35", Some('\u{10ffff}')),
            (b"\xe3\x32\x9a\x36", None),
            (b"\x81\x30\x81\x20", None),
        ] {
            let text = Encoding::Gb18030.decode(bytes);
            assert_eq!(
                text.and_then(|text| text.chars().next()),
                expected,
                "{bytes:x?}"
            );
        }
    }
}
