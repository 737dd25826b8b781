//! Certificates that the development authority would never issue, signed by one that does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use linkage_node::identity::Role;
use linkage_node::pki::{DevPki, Validity};
use linkage_node::tls::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, RevokedCertParams, SanType, SerialNumber, SubjectPublicKeyInfo,
    date_time_ymd,
};
use tempfile::TempDir;

pub const TRUST_DOMAIN: &str = "linkage.example";
pub const HOSTS: &[&str] = &["localhost", "127.0.0.1"];

/// An RSA key of 1024 bits, made for these tests with `openssl genrsa 1024`.
const RSA_1024: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCfZ91S9YlKXhWOTabkusJ1W7vl
vq2GkH6kXiFFqkIuwLonIfOT+KkWMMNIk9lj3x7qdeYjE8RR9a2OABp4qzpIvfjl
J68YhJKy1gd5TSVhDiood6RWTXb10yMTjfwMgTaudQki7dqaN41ZM2WnztOIfdxD
37P1w1OmwMHW9h03QwIDAQAB
-----END PUBLIC KEY-----
";

/// A development authority in a folder of its own.
pub struct Authority {
    dir: TempDir,
    pub pki: DevPki,
}

impl Authority {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = DevPki::create(dir.path(), TRUST_DOMAIN, today()).unwrap();
        Self { dir, pki }
    }

    /// A certificate of the ordinary kind.
    pub fn issue(&self, role: Role, party: &str) -> TlsFiles {
        self.pki.issue(role, party, HOSTS, today()).unwrap()
    }

    /// A certificate in a folder of its own, beside others of the same party.
    pub fn issue_apart(
        &self,
        role: Role,
        party: &str,
        hosts: &[&str],
        validity: Validity,
    ) -> TlsFiles {
        let issued = self.pki.issue(role, party, hosts, validity).unwrap();
        let folder = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        let files = TlsFiles {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            ..issued.clone()
        };
        fs::copy(issued.cert, &files.cert).unwrap();
        fs::copy(issued.key, &files.key).unwrap();
        files
    }

    /// A client's certificate with these URIs and this purpose, right in all else.
    pub fn odd(&self, uris: &[&str], purpose: ExtendedKeyUsagePurpose) -> TlsFiles {
        let ca_key = fs::read_to_string(self.dir.path().join("ca-key.pem")).unwrap();
        let ca_pem = fs::read_to_string(self.dir.path().join("ca.pem")).unwrap();
        let ca_key = KeyPair::from_pem(&ca_key).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key).unwrap();
        let hosts: Vec<String> = HOSTS.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI((*uri).try_into().unwrap()));
        }
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();

        let folder = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        let files = TlsFiles {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            ca: self.ca(),
            crl: None,
        };
        fs::write(&files.cert, certificate.pem()).unwrap();
        write_key(&files.key, &key);
        files
    }

    /// A client's certificate over an RSA key of 1024 bits, right in all else, and the key of
    /// another certificate: nobody has the one, and it must never come to a signature.
    pub fn weak(&self) -> TlsFiles {
        let files = self.odd(
            &["spiffe://linkage.example/owner/a"],
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        let key = SubjectPublicKeyInfo::from_pem(RSA_1024).unwrap();
        let ca_key = fs::read_to_string(self.dir.path().join("ca-key.pem")).unwrap();
        let ca_pem = fs::read_to_string(self.ca()).unwrap();
        let ca_key = KeyPair::from_pem(&ca_key).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key).unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(&files.cert, certificate.pem()).unwrap();
        files
    }

    /// The file of the authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

/// A root authority, one below it that issues certificates, and the revocation lists of both.
pub struct Hierarchy {
    dir: TempDir,
    root: Issuer<'static, KeyPair>,
    below: Issuer<'static, KeyPair>,
    below_pem: String,
    below_serial: SerialNumber,
}

impl Hierarchy {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = |name: &str, serial: u64| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params.serial_number = Some(SerialNumber::from(serial));
            params
        };
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let (root_key, root) = (key(), authority("root", 1));
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        fs::write(dir.path().join("ca.pem"), root_pem).unwrap();
        let root = Issuer::new(root, root_key);
        let (below_key, below) = (key(), authority("below", 2));
        let below_pem = below.signed_by(&below_key, &root).unwrap().pem();
        Self {
            dir,
            root,
            below: Issuer::new(below, below_key),
            below_pem,
            below_serial: SerialNumber::from(2),
        }
    }

    /// A certificate of the lower authority, which stands behind it in the file.
    pub fn issue(&self, role: Role, party: &str) -> TlsFiles {
        let hosts: Vec<String> = HOSTS.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        let uri = format!("spiffe://{TRUST_DOMAIN}/{role}/{party}");
        params
            .subject_alt_names
            .push(SanType::URI(uri.as_str().try_into().unwrap()));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let leaf = params.signed_by(&key, &self.below).unwrap().pem();
        let folder = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        let files = TlsFiles {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            ca: self.dir.path().join("ca.pem"),
            crl: None,
        };
        fs::write(&files.cert, format!("{leaf}{}", self.below_pem)).unwrap();
        write_key(&files.key, &key);
        files
    }

    /// The file of both authorities' lists; the lower authority is revoked or not.
    pub fn lists(&self, revoked: bool) -> PathBuf {
        let revoked = revoked.then(|| self.below_serial.clone());
        let lists = [list(&self.root, revoked), list(&self.below, None)];
        self.write_lists("both.crl", &lists.concat())
    }

    /// The file of the root's list alone.
    pub fn root_list(&self) -> PathBuf {
        self.write_lists("root.crl", &list(&self.root, None))
    }

    /// The file of a list under the root's name that somebody else has signed.
    pub fn forged_list(&self) -> PathBuf {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "root");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        self.write_lists("forged.crl", &list(&Issuer::new(params, key), None))
    }

    fn write_lists(&self, name: &str, pem: &str) -> PathBuf {
        let file = self.dir.path().join(name);
        fs::write(&file, pem).unwrap();
        file
    }
}

/// An authority's list in PEM, valid until far in the future.
fn list(issuer: &Issuer<'_, KeyPair>, revoked: Option<SerialNumber>) -> String {
    let since = date_time_ymd(2020, 1, 1);
    let revoked = revoked.map(|serial_number| RevokedCertParams {
        serial_number,
        revocation_time: since,
        reason_code: None,
        invalidity_date: None,
    });
    let list = CertificateRevocationListParams {
        this_update: since,
        next_update: date_time_ymd(2090, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.into_iter().collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).unwrap().pem().unwrap()
}

pub fn today() -> Validity {
    Validity::starting(jiff::Timestamp::now(), 1).unwrap()
}

/// From and until so many hours after now.
pub fn hours(from: i64, until: i64) -> Validity {
    let now = jiff::Timestamp::now();
    let after = |hours| now + jiff::SignedDuration::from_hours(hours);
    Validity::between(after(from), after(until)).unwrap()
}

fn write_key(file: &Path, key: &KeyPair) {
    fs::write(file, key.serialize_pem()).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}
