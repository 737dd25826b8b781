//! A Bloom filter of block keys that travels from the matcher to one owner.

use bloomfilter::Bloom;

/// Rate at which a row that shares no wanted block key is hit all the same.
///
/// 5 %: such rows pad the answer, so that the matcher's filter says less about who is without a
/// partner; at a lower rate the filter would tell the owner more exactly which keys others have.
pub const ROW_FALSE_POSITIVE_RATE: f64 = 0.05;

/// Largest filter in bytes: eight columns of keys of 50 million rows take 500 MB at the rate above.
pub const FILTER_BYTES_MAX: usize = 512 << 20;

/// Most hash functions of a filter that is read. What [`AskFilter::over`] makes has about eight.
const HASHES_MAX: u32 = 64;

/// Bytes before the bitmap: version (1), number of bits (8), of hash functions (4), seed (32).
const HEAD_BYTES: usize = 45;

/// Why bytes are no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Not the serialised form of the `bloomfilter` crate.
    #[error("these bytes are no ask filter: {0}")]
    Form(&'static str),
    /// More than [`FILTER_BYTES_MAX`].
    #[error("an ask filter has at most {FILTER_BYTES_MAX} bytes")]
    TooLarge,
    /// No or too many hash functions: checking a key would say yes always, or never end.
    #[error("an ask filter has 1 to {HASHES_MAX} hash functions, this one has {0}")]
    Hashes(u32),
}

/// The block keys that one owner is asked for. Its seed is public, drawn by the matcher for one
/// run: the serialised form carries it.
pub struct AskFilter(Bloom<[u8; 8]>);

impl std::fmt::Debug for AskFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AskFilter({} bits)", self.0.len())
    }
}

impl AskFilter {
    /// A filter of `keys` for rows with so many columns of block keys.
    ///
    /// # Errors
    /// [`FilterError::TooLarge`].
    pub fn over(keys: &[u64], columns: usize, seed: &[u8; 32]) -> Result<Self, FilterError> {
        // A row is hit by chance if any of its keys is.
        let each = 1.0 - (1.0 - ROW_FALSE_POSITIVE_RATE).powf(1.0 / columns.max(1) as f64);
        let count = keys.len().max(1);
        if Bloom::<[u8; 8]>::compute_bitmap_size(count, each) + HEAD_BYTES > FILTER_BYTES_MAX {
            return Err(FilterError::TooLarge);
        }
        let bloom = Bloom::new_for_fp_rate_with_seed(count, each, seed);
        let mut filter = Self(bloom.map_err(FilterError::Form)?);
        for key in keys {
            filter.0.set(&key.to_le_bytes());
        }
        Ok(filter)
    }

    /// Whether a record with these block keys is asked for; 0 stands for a missing key.
    pub fn hits(&self, mut block_keys: impl Iterator<Item = u64>) -> bool {
        block_keys.any(|key| key != 0 && self.0.check(&key.to_le_bytes()))
    }

    /// The serialised form of the `bloomfilter` crate: 45 bytes with the number of bits and hash
    /// functions and the seed, then the bitmap.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Reads a serialised filter.
    ///
    /// # Errors
    /// [`FilterError`] for anything but that.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, FilterError> {
        if bytes.len() > FILTER_BYTES_MAX {
            return Err(FilterError::TooLarge);
        }
        if bytes.len() <= HEAD_BYTES {
            return Err(FilterError::Form("they are too short"));
        }
        let bloom = Bloom::from_bytes(bytes).map_err(FilterError::Form)?;
        let hashes = bloom.number_of_hash_functions();
        if !(1..=HASHES_MAX).contains(&hashes) {
            return Err(FilterError::Hashes(hashes));
        }
        Ok(Self(bloom))
    }
}
