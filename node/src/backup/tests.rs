use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use jiff::Timestamp;
use linkage_core::audit::action::Action;
use ring::signature::Ed25519KeyPair;

use super::*;
use crate::auditlog::AuditLog;
use crate::journal::Journal;
use crate::keyfile;
use crate::settings::{Loaded, Settings, Sources};
use crate::store::matcher::MatcherStore;

/// A matcher's data and who may open its backups.
struct Node {
    dir: tempfile::TempDir,
    identity: Identity,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "role = \"matcher\"\nparty = \"m\"\ntrust_domain = \"linkage.test\"\n\
                    listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\nsigning_key = \"signing.key\"\n\
                    tls = { cert = \"c\", key = \"k\", ca = \"a\" }\n";
        fs::write(dir.path().join("node.toml"), text).unwrap();
        keyfile::create(&dir.path().join("signing.key"), "a test", &[7; 32]).unwrap();
        let node = Self {
            dir,
            identity: Identity::generate(),
        };
        node.write_identity("identity", &node.identity);
        let data = node.settings().data_dir;
        crate::store::private_folder(&data.join("uploads")).unwrap();
        fs::write(data.join("uploads/a.tokens"), [5; 100_000]).unwrap();
        fs::write(data.join(crate::serve::ADDRESS_FILE), "127.0.0.1:1").unwrap();
        drop(MatcherStore::open(&data.join("matcher.db")).unwrap());
        node.act("before");
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_identity(&self, name: &str, identity: &Identity) {
        fs::write(self.path(name), identity.to_string().expose_secret()).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    fn settings(&self) -> Settings {
        let sources = Sources::file(&self.path("node.toml"));
        Loaded::load(&sources).unwrap().settings
    }

    fn log(&self) -> AuditLog {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let dir = self.settings().data_dir.join("audit");
        AuditLog::open(&dir, key, "matcher/m", Timestamp::now()).unwrap()
    }

    /// Logs an act as the running node would.
    fn act(&self, object: &str) {
        let me = crate::identity::Identity::new(
            "linkage.test",
            crate::identity::Role::Matcher,
            "m",
        );
        let journal = Journal::new(self.log(), me.unwrap());
        journal.act(Action::NodeStart, object).ok().unwrap();
    }

    fn back_up(&self) -> Created {
        let recipient = self.identity.to_public().to_string();
        create(&self.settings(), self.dir.path(), &[recipient]).unwrap()
    }

    fn verify(&self, backup: &Path) -> Result<Opened, Error> {
        verify(&self.settings(), backup, &self.path("identity"))
    }
}

#[test]
fn a_backup_holds_all_that_a_node_needs_and_nothing_readable() {
    let node = Node::new();
    let created = node.back_up();
    let paths: Vec<_> = created.manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths[..2], ["matcher.db", "uploads/a.tokens"]);
    assert!(paths.iter().skip(2).all(|path| path.starts_with("audit/")), "{paths:?}");
    assert!(paths.len() > 2);
    let bytes = fs::read(&created.path).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert!(!bytes.windows(16).any(|window| window == [5; 16]));
    assert_eq!(fs::metadata(&created.path).unwrap().permissions().mode() & 0o777, 0o600);
    let opened = node.verify(&created.path).unwrap();
    assert_eq!(opened.manifest, created.manifest);
    let listed = list(node.dir.path()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].node.as_str(), &listed[0].id), ("matcher/m", &created.manifest.id));
    let age = Timestamp::now().as_second() - listed[0].created.as_second();
    assert!((0..3600).contains(&age));
    // Nothing of the copying is left in the data folder.
    let left = fs::read_dir(node.settings().data_dir).unwrap().flatten();
    assert!(left.map(|entry| entry.file_name()).all(|name| {
        let name = name.to_string_lossy().into_owned();
        !name.starts_with("backup.") && !name.starts_with(".tmp")
    }));
}

#[test]
fn a_restore_needs_the_id_and_keeps_what_was_there() {
    let node = Node::new();
    let created = node.back_up();
    node.act("after");
    fs::write(node.settings().data_dir.join("uploads/b.tokens"), "later").unwrap();
    let (size, _) = node.log().end().unwrap();
    let identity = node.path("identity");
    let restore = |id| restore(&node.settings(), &created.path, &identity, id);
    for id in [None, Some("another")] {
        assert!(matches!(restore(id), Err(Error::NotConfirmed { .. })));
    }
    assert!(node.settings().data_dir.join("uploads/b.tokens").exists());
    let lock = crate::store::lock(&node.settings().data_dir).unwrap();
    let running = restore(Some(&created.manifest.id)).unwrap_err();
    assert!(matches!(running, Error::Store(_)), "{running}");
    drop(lock);
    let restored = restore(Some(&created.manifest.id)).unwrap();
    let before = restored.before.unwrap();
    assert!(before.join("uploads/b.tokens").exists());
    assert!(!node.settings().data_dir.join("uploads/b.tokens").exists());
    assert_eq!(
        fs::read(node.settings().data_dir.join("uploads/a.tokens")).unwrap(),
        [5; 100_000]
    );
    // One entry fewer than before, and one that tells why.
    assert_eq!(node.log().end().unwrap().0, size);
    node.act("goes on");
    drop(MatcherStore::open(&node.settings().data_dir.join("matcher.db")).unwrap());

    // On a clean host.
    fs::remove_dir_all(&node.settings().data_dir).unwrap();
    assert_eq!(restore(Some(&created.manifest.id)).unwrap().before, None);
    assert_eq!(node.log().end().unwrap().0, size);
}

#[test]
fn what_is_changed_or_foreign_is_refused() {
    let node = Node::new();
    let created = node.back_up();
    let good = fs::read(&created.path).unwrap();
    for at in [30, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&created.path, &bad).unwrap();
        node.verify(&created.path).unwrap_err();
    }
    fs::write(&created.path, &good[..good.len() - 20]).unwrap();
    node.verify(&created.path).unwrap_err();
    fs::write(&created.path, &good).unwrap();
    node.write_identity("other", &Identity::generate());
    let other = verify(&node.settings(), &created.path, &node.path("other"));
    assert!(matches!(other, Err(Error::Decrypt { .. })));
    fs::set_permissions(node.path("identity"), Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(node.verify(&created.path), Err(Error::Identity(_))));
    fs::set_permissions(node.path("identity"), Permissions::from_mode(0o600)).unwrap();
    // Whoever knows the recipient can encrypt, but not sign.
    fs::remove_file(node.path("signing.key")).unwrap();
    keyfile::create(&node.path("signing.key"), "another", &[8; 32]).unwrap();
    let forged = node.verify(&created.path).unwrap_err();
    assert!(forged.to_string().contains("not signed"), "{forged}");
}

#[test]
fn names_lead_back_to_their_parts() {
    let name = "linkage_owner_social-security_0199f3a2-0000-7000-8000-000000000000.age";
    let (node, id) = parse_name(name).unwrap();
    assert_eq!(node, "owner/social-security");
    assert!(created(&id).is_some());
    for other in ["linkage_owner.age", "notes.txt", "linkage_owner_x_id.partial"] {
        assert_eq!(parse_name(other), None, "{other}");
    }
}
