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
    if probe.starts_with(&[0xff, 0xfe]) || probe.starts_with(&[0xfe, 0xff]) {
        return Err(refuse("the file is UTF-16; save it as UTF-8 or GB 18030"));
    }
    if probe.starts_with(b"PK\x03\x04") {
        return Err(refuse(
            "this is a spreadsheet or archive; export the sheet as CSV",
        ));
    }
    if probe.contains(&0) {
        return Err(refuse("the file holds binary data; expected CSV text"));
    }
    let mark = if probe.starts_with(&[0xef, 0xbb, 0xbf]) {
        3
    } else {
        0
    };
    // The probe may end within a character, and single bad values are a row's fault, not the
    // file's: judge by whole lines, and take the encoding in which fewer of them fail.
    let failing = |encoding: Encoding| {
        probe
            .split(|byte| *byte == b'\n')
            .filter(|line| encoding.decode(line).is_none())
            .count()
    };
    let cut_line = usize::from(probe.len() == PROBE_BYTES);
    let (utf8, gb) = (failing(Encoding::Utf8), failing(Encoding::Gb18030));
    let lines = probe.split(|byte| *byte == b'\n').count();
    if utf8 <= cut_line || utf8 <= gb || utf8 * 10 < lines {
        Ok((Encoding::Utf8, mark))
    } else if gb * 10 < lines {
        Ok((Encoding::Gb18030, 0))
    } else {
        Err(refuse(
            "the text is neither UTF-8 nor GB 18030; save it as UTF-8",
        ))
    }
}
