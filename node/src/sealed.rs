//! Secrets at rest: encrypted in files under a credential that the node is given at its start.
//!
//! A setting names the credential only, by a [`SecretRef`]. Its content is a secret of 32 bytes or
//! more, drawn at random.
//!
//! ```text
//! # comment
//! linkage-sealed-v1 <credential's name> <salt> <ciphertext>      hexadecimal digits
//! ```
//!
//! Each file has a key of its own: HKDF-SHA-256 (RFC 5869) over the credential with a fresh salt.
//! ChaCha20-Poly1305 (RFC 8439) uses it once, hence with a constant nonce, and binds the secret's
//! label: a file put in another's place does not open.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::entropy::{self, NoEntropy};
use crate::keyfile;
use crate::secret::{self, SecretRef};

/// First word of a sealed secret.
const FORM: &str = "linkage-sealed-v1";

/// Shortest credential, in bytes: as long as the keys that it protects.
pub const CREDENTIAL_BYTES_MIN: usize = 32;

/// Length of the salt, and of every key derived here.
const KEY_BYTES: usize = 32;

/// Length of a credential's name.
const NAME_BYTES: usize = 8;

/// Why a credential or a secret cannot be used. No message shows a part of either.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The credential cannot be read.
    #[error(transparent)]
    Reference(#[from] secret::Error),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] keyfile::Error),
    /// The credential is too short to be random.
    #[error(
        "the credential {0} has less than {CREDENTIAL_BYTES_MIN} bytes; draw one with `linkage key credential`"
    )]
    Short(SecretRef),
    /// The secret is not encrypted.
    #[error("{} is not encrypted; seal it with `linkage key seal`", .0.display())]
    Plain(PathBuf),
    /// The secret was encrypted under another credential.
    #[error("{} is sealed under credential {sealed}, this one is {given}", path.display())]
    Credential {
        /// The file.
        path: PathBuf,
        /// Name of the credential it is sealed under.
        sealed: String,
        /// Name of the credential at hand.
        given: String,
    },
    /// The file was altered, or belongs in another place.
    #[error("{} does not open: it was altered, or is another secret's file", .0.display())]
    Altered(PathBuf),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

impl Error {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Reference(_) => "credential.unread",
            Self::File(_) => "secret.file",
            Self::Short(_) => "credential.short",
            Self::Plain(_) => "secret.plain",
            Self::Credential { .. } => "credential.other",
            Self::Altered(_) => "secret.altered",
            Self::Entropy(_) => "entropy.none",
        }
    }
}

/// A secret under which other secrets are encrypted. It prints nothing and is wiped when dropped.
#[derive(Clone)]
pub struct Credential {
    secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(redacted)")
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Credential {
    /// The credential that a setting names.
    ///
    /// # Errors
    /// [`Error::Reference`] or [`Error::Short`], saying what to do.
    pub fn read(reference: &SecretRef) -> Result<Self, Error> {
        let secret = reference.read()?;
        if secret.len() < CREDENTIAL_BYTES_MIN {
            return Err(Error::Short(reference.clone()));
        }
        Ok(Self { secret })
    }

    /// A name that tells credentials apart and reveals nothing of them.
    pub fn name(&self) -> String {
        let mut name = [0; NAME_BYTES];
        self.derive(b"linkage/credential-name/v1", b"", &mut name);
        hex::encode(name)
    }

    fn derive(&self, salt: &[u8], info: &[u8], out: &mut [u8]) {
        let length = Length(out.len());
        // HKDF refuses only outputs above 255 hash lengths; these are one at most.
        let filled = hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(&self.secret)
            .expand(&[info], length)
            .and_then(|okm| okm.fill(out));
        debug_assert!(filled.is_ok());
    }

    fn key(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.derive(salt, b"linkage/at-rest/v1", key.as_mut_slice());
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).ok()?;
        Some(LessSafeKey::new(key))
    }

    fn seal(&self, label: &str, secret: &[u8]) -> Result<String, NoEntropy> {
        let salt = entropy::secret()?;
        let key = self.key(salt.as_slice()).ok_or(NoEntropy)?;
        let mut text = Zeroizing::new(Vec::with_capacity(
            secret.len() + CHACHA20_POLY1305.tag_len(),
        ));
        text.extend_from_slice(secret);
        key.seal_in_place_append_tag(nonce(), Aad::from(label), &mut *text)
            .map_err(|_| NoEntropy)?;
        let (salt, text) = (hex::encode(salt.as_slice()), hex::encode(&*text));
        Ok(format!("{FORM} {} {salt} {text}", self.name()))
    }
}

/// A key is used for one message, so that its nonce need not differ from anything.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// The words of a sealed file after the form: credential's name, salt, ciphertext. `None` for what
/// is not sealed.
fn words(content: &[u8]) -> Option<[&str; 3]> {
    let mut lines = std::str::from_utf8(content)
        .ok()?
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let mut words = line.split_ascii_whitespace();
    let (Some(FORM), Some(name), Some(salt), Some(text), None) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        return None;
    };
    Some([name, salt, text])
}

/// The label of a secret: the name of its file, by which a project's secrets name the project.
pub fn label_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Reads the secret of this label from a sealed file.
///
/// # Errors
/// [`Error`], naming the file and why it does not open.
pub fn read(
    path: &Path,
    label: &str,
    credential: &Credential,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let content = keyfile::private(path)?;
    let [name, salt, text] = words(&content).ok_or_else(|| Error::Plain(path.into()))?;
    let given = credential.name();
    if name != given {
        return Err(Error::Credential {
            path: path.into(),
            sealed: name.chars().take(2 * NAME_BYTES).collect(),
            given,
        });
    }
    let open = || {
        let salt = hex::decode(salt).ok()?;
        let mut text = Zeroizing::new(hex::decode(text).ok()?);
        let key = credential.key(&salt)?;
        let plain = key
            .open_in_place(nonce(), Aad::from(label), &mut text)
            .ok()?;
        Some(Zeroizing::new(plain.to_vec()))
    };
    open().ok_or_else(|| Error::Altered(path.into()))
}

/// Label of a node's signing key.
pub const SIGNING_KEY: &str = "signing-key";

/// Label of an owner's sealing key.
pub const SEALING_KEY: &str = "sealing-key";

/// Reads a key of 32 bytes from a sealed file.
///
/// # Errors
/// [`Error`], naming the file and why it does not open.
pub fn read_key(
    path: &Path,
    label: &str,
    credential: &Credential,
) -> Result<Zeroizing<[u8; keyfile::KEY_BYTES]>, Error> {
    let secret = read(path, label, credential)?;
    let mut key = Zeroizing::new([0; keyfile::KEY_BYTES]);
    if secret.len() != key.len() {
        return Err(Error::Altered(path.into()));
    }
    key.copy_from_slice(&secret);
    Ok(key)
}

/// Name of the credential under which a file is sealed; `None` for one that is not sealed.
///
/// # Errors
/// When the file cannot be read.
pub fn sealed_under(path: &Path) -> Result<Option<String>, Error> {
    let content = keyfile::private(path)?;
    Ok(words(&content).map(|[name, _, _]| name.to_owned()))
}

/// Writes a new sealed file; never replaces one. After a crash it is there whole or not at all.
///
/// # Errors
/// [`Error::File`] if there is such a file, or the system refuses.
pub fn create(path: &Path, label: &str, secret: &[u8], with: &Credential) -> Result<(), Error> {
    if path.exists() {
        return Err(keyfile::Error::Exists(path.into()).into());
    }
    put(path, label, secret, with)
}

/// Puts a sealed file in the place of what is there.
///
/// # Errors
/// When the system refuses; the old file is then still there.
pub fn replace(path: &Path, label: &str, secret: &[u8], with: &Credential) -> Result<(), Error> {
    put(path, label, secret, with)
}

fn put(path: &Path, label: &str, secret: &[u8], credential: &Credential) -> Result<(), Error> {
    let line = credential.seal(label, secret)?;
    let staged = keyfile::staged(path);
    let failed = keyfile::io_error(path);
    match std::fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error).into()),
        _ => {}
    }
    let comment = "# linkage: encrypted under this node's credential\n";
    keyfile::write_new(&staged, &[comment, &line, "\n"])?;
    let settled = std::fs::rename(&staged, path).and_then(|()| keyfile::sync_folder_of(path));
    Ok(settled.map_err(&failed)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn credential(byte: u8) -> Credential {
        Credential {
            secret: Zeroizing::new(vec![byte; 32]),
        }
    }

    fn file(dir: &Path, content: &[u8], mode: u32) -> SecretRef {
        let path = dir.join("credential");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        SecretRef::File(path)
    }

    #[test]
    fn a_secret_opens_under_its_credential_and_label_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        create(&path, "signing-key", &[7; 32], &credential(1)).unwrap();
        let open = |label: &str, credential: &Credential| read_key(&path, label, credential);
        assert_eq!(*open("signing-key", &credential(1)).unwrap(), [7; 32]);
        fn reason<T>(result: Result<T, Error>) -> &'static str {
            result.map(drop).unwrap_err().reason()
        }
        assert_eq!(
            reason(open("signing-key", &credential(2))),
            "credential.other"
        );
        assert_eq!(
            reason(open("sealing-key", &credential(1))),
            "secret.altered"
        );
        let again = create(&path, "signing-key", &[8; 32], &credential(1));
        assert_eq!(reason(again), "secret.file");
        let text = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8(text).unwrap().contains(&"07".repeat(8)));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        replace(&path, "signing-key", &[7; 32], &credential(2)).unwrap();
        assert_eq!(*open("signing-key", &credential(2)).unwrap(), [7; 32]);
        assert_eq!(sealed_under(&path).unwrap(), Some(credential(2).name()));
    }

    #[test]
    fn plain_keys_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        keyfile::create(&path, "a test", &[7; 32]).unwrap();
        let refused = read_key(&path, "signing-key", &credential(1)).unwrap_err();
        assert_eq!(refused.reason(), "secret.plain");
        assert_eq!(sealed_under(&path).unwrap(), None);
    }

    #[test]
    fn a_credential_is_long_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let read = |content: &[u8], mode| Credential::read(&file(dir.path(), content, mode));
        let one = read(&[b'a'; 32], 0o600).unwrap();
        assert_eq!(
            read(&[[b'a'; 32].as_slice(), b"\n"].concat(), 0o400)
                .unwrap()
                .name(),
            one.name()
        );
        assert_eq!(format!("{one:?}"), "Credential(redacted)");
        assert_eq!(
            read(&[b'a'; 31], 0o600).unwrap_err().reason(),
            "credential.short"
        );
        assert_eq!(
            read(&[b'a'; 32], 0o640).unwrap_err().reason(),
            "credential.unread"
        );
        assert_eq!(
            read(&[b'a'; 5000], 0o600).unwrap_err().reason(),
            "credential.unread"
        );
    }

    proptest! {
        #[test]
        fn a_changed_file_does_not_open(at in 0_usize..1000, bit in 0_u32..8) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.key");
            create(&path, "a", &[7; 32], &credential(1)).unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            // The comment may say what it will.
            let start = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let at = start + at % (bytes.len() - start - 1);
            bytes[at] ^= 1 << bit;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(secret) = read_key(&path, "a", &credential(1)) {
                // The case of a hexadecimal digit, or one blank for another.
                prop_assert_eq!(*secret, [7; 32]);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = words(&bytes);
        }
    }
}
