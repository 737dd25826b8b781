//! TLS 1.3 with certificates on both sides, over ring, from PEM files.
//!
//! Nothing here depends on a process-wide default of rustls. Sessions are never resumed: a resumed
//! one would skip the certificate checks.

pub mod credentials;
mod error;
pub mod expiry;
mod files;
pub(crate) use files::{read_certificates, read_key};
pub mod keeper;
mod lists;
pub(crate) mod verify;

pub use error::TlsError;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ServerConfig};

use crate::identity::{Identity, IdentityFault};
use files::Material;

/// The protocol name of HTTP/2 in the TLS handshake (RFC 9113 section 3.2).
pub const ALPN_H2: &[u8] = b"h2";

/// Where a node's or a person's TLS material lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: our certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM: our private key, PKCS #8; readable by its owner only.
    pub key: PathBuf,
    /// PEM: the certificate authorities we accept; several while one replaces another.
    pub ca: PathBuf,
    /// PEM: a revocation list of each authority above peers' certificates. Without the file nothing
    /// is ever revoked; with it, a peer whose state no current list tells is refused.
    pub crl: Option<PathBuf>,
}

/// Makes the TLS settings of a server: TLS 1.3, HTTP/2, a client certificate required, no tickets.
///
/// # Errors
/// A [`TlsError`] that names the file at fault.
pub fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let material = Material::read(files)?;
    server_of(&material, client_verifier(&material, files)?, files)
}

/// Makes the TLS settings of a client: TLS 1.3, HTTP/2, our certificate, no resumption.
///
/// # Errors
/// A [`TlsError`] that names the file at fault.
pub fn client_config(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    client_of(&Material::read(files)?, files)
}

fn client_verifier(
    material: &Material,
    files: &TlsFiles,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = material.roots(files)?;
    let builder = || {
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .with_crls(material.lists.iter().cloned())
            .enforce_revocation_expiration()
    };
    let refused = |source| TlsError::verifier(files, source);
    Ok(Arc::new(verify::Clients(verify::Checks {
        whole: builder().build().map_err(refused)?,
        own: builder()
            .only_check_end_entity_revocation()
            .build()
            .map_err(refused)?,
    })))
}

fn server_of(
    material: &Material,
    verifier: Arc<dyn ClientCertVerifier>,
    files: &TlsFiles,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Versions)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(material.chain.clone(), material.key.clone_key())
        .map_err(|source| TlsError::pair(files, source))?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn client_of(material: &Material, files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = material.roots(files)?;
    let builder = || {
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .with_crls(material.lists.iter().cloned())
            .enforce_revocation_expiration()
    };
    let refused = |source| TlsError::verifier(files, source);
    let checks = verify::Checks::<dyn ServerCertVerifier> {
        whole: builder().build().map_err(refused)?,
        own: builder()
            .only_check_end_entity_revocation()
            .build()
            .map_err(refused)?,
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verify::Servers(checks)))
        .with_client_auth_cert(material.chain.clone(), material.key.clone_key())
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
    let certificates = files::read_certificates(cert)?;
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::error::PEM_BYTES_MAX;
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
