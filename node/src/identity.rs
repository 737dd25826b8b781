//! Who a certificate speaks for: the one SPIFFE URI in its subject alternative names.
//!
//! An identity reads `spiffe://<trust domain>/<role>/<party>`, for example
//! `spiffe://linkage.example/owner/health`; that of a person may name the person within the party:
//! `spiffe://linkage.example/operator/health/li`. The form follows the SPIFFE X.509-SVID
//! specification (section 2: exactly one URI SAN), narrowed to these path segments.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Longest trust domain, in bytes (SPIFFE-ID specification, section 2.1).
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// Longest party name, in bytes: that of a DNS label (RFC 1035 section 2.3.4), so that a party can
/// name its host.
const PARTY_BYTES_MAX: usize = 63;

/// What a party does, as its certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A department's node, which holds records.
    Owner,
    /// The node that compares tokens.
    Matcher,
    /// A person who runs a node, by command line.
    Operator,
    /// A person who asks for tables.
    Analyst,
    /// A person who checks the audit logs.
    Auditor,
}

impl Role {
    /// Every role, in the order of the declaration.
    pub const ALL: [Self; 5] = [
        Self::Owner,
        Self::Matcher,
        Self::Operator,
        Self::Analyst,
        Self::Auditor,
    ];

    /// The word that stands in a certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Matcher => "matcher",
            Self::Operator => "operator",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
        }
    }

    /// Whether parties of this role run a server.
    pub fn is_node(self) -> bool {
        matches!(self, Self::Owner | Self::Matcher)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = IdentityFault;

    fn from_str(word: &str) -> Result<Self, IdentityFault> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or(IdentityFault::UnknownRole)
    }
}

/// A trust domain, a role and a party, each checked when the value was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    trust_domain: String,
    role: Role,
    party: String,
    person: Option<String>,
}

impl Identity {
    /// Makes an identity from its parts.
    ///
    /// # Errors
    /// [`IdentityFault::BadTrustDomain`] unless `trust_domain` is 1 to 255 of `[a-z0-9._-]`;
    /// [`IdentityFault::BadParty`] unless `party` is 1 to 63 of `[a-z0-9-]`.
    pub fn new(trust_domain: &str, role: Role, party: &str) -> Result<Self, IdentityFault> {
        check_trust_domain(trust_domain)?;
        check_name(party)?;
        Ok(Self {
            trust_domain: trust_domain.to_owned(),
            role,
            party: party.to_owned(),
            person: None,
        })
    }

    /// This identity, of one person of the party.
    ///
    /// # Errors
    /// [`IdentityFault::BadPath`] for a node, which is no person; [`IdentityFault::BadParty`]
    /// unless `person` is 1 to 63 of `[a-z0-9-]`.
    pub fn with_person(mut self, person: &str) -> Result<Self, IdentityFault> {
        if self.role.is_node() {
            return Err(IdentityFault::BadPath);
        }
        check_name(person)?;
        self.person = Some(person.to_owned());
        Ok(self)
    }

    /// Reads the identity of a certificate. Its signature and dates are not looked at: that is for
    /// the TLS handshake.
    ///
    /// # Errors
    /// An [`IdentityFault`] unless the bytes are one X.509 certificate with exactly one URI among
    /// its subject alternative names, and that URI is an identity.
    pub fn from_certificate(der: &[u8]) -> Result<Self, IdentityFault> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| IdentityFault::BadCertificate)?;
        if !rest.is_empty() {
            return Err(IdentityFault::BadCertificate);
        }
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityFault::BadCertificate)?
            .map(|extension| extension.value.general_names.as_slice())
            .unwrap_or_default();
        let mut uris = names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(Ok(*uri)),
            // A name that is not text may be a second URI in disguise.
            GeneralName::Invalid(..) => Some(Err(IdentityFault::BadCertificate)),
            _ => None,
        });
        let uri = uris.next().ok_or(IdentityFault::NoUriSan)??;
        match uris.next() {
            None => uri.parse(),
            Some(Ok(_)) => Err(IdentityFault::ManyUriSans),
            Some(Err(fault)) => Err(fault),
        }
    }

    /// The trust domain, such as `linkage.example`.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The party, such as `health`.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// The person within the party, where the certificate names one.
    pub fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/{}/{}",
            self.trust_domain, self.role, self.party
        )?;
        match &self.person {
            Some(person) => write!(f, "/{person}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityFault;

    fn from_str(uri: &str) -> Result<Self, IdentityFault> {
        if uri.contains('*') {
            return Err(IdentityFault::Wildcard);
        }
        let path = uri
            .strip_prefix("spiffe://")
            .ok_or(IdentityFault::WrongScheme)?;
        let mut segments = path.split('/');
        let (Some(trust_domain), Some(role), Some(party), person, None) = (
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
        ) else {
            return Err(IdentityFault::BadPath);
        };
        let identity = Self::new(trust_domain, role.parse()?, party)?;
        match person {
            Some(person) => identity.with_person(person),
            None => Ok(identity),
        }
    }
}

/// Checks the name of a party or person.
fn check_name(name: &str) -> Result<(), IdentityFault> {
    let ok = (1..=PARTY_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if ok {
        Ok(())
    } else {
        Err(IdentityFault::BadParty)
    }
}

/// Checks a trust domain's length and letters.
///
/// # Errors
/// [`IdentityFault::BadTrustDomain`] unless it is 1 to 255 of `[a-z0-9._-]`.
pub fn check_trust_domain(trust_domain: &str) -> Result<(), IdentityFault> {
    let ok = (1..=TRUST_DOMAIN_BYTES_MAX).contains(&trust_domain.len())
        && trust_domain
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if ok {
        Ok(())
    } else {
        Err(IdentityFault::BadTrustDomain)
    }
}

/// Why a certificate or a text is no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum IdentityFault {
    /// The bytes are not one well-formed X.509 certificate.
    #[error("the certificate cannot be read")]
    BadCertificate,
    /// No URI among the subject alternative names.
    #[error("the certificate names no URI")]
    NoUriSan,
    /// Two or more URIs among the subject alternative names.
    #[error("the certificate names more than one URI")]
    ManyUriSans,
    /// The URI holds a `*`.
    #[error("the URI holds a wildcard")]
    Wildcard,
    /// The URI does not start with `spiffe://`.
    #[error("the URI's scheme is not spiffe")]
    WrongScheme,
    /// The URI is not a trust domain, a role and a party, with a person at most if it is no node's.
    #[error("the URI is not spiffe://<trust domain>/<role>/<party>, or that of a person")]
    BadPath,
    /// The trust domain has a wrong length or letter.
    #[error("the trust domain is not 1 to 255 of a-z, 0-9, dot, underscore, hyphen")]
    BadTrustDomain,
    /// The role is none of [`Role::ALL`].
    #[error("the role is not known")]
    UnknownRole,
    /// The party or person has a wrong length or letter.
    #[error("the party or person is not 1 to 63 of a-z, 0-9, hyphen")]
    BadParty,
}

impl IdentityFault {
    /// Every fault.
    pub const ALL: [Self; 9] = [
        Self::BadCertificate,
        Self::NoUriSan,
        Self::ManyUriSans,
        Self::Wildcard,
        Self::WrongScheme,
        Self::BadPath,
        Self::BadTrustDomain,
        Self::UnknownRole,
        Self::BadParty,
    ];

    /// The stable reason code, for logs and the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadCertificate => "identity.bad_certificate",
            Self::NoUriSan => "identity.no_uri_san",
            Self::ManyUriSans => "identity.many_uri_sans",
            Self::Wildcard => "identity.wildcard",
            Self::WrongScheme => "identity.wrong_scheme",
            Self::BadPath => "identity.bad_path",
            Self::BadTrustDomain => "identity.bad_trust_domain",
            Self::UnknownRole => "identity.unknown_role",
            Self::BadParty => "identity.bad_party",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI((*uri).try_into().unwrap()));
        }
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn reads_the_one_uri() {
        let der = certificate(&["spiffe://linkage.example/owner/health-1"]);
        let identity = Identity::from_certificate(&der).unwrap();
        assert_eq!(
            identity,
            Identity::new("linkage.example", Role::Owner, "health-1").unwrap()
        );
        assert_eq!(
            identity.to_string(),
            "spiffe://linkage.example/owner/health-1"
        );
    }

    #[test]
    fn a_certificate_may_name_a_person() {
        let uri = "spiffe://linkage.example/operator/health/li";
        let identity = Identity::from_certificate(&certificate(&[uri])).unwrap();
        assert_eq!(identity.party(), "health");
        assert_eq!(identity.person(), Some("li"));
        assert_eq!(identity.to_string(), uri);
    }

    #[test]
    fn every_fault_has_its_code() {
        let long_party = format!("spiffe://d/owner/{}", "a".repeat(64));
        let long_domain = format!("spiffe://{}/owner/a", "d".repeat(256));
        for (uris, code) in [
            (vec![], "identity.no_uri_san"),
            (
                vec!["spiffe://d/owner/a", "spiffe://d/owner/a"],
                "identity.many_uri_sans",
            ),
            (
                vec!["spiffe://d/owner/a", "https://d/"],
                "identity.many_uri_sans",
            ),
            (vec!["spiffe://d/*/a"], "identity.wildcard"),
            (vec!["spiffe://*.d/owner/a"], "identity.wildcard"),
            (vec!["https://d/owner/a"], "identity.wrong_scheme"),
            (vec!["SPIFFE://d/owner/a"], "identity.wrong_scheme"),
            (vec!["spiffe://d/owner"], "identity.bad_path"),
            (vec!["spiffe://d/owner/a/b"], "identity.bad_path"),
            (vec!["spiffe://d/owner/a/"], "identity.bad_path"),
            (vec!["spiffe://d/operator/a/b/c"], "identity.bad_path"),
            (vec!["spiffe://d/operator/a/"], "identity.bad_party"),
            (vec!["spiffe://d/operator/a/B"], "identity.bad_party"),
            (vec!["spiffe:///owner/a"], "identity.bad_trust_domain"),
            (vec!["spiffe://D/owner/a"], "identity.bad_trust_domain"),
            (vec!["spiffe://d:1/owner/a"], "identity.bad_trust_domain"),
            (vec!["spiffe://u@d/owner/a"], "identity.bad_trust_domain"),
            (vec![&long_domain], "identity.bad_trust_domain"),
            (vec!["spiffe://d/root/a"], "identity.unknown_role"),
            (vec!["spiffe://d/Owner/a"], "identity.unknown_role"),
            (vec!["spiffe://d/owner/"], "identity.bad_party"),
            (vec!["spiffe://d/owner/a_b"], "identity.bad_party"),
            (vec!["spiffe://d/owner/a?x"], "identity.bad_party"),
            (vec!["spiffe://d/owner/a%62"], "identity.bad_party"),
            (vec![&long_party], "identity.bad_party"),
        ] {
            let fault = Identity::from_certificate(&certificate(&uris)).unwrap_err();
            assert_eq!(fault.code(), code, "{uris:?}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_certificate() {
        let der = certificate(&["spiffe://d/owner/a"]);
        for cut in 0..der.len() {
            let fault = Identity::from_certificate(&der[..cut]).unwrap_err();
            assert_eq!(
                fault,
                IdentityFault::BadCertificate,
                "{cut} of {} bytes",
                der.len()
            );
        }
        let longer = [der.as_slice(), &[0]].concat();
        assert_eq!(
            Identity::from_certificate(&longer),
            Err(IdentityFault::BadCertificate)
        );
    }

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::BTreeSet<_> = IdentityFault::ALL
            .iter()
            .map(|fault| fault.code())
            .collect();
        assert_eq!(codes.len(), IdentityFault::ALL.len());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            // Random bytes are no certificate: the only wrong answers are a panic and an identity.
            prop_assert!(Identity::from_certificate(&bytes).is_err());
        }

        #[test]
        fn a_flipped_certificate_does_not_panic(at in 0_usize..400, bit in 0_u32..8) {
            let mut der = certificate(&["spiffe://linkage.example/owner/a"]);
            let at = at % der.len();
            der[at] ^= 1 << bit;
            // What still reads as an identity must print as the URI that stands in the bytes.
            if let Ok(identity) = Identity::from_certificate(&der) {
                let uri = identity.to_string();
                prop_assert!(der.windows(uri.len()).any(|window| window == uri.as_bytes()));
            }
        }

        #[test]
        fn text_and_identity_agree(text in "(spiffe://)?[a-z.*]{0,4}/(owner|operator|x)/[a-z/-]{0,7}") {
            if let Ok(identity) = text.parse::<Identity>() {
                prop_assert_eq!(identity.to_string(), text);
            }
        }
    }
}
