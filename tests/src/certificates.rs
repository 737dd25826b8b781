//! Certificates that the development authority would not issue.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use linkage_node::pki::Validity;
use linkage_node::tls::TlsFiles;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Hosts that every node answers at. A certificate issued to the party of a node that runs replaces
/// the node's own, which it then takes: so it must be as good.
pub const HOSTS: &[&str] = &["localhost", "127.0.0.1"];

/// A day from now on.
///
/// # Errors
/// Never before the calendar ends.
pub fn today() -> Result<Validity> {
    Ok(Validity::starting(Timestamp::now(), 1)?)
}

/// From and until so many hours after now.
///
/// # Errors
/// When the one is not before the other.
pub fn hours(from: i64, until: i64) -> Result<Validity> {
    let now = Timestamp::now();
    let after = |hours| now + SignedDuration::from_hours(hours);
    Ok(Validity::between(after(from), after(until))?)
}

/// A client's certificate of the authority in `pki` that bears this URI, in the new folder
/// `folder`.
///
/// # Errors
/// When it cannot be made.
pub fn bearing(pki: &Path, uri: &str, folder: &Path) -> Result<TlsFiles> {
    let ca_pem = fs::read_to_string(pki.join("ca.pem"))?;
    let ca_key = KeyPair::from_pem(&fs::read_to_string(pki.join("ca-key.pem"))?)?;
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key)?;
    let mut params = CertificateParams::new(vec![])?;
    params.subject_alt_names.push(SanType::URI(uri.try_into()?));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, &issuer)?;
    fs::create_dir(folder)?;
    let files = TlsFiles {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
        ca: pki.join("ca.pem"),
        crl: None,
    };
    fs::write(&files.cert, certificate.pem())?;
    fs::write(&files.key, key.serialize_pem())?;
    fs::set_permissions(&files.key, Permissions::from_mode(0o600))?;
    Ok(files)
}

/// TLS settings that trust the authority in `pki` and show no certificate.
///
/// # Errors
/// When the authority cannot be read.
pub fn anonymous(pki: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.pem"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
