//! TLS 1.3 with certificates on both sides, over ring, from three PEM files.
//!
//! Nothing here depends on a process-wide default of rustls. Sessions are never resumed: a resumed
//! one would skip the certificate checks.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::identity::{Identity, IdentityFault};

/// The protocol name of HTTP/2 in the TLS handshake (RFC 9113 section 3.2).
pub const ALPN_H2: &[u8] = b"h2";

/// Largest PEM file read, in bytes: some 500 certificates of 2 KiB, far beyond any chain or bundle
/// of a project, and little enough that a mistaken path cannot fill the memory.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Permission bits that a private key file must not have: any of group and others.
const KEY_MODE_FORBIDDEN: u32 = 0o077;

/// Where a node's or a person's TLS material lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: our certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM: our private key, PKCS #8; readable by its owner only.
    pub key: PathBuf,
    /// PEM: the certificate authorities we accept; several while one replaces another.
    pub ca: PathBuf,
}

/// Makes the TLS settings of a server: TLS 1.3, HTTP/2, a client certificate required, no tickets.
///
/// # Errors
/// A [`TlsError`] that names the file at fault.
pub fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let material = Material::read(files)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(material.roots, provider())
        .build()
        .map_err(|source| TlsError::Verifier {
            file: files.ca.clone(),
            source,
        })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Versions)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(material.chain, material.key)
        .map_err(|source| TlsError::pair(files, source))?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Makes the TLS settings of a client: TLS 1.3, HTTP/2, our certificate, no resumption.
///
/// # Errors
/// A [`TlsError`] that names the file at fault.
pub fn client_config(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let material = Material::read(files)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(material.roots, provider())
        .build()
        .map_err(|source| TlsError::Verifier {
            file: files.ca.clone(),
            source,
        })?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Versions)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(material.chain, material.key)
        .map_err(|source| TlsError::pair(files, source))?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Whom the first certificate of a PEM file speaks for.
///
/// # Errors
/// A [`TlsError`] when the file cannot be read; the inner error when the certificate names nobody.
pub fn identity_of(cert: &Path) -> Result<Result<Identity, IdentityFault>, TlsError> {
    let certificates = read_certificates(cert)?;
    let none = || TlsError::NoCertificate {
        file: cert.to_owned(),
    };
    Ok(Identity::from_certificate(
        certificates.first().ok_or_else(none)?,
    ))
}

/// The one cryptography provider of every connection.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What the three files hold.
struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
}

impl Material {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(&files.ca)? {
            roots.add(certificate).map_err(|source| TlsError::BadCa {
                file: files.ca.clone(),
                source,
            })?;
        }
        Ok(Self {
            chain: read_certificates(&files.cert)?,
            key: read_key(&files.key)?,
            roots: Arc::new(roots),
        })
    }
}

pub(crate) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let opened = open(file)?;
    let pem = read_all(&opened, file)?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::NoCertificate {
            file: file.to_owned(),
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            file: file.to_owned(),
        });
    }
    Ok(certificates)
}

pub(crate) fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let opened = open(file)?;
    // Asked of the open file, not of its name, so that it cannot be swapped in between.
    let metadata = opened.metadata().map_err(|source| TlsError::Read {
        file: file.to_owned(),
        source,
    })?;
    if metadata.mode() & KEY_MODE_FORBIDDEN != 0 {
        return Err(TlsError::KeyExposed {
            file: file.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    let pem = read_all(&opened, file)?;
    // The decoder's error is dropped: it may quote the line at fault, which may be key material.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey {
        file: file.to_owned(),
    })
}

fn open(file: &Path) -> Result<File, TlsError> {
    File::open(file).map_err(|source| TlsError::Read {
        file: file.to_owned(),
        source,
    })
}

fn read_all(opened: &File, file: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |source| TlsError::Read {
        file: file.to_owned(),
        source,
    };
    let length = opened.metadata().map_err(failed)?.len();
    if length > PEM_BYTES_MAX {
        return Err(TlsError::TooLarge {
            file: file.to_owned(),
        });
    }
    // Room for the whole file from the start, so that growth leaves no copy of a key behind.
    let mut pem = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    opened
        .take(PEM_BYTES_MAX)
        .read_to_end(&mut pem)
        .map_err(failed)?;
    Ok(pem)
}

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
    fn pair(files: &TlsFiles, source: rustls::Error) -> Self {
        let (cert, key) = (files.cert.clone(), files.key.clone());
        match source {
            rustls::Error::InconsistentKeys(_) => Self::KeyMismatch { cert, key },
            source => Self::BadPair { cert, key, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::identity::Role;
    use crate::pki::{DevPki, Validity};

    fn issued(dir: &Path) -> TlsFiles {
        let validity = Validity::starting(jiff::Timestamp::now(), 1).unwrap();
        let pki = DevPki::create(&dir.join("pki"), "linkage.example", validity).unwrap();
        pki.issue(Role::Owner, "health", &["localhost"], validity)
            .unwrap()
    }

    #[test]
    fn settings_are_strict() {
        let dir = tempfile::tempdir().unwrap();
        let files = issued(dir.path());
        let server = server_config(&files).unwrap();
        assert_eq!(server.alpn_protocols, [ALPN_H2.to_vec()]);
        assert_eq!(server.send_tls13_tickets, 0);
        let client = client_config(&files).unwrap();
        assert_eq!(client.alpn_protocols, [ALPN_H2.to_vec()]);
    }

    #[test]
    fn an_exposed_key_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let files = issued(dir.path());
        for mode in [0o640, 0o604, 0o620, 0o611] {
            fs::set_permissions(&files.key, Permissions::from_mode(mode)).unwrap();
            let error = server_config(&files).unwrap_err();
            assert!(matches!(error, TlsError::KeyExposed { mode: found, .. } if found == mode));
            let remedy = format!("chmod 600 {}", files.key.display());
            assert!(error.to_string().contains(&remedy), "{error}");
        }
        fs::set_permissions(&files.key, Permissions::from_mode(0o400)).unwrap();
        client_config(&files).unwrap();
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let files = issued(dir.path());
        let gone = TlsFiles {
            ca: dir.path().join("gone.pem"),
            ..files.clone()
        };
        assert!(
            server_config(&gone)
                .unwrap_err()
                .to_string()
                .contains("gone.pem")
        );

        let no_ca = TlsFiles {
            ca: files.key.clone(),
            ..files.clone()
        };
        assert!(
            matches!(client_config(&no_ca), Err(TlsError::NoCertificate { file }) if file == files.key)
        );

        let huge = dir.path().join("huge.pem");
        fs::write(&huge, vec![b'x'; PEM_BYTES_MAX as usize + 1]).unwrap();
        let huge = TlsFiles {
            cert: huge,
            ..files.clone()
        };
        assert!(matches!(
            client_config(&huge),
            Err(TlsError::TooLarge { .. })
        ));

        let half = fs::read(&files.key).unwrap();
        fs::write(&files.key, &half[..half.len() / 2]).unwrap();
        assert!(
            matches!(server_config(&files), Err(TlsError::NoKey { file }) if file == files.key)
        );
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let one = issued(&dir.path().join("one"));
        let other = issued(&dir.path().join("other"));
        let mixed = TlsFiles {
            key: other.key,
            ..one
        };
        assert!(matches!(
            server_config(&mixed),
            Err(TlsError::KeyMismatch { .. })
        ));
        assert!(matches!(
            client_config(&mixed),
            Err(TlsError::KeyMismatch { .. })
        ));
    }
}
