//! The candidate pairs of one search in a file.
//!
//! ```text
//! magic "LKFOUND\n" (8), format version (u16), length of the description (u32), the description
//! (JSON), number of pairs (u64), number of pairs in conflict (u64), the pairs (rows u32 each,
//! agreement f64, link-key rule u8 or 255), the pairs in conflict (rows u32 each),
//! CRC-32C of all that comes before (u32)
//! ```
//!
//! Numbers are little-endian.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use linkage_core::candidates::{Candidates, Method, RuleCount};
use serde::{Deserialize, Serialize};

use crate::durable::NewFile;
use crate::error::Error;
use crate::spill::hit::{self, HIT_BYTES};

const MAGIC: &[u8; 8] = b"LKFOUND\n";
const VERSION: u16 = 1;

/// Longest description: 255 rules of six numbers each take less.
const DESCRIPTION_BYTES_MAX: u32 = 1 << 20;

/// Pairs read and written at a time.
const PART: usize = 16_384;

/// What is kept of a search beside its pairs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    floor_bits: u64,
    compared: u64,
    block_rules: Vec<RuleCount>,
}

/// Puts the candidates in the file `path`. Those that were not found by keys alone are not kept:
/// they cannot be brought up to date.
pub(super) fn write(path: &Path, found: &Candidates) -> Result<(), Error> {
    if found.method != Method::Keys {
        return Ok(());
    }
    let io = Error::io;
    let description = serde_json::to_vec(&Description {
        floor_bits: found.floor.to_bits(),
        compared: found.compared,
        block_rules: found.block_rules.clone(),
    })
    .map_err(|error| io(path)(error.into()))?;
    let new = NewFile::new(path).map_err(io(path))?;
    let mut out = Summed::new(BufWriter::new(&new.file));
    let mut write = || -> std::io::Result<()> {
        out.write(MAGIC)?;
        out.write(&VERSION.to_le_bytes())?;
        out.write(&(description.len() as u32).to_le_bytes())?;
        out.write(&description)?;
        out.write(&(found.pairs.len() as u64).to_le_bytes())?;
        out.write(&(found.identity_conflicts.len() as u64).to_le_bytes())?;
        let mut bytes = Vec::with_capacity(PART * HIT_BYTES);
        for part in found.pairs.chunks(PART) {
            bytes.clear();
            part.iter().for_each(|pair| hit::put(pair, &mut bytes));
            out.write(&bytes)?;
        }
        for (a, b) in &found.identity_conflicts {
            out.write(&a.to_le_bytes())?;
            out.write(&b.to_le_bytes())?;
        }
        let sum = out.sum;
        out.inner.write_all(&sum.to_le_bytes())?;
        out.inner.flush()
    };
    write().map_err(io(path))?;
    drop(out);
    new.place().map_err(io(path))
}

/// The candidates in the file `path`; `None` where it is missing.
///
/// # Errors
/// [`Error::Damaged`] and [`Error::Io`].
pub(super) fn read(path: &Path) -> Result<Option<Candidates>, Error> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let length = file.metadata().map_err(Error::io(path))?.len();
    decode(BufReader::new(file), length)
        .map_err(Error::io(path))?
        .map_or_else(|| Err(Error::damaged(path)), |found| Ok(Some(found)))
}

/// Reads `length` bytes of `input`; `None` if they are not what was written.
fn decode(input: impl Read, length: u64) -> std::io::Result<Option<Candidates>> {
    let mut rest = Summed::new(input);
    match rest.candidates(length) {
        Ok(found) => Ok(found),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes that go by, with their CRC-32C.
struct Summed<T> {
    inner: T,
    sum: u32,
}

impl<T> Summed<T> {
    fn new(inner: T) -> Self {
        Self { inner, sum: 0 }
    }
}

impl<T: Write> Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.inner.write_all(bytes)
    }
}

impl<T: Read> Summed<T> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.inner.read_exact(bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn candidates(&mut self, length: u64) -> std::io::Result<Option<Candidates>> {
        if self.array()? != *MAGIC || u16::from_le_bytes(self.array()?) != VERSION {
            return Ok(None);
        }
        let described = u32::from_le_bytes(self.array()?);
        if described > DESCRIPTION_BYTES_MAX {
            return Ok(None);
        }
        let mut description = vec![0; described as usize];
        self.read(&mut description)?;
        let Ok(description) = serde_json::from_slice::<Description>(&description) else {
            return Ok(None);
        };
        let [pairs, conflicts] = [self.array()?, self.array()?].map(u64::from_le_bytes);
        // So that no damaged number asks for all memory.
        let bytes = pairs
            .checked_mul(HIT_BYTES as u64)
            .zip(conflicts.checked_mul(8));
        let told = bytes.and_then(|(pairs, conflicts)| pairs.checked_add(conflicts));
        if told.is_none_or(|told| told > length) {
            return Ok(None);
        }
        let mut found = Candidates {
            pairs: Vec::with_capacity(pairs as usize),
            method: Method::Keys,
            floor: f64::from_bits(description.floor_bits),
            compared: description.compared,
            block_rules: description.block_rules,
            token_bits: None,
            identity_conflicts: Vec::with_capacity(conflicts as usize),
        };
        let mut bytes = vec![0; PART * HIT_BYTES];
        let mut left = pairs as usize;
        while left > 0 {
            let part = left.min(PART);
            let Some(bytes) = bytes.get_mut(..part * HIT_BYTES) else {
                return Ok(None);
            };
            self.read(bytes)?;
            found
                .pairs
                .extend(bytes.as_chunks().0.iter().filter_map(hit::get));
            left -= part;
        }
        for _ in 0..conflicts {
            let [a, b] = [self.array()?, self.array()?].map(u32::from_le_bytes);
            found.identity_conflicts.push((a, b));
        }
        let sum = self.sum;
        let right = u32::from_le_bytes(self.array()?) == sum && found.pairs.len() as u64 == pairs;
        Ok(right.then_some(found))
    }
}

#[cfg(test)]
mod tests {
    use linkage_core::candidates::ScoredPair;
    use proptest::prelude::*;

    use super::*;

    fn found(pairs: Vec<(u32, u32, u8, f64)>) -> Candidates {
        let pair = |(a, b, rule, score): (u32, u32, u8, f64)| ScoredPair {
            a,
            b,
            link_rule: (rule < 3).then_some(rule),
            score,
        };
        Candidates {
            identity_conflicts: pairs.iter().map(|pair| (pair.0, pair.1)).collect(),
            pairs: pairs.into_iter().map(pair).collect(),
            method: Method::Keys,
            floor: 0.25,
            compared: 77,
            block_rules: vec![RuleCount::default(); 2],
            token_bits: None,
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_nothing_else(
            pairs in prop::collection::vec((any::<u32>(), any::<u32>(), 0_u8..9, 0.0..1.0), 0..40),
            flip in any::<prop::sample::Index>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("found");
            let found = found(pairs);
            write(&path, &found).unwrap();
            let again = read(&path).unwrap().unwrap();
            prop_assert_eq!(&again.pairs, &found.pairs);
            prop_assert_eq!(&again.identity_conflicts, &found.identity_conflicts);
            prop_assert_eq!(&again.block_rules, &found.block_rules);
            prop_assert_eq!((again.compared, again.floor.to_bits()), (77, 0.25_f64.to_bits()));

            let mut bytes = std::fs::read(&path).unwrap();
            let at = flip.index(bytes.len());
            bytes[at] ^= 4;
            prop_assert!(decode(bytes.as_slice(), bytes.len() as u64).unwrap().is_none());
            prop_assert!(decode(&bytes[..at], at as u64).unwrap().is_none());
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [MAGIC.as_slice(), &VERSION.to_le_bytes(), &bytes].concat();
            prop_assert!(decode(bytes.as_slice(), bytes.len() as u64).unwrap().is_none());
        }
    }

    #[test]
    fn a_missing_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join("found")).unwrap().is_none());
    }
}
