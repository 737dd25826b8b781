//! Why a connection was refused: one closed list of reasons with stable codes.
//!
//! The server puts the reason into its audit log; the client learns it from the TLS alert or, once
//! the handshake is over, from the debug data of an HTTP/2 GOAWAY frame, and shows the same words.

use std::fmt;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use crate::identity::IdentityFault;

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The client sent no certificate.
    NoClientCertificate,
    /// The certificate leads to none of our certificate authorities.
    UnknownCa,
    /// The certificate's last day is past.
    Expired,
    /// The certificate's first day is still to come.
    NotYetValid,
    /// The certificate is not meant for this side of a connection.
    WrongEku,
    /// The certificate is revoked.
    Revoked,
    /// An authority above the certificate is revoked.
    AuthorityRevoked,
    /// A revocation list that decides on the certificate is past its next update.
    ListExpired,
    /// No usable revocation list covers an authority above the certificate.
    NoRevocationList,
    /// A key in the certificate or above it is weak or of a kind that is not used here.
    WeakKey,
    /// The certificate does not name the host that was asked for.
    WrongName,
    /// The certificate is malformed, badly signed or otherwise unusable.
    BadCertificate,
    /// The peer speaks no TLS 1.3.
    ProtocolVersion,
    /// The peers share no cipher suite, group or signature scheme.
    Incompatible,
    /// The peer does not speak HTTP/2.
    WrongAlpn,
    /// The peer's first bytes were not TLS.
    NotTls,
    /// The peer broke the TLS protocol.
    ProtocolBroken,
    /// The handshake took longer than its limit.
    HandshakeTimeout,
    /// The peer ended the connection within the handshake.
    Closed,
    /// The peer refused us with an alert.
    RefusedByPeer,
    /// Too many handshakes at once.
    TooManyHandshakes,
    /// Too many connections of all peers together.
    TooManyConnections,
    /// Too many connections of this peer.
    TooManyOfPeer,
    /// The certificate is of another trust domain.
    ForeignTrustDomain,
    /// The certificate bears no identity.
    Identity(IdentityFault),
}

impl Refusal {
    /// Every reason except [`Refusal::Identity`], which has a list of its own.
    const PLAIN: [Self; 24] = [
        Self::NoClientCertificate,
        Self::UnknownCa,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongEku,
        Self::Revoked,
        Self::AuthorityRevoked,
        Self::ListExpired,
        Self::NoRevocationList,
        Self::WeakKey,
        Self::WrongName,
        Self::BadCertificate,
        Self::ProtocolVersion,
        Self::Incompatible,
        Self::WrongAlpn,
        Self::NotTls,
        Self::ProtocolBroken,
        Self::HandshakeTimeout,
        Self::Closed,
        Self::RefusedByPeer,
        Self::TooManyHandshakes,
        Self::TooManyConnections,
        Self::TooManyOfPeer,
        Self::ForeignTrustDomain,
    ];

    /// The stable reason code, for logs, the audit log and the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoClientCertificate => "tls.no_client_certificate",
            Self::UnknownCa => "tls.unknown_ca",
            Self::Expired => "tls.expired",
            Self::NotYetValid => "tls.not_yet_valid",
            Self::WrongEku => "tls.wrong_eku",
            Self::Revoked => "tls.revoked",
            Self::AuthorityRevoked => "tls.authority_revoked",
            Self::ListExpired => "tls.revocation_list_expired",
            Self::NoRevocationList => "tls.no_revocation_list",
            Self::WeakKey => "tls.weak_key",
            Self::WrongName => "tls.wrong_name",
            Self::BadCertificate => "tls.bad_certificate",
            Self::ProtocolVersion => "tls.protocol_version",
            Self::Incompatible => "tls.incompatible",
            Self::WrongAlpn => "tls.wrong_alpn",
            Self::NotTls => "tls.not_tls",
            Self::ProtocolBroken => "tls.protocol_broken",
            Self::HandshakeTimeout => "tls.handshake_timeout",
            Self::Closed => "tls.closed",
            Self::RefusedByPeer => "tls.refused_by_peer",
            Self::TooManyHandshakes => "limit.handshakes",
            Self::TooManyConnections => "limit.connections",
            Self::TooManyOfPeer => "limit.connections_per_peer",
            Self::ForeignTrustDomain => "identity.foreign_trust_domain",
            Self::Identity(fault) => fault.code(),
        }
    }

    /// The reason that bears `code`, if any does.
    pub fn from_code(code: &str) -> Option<Self> {
        let identity = IdentityFault::ALL.into_iter().map(Self::Identity);
        Self::PLAIN
            .into_iter()
            .chain(identity)
            .find(|refusal| refusal.code() == code)
    }

    /// The reason behind a failed handshake.
    pub fn from_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::NoCertificatesPresented => Self::NoClientCertificate,
            rustls::Error::InvalidCertificate(error) => Self::from_certificate(error),
            rustls::Error::NoApplicationProtocol => Self::WrongAlpn,
            rustls::Error::AlertReceived(_) => Self::RefusedByPeer,
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::ProtocolVersion,
            rustls::Error::PeerIncompatible(_) => Self::Incompatible,
            _ => Self::ProtocolBroken,
        }
    }

    /// The reason behind an input or output error of a handshake.
    pub fn from_io(error: &std::io::Error) -> Self {
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .map_or(Self::Closed, Self::from_tls)
    }

    /// The reason that an alert of the peer gives for refusing our certificate or our offer
    /// (RFC 8446 section 6.2), as our nodes use alerts: see [`crate::tls`]'s verifiers.
    /// `certificate_expired` also stands for a certificate that is not valid yet, and
    /// `certificate_unknown` for one with a weak key.
    pub fn from_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::CertificateRequired => Self::NoClientCertificate,
            AlertDescription::UnknownCA => Self::UnknownCa,
            AlertDescription::CertificateExpired => Self::Expired,
            AlertDescription::UnsupportedCertificate => Self::WrongEku,
            AlertDescription::CertificateRevoked => Self::Revoked,
            AlertDescription::AccessDenied => Self::AuthorityRevoked,
            AlertDescription::BadCertificateStatusResponse => Self::ListExpired,
            AlertDescription::CertificateUnknown => Self::NoRevocationList,
            AlertDescription::BadCertificate | AlertDescription::DecryptError => {
                Self::BadCertificate
            }
            AlertDescription::ProtocolVersion => Self::ProtocolVersion,
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                Self::Incompatible
            }
            AlertDescription::NoApplicationProtocol => Self::WrongAlpn,
            _ => Self::RefusedByPeer,
        }
    }

    fn from_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownCa,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::ApplicationVerificationFailure => Self::AuthorityRevoked,
            CertificateError::InvalidOcspResponse
            | CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::ListExpired,
            CertificateError::UnknownRevocationStatus => Self::NoRevocationList,
            CertificateError::Other(error) => {
                crate::tls::verify::named(error).unwrap_or(Self::BadCertificate)
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongEku
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            _ => Self::BadCertificate,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClientCertificate => "no client certificate",
            Self::UnknownCa => "the certificate is of an unknown certificate authority",
            Self::Expired => "the certificate is expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::WrongEku => "the certificate is not meant for this use",
            Self::Revoked => "the certificate is revoked",
            Self::AuthorityRevoked => "an authority above the certificate is revoked",
            Self::ListExpired => "the revocation list is past its next update",
            Self::NoRevocationList => "no revocation list covers the certificate's authority",
            Self::WeakKey => "a key is weak: P-256, P-384, Ed25519 or RSA of 2048 bits is required",
            Self::WrongName => "the certificate does not name this host",
            Self::BadCertificate => "the certificate is malformed or badly signed",
            Self::ProtocolVersion => "TLS 1.3 is required",
            Self::Incompatible => "no cipher suite, group or signature scheme in common",
            Self::WrongAlpn => "HTTP/2 is required",
            Self::NotTls => "the first bytes are not TLS",
            Self::ProtocolBroken => "the TLS protocol was broken",
            Self::HandshakeTimeout => "the handshake took too long",
            Self::Closed => "the connection ended within the handshake",
            Self::RefusedByPeer => "the peer refused with an alert",
            Self::TooManyHandshakes => "too many handshakes at once",
            Self::TooManyConnections => "too many connections",
            Self::TooManyOfPeer => "too many connections of this peer",
            Self::ForeignTrustDomain => "the certificate is of another trust domain",
            Self::Identity(fault) => return fault.fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_reason() {
        let identity = IdentityFault::ALL.into_iter().map(Refusal::Identity);
        for refusal in Refusal::PLAIN.into_iter().chain(identity) {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
        assert_eq!(Refusal::from_code("tls.unheard_of"), None);
    }

    #[test]
    fn an_error_without_tls_inside_is_a_closed_connection() {
        let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        assert_eq!(Refusal::from_io(&error), Refusal::Closed);
    }
}
