//! Checkpoints, proofs, paths and tiles of audit logs, read by crates that we did not write.

use std::collections::HashMap;

use linkage_core::audit::checkpoint::{Checkpoint, NodeKeys};
use linkage_core::audit::tiles::{Content, TILE_WIDTH, Tile, tile_bytes, tile_root};
use linkage_core::audit::tree::proof::{consistency, inclusion};
use linkage_core::audit::tree::{self, Hash};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Error, TileHashReader, TileReader};

fn entries(count: u64) -> Vec<Vec<u8>> {
    let entry = |seq| format!("{{\"v\":1,\"seq\":{seq}}}").into_bytes();
    (0..count).map(entry).collect()
}

fn leaves(entries: &[Vec<u8>]) -> Vec<Hash> {
    entries.iter().map(|entry| Hash::leaf(entry)).collect()
}

fn root(leaves: &[Hash], size: u64) -> tlog_tiles::Hash {
    tlog_tiles::Hash(tree::root(leaves, size).unwrap().0)
}

fn theirs(proof: Vec<Hash>) -> Vec<tlog_tiles::Hash> {
    let hashes = proof.into_iter();
    hashes.map(|hash| tlog_tiles::Hash(hash.0)).collect()
}

#[test]
fn checkpoints_are_accepted() {
    let keys = NodeKeys::derive(&[7; 32], "linkage.example", "owner", "health").unwrap();
    let key = keys.log.verifying();
    let leaves = leaves(&entries(300));
    let checkpoint = Checkpoint {
        origin: key.name().to_owned(),
        size: 300,
        root: tree::root(&leaves[..], 300).unwrap(),
    };
    let mut note = checkpoint.sign(&keys.log).unwrap();
    // Cosignatures of keys that the reader does not know are passed over.
    note.add(keys.witness.sign(note.text(), 1_769_860_800));
    let read = Note::from_bytes(note.to_string().as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (held, others) = read.verify(&known).unwrap();
    assert_eq!((held.len(), others.len()), (1, 1));
    let read = tlog_tiles::Checkpoint::from_bytes(read.text()).unwrap();
    assert_eq!((read.origin(), read.size()), (key.name(), 300));
    assert_eq!(read.hash().0, checkpoint.root.0);

    let altered = note.to_string().replacen("\n300\n", "\n301\n", 1);
    let altered = Note::from_bytes(altered.as_bytes()).unwrap();
    assert!(altered.verify(&known).is_err());
}

#[test]
fn proofs_are_accepted() {
    let entries = entries(700);
    let leaves = leaves(&entries);
    for (index, size) in [
        (0, 1),
        (0, 700),
        (255, 256),
        (256, 257),
        (511, 700),
        (699, 700),
    ] {
        let proof = theirs(inclusion(&leaves[..], index, size).unwrap());
        let leaf = tlog_tiles::record_hash(&entries[index as usize]);
        tlog_tiles::check_record(&proof, size, root(&leaves, size), index, leaf).unwrap();
    }
    for (old, new) in [(1, 2), (255, 256), (256, 700), (300, 700), (700, 700)] {
        let proof = theirs(consistency(&leaves[..], old, new).unwrap());
        let (old_root, new_root) = (root(&leaves, old), root(&leaves, new));
        tlog_tiles::check_tree(&proof, new, new_root, old, old_root).unwrap();
    }
}

/// Our tiles under our paths.
struct Ours(HashMap<String, Vec<u8>>);

impl TileReader for Ours {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &tlog_tiles::Tile| {
            // Theirs name the height, as the Go checksum database does; C2SP fixes it at 8.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            assert!(Tile::from_path(&path).is_some(), "{path}");
            Ok(self.0[&path].clone())
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn tiles_lead_to_the_root() {
    const SIZE: u64 = 70_000;
    let entries = entries(SIZE);
    let leaves = leaves(&entries);
    let mut files = HashMap::new();
    let mut hashes = leaves.clone();
    for level in 0.. {
        let mut above = vec![];
        for (index, chunk) in (0..).zip(hashes.chunks(usize::from(TILE_WIDTH))) {
            let tile = Tile {
                content: Content::Hashes(level),
                index,
                width: chunk.len() as u16,
            };
            files.insert(tile.to_string(), tile_bytes(chunk));
            if tile.is_full() {
                above.push(tile_root(chunk));
            }
        }
        if above.is_empty() {
            break;
        }
        hashes = above;
    }
    let ours = Ours(files);
    let reader = TileHashReader::new(SIZE, root(&leaves, SIZE), &ours);
    for index in [0, 255, 65_536, SIZE - 1] {
        let proof = tlog_tiles::prove_record(SIZE, index, &reader).unwrap();
        assert_eq!(
            proof,
            theirs(inclusion(&leaves[..], index, SIZE).unwrap()),
            "{index}"
        );
    }
}
