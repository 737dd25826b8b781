//! The secret in a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use linkage_core::encode::clkhash::keys::{self, SECRET_BYTES_MAX, Secret};
use zeroize::Zeroizing;

/// Why a secret cannot be used. No message shows it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the secret file {} cannot be read", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the secret file {0} is open to other users (mode {mode:o}); run `chmod 600 {0}`",
        path.display()
    )]
    Open { path: PathBuf, mode: u32 },
    #[error("the secret in {} cannot be used", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: keys::Error,
    },
}

/// Reads the secret at `path`: all its bytes but one line end at the end, which editors add.
pub(super) fn read(path: &Path) -> Result<Secret, Error> {
    let io = |source| Error::Io {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    // Asked of the open file, so that nobody can exchange it in between.
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Open {
            path: path.into(),
            mode,
        });
    }
    // Two bytes of a line end and one too many. Bytes that never move leave no copies behind.
    let most = SECRET_BYTES_MAX + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    file.take(most as u64).read_to_end(&mut bytes).map_err(io)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Secret::new(std::mem::take(&mut *bytes)).map_err(|source| Error::Unusable {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_secret_is_private_and_loses_one_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let reads = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            read(&path).map(|_| ())
        };
        assert!(reads(b"x\n").is_ok());
        assert!(reads(b"\r\r\n").is_ok());
        assert!(reads(&vec![b'x'; SECRET_BYTES_MAX]).is_ok());
        for bytes in [&b""[..], b"\n", b"\r\n", &vec![b'x'; SECRET_BYTES_MAX + 5]] {
            assert!(matches!(reads(bytes), Err(Error::Unusable { .. })));
        }
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(Error::Open { mode: 0o640, .. })));
        assert!(matches!(
            read(&dir.path().join("no")),
            Err(Error::Io { .. })
        ));
    }
}
