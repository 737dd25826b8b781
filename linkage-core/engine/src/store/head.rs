//! The head of a token store: what it holds, where, and with which checksums.

use linkage_core::encode::Header;
use linkage_core::encode::batch::{DIGEST_BYTES, GROUP_ROWS};

use super::HeadError;

const MAGIC: &[u8; 8] = b"LKSTORE\n";
const VERSION: u16 = 1;

/// Bytes of magic, version and length: what tells how many bytes the head has.
pub(super) const PREFIX_BYTES: usize = 8 + 2 + 8;

/// Columns begin at multiples of a cache line.
const ALIGNMENT: u64 = 64;

/// Rows that one checksum covers: those of a batch's row group, which are written together.
pub(super) const CHUNK_ROWS: u64 = GROUP_ROWS as u64;

const CRC_BYTES: usize = 4;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tokens,
    Ones,
    LinkKeys,
    BlockKeys,
    Classes,
}

impl Kind {
    /// As error messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Ones => "numbers of set bits",
            Self::LinkKeys => "link keys",
            Self::BlockKeys => "block keys",
            Self::Classes => "frequency classes",
        }
    }

    fn code(self) -> u8 {
        self as u8
    }
}

/// Where a column lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub kind: Kind,
    /// Number of the column among those of its kind.
    pub index: u8,
    /// Bytes of a row.
    pub width: u64,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes of all rows.
    pub bytes: u64,
}

/// Everything in front of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Header of the batch that the store was made from.
    pub header: Header,
    /// SHA-256 of that batch: the store's identity.
    pub digest: [u8; DIGEST_BYTES],
    /// The columns, in the order of the file.
    pub places: Vec<Place>,
    /// Checksums of each column's chunks.
    pub checksums: Vec<Vec<u32>>,
}

impl Head {
    /// The head of a store that is yet to be filled.
    pub fn new(header: Header) -> Self {
        let mut places = places(&header);
        let mut offset = aligned(head_bytes(&header, places.len()));
        for place in &mut places {
            place.offset = offset;
            offset = aligned(offset + place.bytes);
        }
        Self {
            checksums: vec![vec![]; places.len()],
            digest: [0; DIGEST_BYTES],
            header,
            places,
        }
    }

    /// Bytes of the whole file: the end of the last column.
    pub fn file_bytes(&self) -> u64 {
        let last = self.places.last();
        last.map_or(0, |place| place.offset + place.bytes)
    }

    /// The head's bytes; every chunk has its checksum.
    pub fn encode(&self) -> Vec<u8> {
        let header = self.header.to_bytes();
        let bytes = head_bytes(&self.header, self.places.len());
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
        out.extend_from_slice(&(header.len() as u32).to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&(CHUNK_ROWS as u32).to_le_bytes());
        out.extend_from_slice(&(self.places.len() as u16).to_le_bytes());
        for place in &self.places {
            out.extend_from_slice(&[place.kind.code(), place.index]);
            out.extend_from_slice(&(place.width as u32).to_le_bytes());
            out.extend_from_slice(&place.offset.to_le_bytes());
            out.extend_from_slice(&place.bytes.to_le_bytes());
        }
        for checksum in self.checksums.iter().flatten() {
            out.extend_from_slice(&checksum.to_le_bytes());
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Length of the whole head by its first bytes.
    ///
    /// # Errors
    /// [`HeadError::Magic`] or [`HeadError::Version`].
    pub fn length(prefix: [u8; PREFIX_BYTES]) -> Result<u64, HeadError> {
        let mut rest = Cut(&prefix);
        if &rest.bytes::<8>()? != MAGIC {
            return Err(HeadError::Magic);
        }
        let version = u16::from_le_bytes(rest.bytes()?);
        if version != VERSION {
            return Err(HeadError::Version(version));
        }
        Ok(u64::from_le_bytes(rest.bytes()?))
    }

    /// Reads a head; `bytes` holds it and nothing more. There is one head for given rows: any other
    /// arrangement of the columns is refused.
    ///
    /// # Errors
    /// [`HeadError`], naming what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadError> {
        let prefix = bytes.first_chunk().ok_or(HeadError::Magic)?;
        if Self::length(*prefix)? != bytes.len() as u64 {
            return Err(HeadError::Damaged("it has another length than it says"));
        }
        let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(SHORT)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(HeadError::Damaged("its checksum is wrong"));
        }
        let mut rest = Cut(body.get(PREFIX_BYTES..).unwrap_or(&[]));
        let length = u32::from_le_bytes(rest.bytes()?) as usize;
        let header = Header::from_bytes(rest.take(length)?)
            .map_err(|_| HeadError::Damaged("the batch's header in it is none"))?;
        let mut head = Self::new(header);
        head.digest = rest.bytes()?;
        let chunks = head.header.rows.div_ceil(CHUNK_ROWS);
        // What is announced must be there before room is made for it.
        if head_bytes(&head.header, head.places.len()) != bytes.len() as u64 {
            return Err(HeadError::Damaged("it does not fit its number of rows"));
        }
        for checksums in &mut head.checksums {
            checksums.resize(usize::try_from(chunks).unwrap_or(usize::MAX), 0);
        }
        let table = head.encode();
        let announced = bytes.len() - rest.0.len() - CRC_BYTES;
        let columns = rest.take(4 + 2 + head.places.len() * PLACE_BYTES)?;
        if table.get(announced..announced + columns.len()) != Some(columns) {
            return Err(HeadError::Damaged("its columns are not where they belong"));
        }
        for checksum in head.checksums.iter_mut().flatten() {
            *checksum = u32::from_le_bytes(rest.bytes()?);
        }
        if rest.0.is_empty() {
            Ok(head)
        } else {
            Err(HeadError::Damaged("it is too long"))
        }
    }
}

/// Bytes of a column's entry in the table.
const PLACE_BYTES: usize = 1 + 1 + 4 + 8 + 8;

fn head_bytes(header: &Header, columns: usize) -> u64 {
    let chunks = header.rows.div_ceil(CHUNK_ROWS);
    let fixed = PREFIX_BYTES + 4 + header.to_bytes().len() + DIGEST_BYTES + 4 + 2;
    (fixed + columns * PLACE_BYTES + CRC_BYTES) as u64 + columns as u64 * chunks * CRC_BYTES as u64
}

fn aligned(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGNMENT)
}

/// The columns of `header`'s records, without their offsets.
fn places(header: &Header) -> Vec<Place> {
    let words = u64::from(header.token_bits).div_ceil(64);
    let counted = [
        (Kind::Tokens, 1, 8 * words),
        (Kind::Ones, 1, 2),
        (Kind::LinkKeys, header.link_columns.len(), 16),
        (Kind::BlockKeys, header.block_keys.into(), 8),
        (Kind::Classes, header.classes.into(), 2),
    ];
    let columns = counted.into_iter().flat_map(|(kind, count, width)| {
        // A batch's header counts each kind with one byte.
        (0..=u8::MAX).take(count).map(move |index| Place {
            kind,
            index,
            width,
            offset: 0,
            bytes: header.rows * width,
        })
    });
    columns.collect()
}

const SHORT: HeadError = HeadError::Damaged("it is too short");

/// The bytes not yet taken.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], HeadError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = tail;
        Ok(head)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], HeadError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = tail;
        Ok(*head)
    }
}
