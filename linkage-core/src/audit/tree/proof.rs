//! Proofs over trees: making them (RFC 6962, sections 2.1.1 and 2.1.2) and checking them (RFC 9162,
//! sections 2.1.3.2 and 2.1.4.2, which gives the algorithms for the same proofs).

use super::{Hash, Nodes, root_of};

/// Most hashes in a proof over a tree of at most 2^63 leaves (c2sp.org/tlog-witness sets the same
/// bound).
pub const PROOF_HASHES_MAX: usize = 63;

/// Why a proof was refused, or cannot exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// There is no such leaf in the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Index {
        /// The leaf.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The first tree is larger than the second.
    #[error("a tree of {old} leaves is not the start of one of {new}")]
    Sizes {
        /// Leaves of the first.
        old: u64,
        /// Leaves of the second.
        new: u64,
    },
    /// The proof has more or fewer hashes than a proof for these sizes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The proof leads to another root.
    #[error("the proof does not lead to the root of the tree")]
    Root,
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves. `index` is below
/// `size`; otherwise the proof is empty and proves nothing.
///
/// # Errors
/// That of `nodes`.
pub fn inclusion<N: Nodes + ?Sized>(
    nodes: &N,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, N::Error> {
    let mut proof = Vec::new();
    if index >= size {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(root_of(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(root_of(nodes, start, middle)?);
            start = middle;
        }
    }
    // The way down found the sibling next to the root first; the proof starts at the leaf.
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the first `old` leaves are the start of the first `new`. `old` is at
/// most `new`; otherwise the proof is empty and proves nothing.
///
/// # Errors
/// That of `nodes`.
pub fn consistency<N: Nodes + ?Sized>(
    nodes: &N,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, N::Error> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(root_of(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(root_of(nodes, start, middle)?);
            start = middle;
        }
    }
    // The checker knows the old root, which is this node if the old tree is complete.
    if start > 0 {
        proof.push(root_of(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with this `root`.
///
/// # Errors
/// [`ProofError`] says what is wrong.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for &sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = Hash::inner(sibling, hash);
            // A node without a right sibling stands for its parents, too.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::inner(hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    expect_root(hash, root)
}

/// Checks that the tree of `old` leaves with `old_root` is the start of the tree of `new` leaves
/// with `new_root`. The empty tree is the start of every tree, and its proof is empty.
///
/// # Errors
/// [`ProofError`] says what is wrong.
pub fn verify_consistency(
    (old, old_root): (u64, Hash),
    (new, new_root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Sizes { old, new });
    }
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        let expected = if old == 0 { Hash::EMPTY_ROOT } else { new_root };
        return expect_root(old_root, expected);
    }
    let mut proof = proof.iter().copied();
    let (mut node, mut last) = (old - 1, new - 1);
    let complete = node.trailing_ones();
    node >>= complete;
    last >>= complete;
    // An old tree that is complete is a node of the new one, and the proof leaves it out.
    let first = if node == 0 {
        old_root
    } else {
        proof.next().ok_or(ProofError::Length)?
    };
    let (mut hash_old, mut hash_new) = (first, first);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash_old = Hash::inner(sibling, hash_old);
            hash_new = Hash::inner(sibling, hash_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash_new = Hash::inner(hash_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    expect_root(hash_old, old_root)?;
    expect_root(hash_new, new_root)
}

fn expect_root(found: Hash, root: Hash) -> Result<(), ProofError> {
    if found == root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Leaves of the left subtree of a tree of `length` leaves, two or more: the largest power of two
/// below `length`.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}
