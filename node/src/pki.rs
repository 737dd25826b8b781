//! A certificate authority for development and demonstrations. **Not for production**: its private
//! key lies unencrypted in a file, it remembers neither what it issued nor what it revoked, and
//! whoever can read its folder can become any party. A real deployment takes its certificates from
//! its own authority.
//!
//! ```text
//! <dir>/ca.pem                     the authority's certificate
//! <dir>/ca-key.pem                 its private key, mode 600
//! <dir>/crl.pem                    its revocation list, if one was made
//! <dir>/<role>-<party>/ca.pem      a copy, so that the folder can be handed over whole
//! <dir>/<role>-<party>/cert.pem    the party's certificate
//! <dir>/<role>-<party>/key.pem     its private key, mode 600
//! <dir>/<role>-<party>.<person>/   the same of one person of the party
//! ```

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use crate::identity::{Identity, IdentityFault, Role, check_trust_domain};
use crate::tls::TlsFiles;

/// How long before now a certificate starts to be valid, so that the clocks of the machines of one
/// demonstration may differ: the 60 s of skew that nodes bear, with room to spare.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// Name of the authority's certificate, in its own folder and in each party's.
const CA_FILE: &str = "ca.pem";
/// Name of the authority's private key.
const CA_KEY_FILE: &str = "ca-key.pem";
/// Name of the authority's revocation list.
const CRL_FILE: &str = "crl.pem";

/// Hex digits of its key's digest in an authority's name: 32 bits, as nobody has many authorities.
const CA_MARK_CHARS: usize = 8;

/// The first and last moment at which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// From five minutes before `now`, for the clocks of others, until `days` days after it.
    ///
    /// # Errors
    /// [`PkiError::Validity`] if that lies beyond the calendar.
    pub fn starting(now: Timestamp, days: u32) -> Result<Self, PkiError> {
        let life = SignedDuration::from_hours(24 * i64::from(days));
        Self::between(
            now.checked_sub(BACKDATE).map_err(|_| PkiError::Validity)?,
            now.checked_add(life).map_err(|_| PkiError::Validity)?,
        )
    }

    /// From `not_before` to `not_after`, in whole seconds.
    ///
    /// # Errors
    /// [`PkiError::Validity`] unless the first lies before the second and not before 1970.
    pub fn between(not_before: Timestamp, not_after: Timestamp) -> Result<Self, PkiError> {
        if not_before < Timestamp::UNIX_EPOCH || not_before >= not_after {
            return Err(PkiError::Validity);
        }
        Ok(Self {
            not_before,
            not_after,
        })
    }

    fn write_to(self, params: &mut CertificateParams) {
        // Seconds since 1970, never negative by `between`.
        let since_epoch =
            |at: Timestamp| Duration::from_secs(at.as_second().try_into().unwrap_or_default());
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_epoch(self.not_before);
        params.not_after = epoch + since_epoch(self.not_after);
    }
}

/// A certificate authority in a folder. **For development only**, see the module's words.
pub struct DevPki {
    dir: PathBuf,
    trust_domain: String,
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl DevPki {
    /// Makes a new authority (ECDSA P-256) for `trust_domain` in the folder `dir`, which is made if
    /// need be.
    ///
    /// # Errors
    /// [`PkiError::Exists`] if the folder holds an authority already: its certificates would all
    /// become worthless. Else a [`PkiError`] for a bad trust domain, or from the file system.
    pub fn create(dir: &Path, trust_domain: &str, validity: Validity) -> Result<Self, PkiError> {
        check_trust_domain(trust_domain).map_err(PkiError::Identity)?;
        make_dir(dir)?;
        let (ca_file, key_file) = (dir.join(CA_FILE), dir.join(CA_KEY_FILE));
        for file in [&ca_file, &key_file] {
            if file.exists() {
                return Err(PkiError::Exists { file: file.clone() });
            }
        }
        let mut params = CertificateParams::default();
        validity.write_to(&mut params);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // A signing certificate's SPIFFE ID is its trust domain alone (X.509-SVID section 3.2).
        params.subject_alt_names = vec![uri_san(&format!("spiffe://{trust_domain}"))?];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // The key's digest tells two authorities of one trust domain apart. With the same name, a
        // certificate of the other would count as badly signed instead of unknown.
        let digest = ring::digest::digest(&ring::digest::SHA256, key.public_key_raw());
        let mark: String = hex::encode(digest).chars().take(CA_MARK_CHARS).collect();
        params.distinguished_name = distinguished_name(&format!("Linkage development CA {mark}"));
        let ca_pem = params.self_signed(&key)?.pem();

        write_file(
            &key_file,
            Zeroizing::new(key.serialize_pem()).as_bytes(),
            0o600,
        )?;
        write_file(&ca_file, ca_pem.as_bytes(), 0o644)?;
        Ok(Self {
            dir: dir.to_owned(),
            trust_domain: trust_domain.to_owned(),
            ca_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// Opens the authority that [`Self::create`] made in `dir`, to issue more.
    ///
    /// # Errors
    /// A [`PkiError`] if a file is missing, broken or of another authority.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let (ca_file, key_file) = (dir.join(CA_FILE), dir.join(CA_KEY_FILE));
        let read = |file: &Path| {
            fs::read_to_string(file).map_err(|source| PkiError::Io {
                path: file.to_owned(),
                source,
            })
        };
        let ca_pem = read(&ca_file)?;
        let key =
            KeyPair::from_pem(&Zeroizing::new(read(&key_file)?)).map_err(|_| PkiError::BadKey {
                file: key_file.clone(),
            })?;
        let trust_domain = trust_domain_of(&ca_pem, key.public_key_raw())
            .ok_or(PkiError::BadCa { file: ca_file })?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, key)?;
        Ok(Self {
            dir: dir.to_owned(),
            trust_domain,
            ca_pem,
            issuer,
        })
    }

    /// Issues a certificate and a new key (ECDSA P-256) to a party, in the folder `<role>-<party>`;
    /// what it held before is replaced.
    ///
    /// `names` are the hosts that the party answers at, DNS names or IP addresses. Nodes may serve
    /// and connect; operators, analysts and auditors may only connect.
    ///
    /// # Errors
    /// A [`PkiError`] for a bad party or host name, or from the file system.
    pub fn issue(
        &self,
        role: Role,
        party: &str,
        names: &[&str],
        validity: Validity,
    ) -> Result<TlsFiles, PkiError> {
        let identity =
            Identity::new(&self.trust_domain, role, party).map_err(PkiError::Identity)?;
        self.issue_to(&identity, names, validity)
    }

    /// Issues a certificate and a new key to one person of a party, in the folder
    /// `<role>-<party>.<person>`; what it held before is replaced.
    ///
    /// # Errors
    /// A [`PkiError`] for a bad name or the role of a node, or from the file system.
    pub fn issue_person(
        &self,
        role: Role,
        party: &str,
        person: &str,
        validity: Validity,
    ) -> Result<TlsFiles, PkiError> {
        let identity = Identity::new(&self.trust_domain, role, party)
            .and_then(|identity| identity.with_person(person))
            .map_err(PkiError::Identity)?;
        self.issue_to(&identity, &[], validity)
    }

    fn issue_to(
        &self,
        identity: &Identity,
        names: &[&str],
        validity: Validity,
    ) -> Result<TlsFiles, PkiError> {
        let role = identity.role();
        let (mut folder, mut common) = (
            format!("{role}-{}", identity.party()),
            format!("{role} {}", identity.party()),
        );
        if let Some(person) = identity.person() {
            folder = format!("{folder}.{person}");
            common = format!("{common} {person}");
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        validity.write_to(&mut params);
        params
            .subject_alt_names
            .push(uri_san(&identity.to_string())?);
        params.distinguished_name = distinguished_name(&common);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if role.is_node() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;

        let folder = self.dir.join(folder);
        make_dir(&folder)?;
        let files = TlsFiles {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            ca: folder.join(CA_FILE),
            crl: None,
        };
        write_file(
            &files.key,
            Zeroizing::new(key.serialize_pem()).as_bytes(),
            0o600,
        )?;
        write_file(&files.cert, certificate.pem().as_bytes(), 0o644)?;
        write_file(&files.ca, self.ca_pem.as_bytes(), 0o644)?;
        Ok(files)
    }

    /// Makes a revocation list of the certificates in these PEM files (the first of each), in place
    /// of the one before; gives the list's file.
    ///
    /// # Errors
    /// A [`PkiError`] for a file without a certificate, or from the file system.
    pub fn revoke(&self, revoked: &[&Path], validity: Validity) -> Result<PathBuf, PkiError> {
        // Holds the moments as rcgen wants them.
        let mut dated = CertificateParams::default();
        validity.write_to(&mut dated);
        let revoked_certs = revoked
            .iter()
            .map(|file| {
                Ok(RevokedCertParams {
                    serial_number: serial_of(file)?,
                    revocation_time: dated.not_before,
                    reason_code: Some(RevocationReason::Superseded),
                    invalidity_date: None,
                })
            })
            .collect::<Result<_, PkiError>>()?;
        // A list's number must grow; seconds do, for an authority that people command.
        let number = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let list = CertificateRevocationListParams {
            this_update: dated.not_before,
            next_update: dated.not_after,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let file = self.dir.join(CRL_FILE);
        let pem = list.signed_by(&self.issuer)?.pem()?;
        write_file(&file, pem.as_bytes(), 0o644)?;
        Ok(file)
    }

    /// The trust domain of every certificate it issues.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn uri_san(uri: &str) -> Result<SanType, PkiError> {
    Ok(SanType::URI(Ia5String::try_from(uri)?))
}

/// The trust domain that an authority's certificate names, if the certificate is of `public_key`.
fn trust_domain_of(ca_pem: &str, public_key: &[u8]) -> Option<String> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(ca_pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    if certificate.public_key().subject_public_key.data != public_key {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return None;
    };
    let trust_domain = uri.strip_prefix("spiffe://")?;
    check_trust_domain(trust_domain).ok()?;
    Some(trust_domain.to_owned())
}

fn serial_of(file: &Path) -> Result<SerialNumber, PkiError> {
    let serial = || {
        let text = fs::read(file).ok()?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(&text).ok()?;
        let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
        Some(SerialNumber::from_slice(certificate.raw_serial()))
    };
    serial().ok_or_else(|| PkiError::NoCertificate {
        file: file.to_owned(),
    })
}

fn make_dir(dir: &Path) -> Result<(), PkiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| PkiError::Io {
            path: dir.to_owned(),
            source,
        })
}

/// Writes a file under a temporary name with its final mode, then renames it: a reader sees the old
/// file or the new one, and a key is at no moment readable by others.
fn write_file(file: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    let staged = file.with_extension("new");
    let write = || -> io::Result<()> {
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&staged)?;
        opened.write_all(bytes)?;
        opened.sync_all()?;
        fs::rename(&staged, file)
    };
    write().map_err(|source| PkiError::Io {
        path: file.to_owned(),
        source,
    })
}

/// Why the development authority could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A file or folder cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder holds an authority already.
    #[error("{} exists; open that authority, or choose another folder", file.display())]
    Exists {
        /// The file that is there.
        file: PathBuf,
    },
    /// The authority's private key cannot be read.
    #[error("{} holds no private key of a development authority", file.display())]
    BadKey {
        /// The file.
        file: PathBuf,
    },
    /// The authority's certificate is not one of ours, or not of its key.
    #[error("{} is not the certificate of this development authority", file.display())]
    BadCa {
        /// The file.
        file: PathBuf,
    },
    /// A file that should hold a certificate to revoke holds none.
    #[error("{} holds no certificate", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The trust domain or the party cannot stand in an identity.
    #[error("no identity can be made")]
    Identity(#[source] IdentityFault),
    /// A certificate that ends before it starts, or lies outside the calendar.
    #[error("the certificate's first moment must lie after 1970 and before its last")]
    Validity,
    /// A host name is not valid, or signing failed.
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn new_pki(dir: &Path) -> (DevPki, Validity) {
        let validity = Validity::starting(Timestamp::now(), 1).unwrap();
        (
            DevPki::create(dir, "linkage.example", validity).unwrap(),
            validity,
        )
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("pki");
        let (pki, validity) = new_pki(&root);
        let files = pki
            .issue(Role::Matcher, "m", &["localhost"], validity)
            .unwrap();
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(files.key.parent().unwrap()), 0o700);
        assert_eq!(mode(&root.join("ca-key.pem")), 0o600);
        assert_eq!(mode(&files.key), 0o600);
    }

    #[test]
    fn purposes_and_names_follow_the_role() {
        let dir = tempfile::tempdir().unwrap();
        let (pki, _) = new_pki(dir.path());
        let start = Timestamp::from_second(2_000_000_000).unwrap();
        let end = Timestamp::from_second(2_000_000_000 + DAY).unwrap();
        let validity = Validity::between(start, end).unwrap();
        for role in Role::ALL {
            let files = pki
                .issue(role, "p", &["localhost", "127.0.0.1"], validity)
                .unwrap();
            let der = CertificateDer::from_pem_file(&files.cert).unwrap();
            let (_, certificate) = X509Certificate::from_der(&der).unwrap();
            let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
            assert!(purposes.client_auth);
            assert_eq!(
                purposes.server_auth,
                matches!(role, Role::Owner | Role::Matcher),
                "{role}"
            );
            let names = certificate
                .subject_alternative_name()
                .unwrap()
                .unwrap()
                .value;
            assert!(
                names
                    .general_names
                    .contains(&GeneralName::DNSName("localhost"))
            );
            assert!(
                names
                    .general_names
                    .contains(&GeneralName::IPAddress(&[127, 0, 0, 1]))
            );
            assert_eq!(certificate.validity().not_before.timestamp(), 2_000_000_000);
            assert_eq!(
                certificate.validity().not_after.timestamp(),
                2_000_000_000 + DAY
            );
            let identity = Identity::from_certificate(&der).unwrap();
            assert_eq!(
                identity,
                Identity::new("linkage.example", role, "p").unwrap()
            );
        }
    }

    #[test]
    fn an_opened_authority_issues_what_the_first_one_vouches_for() {
        let dir = tempfile::tempdir().unwrap();
        let (_, validity) = new_pki(dir.path());
        let files = DevPki::open(dir.path())
            .unwrap()
            .issue(Role::Owner, "tax", &["localhost"], validity)
            .unwrap();
        let ca = CertificateDer::from_pem_file(dir.path().join("ca.pem")).unwrap();
        let leaf = CertificateDer::from_pem_file(&files.cert).unwrap();
        let (_, ca) = X509Certificate::from_der(&ca).unwrap();
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        assert_eq!(leaf.issuer().as_raw(), ca.subject().as_raw());
        leaf.verify_signature(Some(ca.public_key())).unwrap();
    }

    #[test]
    fn an_authority_is_neither_overwritten_nor_mixed_up() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let (_, validity) = new_pki(&one);
        new_pki(&other);
        let again = DevPki::create(&one, "linkage.example", validity);
        assert!(matches!(again, Err(PkiError::Exists { .. })));
        fs::copy(other.join("ca-key.pem"), one.join("ca-key.pem")).unwrap();
        assert!(matches!(DevPki::open(&one), Err(PkiError::BadCa { .. })));
        fs::write(one.join("ca-key.pem"), "no key").unwrap();
        assert!(matches!(DevPki::open(&one), Err(PkiError::BadKey { .. })));
    }

    #[test]
    fn bad_parts_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (pki, validity) = new_pki(dir.path());
        let party = pki.issue(Role::Owner, "../x", &["localhost"], validity);
        assert!(matches!(
            party,
            Err(PkiError::Identity(IdentityFault::BadParty))
        ));
        let now = Timestamp::now();
        assert!(matches!(
            Validity::between(now, now),
            Err(PkiError::Validity)
        ));
        assert!(matches!(
            Validity::starting(Timestamp::MAX, 1),
            Err(PkiError::Validity)
        ));
        let early = Timestamp::from_second(-1).unwrap();
        assert!(matches!(
            Validity::between(early, now),
            Err(PkiError::Validity)
        ));
    }
}
