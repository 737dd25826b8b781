//! Revocation lists, checked before they are believed.
//!
//! webpki checks a list's signature when it first needs the list. A list that cannot hold must not
//! even replace the one before it.

use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::TlsFiles;
use super::error::TlsError;
use super::files::Material;

/// Refuses lists that their authority has not signed, and a set that covers no accepted authority:
/// under it everybody would be refused.
pub(super) fn check(material: &Material, files: &TlsFiles) -> Result<(), TlsError> {
    let Some(crl) = &files.crl else {
        return Ok(());
    };
    let ca = &files.ca;
    let authorities: Vec<X509Certificate<'_>> = material
        .authorities
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .map(|(_, certificate)| certificate)
        .collect();
    let mut covered = false;
    for list in &material.lists {
        let (_, list) = CertificateRevocationList::from_der(list)
            .map_err(|_| TlsError::NoList { file: crl.clone() })?;
        let mut named = authorities
            .iter()
            .filter(|authority| authority.subject().as_raw() == list.issuer().as_raw())
            .peekable();
        if named.peek().is_none() {
            // Of an intermediate authority, whose certificate peers bring along.
            continue;
        }
        let signed = named.any(|authority| list.verify_signature(authority.public_key()).is_ok());
        if !signed {
            let (crl, ca) = (crl.clone(), ca.clone());
            return Err(TlsError::BadList { crl, ca });
        }
        covered = true;
    }
    if covered {
        Ok(())
    } else {
        let (crl, ca) = (crl.clone(), ca.clone());
        Err(TlsError::MissingList { crl, ca })
    }
}
