//! Values searched for in files, bytes and the memory of processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Bytes of a process's memory read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Shortest value worth searching for, in bytes: shorter ones occur in random bytes by chance.
pub const VALUE_BYTES_MIN: usize = 6;

/// Shortest run of base64 digits worth searching for: 48 bits, as many as [`VALUE_BYTES_MIN`].
const BASE64_BYTES_MIN: usize = 8;

/// Values to search for, each in several forms.
pub struct Needles {
    automaton: AhoCorasick,
    names: Vec<String>,
    longest: usize,
}

/// What was found: places by value and form.
pub type Found = BTreeMap<String, BTreeSet<String>>;

impl Needles {
    /// Values as they are, in hexadecimal digits of either case, in base64 at every alignment of
    /// either alphabet, and as UTF-16.
    ///
    /// # Errors
    /// When there are too many for one automaton.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let mut forms: BTreeMap<Vec<u8>, String> = BTreeMap::new();
        for value in values {
            let shown = String::from_utf8_lossy(value).into_owned();
            let mut add = |bytes: Vec<u8>, form: &str| {
                // Some forms are shorter than the value, or of fewer different bytes.
                let shortest = if form == "base64" {
                    BASE64_BYTES_MIN
                } else {
                    VALUE_BYTES_MIN
                };
                if bytes.len() < shortest {
                    return;
                }
                forms.entry(bytes).or_insert(format!("{shown} ({form})"));
            };
            add(value.to_vec(), "raw");
            add(hex::encode(value).into_bytes(), "hex");
            add(hex::encode_upper(value).into_bytes(), "HEX");
            if let Ok(text) = std::str::from_utf8(value) {
                let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
                add(wide.collect(), "UTF-16");
            }
            for before in 0..3 {
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    add(inner_base64(&engine, before, value), "base64");
                }
            }
        }
        let longest = forms.keys().map(Vec::len).max().unwrap_or(0);
        let (forms, names): (Vec<_>, Vec<_>) = forms.into_iter().unzip();
        Ok(Self {
            automaton: AhoCorasick::new(forms)?,
            names,
            longest,
        })
    }

    /// Searches bytes; what is found counts as found at `place`.
    pub fn bytes(&self, bytes: &[u8], place: &str, found: &mut Found) {
        for hit in self.automaton.find_overlapping_iter(bytes) {
            if let Some(name) = self.names.get(hit.pattern().as_usize()) {
                let places = found.entry(name.clone()).or_default();
                places.insert(place.to_owned());
            }
        }
    }

    /// Searches a file or every file below a folder, names included. Returns the bytes searched.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn files(&self, path: &Path, found: &mut Found) -> Result<u64> {
        let mut searched = 0;
        for path in below(path)? {
            let place = path.display().to_string();
            self.bytes(place.as_bytes(), &place, found);
            if path.is_file() {
                let bytes = fs::read(&path)?;
                searched += bytes.len() as u64;
                self.bytes(&bytes, &place, found);
            }
        }
        Ok(searched)
    }

    /// Searches all readable and writable private memory of a process. Returns the bytes searched.
    ///
    /// # Errors
    /// When `/proc/<pid>/mem` cannot be opened.
    pub fn memory(&self, pid: u32, found: &mut Found) -> io::Result<u64> {
        let mut memory = File::open(format!("/proc/{pid}/mem"))?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let mut searched = 0;
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (range, mode) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            if !mode.starts_with("rw") || !mode.ends_with('p') {
                continue;
            }
            let address = |text: &str| u64::from_str_radix(text, 16).ok();
            let Some((from, to)) = range
                .split_once('-')
                .and_then(|(from, to)| address(from).zip(address(to)))
            else {
                continue;
            };
            searched += self.region(&mut memory, from, to, &format!("memory {line}"), found);
        }
        Ok(searched)
    }

    /// Searches one mapping, pieces overlapping by the longest value. What the process has unmapped
    /// meanwhile cannot be read and is passed over.
    fn region(&self, memory: &mut File, from: u64, to: u64, place: &str, found: &mut Found) -> u64 {
        let (mut at, mut kept, mut searched) = (from, Vec::new(), 0);
        while at < to {
            let length = usize::try_from(to - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = vec![0; length];
            let read = memory
                .seek(SeekFrom::Start(at))
                .and_then(|_| memory.read_exact(&mut piece));
            if read.is_err() {
                kept.clear();
                at += length as u64;
                continue;
            }
            kept.extend_from_slice(&piece);
            self.bytes(&kept, place, found);
            searched += length as u64;
            at += length as u64;
            kept.drain(..kept.len().saturating_sub(self.longest));
        }
        searched
    }
}

/// The base64 digits that depend on `value` alone where `before` bytes precede it.
fn inner_base64(engine: &impl base64::Engine, before: usize, value: &[u8]) -> Vec<u8> {
    let padded = [vec![0; before], value.to_vec()].concat();
    let digits = engine.encode(&padded);
    // The first digits mix with what precedes, the last with what follows.
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    digits.as_bytes().get(first..last).unwrap_or(&[]).to_vec()
}

/// A path and everything below it.
///
/// # Errors
/// When a folder cannot be read.
pub fn below(path: &Path) -> Result<Vec<PathBuf>> {
    let mut all = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = all.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
                all.push(entry?.path());
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn finds_a_value_in_every_form_and_alignment() {
        let value = "标记-Marker-7193".as_bytes();
        let needles = Needles::new([value]).unwrap();
        let text = String::from_utf8_lossy(value).into_owned();
        for before in 0..7 {
            let around = [vec![b'x'; before], value.to_vec(), b"yz".to_vec()].concat();
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let forms = [
                around.clone(),
                hex::encode(&around).into_bytes(),
                hex::encode_upper(&around).into_bytes(),
                STANDARD_NO_PAD.encode(&around).into_bytes(),
                URL_SAFE_NO_PAD.encode(&around).into_bytes(),
                wide,
            ];
            for form in forms {
                let mut found = Found::new();
                needles.bytes(&form, "here", &mut found);
                assert!(!found.is_empty(), "{before}");
            }
        }
        let mut found = Found::new();
        needles.bytes("标记-Marker-7194".as_bytes(), "here", &mut found);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn finds_a_value_in_the_memory_of_this_process() {
        // Put together at run time, so that the program's own constants do not hold it.
        let value: String = ["in-memory", "-", "4711"].concat();
        let mut found = Found::new();
        let needles = Needles::new([value.as_bytes()]).unwrap();
        let searched = needles.memory(std::process::id(), &mut found).unwrap();
        assert!(searched > 0 && !found.is_empty());
    }
}
