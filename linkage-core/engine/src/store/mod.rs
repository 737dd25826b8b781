//! Token stores: one owner's encoded records in columns, in a file that is read where it lies.
//!
//! ```text
//! head     magic "LKSTORE\n" (8), format version (u16), length of the head in bytes (u64),
//!          length of the batch's header (u32), that header (see `linkage_core::encode::batch`),
//!          SHA-256 of the batch that the store was made from (32),
//!          rows of a chunk (u32), number of columns (u16),
//!          for each column its kind (u8: tokens, numbers of set bits, link keys, block keys,
//!          frequency classes), its number within the kind (u8), bytes of a row (u32),
//!          offset in the file (u64), length in bytes (u64),
//!          for each column the CRC-32C of each of its chunks (u32),
//!          CRC-32C of all that comes before (u32)
//! columns  in the table's order, each from the next multiple of 64 bytes, zeros between:
//!          tokens in whole 64-bit words, numbers of set bits (u16), link keys (u128, the number
//!          whose big-endian bytes are the tag; zero = absent), block keys (u64, zero = absent),
//!          frequency classes (u16, zero = missing)
//! ```
//!
//! Numbers are little-endian. CRC-32C (RFC 3720, appendix B.4) is for accidents, not against an
//! adversary: a store is the matcher's own file, made from a batch whose SHA-256 was checked.

mod error;
mod head;
mod import;
mod map;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use linkage_core::encode::batch::DIGEST_BYTES;
use linkage_core::encode::{Columns, Header};
use memmap2::Mmap;
use rayon::prelude::*;

pub use error::{HeadError, StoreError};
pub use import::{import, import_once};

pub(crate) use head::Kind;
use head::{CHUNK_ROWS, Head, PREFIX_BYTES, Place};

/// How much of a store is read before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verify {
    /// The head and the file's length.
    Head,
    /// All columns, against their checksums.
    Checksums,
    /// The tokens against their numbers of set bits, too.
    Ones,
}

/// An open token store.
#[derive(Debug)]
pub struct TokenStore {
    path: PathBuf,
    file: File,
    map: Mmap,
    head: Head,
}

impl TokenStore {
    /// Opens the store at `path` and checks as much of it as `verify` says, on all threads of the
    /// current pool.
    ///
    /// # Errors
    /// [`StoreError::Head`] for a file that is no store, cut or changed; [`StoreError::Io`].
    pub fn open(path: &Path, verify: Verify) -> Result<Self, StoreError> {
        let io = StoreError::io(path);
        let file = File::open(path).map_err(&io)?;
        let head = read_head(&file, path)?;
        let map = map::map(&file).map_err(&io)?;
        let store = Self {
            path: path.into(),
            file,
            map,
            head,
        };
        if cfg!(target_endian = "big") {
            return Err(store.refused(HeadError::Endian));
        }
        if verify >= Verify::Checksums {
            store.check_gaps()?;
            let places = store.head.places.iter().zip(&store.head.checksums);
            places
                .collect::<Vec<_>>()
                .into_par_iter()
                .try_for_each(|(place, checksums)| store.check_column(place, checksums))?;
        }
        if verify >= Verify::Ones {
            store.check_ones()?;
        }
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the records say of themselves.
    pub fn header(&self) -> &Header {
        &self.head.header
    }

    /// SHA-256 of the batch that the store was made from.
    pub fn digest(&self) -> &[u8; DIGEST_BYTES] {
        &self.head.digest
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        // A batch's header admits no more than u32::MAX rows.
        usize::try_from(self.head.header.rows).unwrap_or(usize::MAX)
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.head.file_bytes()
    }

    /// The records as columns, in the mapped file.
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            header: &self.head.header,
            words: self.of_kind(Kind::Tokens).next().unwrap_or(&[]),
            ones: self.of_kind(Kind::Ones).next().unwrap_or(&[]),
            link_keys: self.of_kind(Kind::LinkKeys).collect(),
            block_keys: self.of_kind(Kind::BlockKeys).collect(),
            classes: self.of_kind(Kind::Classes).collect(),
        }
    }

    fn of_kind<T: Pod>(&self, kind: Kind) -> impl Iterator<Item = &[T]> {
        let places = self.head.places.iter().filter(move |p| p.kind == kind);
        places.map(|place| {
            let (from, bytes) = (place.offset as usize, place.bytes as usize);
            // Opening has compared the file's length with the head, whose columns are aligned.
            let bytes = self.map.get(from..from + bytes).unwrap_or(&[]);
            bytemuck::try_cast_slice(bytes).unwrap_or(&[])
        })
    }

    /// Reads rows of a column into `rows`, from `first` on, without mapping them: what is read in
    /// order is not to stay in memory. A row of tokens is several words.
    pub(crate) fn read<T: Pod>(
        &self,
        (kind, index): (Kind, usize),
        first: u64,
        rows: &mut [T],
    ) -> Result<(), StoreError> {
        let place = self
            .head
            .places
            .iter()
            .filter(|p| p.kind == kind)
            .nth(index);
        let place = place.ok_or_else(|| self.refused(HeadError::Damaged("a column is missing")))?;
        let offset = place.offset + first * place.width;
        let bytes = bytemuck::cast_slice_mut(rows);
        self.file
            .read_exact_at(bytes, offset)
            .map_err(StoreError::io(&self.path))
    }

    fn refused(&self, error: HeadError) -> StoreError {
        StoreError::head(&self.path)(error)
    }

    /// Compares a column with its checksums. Reads instead of touching the mapping, so that the
    /// pages do not count as this process's memory.
    fn check_column(&self, place: &Place, checksums: &[u32]) -> Result<(), StoreError> {
        let chunk = CHUNK_ROWS * place.width;
        let chunks = checksums.par_iter().enumerate();
        chunks.try_for_each_init(Vec::new, |buffer, (number, checksum)| {
            let number = number as u64;
            let bytes = chunk.min(place.bytes - number * chunk) as usize;
            buffer.resize(bytes, 0);
            self.file
                .read_exact_at(buffer, place.offset + number * chunk)
                .map_err(StoreError::io(&self.path))?;
            if crc32c::crc32c(buffer) == *checksum {
                Ok(())
            } else {
                Err(self.refused(HeadError::Checksum(place.kind.name())))
            }
        })
    }

    /// Refuses anything but zeros between the columns.
    fn check_gaps(&self) -> Result<(), StoreError> {
        let mut end = self.head.encode().len() as u64;
        for place in &self.head.places {
            let mut gap = vec![0_u8; (place.offset - end) as usize];
            self.file
                .read_exact_at(&mut gap, end)
                .map_err(StoreError::io(&self.path))?;
            if gap.iter().any(|byte| *byte != 0) {
                return Err(self.refused(HeadError::Damaged("there is something between columns")));
            }
            end = place.offset + place.bytes;
        }
        Ok(())
    }

    fn check_ones(&self) -> Result<(), StoreError> {
        let width = (self.header().token_bits as usize).div_ceil(64);
        let beyond = width as u32 * 64 - self.header().token_bits;
        let chunks = (0..self.head.header.rows.div_ceil(CHUNK_ROWS)).into_par_iter();
        chunks.try_for_each(|chunk| {
            let first = chunk * CHUNK_ROWS;
            let rows = CHUNK_ROWS.min(self.head.header.rows - first) as usize;
            let (mut words, mut ones) = (vec![0_u64; rows * width], vec![0_u16; rows]);
            self.read((Kind::Tokens, 0), first, &mut words)?;
            self.read((Kind::Ones, 0), first, &mut ones)?;
            let right = words.chunks_exact(width).zip(&ones).all(|(token, stated)| {
                let counted: u32 = token.iter().map(|word| word.count_ones()).sum();
                let last = token.last().copied().unwrap_or(0);
                counted == u32::from(*stated) && last.leading_zeros() >= beyond
            });
            if right {
                Ok(())
            } else {
                Err(self.refused(HeadError::Ones))
            }
        })
    }
}

fn read_head(file: &File, path: &Path) -> Result<Head, StoreError> {
    let (io, refused) = (StoreError::io(path), StoreError::head(path));
    let found = file.metadata().map_err(&io)?.len();
    let mut prefix = [0; PREFIX_BYTES];
    if found < PREFIX_BYTES as u64 {
        return Err(refused(HeadError::Magic));
    }
    file.read_exact_at(&mut prefix, 0).map_err(&io)?;
    let expected = Head::length(prefix).map_err(&refused)?;
    if expected > found {
        return Err(refused(HeadError::Length { expected, found }));
    }
    let mut bytes = vec![0; expected as usize];
    file.read_exact_at(&mut bytes, 0).map_err(&io)?;
    let head = Head::decode(&bytes).map_err(&refused)?;
    let expected = head.file_bytes();
    if expected != found {
        return Err(refused(HeadError::Length { expected, found }));
    }
    Ok(head)
}

#[cfg(test)]
pub(crate) mod tests;
