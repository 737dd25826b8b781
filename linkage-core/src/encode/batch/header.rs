//! What a batch says of itself, and which batches may be compared.

use super::cut::Cut;
use super::error::BatchError;
use super::row::RowLayout;
use crate::keys::KeyId;
use crate::schema::{Agreement, LinkColumn, LinkRole, Profile, Schema, Segment, Suite};

const MAGIC: &[u8; 8] = b"LKBATCH\n";
/// Version of a header whose segments have no frequency classes and swap with none: all there was
/// at first, and what such a batch still has.
const VERSION_PLAIN: u16 = 1;

/// Version of a header that says so of its segments.
const VERSION: u16 = 2;

/// Bytes of magic, version and length: what tells how many bytes the header has.
pub(super) const PREFIX_BYTES: usize = 8 + 2 + 4;

/// Longest header: the counters below admit no more than 255 columns and segments each.
const HEADER_BYTES_MAX: usize = 4096;

/// Longest token: the 32 filters of 1024 bits that a schema of the `fields` profile may have.
pub const TOKEN_BITS_MAX: u32 = 32_768;

/// What a batch says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The project's identity, which is the SHA-256 of its manifest; zero for work with files only.
    pub project: [u8; 32],
    /// The schema's fingerprint.
    pub schema: [u8; 32],
    /// Name of the key.
    pub key: KeyId,
    /// SHA-256 of the data pack that normalised the records.
    pub pack: [u8; 32],
    /// Keyed hash function of tokens and keys.
    pub suite: Suite,
    /// How records became tokens.
    pub profile: Profile,
    /// How tokens are compared.
    pub agreement: Agreement,
    /// Token length in bits; a multiple of 8. 0 in a batch of keys alone.
    pub token_bits: u32,
    /// The columns of link keys.
    pub link_columns: Vec<LinkColumn>,
    /// Number of columns of block keys.
    pub block_keys: u8,
    /// Number of columns of frequency classes; 0 unless the profile is `fields`.
    pub classes: u8,
    /// The filters that the token is made of, in order; empty where the token is one.
    pub segments: Vec<Segment>,
    /// Number of rows.
    pub rows: u64,
}

impl Header {
    /// The header of `rows` records encoded under `schema` and the key named `key`, normalised by
    /// this program's data pack.
    pub fn new(project: [u8; 32], schema: &Schema, key: KeyId, rows: u64) -> Self {
        let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        let classes = schema.filters.iter().filter(|f| f.frequency.is_some());
        Self {
            project,
            schema: schema.fingerprint(),
            key,
            pack: *crate::pack::hash(),
            suite: schema.token.suite,
            profile: schema.token.profile,
            agreement: schema.token.agreement(),
            token_bits: schema.token_bits(),
            link_columns: schema.link_columns(),
            block_keys: count(schema.block_keys.len()),
            classes: count(classes.count()),
            segments: schema.segments(),
            rows,
        }
    }

    /// The header of the same records' keys without their tokens: what owners send first where the
    /// matcher then asks for some of the tokens. Its tokens have 0 bits.
    #[must_use]
    pub fn keys_only(&self) -> Self {
        Self {
            token_bits: 0,
            classes: 0,
            segments: vec![],
            ..self.clone()
        }
    }

    /// The header of `rows` of the same records' tokens without their keys: what the matcher asked
    /// for.
    #[must_use]
    pub fn tokens_only(&self, rows: u64) -> Self {
        Self {
            link_columns: vec![],
            block_keys: 0,
            rows,
            ..self.clone()
        }
    }

    fn version(&self) -> u16 {
        let plain = |segment: &Segment| !segment.frequency && segment.swaps_with.is_none();
        if self.segments.iter().all(plain) {
            VERSION_PLAIN
        } else {
            VERSION
        }
    }

    /// Sizes of a row.
    pub fn layout(&self) -> RowLayout {
        RowLayout::new(
            self.token_bits,
            self.link_columns.len(),
            self.block_keys.into(),
            self.classes.into(),
        )
    }

    /// Bytes of all rows together, between header and trailer.
    pub fn body_bytes(&self) -> u64 {
        self.rows * self.layout().row_bytes() as u64
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.version().to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.project);
        out.extend_from_slice(&self.schema);
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&self.pack);
        out.extend_from_slice(&[
            suite_code(self.suite),
            profile_code(self.profile),
            agreement_code(self.agreement),
        ]);
        out.extend_from_slice(&self.token_bits.to_le_bytes());
        out.extend_from_slice(&self.rows.to_le_bytes());
        out.extend_from_slice(&[self.block_keys, self.classes]);
        let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        out.push(count(self.link_columns.len()));
        for column in &self.link_columns {
            out.extend_from_slice(&[column.rule, role_code(column.role)]);
        }
        out.push(count(self.segments.len()));
        for segment in &self.segments {
            out.extend_from_slice(&segment.bits.to_le_bytes());
            out.extend_from_slice(&segment.weight.to_le_bytes());
            if self.version() == VERSION {
                // 0 stands for no partner: a schema has at most 32 filters.
                let partner = segment.swaps_with.map_or(0, |at| at.saturating_add(1));
                out.extend_from_slice(&[segment.frequency.into(), partner]);
            }
        }
        let length = u32::try_from(out.len()).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = out.get_mut(PREFIX_BYTES - 4..PREFIX_BYTES) {
            place.copy_from_slice(&length);
        }
        out
    }

    /// Length of the whole header by its first bytes.
    ///
    /// # Errors
    /// [`BatchError::Magic`], [`BatchError::Version`] or [`BatchError::Header`].
    pub(super) fn length(prefix: [u8; PREFIX_BYTES]) -> Result<usize, BatchError> {
        let mut rest = Cut::new(&prefix);
        if &rest.bytes::<8>()? != MAGIC {
            return Err(BatchError::Magic);
        }
        let version = u16::from_le_bytes(rest.bytes()?);
        if ![VERSION_PLAIN, VERSION].contains(&version) {
            return Err(BatchError::Version(version));
        }
        let length = u32::from_le_bytes(rest.bytes()?) as usize;
        if !(PREFIX_BYTES..=HEADER_BYTES_MAX).contains(&length) {
            return Err(BatchError::Header("its length is impossible"));
        }
        Ok(length)
    }

    /// Reads a header; `bytes` holds it and nothing more.
    ///
    /// # Errors
    /// [`BatchError::Magic`], [`BatchError::Version`] or [`BatchError::Header`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BatchError> {
        let prefix = bytes.first_chunk().ok_or(BatchError::Magic)?;
        if Self::length(*prefix)? != bytes.len() {
            return Err(BatchError::Header("it has another length than it says"));
        }
        let version = bytes.get(8..10).and_then(|version| version.try_into().ok());
        let version = u16::from_le_bytes(version.ok_or(BatchError::Magic)?);
        let mut rest = Cut::new(bytes.get(PREFIX_BYTES..).unwrap_or(&[]));
        let header = Self {
            project: rest.bytes()?,
            schema: rest.bytes()?,
            key: KeyId(rest.bytes()?),
            pack: rest.bytes()?,
            suite: suite(rest.byte()?)?,
            profile: profile(rest.byte()?)?,
            agreement: agreement(rest.byte()?)?,
            token_bits: u32::from_le_bytes(rest.bytes()?),
            rows: u64::from_le_bytes(rest.bytes()?),
            block_keys: rest.byte()?,
            classes: rest.byte()?,
            link_columns: (0..rest.byte()?)
                .map(|_| link_column(&mut rest))
                .collect::<Result<_, _>>()?,
            segments: (0..rest.byte()?)
                .map(|_| segment(&mut rest, version))
                .collect::<Result<_, _>>()?,
        };
        rest.end()?;
        if header.version() != version {
            return Err(BatchError::Header("its version is not that of its filters"));
        }
        header.check()?;
        Ok(header)
    }

    /// Refuses a header whose parts contradict each other.
    fn check(&self) -> Result<(), BatchError> {
        let refuse = |what| Err(BatchError::Header(what));
        if !self.token_bits.is_multiple_of(8) || self.token_bits > TOKEN_BITS_MAX {
            return refuse("its token length is not a multiple of 8 up to 32 768 bits");
        }
        if self.token_bits == 0 && self.profile == Profile::Fields {
            return refuse("the profile `fields` sends no keys without tokens");
        }
        if self.rows > u64::from(u32::MAX) {
            return refuse("it announces more than 4 294 967 295 rows");
        }
        let fields = self.profile == Profile::Fields;
        if self.classes > 0 && !fields {
            return refuse("it announces frequency classes outside of the profile `fields`");
        }
        let total: u64 = self.segments.iter().map(|s| u64::from(s.bits)).sum();
        let whole = self.segments.is_empty() && !fields;
        if !whole && total != u64::from(self.token_bits) {
            return refuse("its filters do not add up to the token");
        }
        let classes = self.segments.iter().filter(|s| s.frequency).count();
        // A plain header does not say whose the classes are.
        if classes > 0 && classes != usize::from(self.classes) {
            return refuse("its frequency classes are not those of its filters");
        }
        for (at, segment) in self.segments.iter().enumerate() {
            let partner = |with: u8| self.segments.get(usize::from(with));
            let mutual = |other: &Segment| {
                other.bits == segment.bits && other.swaps_with.map(usize::from) == Some(at)
            };
            let fits = |with: u8| usize::from(with) != at && partner(with).is_some_and(mutual);
            if !segment.swaps_with.is_none_or(fits) {
                return refuse("its filters swap with others than those that swap with them");
            }
        }
        let mut before: Option<LinkColumn> = None;
        for column in &self.link_columns {
            // Rules in order; the column of role `Identity` ends its rule and is not its first.
            let follows = match before {
                None => column.rule == 0 && column.role == LinkRole::Link,
                Some(before) if before.rule == column.rule => before.role == LinkRole::Link,
                Some(before) => {
                    before.rule.checked_add(1) == Some(column.rule) && column.role == LinkRole::Link
                }
            };
            if !follows {
                return refuse("its columns of link keys are out of order");
            }
            before = Some(*column);
        }
        Ok(())
    }

    /// Whether records under the two headers may be compared.
    ///
    /// # Errors
    /// [`BatchError::Incomparable`] naming the first difference and what to do.
    pub fn comparable(&self, other: &Self) -> Result<(), BatchError> {
        let differences = [
            (
                self.project != other.project,
                "they were made for different projects",
            ),
            (
                self.key != other.key,
                "their keys differ: encode all data sets with the same key",
            ),
            (
                self.schema != other.schema,
                "their schemas differ: encode all data sets under the same schema",
            ),
            (
                self.pack != other.pack,
                "their data packs (tables of readings and regions) differ: use the same release of \
                 linkage",
            ),
            (self.suite != other.suite, "their hash functions differ"),
            (self.profile != other.profile, "their profiles differ"),
            (
                self.token_bits != other.token_bits,
                "their token lengths differ",
            ),
            (
                self.agreement != other.agreement,
                "their measures of agreement differ",
            ),
            (self.segments != other.segments, "their filters differ"),
            (
                self.link_columns != other.link_columns,
                "their link keys differ",
            ),
            (
                self.block_keys != other.block_keys,
                "their block keys differ",
            ),
            (
                self.classes != other.classes,
                "their frequency classes differ",
            ),
        ];
        match differences.iter().find(|(differs, _)| *differs) {
            Some((_, what)) => Err(BatchError::Incomparable(what)),
            None => Ok(()),
        }
    }
}

fn link_column(rest: &mut Cut<'_>) -> Result<LinkColumn, BatchError> {
    let [rule, role] = rest.bytes()?;
    let role = match role {
        1 => LinkRole::Link,
        2 => LinkRole::Identity,
        _ => return Err(BatchError::Header("it names an unknown role of link keys")),
    };
    Ok(LinkColumn { rule, role })
}

fn role_code(role: LinkRole) -> u8 {
    match role {
        LinkRole::Link => 1,
        LinkRole::Identity => 2,
    }
}

fn segment(rest: &mut Cut<'_>, version: u16) -> Result<Segment, BatchError> {
    let bits = u32::from_le_bytes(rest.bytes()?);
    let weight = u16::from_le_bytes(rest.bytes()?);
    if bits == 0 || weight == 0 || !bits.is_multiple_of(8) {
        return Err(BatchError::Header(
            "a filter has no whole bytes or no weight",
        ));
    }
    let [frequency, partner] = if version == VERSION {
        rest.bytes()?
    } else {
        [0, 0]
    };
    if frequency > 1 {
        return Err(BatchError::Header(
            "a filter has an unknown sort of frequency classes",
        ));
    }
    Ok(Segment {
        bits,
        weight,
        frequency: frequency == 1,
        swaps_with: partner.checked_sub(1),
    })
}

fn suite(code: u8) -> Result<Suite, BatchError> {
    match code {
        1 => Ok(Suite::HmacSha256),
        2 => Ok(Suite::HmacSm3),
        _ => Err(BatchError::Header("it names an unknown hash function")),
    }
}

fn suite_code(suite: Suite) -> u8 {
    match suite {
        Suite::HmacSha256 => 1,
        Suite::HmacSm3 => 2,
    }
}

fn profile(code: u8) -> Result<Profile, BatchError> {
    match code {
        1 => Ok(Profile::PlainClk),
        2 => Ok(Profile::Hardened),
        3 => Ok(Profile::Fields),
        _ => Err(BatchError::Header("it names an unknown profile")),
    }
}

fn profile_code(profile: Profile) -> u8 {
    match profile {
        Profile::PlainClk => 1,
        Profile::Hardened => 2,
        Profile::Fields => 3,
    }
}

fn agreement(code: u8) -> Result<Agreement, BatchError> {
    match code {
        1 => Ok(Agreement::Dice),
        2 => Ok(Agreement::Hamming),
        _ => Err(BatchError::Header("it names an unknown agreement")),
    }
}

fn agreement_code(agreement: Agreement) -> u8 {
    match agreement {
        Agreement::Dice => 1,
        Agreement::Hamming => 2,
    }
}
