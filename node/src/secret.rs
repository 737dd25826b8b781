//! A secret that a configuration names by where it lies, never by its value.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Visitor};
use zeroize::{Zeroize as _, Zeroizing};

/// Largest secret, in bytes.
const BYTES_MAX: u64 = 4096;

/// Where systemd puts a service's credentials (systemd.exec, "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Where a secret lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
#[non_exhaustive]
pub enum SecretRef {
    /// `file:PATH`, a file that its owner alone may read.
    File(PathBuf),
    /// `credential:NAME`, a credential that systemd hands to the service.
    Credential(String),
    /// Something else, perhaps the secret itself: it is not kept, so that no message can show it.
    Malformed,
}

/// Why a secret cannot be read. No message shows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither `file:` nor `credential:`.
    #[error(
        "a secret is named as \"file:PATH\" (a file of mode 600) or \"credential:NAME\" (a \
         credential of systemd), never written in a configuration"
    )]
    Malformed,
    /// The file cannot be read.
    #[error("the secret in {path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner of the file may read or write it.
    #[error(
        "{} is open to other users (mode {mode:o}); run `chmod 600 {}`",
        path.display(),
        path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No secret is as long, or as short.
    #[error("{} holds no secret: expected one line of 1 to {BYTES_MAX} bytes", .0.display())]
    Length(PathBuf),
    /// The process was not started by systemd with credentials.
    #[error(
        "credential:{0} is not there: systemd gives credentials to a service whose unit has \
         `LoadCredential={0}:PATH`; by hand, use \"file:PATH\""
    )]
    NoCredentials(String),
}

impl From<String> for SecretRef {
    fn from(mut text: String) -> Self {
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Self::File(path.into());
        }
        let plain = |name: &&str| {
            let mut chars = name.chars();
            chars.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !name.starts_with('.')
        };
        let name = text.strip_prefix("credential:");
        if let Some(name) = name.filter(|name| !name.is_empty()).filter(plain) {
            return Self::Credential(name.into());
        }
        text.zeroize();
        Self::Malformed
    }
}

/// Takes whatever stands there: a parser's refusal would quote the line, and with it a secret.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;

        impl Visitor<'_> for Named {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"file:PATH\" or \"credential:NAME\"")
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretRef, E> {
                Ok(text.to_owned().into())
            }

            fn visit_i64<E>(self, _: i64) -> Result<SecretRef, E> {
                Ok(SecretRef::Malformed)
            }

            fn visit_u64<E>(self, _: u64) -> Result<SecretRef, E> {
                Ok(SecretRef::Malformed)
            }

            fn visit_f64<E>(self, _: f64) -> Result<SecretRef, E> {
                Ok(SecretRef::Malformed)
            }
        }

        deserializer.deserialize_any(Named)
    }
}

impl From<SecretRef> for String {
    fn from(secret: SecretRef) -> Self {
        secret.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Malformed => f.write_str("malformed"),
        }
    }
}

impl SecretRef {
    /// Takes a relative path from `folder`.
    pub fn resolve(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&path);
        }
    }

    /// Reads the secret: the content without the end of its last line.
    ///
    /// # Errors
    /// [`Error`], saying what to do.
    pub fn read(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::Malformed => Err(Error::Malformed),
            Self::File(path) => {
                let file = open(path)?;
                // Asked of the open file, so that nobody can exchange it in between.
                let metadata = file.metadata().map_err(|source| io_error(path, source))?;
                let mode = metadata.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    let path = path.clone();
                    return Err(Error::Open { path, mode });
                }
                read(path, file)
            }
            Self::Credential(name) => {
                let folder = std::env::var_os(CREDENTIALS_DIRECTORY);
                let folder = folder.ok_or_else(|| Error::NoCredentials(name.clone()))?;
                // systemd opens it to the service with an access list, which shows as the group's
                // permission: only this service sees the folder.
                let path = Path::new(&folder).join(name);
                read(&path, open(&path)?)
            }
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> Error {
    let path = path.into();
    Error::Io { path, source }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| io_error(path, source))
}

fn read(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Room for all of it from the start, so that growth leaves no copy behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize + 3));
    let mut file = file.take(BYTES_MAX + 3);
    let read = file.read_to_end(&mut secret);
    read.map_err(|source| io_error(path, source))?;
    if secret.ends_with(b"\n") {
        secret.pop();
    }
    if secret.ends_with(b"\r") {
        secret.pop();
    }
    match secret.len() as u64 {
        1..=BYTES_MAX => Ok(secret),
        _ => Err(Error::Length(path.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn parsed(text: &str) -> SecretRef {
        SecretRef::from(text.to_owned())
    }

    #[test]
    fn a_secret_is_named_never_written() {
        assert_eq!(parsed("file:/a b"), SecretRef::File("/a b".into()));
        let credential = SecretRef::Credential("db-password".into());
        assert_eq!(parsed("credential:db-password"), credential);
        for text in [
            "hunter2",
            "file:",
            "credential:",
            "credential:../x",
            "credential:.x",
        ] {
            assert_eq!(parsed(text), SecretRef::Malformed);
        }
        assert!(!format!("{:?}", parsed("hunter2")).contains("hunter2"));
        let message = parsed("hunter2").read().unwrap_err().to_string();
        assert!(message.contains("file:PATH") && !message.contains("hunter2"));
    }

    #[test]
    fn a_file_must_be_private_and_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let mut secret = parsed("file:password");
        secret.resolve(folder.path());
        assert!(matches!(secret.read(), Err(Error::Io { .. })));
        fs::write(&path, "geheim 字\r\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let message = secret.read().unwrap_err().to_string();
        assert!(
            message.contains("mode 640") && message.contains("chmod 600"),
            "{message}"
        );
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(secret.read().unwrap().as_slice(), "geheim 字".as_bytes());
        for content in [String::new(), "\n".into(), "x".repeat(4097)] {
            fs::write(&path, content).unwrap();
            assert!(matches!(secret.read(), Err(Error::Length(_))));
        }
        fs::write(&path, format!("{}\n", "x".repeat(4096))).unwrap();
        assert_eq!(secret.read().unwrap().len(), 4096);
    }
}
