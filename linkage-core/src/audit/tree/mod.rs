//! Merkle trees as in RFC 6962, section 2.1, over SHA-256.
//!
//! | type | what it is |
//! |---|---|
//! | [`struct@Hash`] | a node of a tree: a leaf, an inner node or a root |
//! | [`Frontier`] | the right edge of a growing tree: takes leaves, gives the root |
//! | [`Nodes`] | where the inner nodes of a stored tree come from |
//! | [`proof`] | that a leaf is in a tree; that one tree is the start of another |
//!
//! The tree is not tied to the audit log: the leaf of an upload's tree is the digest of a chunk.

pub mod proof;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;

use ring::digest::{Context, SHA256};

/// What sets the hash of a leaf apart from that of an inner node (RFC 6962, section 2.1).
const LEAF_PREFIX: [u8; 1] = [0x00];
/// See [`LEAF_PREFIX`].
const INNER_PREFIX: [u8; 1] = [0x01];

/// The hash of a node of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Root of the tree without leaves: SHA-256 of nothing.
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// The leaf that holds `data`.
    pub fn leaf(data: &[u8]) -> Self {
        Self::over([&LEAF_PREFIX, data, &[]])
    }

    /// The inner node over `left` and `right`.
    pub fn inner(left: Self, right: Self) -> Self {
        Self::over([&INNER_PREFIX, &left.0, &right.0])
    }

    fn over(parts: [&[u8]; 3]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The right edge of a tree: the roots of the largest complete subtrees, which together hold all
/// leaves. At most 64 hashes, whatever the number of leaves.
///
/// ```
/// use linkage_core::audit::tree::{Frontier, Hash};
///
/// let mut tree = Frontier::default();
/// for chunk_digest in [[1; 32], [2; 32], [3; 32]] {
///     tree.push(Hash::leaf(&chunk_digest));
/// }
/// let left = Hash::inner(Hash::leaf(&[1; 32]), Hash::leaf(&[2; 32]));
/// assert_eq!(tree.root(), Hash::inner(left, Hash::leaf(&[3; 32])));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One for each bit set in `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The right edge of the first `size` leaves of a stored tree.
    ///
    /// # Errors
    /// That of `nodes`, if a node cannot be had.
    pub fn resume<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let mut peaks = Vec::new();
        let mut start = 0;
        for level in (0..64_u8).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(nodes.node(level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self { size, peaks })
    }

    /// The right edge that these roots of complete subtrees make, the largest first; `None` unless
    /// there is one for each bit set in `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// The roots of the largest complete subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // The new leaf completes one subtree for each trailing bit that is set.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = Hash::inner(left, node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        let from_the_right = self.peaks.iter().rev().copied();
        from_the_right
            .reduce(|right, left| Hash::inner(left, right))
            .unwrap_or(Hash::EMPTY_ROOT)
    }
}

impl Extend<Hash> for Frontier {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<T: IntoIterator<Item = Hash>>(leaves: T) -> Self {
        let mut tree = Self::default();
        tree.extend(leaves);
        tree
    }
}

/// The inner nodes of a stored tree.
pub trait Nodes {
    /// Why a node cannot be had.
    type Error;

    /// Root of the complete subtree over the leaves `index << level .. (index + 1) << level`, all
    /// of which are in the tree. Level 0 are the leaves.
    ///
    /// # Errors
    /// If the node cannot be read.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Leaves in memory; inner nodes are computed when asked for.
impl Nodes for [Hash] {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let length = 1_usize << level;
        let start = usize::try_from(index).unwrap_or(usize::MAX);
        let leaves = self.iter().skip(start.saturating_mul(length)).take(length);
        Ok(leaves.copied().collect::<Frontier>().root())
    }
}

/// Root over the leaves `start..end`, where the range is one that RFC 6962 splits a tree into: it
/// starts at a multiple of the smallest power of two that is not below its length.
fn root_of<N: Nodes + ?Sized>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let length = end - start;
    if length == 0 {
        return Ok(Hash::EMPTY_ROOT);
    }
    let mut right = None;
    // The smallest complete subtree is the rightmost.
    let mut rest = length;
    while rest > 0 {
        let level = rest.trailing_zeros();
        rest &= rest - 1;
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let left = nodes.node(level, (start + rest) >> level)?;
        right = Some(right.map_or(left, |right| Hash::inner(left, right)));
    }
    Ok(right.unwrap_or(Hash::EMPTY_ROOT))
}

/// Root of the first `size` leaves of a stored tree.
///
/// # Errors
/// That of `nodes`.
pub fn root<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    root_of(nodes, 0, size)
}
