//! Secret keys in files that only their owner can read.
//!
//! ```text
//! # comment lines
//! 64 hexadecimal digits
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 32;

/// Largest key file, in bytes: the digits and some lines of comment.
const FILE_BYTES_MAX: u64 = 4096;

/// Why a key file cannot be used. No message shows its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("the key file {} does not exist; make one with `linkage key generate`", .0.display())]
    Missing(PathBuf),
    /// There is such a file already.
    #[error("{} exists; a key file is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("the key file {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner of the file may read or write it.
    #[error(
        "the key file {0} is open to other users (mode {mode:o}); run `chmod 600 {0}`",
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not one line of 64 hexadecimal digits.
    #[error("{} is no key file: expected one line of 64 hexadecimal digits", .0.display())]
    Malformed(PathBuf),
}

pub(crate) fn io_error(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.into()),
        io::ErrorKind::AlreadyExists => Error::Exists(path.into()),
        _ => Error::Io {
            path: path.into(),
            source,
        },
    }
}

/// Reads the key file at `path`.
///
/// # Errors
/// [`Error`], naming the file and what to do.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    parse(&private(path)?).ok_or_else(|| Error::Malformed(path.into()))
}

/// Reads a small file that only its owner may open.
pub(crate) fn private(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let io = io_error(path);
    let file = File::open(path).map_err(&io)?;
    // Asked of the open file, so that nobody can exchange it in between.
    let metadata = file.metadata().map_err(&io)?;
    if !metadata.is_file() {
        return Err(Error::Malformed(path.into()));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Open {
            path: path.into(),
            mode,
        });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(&io)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::Malformed(path.into()));
    }
    Ok(text)
}

/// Writes a new key file with `comment` as its first line; never replaces one. After a crash it is
/// there whole or not at all.
///
/// # Errors
/// [`Error::Exists`] or [`Error::Io`].
pub fn create(path: &Path, comment: &str, key: &[u8; KEY_BYTES]) -> Result<(), Error> {
    let digits = Zeroizing::new(hex::encode(key));
    let staged = staged(path);
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(&staged)(error));
        }
        _ => {}
    }
    write_new(&staged, &["# ", comment, "\n", &digits, "\n"])?;
    // Unlike a renamed file, a linked one never takes another's place.
    let linked = fs::hard_link(&staged, path);
    fs::remove_file(&staged).map_err(io_error(&staged))?;
    linked
        .and_then(|()| sync_folder_of(path))
        .map_err(io_error(path))
}

/// Where a file's content is written before it stands in its place.
pub(crate) fn staged(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

/// Makes the names in the folder of `path` durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a new file that only its owner may open.
pub(crate) fn write_new(path: &Path, parts: &[&str]) -> Result<(), Error> {
    let io = io_error(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(&io)?;
    for part in parts {
        file.write_all(part.as_bytes()).map_err(&io)?;
    }
    file.sync_all().map_err(&io)
}

fn parse(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let (digits, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_line_of_digits_is_a_key() {
        let digits = "ab".repeat(32);
        let key = |text: &str| parse(text.as_bytes()).map(|key| *key);
        assert_eq!(key(&format!("# x\r\n\r\n  {digits}\r\n")), Some([0xab; 32]));
        for bad in [
            "",
            "# x\n",
            "abab",
            &"zz".repeat(32),
            &format!("{digits}00"),
            &format!("{digits}\n{digits}"),
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_file_is_private_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        assert!(matches!(read(&path), Err(Error::Missing(_))));
        create(&path, "a test", &[7; 32]).unwrap();
        assert_eq!(*read(&path).unwrap(), [7; 32]);
        assert!(matches!(
            create(&path, "again", &[8; 32]),
            Err(Error::Exists(_))
        ));
        assert_eq!(*read(&path).unwrap(), [7; 32]);
        assert!(!staged(&path).exists());
        // Left half-written by a crash.
        let path = dir.path().join("b.key");
        fs::write(staged(&path), "# a te").unwrap();
        create(&path, "a test", &[7; 32]).unwrap();
        assert_eq!(*read(&path).unwrap(), [7; 32]);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(Error::Open { mode: 0o640, .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
