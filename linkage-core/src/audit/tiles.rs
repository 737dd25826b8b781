//! Where the parts of a log lie: paths and formats of c2sp.org/tlog-tiles.
//!
//! | path | content |
//! |---|---|
//! | `tile/<level>/<index>` | 256 hashes: of entries at level 0, of whole tiles below elsewhere |
//! | `tile/entries/<index>` | the 256 entries of that tile of level 0 |
//! | `….p/<width>` | the same of the last tile of a level, while it is not full |
//!
//! Nothing here touches a disk.

use std::fmt;

use super::tree::{Frontier, Hash};

/// Hashes in a full tile (c2sp.org/tlog-tiles).
pub const TILE_WIDTH: u16 = 256;

/// Levels of the tree that one tile spans: 2^8 = 256.
pub const TILE_HEIGHT: u8 = 8;

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Longest entry that the 16-bit length of an entry bundle can tell.
pub const BUNDLE_ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// What a path of a log leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Hashes of this level, 0 to 63.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// The name of a tile or an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// What it holds.
    pub content: Content,
    /// Number of the tile in its level, from 0.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The full tile of this number.
    pub fn full(content: Content, index: u64) -> Self {
        Self {
            content,
            index,
            width: TILE_WIDTH,
        }
    }

    /// Whether it is full: only then it never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The tiles of level `level` that a tree of `size` leaves ends with: the number of full ones,
    /// and the partial one after them, if there is one.
    pub fn last_of(content: Content, size: u64) -> (u64, Option<Self>) {
        let level = match content {
            Content::Hashes(level) => u32::from(level),
            Content::Entries => 0,
        };
        let hashes = size
            .checked_shr(level * u32::from(TILE_HEIGHT))
            .unwrap_or(0);
        let index = hashes / u64::from(TILE_WIDTH);
        // Below 256 by the remainder.
        let width = u16::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or_default();
        let partial = (width > 0).then_some(Self {
            content,
            index,
            width,
        });
        (index, partial)
    }

    /// Reads a path, as [`fmt::Display`] writes it.
    pub fn from_path(path: &str) -> Option<Self> {
        let (content, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let content = match content {
            "entries" => Content::Entries,
            level => Content::Hashes(level.parse().ok().filter(|level| *level < 64)?),
        };
        let (digits, width) = match rest.split_once(".p/") {
            Some((digits, width)) => (digits, width.parse().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0_u64;
        for part in digits.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self {
            content,
            index,
            width,
        };
        // One spelling: no missing or added zeros, signs or widths out of range.
        let is_one = (1..=TILE_WIDTH).contains(&width) && tile.to_string() == path;
        is_one.then_some(tile)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Hashes(level) => write!(f, "tile/{level}/")?,
            Content::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            match place {
                0 => write!(f, "{group:03}")?,
                _ => write!(f, "x{group:03}/")?,
            }
        }
        if self.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

/// The bytes of a tile of hashes.
pub fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile; `None` unless there are `width` of them.
pub fn tile_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    let is_whole = rest.is_empty() && hashes.len() == usize::from(width);
    is_whole.then(|| hashes.iter().copied().map(Hash).collect())
}

/// What a full tile is at the level above.
pub fn tile_root(hashes: &[Hash]) -> Hash {
    hashes.iter().copied().collect::<Frontier>().root()
}

/// Appends an entry to the bytes of a bundle; false, and nothing appended, if it is too long.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else {
        return false;
    };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle; `None` unless it holds `width` whole entries and nothing else.
pub fn bundle_entries(mut bytes: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::with_capacity(usize::from(width));
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    (entries.len() == usize::from(width)).then_some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tile(content: Content, index: u64, width: u16) -> Tile {
        Tile {
            content,
            index,
            width,
        }
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        for (path, expected) in [
            ("tile/0/000", Tile::full(Content::Hashes(0), 0)),
            (
                "tile/0/x001/x234/067",
                Tile::full(Content::Hashes(0), 1_234_067),
            ),
            ("tile/3/x001/000.p/7", tile(Content::Hashes(3), 1000, 7)),
            (
                "tile/entries/x123/456.p/255",
                tile(Content::Entries, 123_456, 255),
            ),
            ("tile/63/999", Tile::full(Content::Hashes(63), 999)),
        ] {
            assert_eq!(expected.to_string(), path);
            assert_eq!(Tile::from_path(path), Some(expected));
        }
        for wrong in [
            "",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/64/000",
            "tile/00/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/007",
            "tile/0/+12",
            "tile/0/001/002",
            "tile/0/x001/x002",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/entries/000/",
            "entries/000",
        ] {
            assert_eq!(Tile::from_path(wrong), None, "{wrong}");
        }
    }

    /// The example in c2sp.org/tlog-tiles: a tree of 70 000.
    #[test]
    fn a_tree_ends_in_the_tiles_that_the_specification_names() {
        let last = |level, size| Tile::last_of(Content::Hashes(level), size);
        assert_eq!(
            last(0, 70_000),
            (273, Some(tile(Content::Hashes(0), 273, 112)))
        );
        assert_eq!(last(1, 70_000), (1, Some(tile(Content::Hashes(1), 1, 17))));
        assert_eq!(last(2, 70_000), (0, Some(tile(Content::Hashes(2), 0, 1))));
        assert_eq!(last(3, 70_000), (0, None));
        assert_eq!(last(0, 256), (1, None));
        assert_eq!(last(1, 256), (0, Some(tile(Content::Hashes(1), 0, 1))));
        assert_eq!(last(63, u64::MAX), (0, None));
        assert_eq!(
            Tile::last_of(Content::Entries, 257),
            (1, Some(tile(Content::Entries, 1, 1)))
        );
    }

    proptest! {
        #[test]
        fn paths_and_bundles_read_back(
            index in any::<u64>(),
            width in 1_u16..=256,
            level in 0_u8..64,
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20),
        ) {
            for content in [Content::Hashes(level), Content::Entries] {
                let tile = tile(content, index, width);
                prop_assert_eq!(Tile::from_path(&tile.to_string()), Some(tile));
            }
            let mut bundle = vec![];
            for entry in &entries {
                prop_assert!(push_entry(&mut bundle, entry));
            }
            let width = entries.len() as u16;
            prop_assert_eq!(bundle_entries(&bundle, width).unwrap(), &entries[..]);
            prop_assert_eq!(bundle_entries(&bundle, width + 1), None);
            bundle.pop();
            prop_assert_eq!(bundle_entries(&bundle, width), None);
        }

        #[test]
        fn any_text_is_refused_or_the_one_spelling(path in "(tile/)?[0-9ex./p]{0,20}") {
            if let Some(tile) = Tile::from_path(&path) {
                prop_assert_eq!(tile.to_string(), path);
            }
        }
    }
}
