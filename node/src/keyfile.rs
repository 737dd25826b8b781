//! Secret keys in files: 32 bytes as hexadecimal text, readable by their owner alone.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 32;

/// Longest key file: 64 digits, a newline and room for a comment line.
const FILE_BYTES_MAX: u64 = 4096;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read or written.
    #[error("the key file {path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error(
        "the key file {0} may be read by others: run `chmod 600 {0}`, and make a new key if others had access"
    )]
    Open(PathBuf),
    /// The content is not a key.
    #[error("{0} is not a key file: expected 64 hexadecimal digits, lines starting with # aside")]
    Content(PathBuf),
}

/// Reads a key.
///
/// # Errors
/// [`Error`], naming the file and what to do.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    let io = |source| Error::Io {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(Error::Open(path.into()));
    }
    let content = || Error::Content(path.into());
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|_| content())?;
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    let digits = lines.next().ok_or_else(content)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(digits, key.as_mut_slice()).map_err(|_| content())?;
    if lines.next().is_some() {
        return Err(content());
    }
    Ok(key)
}

/// Writes a new key file, with `comment` as its first line; never replaces one.
///
/// # Errors
/// [`Error::Io`], above all when the file exists.
pub fn create(path: &Path, comment: &str, key: &[u8; KEY_BYTES]) -> Result<(), Error> {
    let io = |source| Error::Io {
        path: path.into(),
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    let digits = Zeroizing::new(hex::encode(key));
    let text = Zeroizing::new(format!("# {comment}\n{}\n", *digits));
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn round_trips_and_refuses_what_is_no_private_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        create(&path, "a test", &[7; 32]).unwrap();
        assert_eq!(*read(&path).unwrap(), [7; 32]);
        assert!(create(&path, "again", &[8; 32]).is_err());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(Error::Open(_))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        for content in [
            "",
            "zz",
            "# only",
            &format!("{}\n{}", "00".repeat(32), "00".repeat(32)),
        ] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(read(&path), Err(Error::Content(_))), "{content}");
        }
        assert!(matches!(
            read(&dir.path().join("none")),
            Err(Error::Io { .. })
        ));
    }
}
