//! Why TLS settings cannot be made.

use std::io;
use std::path::PathBuf;

use rustls::server::VerifierBuilderError;
use thiserror::Error;

use super::TlsFiles;

/// Largest PEM file read, in bytes: some 500 certificates of 2 KiB, far beyond any chain or bundle
/// of a project, and little enough that a mistaken path cannot fill the memory.
pub(super) const PEM_BYTES_MAX: u64 = 1 << 20;

/// Why TLS settings could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be opened or read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is larger than any PEM file of ours.
    #[error("{} is larger than {PEM_BYTES_MAX} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The private key can be read or written by more than its owner.
    #[error(
        "private key {} is open to others (mode {mode:03o}); run: chmod 600 {}",
        file.display(),
        file.display()
    )]
    KeyExposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that should hold certificates holds none, or a broken one.
    #[error("{} holds no readable PEM certificate", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// A file that should hold revocation lists holds none, or a broken one.
    #[error("{} holds no readable PEM revocation list", file.display())]
    NoList {
        /// The file.
        file: PathBuf,
    },
    /// A revocation list is not signed by the authority whose name it bears.
    #[error("{} holds a list that its authority in {} has not signed", crl.display(), ca.display())]
    BadList {
        /// The file of lists.
        crl: PathBuf,
        /// The file of authorities.
        ca: PathBuf,
    },
    /// There are revocation lists, and none of an authority that is accepted.
    #[error(
        "{} holds no list of an authority in {}: all its certificates would be refused. Add the \
         authority's list, an empty one if it has revoked nothing",
        crl.display(),
        ca.display()
    )]
    MissingList {
        /// The file of lists.
        crl: PathBuf,
        /// The file of authorities.
        ca: PathBuf,
    },
    /// Something new is past its last moment; what was there before is kept.
    #[error("{} is past its last moment", file.display())]
    Past {
        /// The file.
        file: PathBuf,
    },
    /// The new certificate is of another party than the one before.
    #[error("{} is the certificate of another party than before; that needs a restart", file.display())]
    OtherIdentity {
        /// The certificate file.
        file: PathBuf,
    },
    /// The key file holds no private key.
    #[error("{} holds no readable PEM private key", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// A certificate authority's certificate cannot serve as one.
    #[error("{} holds a certificate that cannot be a certificate authority", file.display())]
    BadCa {
        /// The file.
        file: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The certificate and the private key do not belong together.
    #[error("{} and {} do not belong together", cert.display(), key.display())]
    KeyMismatch {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The certificate or the private key cannot be used.
    #[error("{} and {} cannot be used", cert.display(), key.display())]
    BadPair {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// No certificate check could be built from the certificate authorities.
    #[error("the certificate authorities of {} cannot be used", file.display())]
    Verifier {
        /// The file.
        file: PathBuf,
        /// What rustls said.
        source: VerifierBuilderError,
    },
    /// The cryptography provider lacks TLS 1.3.
    #[error("TLS 1.3 is not available")]
    Versions(#[source] rustls::Error),
}

impl TlsError {
    /// The stable reason code, for logs and the audit log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::TooLarge { .. } => "tls_files.unreadable",
            Self::KeyExposed { .. } => "tls_files.key_exposed",
            Self::NoCertificate { .. } => "tls_files.no_certificate",
            Self::NoList { .. } => "tls_files.no_list",
            Self::BadList { .. } => "tls_files.bad_list",
            Self::MissingList { .. } => "tls_files.missing_list",
            Self::Past { .. } => "tls_files.past",
            Self::OtherIdentity { .. } => "tls_files.other_identity",
            Self::NoKey { .. } => "tls_files.no_key",
            Self::BadCa { .. } | Self::Verifier { .. } => "tls_files.bad_ca",
            Self::KeyMismatch { .. } => "tls_files.key_mismatch",
            Self::BadPair { .. } | Self::Versions(_) => "tls_files.unusable",
        }
    }

    /// What rustls said of authorities and lists.
    pub(super) fn verifier(files: &TlsFiles, source: VerifierBuilderError) -> Self {
        match (source, &files.crl) {
            (VerifierBuilderError::InvalidCrl(_), Some(crl)) => Self::NoList { file: crl.clone() },
            (source, _) => Self::Verifier {
                file: files.ca.clone(),
                source,
            },
        }
    }

    pub(super) fn pair(files: &TlsFiles, source: rustls::Error) -> Self {
        let (cert, key) = (files.cert.clone(), files.key.clone());
        match source {
            rustls::Error::InconsistentKeys(_) => Self::KeyMismatch { cert, key },
            source => Self::BadPair { cert, key, source },
        }
    }
}
