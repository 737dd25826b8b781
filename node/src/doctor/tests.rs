//! Every check has a node that fails it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use linkage_core::audit::action::Action;

use super::*;
use crate::auditlog::{AuditLog, segments};
use crate::identity::{Identity, Role};
use crate::journal::Journal;
use crate::keyfile;
use crate::pki::{DevPki, Validity};
use crate::sealed::{self, Credential};
use crate::secret::SecretRef;
use crate::serve::audit_keys;
use crate::settings::Settings;
use crate::store::owner::OwnerStore;

/// An owner's files, as they should be, with a matcher that nobody runs.
struct Node {
    dir: tempfile::TempDir,
    pki: DevPki,
}

fn days(from: i64, until: i64) -> Validity {
    let after = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    Validity::between(after(from), after(until)).unwrap()
}

impl Node {
    fn new() -> Self {
        Self::with(days(-1, 300), "health")
    }

    fn with(validity: Validity, party: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = DevPki::create(&dir.path().join("pki"), "linkage.test", days(-400, 400)).unwrap();
        let files = pki
            .issue(Role::Owner, party, &["localhost"], validity)
            .unwrap();
        let path = dir.path().join("credential");
        keyfile::create(&path, "a test", &[9; 32]).unwrap();
        let credential = Credential::read(&SecretRef::File(path)).unwrap();
        for (name, label) in [
            ("signing.key", sealed::SIGNING_KEY),
            ("sealing.key", sealed::SEALING_KEY),
        ] {
            sealed::create(&dir.path().join(name), label, &[7; 32], &credential).unwrap();
        }
        let data = dir.path().join("data");
        crate::store::private_folder(&data).unwrap();
        let text = format!(
            "role = \"owner\"\nparty = \"health\"\ntrust_domain = \"linkage.test\"\n\
             listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\n\
             credential = \"file:credential\"\nsigning_key = \"signing.key\"\n\
             sealing_key = \"sealing.key\"\n\
             tls = {{ cert = {:?}, key = {:?}, ca = {:?} }}\n\
             [[peer]]\nrole = \"matcher\"\nparty = \"m\"\naddress = \"127.0.0.1:1\"\n\
             [limits]\ndisk_reserve_bytes = 0\n",
            files.cert, files.key, files.ca,
        );
        fs::write(dir.path().join("node.toml"), text).unwrap();
        Self { dir, pki }
    }

    fn sources(&self) -> Sources {
        Sources::file(&self.dir.path().join("node.toml"))
    }

    fn settings(&self) -> Settings {
        Loaded::load(&self.sources()).unwrap().settings
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The codes of what is not good.
    async fn codes(&self) -> Vec<&'static str> {
        let (_, findings) = examine(&self.sources()).await;
        let bad = findings.iter().filter(|one| one.verdict != Verdict::Good);
        bad.inspect(|one| assert!(!one.remedy.is_empty(), "{one:?}"))
            .map(|one| one.code)
            .collect()
    }

    /// Runs the node's start as far as its files go.
    fn has_run(&self) {
        let settings = self.settings();
        let dir = settings.data_dir.join("audit");
        let log = AuditLog::open(&dir, audit_keys(&settings).unwrap()).unwrap();
        let me = Identity::new("linkage.test", Role::Owner, "health").unwrap();
        let journal = Journal::new(log, me);
        journal.act(Action::NodeStart, "owner/health").ok().unwrap();
        drop(OwnerStore::open(&settings.data_dir.join("owner.db")).unwrap());
    }
}

/// All that a node without a matcher is found to lack.
const ALONE: &[&str] = &["connect.unreachable"];

#[tokio::test]
async fn a_node_in_order_lacks_its_peer_only() {
    let node = Node::new();
    assert_eq!(node.codes().await, ALONE);
    node.has_run();
    assert_eq!(node.codes().await, ALONE);
}

#[tokio::test]
async fn a_configuration_with_faults_is_found() {
    let node = Node::new();
    let text = fs::read_to_string(node.path("node.toml")).unwrap();
    fs::write(node.path("node.toml"), format!("colour = 1\n{text}")).unwrap();
    assert_eq!(node.codes().await, ["configuration.refused"]);
    fs::remove_file(node.path("node.toml")).unwrap();
    assert_eq!(node.codes().await, ["configuration.refused"]);
}

#[tokio::test]
async fn open_and_missing_files_are_found() {
    let node = Node::new();
    fs::set_permissions(node.path("signing.key"), Permissions::from_mode(0o640)).unwrap();
    assert_eq!(node.codes().await[0], "files.open");
    fs::remove_file(node.path("signing.key")).unwrap();
    assert_eq!(node.codes().await[0], "files.unreadable");
    let node = Node::new();
    fs::write(node.path("data/left"), "x").unwrap();
    fs::set_permissions(node.path("data/left"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(node.codes().await[0], "files.open");
}

#[tokio::test]
async fn certificates_that_end_or_name_another_are_found() {
    let expired = Node::with(days(-20, -1), "health");
    assert!(expired.codes().await.contains(&"certificate.expired"));
    let soon = Node::with(days(-20, 10), "health");
    assert_eq!(soon.codes().await[0], "certificate.expiring");
    let (_, findings) = examine(&soon.sources()).await;
    let expiring = findings
        .iter()
        .find(|one| one.code == "certificate.expiring");
    assert_eq!(expiring.unwrap().verdict, Verdict::Warning);
    let other = Node::with(days(-1, 300), "credit");
    assert_eq!(other.codes().await[0], "certificate.identity");
    let node = Node::new();
    let files = node.settings().tls_files();
    let another = node
        .pki
        .issue(Role::Owner, "tax", &[], days(-1, 300))
        .unwrap();
    fs::copy(another.cert, files.cert).unwrap();
    assert_eq!(node.codes().await[0], "certificate.unusable");
}

#[tokio::test]
async fn a_full_disk_is_found() {
    let node = Node::new();
    let mut sources = node.sources();
    sources.set = vec![
        "limits.disk_reserve_percent=99".to_owned(),
        "limits.disk_reserve_bytes=4611686018427387904".to_owned(),
    ];
    let (_, findings) = examine(&sources).await;
    assert!(findings.iter().any(|one| one.code == "disk.reserve"));
}

#[tokio::test]
async fn a_changed_audit_log_and_a_clock_that_went_back_are_found() {
    let node = Node::new();
    node.has_run();
    let before = Timestamp::now() - SignedDuration::from_hours(1);
    assert_eq!(state::clock(&node.settings(), before).code, "clock.behind");
    let dir = node.path("data/audit");
    let segments = segments::list(&dir).unwrap();
    let mut bytes = fs::read(&segments[0].path).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&segments[0].path, bytes).unwrap();
    assert_eq!(node.codes().await[0], "audit.fault");
}

#[tokio::test]
async fn a_database_that_is_newer_or_broken_is_found() {
    let node = Node::new();
    node.has_run();
    let path = node.path("data/owner.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 999).unwrap();
    drop(database);
    assert_eq!(node.codes().await[0], "database.newer");
    fs::write(&path, vec![1; 8192]).unwrap();
    assert_eq!(node.codes().await[0], "database.unreadable");
}

#[tokio::test]
async fn a_bundle_has_no_values() {
    let node = Node::new();
    let (loaded, findings) = examine(&node.sources()).await;
    let text = serde_json::to_string(&Bundle::new(loaded.as_ref(), &findings)).unwrap();
    for value in [
        "health",
        "linkage.test",
        "127.0.0.1",
        "node.toml",
        "signing.key\"",
        "pki",
    ] {
        assert!(!text.contains(value), "{value} in {text}");
    }
    for part in [
        "\"peer[0].address\"",
        "connect.unreachable",
        "\"owner\"",
        "limits.calls_max",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
