use proptest::prelude::*;

use super::proof::*;
use super::*;

/// The leaves that the test suites of Certificate Transparency use
/// (github.com/google/certificate-transparency, `merkle_tree_test.cc`).
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Roots of the first 0, 1, .. 8 of them, from the same suites.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(text: &str) -> Hash {
    Hash(hex::decode(text).unwrap().try_into().unwrap())
}

fn reference_leaves() -> Vec<Hash> {
    LEAVES
        .iter()
        .map(|leaf| Hash::leaf(&hex::decode(leaf).unwrap()))
        .collect()
}

/// Leaves that all differ.
fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|index| Hash::leaf(&index.to_be_bytes()))
        .collect()
}

/// MTH of RFC 6962, section 2.1, word for word.
fn root_by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let (left, right) = leaves.split_at(k);
            Hash::inner(root_by_definition(left), root_by_definition(right))
        }
    }
}

fn includes(leaves: &[Hash], index: u64) -> Vec<Hash> {
    inclusion(leaves, index, leaves.len() as u64).unwrap()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let leaves = reference_leaves();
    let mut tree = Frontier::default();
    assert_eq!(tree.root(), hash(ROOTS[0]));
    for (size, &leaf) in (1_u64..).zip(&leaves) {
        tree.push(leaf);
        assert_eq!(tree.root(), hash(ROOTS[size as usize]), "{size} leaves");
        assert_eq!(root(&leaves[..], size).unwrap(), tree.root());
    }
}

#[test]
fn proofs_are_those_of_certificate_transparency() {
    let leaves = reference_leaves();
    let path = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    .map(hash);
    assert_eq!(includes(&leaves, 0), path);
    let from_six = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hash);
    assert_eq!(consistency(&leaves[..], 6, 8).unwrap(), from_six);
    verify_consistency((6, hash(ROOTS[6])), (8, hash(ROOTS[8])), &from_six).unwrap();
}

#[test]
fn every_proof_of_small_trees_holds_for_its_own_place_only() {
    let leaves = leaves(20);
    for size in 1..=20_u64 {
        let tree = &leaves[..size as usize];
        let root = root_by_definition(tree);
        for index in 0..size {
            let proof = includes(tree, index);
            let leaf = tree[index as usize];
            for other in 0..=size {
                let result = verify_inclusion(leaf, other, size, &proof, root);
                assert_eq!(
                    result.is_ok(),
                    other == index,
                    "{index} as {other} of {size}"
                );
            }
        }
    }
}

#[test]
fn every_consistency_proof_of_small_trees_holds_for_its_own_sizes_only() {
    let leaves = leaves(20);
    let tree = |size: u64| (size, root_by_definition(&leaves[..size as usize]));
    for new in 1..=20 {
        for old in 0..=new {
            let proof = consistency(&leaves[..], old, new).unwrap();
            verify_consistency(tree(old), tree(new), &proof).unwrap();
            for wrong in (0..=new).filter(|wrong| *wrong != old) {
                let claimed = (wrong, tree(old).1);
                assert!(verify_consistency(claimed, tree(new), &proof).is_err());
            }
        }
    }
}

#[test]
fn what_no_proof_can_show_is_refused() {
    let leaves = leaves(8);
    let root = root_by_definition(&leaves);
    assert_eq!(
        verify_inclusion(leaves[0], 8, 8, &[], root),
        Err(ProofError::Index { index: 8, size: 8 })
    );
    assert_eq!(
        verify_consistency((9, root), (8, root), &[]),
        Err(ProofError::Sizes { old: 9, new: 8 })
    );
    assert_eq!(
        verify_consistency((0, root), (8, root), &[]),
        Err(ProofError::Root)
    );
    assert_eq!(
        verify_consistency((8, leaves[0]), (8, root), &[]),
        Err(ProofError::Root)
    );
    assert_eq!(
        verify_consistency((8, root), (8, root), &[root]),
        Err(ProofError::Length)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_frontier_resumes_and_agrees_with_the_definition(size in 0_u64..1200, cut in 0_u64..1200) {
        let leaves = leaves(size);
        let cut = cut.min(size);
        let mut tree = Frontier::resume(&leaves[..], cut).unwrap();
        prop_assert_eq!(tree.root(), root_by_definition(&leaves[..cut as usize]));
        tree.extend(leaves[cut as usize..].iter().copied());
        prop_assert_eq!(&tree, &leaves.iter().copied().collect());
        prop_assert_eq!(tree.size(), size);
        prop_assert_eq!(tree.root(), root_by_definition(&leaves));
    }

    #[test]
    fn an_inclusion_proof_holds_and_no_altered_one_does(
        size in 1_u64..600,
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
        part in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let root = root_by_definition(&leaves);
        let index = at.index(leaves.len()) as u64;
        let leaf = leaves[index as usize];
        let proof = includes(&leaves, index);
        prop_assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()));
        let mut longer = proof.clone();
        longer.push(root);
        prop_assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(verify_inclusion(leaf, index, size, shorter, root).is_err());
            let mut altered = proof.clone();
            altered[part.index(proof.len())].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(
                verify_inclusion(leaf, index, size, &altered, root),
                Err(ProofError::Root)
            );
        }
        let mut other = leaf;
        other.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(
            verify_inclusion(other, index, size, &proof, root),
            Err(ProofError::Root)
        );
    }

    #[test]
    fn a_consistency_proof_holds_and_no_altered_one_does(
        new in 2_u64..600,
        at in any::<prop::sample::Index>(),
        changed in any::<prop::sample::Index>(),
        bit in 0_usize..256,
        part in any::<prop::sample::Index>(),
    ) {
        let mut leaves = leaves(new);
        let old = 1 + at.index(new as usize - 1) as u64;
        let tree = (new, root_by_definition(&leaves));
        let start = (old, root_by_definition(&leaves[..old as usize]));
        let proof = consistency(&leaves[..], old, new).unwrap();
        prop_assert!(proof.len() <= PROOF_HASHES_MAX);
        prop_assert_eq!(verify_consistency(start, tree, &proof), Ok(()));
        let mut altered = proof.clone();
        altered[part.index(proof.len())].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency(start, tree, &altered).is_err());
        // A tree with another past has no proof at all: not its own, not that of the true one.
        leaves[changed.index(old as usize)].0[bit / 8] ^= 1 << (bit % 8);
        let forked = (new, root_by_definition(&leaves));
        let own = consistency(&leaves[..], old, new).unwrap();
        prop_assert!(verify_consistency(start, forked, &proof).is_err());
        prop_assert!(verify_consistency(start, forked, &own).is_err());
    }
}
