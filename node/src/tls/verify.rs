//! The check of a peer's certificates: webpki's, before it one of the keys, after it one word for
//! each fault.
//!
//! A peer that is refused sees an alert only. Where the alerts that rustls would send are shared by
//! several faults, others are sent, so that a peer of ours can tell them apart
//! ([`Refusal::from_alert`]):
//!
//! | fault | alert |
//! |---|---|
//! | a revocation list is past its next update | `bad_certificate_status_response` |
//! | no list covers an authority, or the key is weak | `certificate_unknown` |
//! | an authority above the certificate is revoked | `access_denied` |

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::refusal::Refusal;

/// Fewest bits of an RSA modulus: the least that NIST SP 800-57 part 1 allows beyond 2013, and that
/// ring verifies.
const RSA_BITS_MIN: usize = 2048;

/// `prime256v1` (RFC 5480 section 2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";
/// `secp384r1` (RFC 5480 section 2.1.1.1).
const P384: &str = "1.3.132.0.34";
/// `id-Ed25519` (RFC 8410 section 3).
const ED25519: &str = "1.3.101.112";

/// Checks clients.
#[derive(Debug)]
pub(super) struct Clients(pub(super) Checks<dyn ClientCertVerifier>);

/// Checks servers.
#[derive(Debug)]
pub(super) struct Servers(pub(super) Checks<dyn ServerCertVerifier>);

/// webpki's check, and one that tells which certificate of a chain it found revoked.
#[derive(Debug)]
pub(super) struct Checks<V: ?Sized> {
    /// Of the whole chain.
    pub(super) whole: Arc<V>,
    /// The same, but authorities are not looked up in the lists.
    pub(super) own: Arc<V>,
}

/// A refusal as the cause of a certificate error.
#[derive(Debug)]
struct Cause(Refusal);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {}

fn refused(refusal: Refusal) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(Cause(refusal)))).into()
}

/// The refusal that [`Clients`] or [`Servers`] had a name of its own for.
pub(crate) fn named(error: &OtherError) -> Option<Refusal> {
    error.0.downcast_ref::<Cause>().map(|cause| cause.0)
}

/// Gives the faults of revocation lists errors, and thereby alerts, of their own. `own_holds` tells
/// whether the peer's own certificate is in order.
fn told_apart(error: rustls::Error, own_holds: impl FnOnce() -> bool) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Revoked) if own_holds() => {
            CertificateError::ApplicationVerificationFailure.into()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. },
        ) => CertificateError::InvalidOcspResponse.into(),
        rustls::Error::InvalidCertificate(CertificateError::UnknownRevocationStatus)
        | rustls::Error::InvalidCertRevocationList(_) => refused(Refusal::NoRevocationList),
        error => error,
    }
}

/// Refuses a chain with a key that is weak or of a kind that is not used here.
fn check_keys<'a>(
    chain: impl Iterator<Item = &'a CertificateDer<'a>>,
) -> Result<(), rustls::Error> {
    for certificate in chain {
        let (_, certificate) =
            X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        if !is_strong(certificate.public_key()) {
            return Err(refused(Refusal::WeakKey));
        }
    }
    Ok(())
}

/// Whether a key is ECDSA over P-256 or P-384, Ed25519, or RSA of at least 2048 bits.
pub(crate) fn is_strong(key: &SubjectPublicKeyInfo<'_>) -> bool {
    if key.algorithm.algorithm.to_id_string() == ED25519 {
        return true;
    }
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => rsa.key_size() >= RSA_BITS_MIN,
        Ok(PublicKey::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref();
            let curve = curve.and_then(|curve| curve.as_oid().ok());
            curve.is_some_and(|curve| [P256, P384].contains(&curve.to_id_string().as_str()))
        }
        _ => false,
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.whole.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        check_keys(std::iter::once(end_entity).chain(intermediates))?;
        let Checks { whole, own } = &self.0;
        let checked = whole.verify_client_cert(end_entity, intermediates, now);
        checked.map_err(|error| {
            let own = || own.verify_client_cert(end_entity, intermediates, now);
            told_apart(error, || own().is_ok())
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .whole
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .whole
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.whole.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        check_keys(std::iter::once(end_entity).chain(intermediates))?;
        let Checks { whole, own } = &self.0;
        let check = |by: &dyn ServerCertVerifier| {
            by.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        check(&**whole).map_err(|error| told_apart(error, || check(&**own).is_ok()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .whole
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .whole
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.whole.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Public keys made with openssl, `openssl ecparam -name <curve> -genkey` and the like.
    const KEYS: [(bool, &str); 4] = [
        // secp224r1
        (
            false,
            "304e301006072a8648ce3d020106052b81040021033a000481cbaaf2e2e1330c1a2c2094b49c6e86d467\
             9fc6a880ae876549e9a3166ef3fa50c7f4dfd05ee0ae1ece17167e5bceecdd069f5324b1dd1c",
        ),
        // Ed25519 (RFC 8410 section 10.1)
        (
            true,
            "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
        ),
        // prime256v1: the generator
        (
            true,
            "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f2\
             77037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb640\
             6837bf51f5",
        ),
        // RSA of 1024 bits
        (
            false,
            "30819f300d06092a864886f70d010101050003818d00308189028181009f67dd52f5894a5e158e4da6e4\
             bac2755bbbe5bead86907ea45e2145aa422ec0ba2721f393f8a91630c34893d963df1eea75e62313c451\
             f5ad8e001a78ab3a48bdf8e527af188492b2d607794d25610e2a2877a4564d76f5d323138dfc0c8136ae\
             750922edda9a378d593365a7ced3887ddc43dfb3f5c353a6c0c1d6f61d37430203010001",
        ),
    ];

    #[test]
    fn keys_are_told_by_kind_and_size() {
        for (strong, hex) in KEYS {
            let der = hex::decode(hex).unwrap();
            let (_, key) = SubjectPublicKeyInfo::from_der(&der).unwrap();
            assert_eq!(is_strong(&key), strong, "{hex}");
        }
    }
}
