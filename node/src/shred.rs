//! Destroying files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Overwrites a file and removes it; one that is gone already is no fault. On a file system that
/// writes elsewhere (copy on write, flash) the old blocks last until they are used again.
///
/// # Errors
/// When the file is there and cannot be destroyed.
pub fn shred(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    overwrite(file, length)?;
    std::fs::remove_file(path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn overwrite(mut file: File, length: u64) -> io::Result<()> {
    let zeros = [0; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let now = left.min(zeros.len() as u64);
        file.write_all(zeros.get(..now as usize).unwrap_or(&zeros))?;
        left -= now;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_overwritten_and_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, vec![0xab; 150_000]).unwrap();
        // A second name for the same content shows what was written over it.
        let other = dir.path().join("other");
        std::fs::hard_link(&path, &other).unwrap();
        shred(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(std::fs::read(other).unwrap(), vec![0; 150_000]);
        shred(&path).unwrap();
    }
}
