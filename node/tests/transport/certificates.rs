//! Certificates that the development authority would never issue, signed by one that does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use linkage_node::identity::Role;
use linkage_node::pki::{DevPki, Validity};
use linkage_node::tls::TlsFiles;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
};
use tempfile::TempDir;

pub const TRUST_DOMAIN: &str = "linkage.example";
pub const HOSTS: &[&str] = &["localhost", "127.0.0.1"];

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
        };
        fs::write(&files.cert, certificate.pem()).unwrap();
        write_key(&files.key, &key);
        files
    }

    /// The file of the authority's certificate.
    pub fn ca(&self) -> std::path::PathBuf {
        self.dir.path().join("ca.pem")
    }
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
