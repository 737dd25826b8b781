//! Tiles and entry bundles on disk: made from the entries, for proofs and for whoever reads a log
//! with tools for c2sp.org/tlog-tiles.
//!
//! A full file is written once, before its next checkpoint; the last file of each level is in
//! memory and written, as a partial one, with every checkpoint. None of them is flushed to the
//! disk: what a crash takes is made again from the journal.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use linkage_core::audit::tiles::{
    Content, TILE_HEIGHT, TILE_WIDTH, Tile, bundle_entries, push_entry, tile_bytes, tile_hashes,
    tile_root,
};
use linkage_core::audit::tree::{self, Frontier, Hash, Nodes};

/// The tiles of a log that grows.
pub struct Tiles {
    dir: PathBuf,
    size: u64,
    tree: Frontier,
    /// Hashes of the last tile of each level, as far as it is filled.
    partial: Vec<Vec<Hash>>,
    /// Bytes of the last entry bundle.
    bundle: Vec<u8>,
    /// Full files that are not on the disk yet.
    unwritten: HashMap<Tile, Vec<u8>>,
    /// Partial files of the last checkpoint.
    written_partial: Vec<Tile>,
}

impl Tiles {
    /// The tiles of the first `size` entries of the log in `dir`, a multiple of the entries of a
    /// journal file, from the full tiles on disk.
    ///
    /// # Errors
    /// When a tile is missing or of the wrong size.
    pub fn resume(dir: &Path, size: u64) -> io::Result<Self> {
        let mut tiles = Self {
            dir: dir.to_owned(),
            size,
            tree: Frontier::default(),
            partial: vec![],
            bundle: vec![],
            unwritten: HashMap::new(),
            written_partial: vec![],
        };
        for level in 0_u8.. {
            let hashes = size >> (u32::from(level) * u32::from(TILE_HEIGHT));
            if hashes == 0 {
                break;
            }
            let first = hashes - hashes % u64::from(TILE_WIDTH);
            let mut partial = vec![];
            for index in first..hashes {
                // At level 0 there is none: `size` is a multiple of the width.
                let below = Tile::full(Content::Hashes(level.saturating_sub(1)), index);
                partial.push(tile_root(&tiles.read(below)?));
            }
            tiles.partial.push(partial);
        }
        tiles.tree = Frontier::resume(&tiles, size)?;
        Ok(tiles)
    }

    /// The tiles of what comes after the tree with this right edge; of none before.
    pub fn detached(tree: &Frontier) -> Self {
        Self {
            dir: PathBuf::new(),
            size: tree.size(),
            tree: tree.clone(),
            partial: vec![],
            bundle: vec![],
            unwritten: HashMap::new(),
            written_partial: vec![],
        }
    }

    /// Takes in the next entry. Writes nothing.
    pub fn push(&mut self, entry: &[u8]) {
        let leaf = Hash::leaf(entry);
        let mut index = self.size / u64::from(TILE_WIDTH);
        self.size += 1;
        self.tree.push(leaf);
        push_entry(&mut self.bundle, entry);
        let mut hash = leaf;
        for level in 0_u8.. {
            if self.partial.len() <= usize::from(level) {
                self.partial.push(vec![]);
            }
            let Some(partial) = self.partial.get_mut(usize::from(level)) else {
                return;
            };
            partial.push(hash);
            if partial.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let full = std::mem::take(partial);
            hash = tile_root(&full);
            let tile = Tile::full(Content::Hashes(level), index);
            self.unwritten.insert(tile, tile_bytes(&full));
            if level == 0 {
                let bundle = std::mem::take(&mut self.bundle);
                let tile = Tile::full(Content::Entries, index);
                self.unwritten.insert(tile, bundle);
            }
            index /= u64::from(TILE_WIDTH);
        }
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree over them.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Root of the first entries, as it was when the log had that size.
    ///
    /// # Errors
    /// When a tile cannot be read.
    pub fn root_at(&self, size: u64) -> io::Result<Hash> {
        tree::root(self, size)
    }

    /// The right edge of the tree.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Takes the full files that are complete and not written yet.
    pub fn take_full(&mut self) -> HashMap<Tile, Vec<u8>> {
        std::mem::take(&mut self.unwritten)
    }

    /// The last files of all levels as far as they are filled.
    pub fn partial(&self) -> Vec<(Tile, Vec<u8>)> {
        let hashes = (0_u8..).zip(&self.partial).filter_map(|(level, hashes)| {
            let (_, tile) = Tile::last_of(Content::Hashes(level), self.size);
            Some((tile?, tile_bytes(hashes)))
        });
        let (_, entries) = Tile::last_of(Content::Entries, self.size);
        let entries = entries.map(|tile| (tile, self.bundle.clone()));
        hashes.chain(entries).collect()
    }

    /// Compares the files that were made from the journal with those on the disk, and writes those
    /// that differ.
    ///
    /// # Errors
    /// When writing fails.
    pub fn restore(&mut self) -> io::Result<()> {
        let dir = &self.dir;
        self.unwritten.retain(|tile, bytes| {
            !fs::read(dir.join(tile.to_string())).is_ok_and(|found| found == *bytes)
        });
        self.write()
    }

    /// Writes every file that is not on the disk, the partial ones included.
    ///
    /// # Errors
    /// When writing fails; the next call tries again.
    pub fn write(&mut self) -> io::Result<()> {
        let full: Vec<Tile> = self.unwritten.keys().copied().collect();
        for tile in full {
            if let Some(bytes) = self.unwritten.get(&tile) {
                self.write_file(tile, bytes)?;
            }
            self.unwritten.remove(&tile);
        }
        let mut now = vec![];
        for (tile, bytes) in self.partial() {
            self.write_file(tile, &bytes)?;
            now.push(tile);
        }
        // Whoever holds the checkpoint before this one finds the full file or a wider partial one.
        for old in std::mem::replace(&mut self.written_partial, now) {
            if !self.written_partial.contains(&old) {
                let _ = fs::remove_file(self.dir.join(old.to_string()));
            }
        }
        Ok(())
    }

    /// The bytes of an entry.
    ///
    /// # Errors
    /// When its bundle cannot be read, or was pruned.
    pub fn entry(&self, index: u64) -> io::Result<Vec<u8>> {
        let width = u64::from(TILE_WIDTH);
        let (full, partial) = Tile::last_of(Content::Entries, self.size());
        let tile = Tile::full(Content::Entries, index / width);
        let read;
        let (bytes, count) = match partial {
            Some(last) if index / width == full => (&self.bundle, last.width),
            _ => match self.unwritten.get(&tile) {
                Some(bytes) => (bytes, TILE_WIDTH),
                None => {
                    read = fs::read(self.dir.join(tile.to_string()))?;
                    (&read, TILE_WIDTH)
                }
            },
        };
        let entries = bundle_entries(bytes, count).ok_or_else(|| damaged(tile))?;
        let place = usize::try_from(index % width).unwrap_or(usize::MAX);
        let entry = entries.get(place).ok_or_else(|| damaged(tile))?;
        Ok(entry.to_vec())
    }

    fn read(&self, tile: Tile) -> io::Result<Vec<Hash>> {
        let read;
        let bytes = match self.unwritten.get(&tile) {
            Some(bytes) => bytes,
            None => {
                read = fs::read(self.dir.join(tile.to_string()))?;
                &read
            }
        };
        tile_hashes(bytes, tile.width).ok_or_else(|| damaged(tile))
    }

    fn write_file(&self, tile: Tile, bytes: &[u8]) -> io::Result<()> {
        let path = self.dir.join(tile.to_string());
        if let Some(folder) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let draft = path.with_extension("tmp");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(bytes)?;
        fs::rename(&draft, &path)
    }
}

/// Any node whose leaves are all in the tree: from memory, or from a full tile.
impl Nodes for Tiles {
    type Error = io::Error;

    fn node(&self, level: u8, index: u64) -> io::Result<Hash> {
        let tile_level = level / TILE_HEIGHT;
        let span = level % TILE_HEIGHT;
        let first = index << span;
        let number = first / u64::from(TILE_WIDTH);
        let (full, _) = Tile::last_of(Content::Hashes(tile_level), self.size());
        let read;
        let hashes = if number == full {
            self.partial
                .get(usize::from(tile_level))
                .map(Vec::as_slice)
                .unwrap_or_default()
        } else {
            read = self.read(Tile::full(Content::Hashes(tile_level), number))?;
            read.as_slice()
        };
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        let range = start..start.saturating_add(1 << span);
        let hashes = hashes.get(range).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(tile_root(hashes))
    }
}

fn damaged(tile: Tile) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{tile} is damaged"))
}

#[cfg(test)]
mod tests {
    use linkage_core::audit::tree::proof::{consistency, inclusion};

    use super::*;

    /// Two levels of full tiles and a rest.
    const SIZE: u64 = 65_536 + 256 + 3;

    #[test]
    fn nodes_and_entries_are_those_of_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let mut tiles = Tiles::resume(dir.path(), 0).unwrap();
        let mut leaves = vec![];
        for number in 0..SIZE {
            let entry = number.to_be_bytes();
            leaves.push(Hash::leaf(&entry));
            tiles.push(&entry);
            if number == 1000 {
                tiles.write().unwrap();
            }
        }
        let check = |tiles: &Tiles| {
            for index in [0, 255, 256, 1000, 65_535, 65_536, SIZE - 1] {
                let proof = inclusion(tiles, index, SIZE).unwrap();
                assert_eq!(proof, inclusion(&leaves[..], index, SIZE).unwrap());
                assert_eq!(tiles.entry(index).unwrap(), index.to_be_bytes());
            }
            for old in [1, 300, 65_536, SIZE - 1] {
                let proof = consistency(tiles, old, SIZE).unwrap();
                assert_eq!(proof, consistency(&leaves[..], old, SIZE).unwrap());
            }
        };
        check(&tiles);
        tiles.write().unwrap();
        check(&tiles);
        assert!(dir.path().join("tile/entries/257.p/3").exists());
        assert!(dir.path().join("tile/1/001.p/1").exists());
        assert!(dir.path().join("tile/2/000.p/1").exists());
        assert!(!dir.path().join("tile/0/003.p/233").exists());

        let mut resumed = Tiles::resume(dir.path(), 65_536).unwrap();
        for number in 65_536..SIZE {
            resumed.push(&number.to_be_bytes());
        }
        assert_eq!(resumed.root(), tiles.root());
        check(&resumed);
    }
}
