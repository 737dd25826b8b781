//! How long certificates are still valid.

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Seconds from `now` until the first certificate of a PEM file ends, below 0 after it; nothing if
/// the file holds no readable certificate.
pub fn remaining_s(file: &Path, now: Timestamp) -> Option<i64> {
    let certificates = CertificateDer::pem_file_iter(file).ok()?;
    let mut first = None;
    for certificate in certificates {
        let der = certificate.ok()?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let remaining = certificate.validity().not_after.timestamp() - now.as_second();
        first = Some(first.map_or(remaining, |first: i64| first.min(remaining)));
    }
    first
}
