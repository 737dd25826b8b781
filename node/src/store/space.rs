//! Space on the disk: a reserve is kept free of bulk data, so that the audit log and the database
//! can go on when uploads have filled all else.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::limits::Limits;

/// The disk that holds a node's data.
#[derive(Debug, Clone)]
pub struct Space {
    folder: PathBuf,
    reserve_bytes: u64,
    reserve_percent: u64,
}

/// How full a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Bytes to be kept free of bulk data.
    pub reserve_bytes: u64,
}

impl Room {
    /// Whether the reserve is touched.
    pub fn is_low(self) -> bool {
        self.free_bytes < self.reserve_bytes
    }
}

impl Space {
    /// The disk of `folder`.
    pub fn new(folder: &Path, limits: &Limits) -> Self {
        Self {
            folder: folder.to_owned(),
            reserve_bytes: limits.disk_reserve_bytes,
            reserve_percent: u64::from(limits.disk_reserve_percent),
        }
    }

    /// How full it is now.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn room(&self) -> io::Result<Room> {
        let disk = statvfs(&self.folder)?;
        let unit = disk.fragment_size();
        let total = disk.blocks().saturating_mul(unit);
        Ok(Room {
            free_bytes: disk.blocks_available().saturating_mul(unit),
            reserve_bytes: self.reserve(total),
        })
    }

    /// The smaller of the two: a share of a small disk, a fixed size of a large one.
    fn reserve(&self, total_bytes: u64) -> u64 {
        let share = total_bytes / 100 * self.reserve_percent;
        share.min(self.reserve_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_a_share_of_a_small_disk_and_a_size_of_a_large_one() {
        let space = Space::new(Path::new("/"), &Limits::default());
        assert_eq!(space.reserve(1_000_000), 100_000);
        assert_eq!(space.reserve(1 << 40), 2 << 30);
        let room = space.room().unwrap();
        assert!(room.reserve_bytes > 0 && room.reserve_bytes <= 2 << 30);
    }
}
