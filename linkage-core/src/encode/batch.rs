//! A batch of encoded records as bytes: what an owner uploads and what a token file holds.
//!
//! ```text
//! header   magic "LKBATCH1", project id (32), schema fingerprint (32), key id (8),
//!          profile (1), link keys (1), block keys (1), agreement (1), token bits (u32),
//!          rows (u64)
//! rows     token (bits / 8), link keys (16 each, zero = absent),
//!          block keys (8 each, zero = absent)
//! trailer  SHA-256 over header and rows (32)
//! ```
//!
//! Numbers are little-endian. The header says everything that two batches must share to be
//! comparable; [`Header::comparable`] names the first difference.

use ring::digest;

use super::{EncodedRecord, Token};
use crate::keys::KeyId;
use crate::schema::{Agreement, Profile, Schema};

const MAGIC: &[u8; 8] = b"LKBATCH1";

/// Length of a link key in bytes: 128 bits, so that no two of 2^40 values collide by chance.
pub const LINK_KEY_BYTES: usize = 16;

const BLOCK_KEY_BYTES: usize = 8;
const DIGEST_BYTES: usize = 32;

/// Why bytes are not a batch, or two batches cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Not a batch at all, or of another version.
    #[error("this is no batch of encoded records (or of another version of the format)")]
    Magic,
    /// The header contradicts itself.
    #[error("the batch's header is damaged: {0}")]
    Header(&'static str),
    /// The length does not fit the header's row count.
    #[error("the batch has {found} bytes, its header announces {expected}: it was cut or extended")]
    Length {
        /// Bytes by the header.
        expected: u64,
        /// Bytes present.
        found: u64,
    },
    /// The checksum differs.
    #[error("the batch's checksum is wrong: the file was changed or damaged")]
    Checksum,
    /// Two batches differ in something that they must share.
    #[error("the batches cannot be compared: their {0} differ")]
    Incomparable(&'static str),
}

/// What a batch says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Project identity; zero for work with files only.
    pub project: [u8; 32],
    /// The schema's fingerprint.
    pub schema: [u8; 32],
    /// Name of the key.
    pub key: KeyId,
    /// How records became tokens.
    pub profile: Profile,
    /// How tokens are compared.
    pub agreement: Agreement,
    /// Number of link-key rules.
    pub link_keys: u8,
    /// Number of block-key rules.
    pub block_keys: u8,
    /// Token length in bits.
    pub token_bits: u32,
    /// Number of rows.
    pub rows: u64,
}

/// Sizes of a row's parts in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLayout {
    token: usize,
    link_keys: usize,
    block_keys: usize,
}

impl RowLayout {
    /// Size of a row in bytes.
    pub fn row_bytes(&self) -> usize {
        self.token + self.link_keys * LINK_KEY_BYTES + self.block_keys * BLOCK_KEY_BYTES
    }
}

impl Header {
    /// Size of an encoded header.
    pub const BYTES: usize = 8 + 32 + 32 + 8 + 4 + 4 + 8;

    /// The header of `rows` records encoded under `schema` and the key named `key`.
    pub fn new(project: [u8; 32], schema: &Schema, key: KeyId, rows: u64) -> Self {
        let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        Self {
            project,
            schema: schema.fingerprint(),
            key,
            profile: schema.token.profile,
            agreement: schema.token.agreement(),
            link_keys: count(schema.link_columns().len()),
            block_keys: count(schema.block_keys.len()),
            token_bits: schema.token_bits(),
            rows,
        }
    }

    /// Sizes of a row.
    pub fn layout(&self) -> RowLayout {
        RowLayout {
            token: self.token_bits as usize / 8,
            link_keys: self.link_keys.into(),
            block_keys: self.block_keys.into(),
        }
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.project);
        out.extend_from_slice(&self.schema);
        out.extend_from_slice(&self.key.0);
        let agreement = match self.agreement {
            Agreement::Dice => 0,
            Agreement::Hamming => 1,
        };
        let profile = match self.profile {
            Profile::PlainClk => 1,
            Profile::Hardened => 2,
            Profile::Fields => 3,
        };
        out.extend_from_slice(&[profile, self.link_keys, self.block_keys, agreement]);
        out.extend_from_slice(&self.token_bits.to_le_bytes());
        out.extend_from_slice(&self.rows.to_le_bytes());
        out
    }

    /// Reads a header of exactly [`Header::BYTES`] bytes.
    ///
    /// # Errors
    /// [`BatchError::Magic`] or [`BatchError::Header`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BatchError> {
        let mut rest = bytes;
        let magic: [u8; 8] = cut(&mut rest).ok_or(BatchError::Magic)?;
        if &magic != MAGIC {
            return Err(BatchError::Magic);
        }
        let short = BatchError::Header("it is too short");
        let project = cut(&mut rest).ok_or(short.clone())?;
        let schema = cut(&mut rest).ok_or(short.clone())?;
        let key = KeyId(cut(&mut rest).ok_or(short.clone())?);
        let [profile, link_keys, block_keys, agreement] = cut(&mut rest).ok_or(short.clone())?;
        let token_bits = u32::from_le_bytes(cut(&mut rest).ok_or(short.clone())?);
        let rows = u64::from_le_bytes(cut(&mut rest).ok_or(short)?);
        if !rest.is_empty() {
            return Err(BatchError::Header("it is too long"));
        }
        let profile = match profile {
            1 => Profile::PlainClk,
            2 => Profile::Hardened,
            3 => Profile::Fields,
            _ => return Err(BatchError::Header("it names an unknown profile")),
        };
        let agreement = match agreement {
            0 => Agreement::Dice,
            1 => Agreement::Hamming,
            _ => return Err(BatchError::Header("it names an unknown agreement")),
        };
        if !token_bits.is_multiple_of(64) || !(256..=4096).contains(&token_bits) {
            return Err(BatchError::Header(
                "its token length is not a multiple of 64 from 256 to 4096",
            ));
        }
        if rows > u64::from(u32::MAX) {
            return Err(BatchError::Header(
                "it announces more than 4 294 967 295 rows",
            ));
        }
        Ok(Self {
            project,
            schema,
            key,
            profile,
            agreement,
            link_keys,
            block_keys,
            token_bits,
            rows,
        })
    }

    /// Whether records under the two headers may be compared.
    ///
    /// # Errors
    /// [`BatchError::Incomparable`] naming the first difference.
    pub fn comparable(&self, other: &Self) -> Result<(), BatchError> {
        let differences = [
            (self.project != other.project, "projects"),
            (self.key != other.key, "keys"),
            (self.schema != other.schema, "schemas"),
            (self.profile != other.profile, "profiles"),
            (self.token_bits != other.token_bits, "token lengths"),
            (self.agreement != other.agreement, "agreements"),
            (self.link_keys != other.link_keys, "link keys"),
            (self.block_keys != other.block_keys, "block keys"),
        ];
        match differences.iter().find(|(differs, _)| *differs) {
            Some((_, what)) => Err(BatchError::Incomparable(what)),
            None => Ok(()),
        }
    }
}

fn cut<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// Encoded records in columns, ready to be compared. Row `i` of each column is record `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    header: Header,
    words: Vec<u64>,
    ones: Vec<u32>,
    link_keys: Vec<u128>,
    block_keys: Vec<u64>,
}

impl Batch {
    /// An empty batch to which [`Batch::push_rows`] adds.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            words: vec![],
            ones: vec![],
            link_keys: vec![],
            block_keys: vec![],
        }
    }

    /// What the batch says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ones.len()
    }

    /// Whether the batch has no record.
    pub fn is_empty(&self) -> bool {
        self.ones.is_empty()
    }

    /// Words of record `row`'s token; empty beyond the last row.
    pub fn token(&self, row: usize) -> &[u64] {
        let width = self.width();
        self.words
            .get(row * width..(row + 1) * width)
            .unwrap_or(&[])
    }

    /// Number of set bits of record `row`'s token; zero for a record that is not compared.
    pub fn ones(&self, row: usize) -> u32 {
        self.ones.get(row).copied().unwrap_or(0)
    }

    /// Words of a token.
    pub fn width(&self) -> usize {
        self.header.token_bits as usize / 64
    }

    /// All tokens, row after row.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Tag of record `row` under link-key rule `rule`; `None` if absent.
    pub fn link_key(&self, row: usize, rule: usize) -> Option<u128> {
        let rules = usize::from(self.header.link_keys);
        self.link_keys
            .get(row * rules + rule)
            .copied()
            .filter(|tag| *tag != 0)
    }

    /// Tag of record `row` under block-key rule `rule`; `None` if absent.
    pub fn block_key(&self, row: usize, rule: usize) -> Option<u64> {
        let rules = usize::from(self.header.block_keys);
        self.block_keys
            .get(row * rules + rule)
            .copied()
            .filter(|tag| *tag != 0)
    }

    /// The row's bytes of one encoded record.
    pub fn encode_row(record: &EncodedRecord, out: &mut Vec<u8>) {
        let Token { words } = &record.token;
        for word in words {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for tag in &record.link_keys {
            out.extend_from_slice(&tag.unwrap_or([0; LINK_KEY_BYTES]));
        }
        for tag in &record.block_keys {
            out.extend_from_slice(&tag.unwrap_or(0).to_le_bytes());
        }
    }

    /// Adds whole rows.
    ///
    /// # Errors
    /// [`BatchError::Length`] when `bytes` does not hold whole rows, or more than the header
    /// announces.
    pub fn push_rows(&mut self, bytes: &[u8]) -> Result<(), BatchError> {
        let layout = self.header.layout();
        let rows = bytes.len() / layout.row_bytes();
        let fits = (self.len() + rows) as u64 <= self.header.rows;
        if !bytes.len().is_multiple_of(layout.row_bytes()) || !fits {
            return Err(BatchError::Length {
                expected: (self.header.rows - self.len() as u64) * layout.row_bytes() as u64,
                found: bytes.len() as u64,
            });
        }
        for row in bytes.chunks_exact(layout.row_bytes()) {
            let (token, keys) = row.split_at(layout.token);
            let (link, block) = keys.split_at(layout.link_keys * LINK_KEY_BYTES);
            let start = self.words.len();
            self.words.extend(
                token
                    .as_chunks()
                    .0
                    .iter()
                    .map(|word| u64::from_le_bytes(*word)),
            );
            self.ones.push(
                self.words
                    .iter()
                    .skip(start)
                    .map(|word| word.count_ones())
                    .sum(),
            );
            self.link_keys.extend(
                link.as_chunks()
                    .0
                    .iter()
                    .map(|tag| u128::from_be_bytes(*tag)),
            );
            self.block_keys.extend(
                block
                    .as_chunks()
                    .0
                    .iter()
                    .map(|tag| u64::from_le_bytes(*tag)),
            );
        }
        Ok(())
    }

    /// Header, rows and trailer of `records`.
    pub fn encode(header: &Header, records: &[EncodedRecord]) -> Vec<u8> {
        let mut out = header.to_bytes();
        out.reserve(records.len() * header.layout().row_bytes() + DIGEST_BYTES);
        for record in records {
            Self::encode_row(record, &mut out);
        }
        let digest = digest::digest(&digest::SHA256, &out);
        out.extend_from_slice(digest.as_ref());
        out
    }

    /// Reads header, rows and trailer; refuses trailing bytes.
    ///
    /// # Errors
    /// [`BatchError`], naming what does not fit.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        let (head, rest) = bytes
            .split_at_checked(Header::BYTES)
            .ok_or(BatchError::Magic)?;
        let header = Header::from_bytes(head)?;
        let expected = header.rows * header.layout().row_bytes() as u64 + DIGEST_BYTES as u64;
        if rest.len() as u64 != expected {
            return Err(BatchError::Length {
                expected: expected + Header::BYTES as u64,
                found: bytes.len() as u64,
            });
        }
        let (rows, trailer) = rest.split_at(rest.len() - DIGEST_BYTES);
        let covered = bytes.get(..bytes.len() - DIGEST_BYTES).unwrap_or(bytes);
        if digest::digest(&digest::SHA256, covered).as_ref() != trailer {
            return Err(BatchError::Checksum);
        }
        let mut batch = Self::new(header);
        batch.push_rows(rows)?;
        Ok(batch)
    }
}
