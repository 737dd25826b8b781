//! Key files: a project key for work with files only.
//!
//! ```text
//! # comment lines
//! 64 hexadecimal digits
//! ```

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_core::keys::{KEY_BYTES, ProjectKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;
use zeroize::Zeroizing;

use super::failure::{EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::screen::Form;

/// Largest key file, in bytes: the digits and some lines of comment.
const FILE_BYTES_MAX: u64 = 4096;

const HEADER: &str = "\
# linkage project key. Secret: whoever has it and a token file can guess the records in it.
";

/// Why a file is not taken as a key. No message shows its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("the key file {} does not exist; make one with `linkage key generate`", .0.display())]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("the key file {} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner of the file may read or write it.
    #[error(
        "the key file {0} is open to other users (mode {mode:o}); run `chmod 600 {0}`", path.display()
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

/// Make keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Draw a new key and write it to a file that only you can read
    Generate(Generate),
}

/// Arguments of `key generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
All owners encode with the same key: hand it over in person or sealed, never beside the tokens. \
Whoever matches the tokens must not have it. An existing file is never overwritten.

Example:
  linkage key generate --out project.key")]
pub struct Generate {
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Key {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Generate(Generate { out }) = self;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new()
            .fill(bytes.as_mut_slice())
            .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let outputs = Outputs::beside(&out, &[], &[], false)?;
        let digits = Zeroizing::new(hex::encode(bytes.as_slice()));
        let mut file = outputs.create(0)?;
        for part in [HEADER, &digits, "\n"] {
            file.write_all(part.as_bytes())
                .map_err(outputs::io_error(&out))?;
        }
        outputs.commit()?;
        let id = ProjectKey::from_bytes(*bytes).id().to_string();
        let data = json!({ "key_file": out, "key_id": id });
        form.show(&data, || {
            format!(
                "Key {id} written to {}\nKeep it from whoever matches the tokens.",
                out.display()
            )
        })?;
        Ok(EXIT_OK)
    }
}

/// Reads the key file at `path`.
///
/// # Errors
/// [`Error`].
pub fn read(path: &Path) -> Result<ProjectKey, Error> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.into()),
        _ => Error::Io {
            path: path.into(),
            source,
        },
    };
    let file = File::open(path).map_err(io)?;
    // Asked of the open file, so that nobody can exchange it in between.
    let metadata = file.metadata().map_err(io)?;
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
        .map_err(io)?;
    parse(&text).ok_or_else(|| Error::Malformed(path.into()))
}

fn parse(text: &[u8]) -> Option<ProjectKey> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let (digits, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(digits, bytes.as_mut_slice()).ok()?;
    Some(ProjectKey::from_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_line_of_digits_is_a_key() {
        let digits = "ab".repeat(32);
        let key = |text: &str| parse(text.as_bytes()).map(|key| *key.expose());
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

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
