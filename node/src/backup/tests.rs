use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use jiff::Timestamp;
use linkage_core::audit::action::Action;
use tar::{EntryType, Header};

use super::*;
use crate::auditlog::AuditLog;
use crate::auditlog::segments;
use crate::auditlog::verify::verify_dir;
use crate::identity::Role;
use crate::journal::Journal;
use crate::sealed::Credential;
use crate::settings::{Loaded, Settings, Sources};
use crate::store::matcher::MatcherStore;
use crate::{serve, store};

const CREDENTIAL: &str = "a credential that no backup may hold, 32 bytes and more";

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
                    credential = \"file:data/credential\"\n\
                    tls = { cert = \"c\", key = \"k\", ca = \"a\" }\n";
        fs::write(dir.path().join("node.toml"), text).unwrap();
        let node = Self {
            dir,
            identity: Identity::generate(),
        };
        node.write_private("identity", node.identity.to_string().expose_secret());
        let data = node.settings().data_dir;
        store::private_folder(&data.join("uploads")).unwrap();
        // Where it should not lie.
        node.write_private("data/credential", CREDENTIAL);
        node.seal(&[7; 32]);
        fs::write(data.join("uploads/a.tokens"), [5; 100_000]).unwrap();
        fs::write(data.join(serve::ADDRESS_FILE), "127.0.0.1:1").unwrap();
        drop(MatcherStore::open(&data.join("matcher.db")).unwrap());
        node.act("before");
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_private(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    fn seal(&self, key: &[u8; 32]) {
        let credential = Credential::read(&self.settings().credential).unwrap();
        let path = self.path("signing.key");
        sealed::replace(&path, sealed::SIGNING_KEY, key, &credential).unwrap();
    }

    fn settings(&self) -> Settings {
        Loaded::load(&Sources::file(&self.path("node.toml")))
            .unwrap()
            .settings
    }

    fn journal(&self) -> Journal {
        let settings = self.settings();
        let keys = serve::audit_keys(&settings).unwrap();
        let log = AuditLog::open(&settings.data_dir.join(AUDIT), keys).unwrap();
        let me = crate::identity::Identity::new("linkage.test", Role::Matcher, "m").unwrap();
        Journal::new(log, me)
    }

    /// Logs an act as the running node would.
    fn act(&self, object: &str) {
        self.journal().act(Action::NodeStart, object).ok().unwrap();
    }

    fn back_up(&self) -> Created {
        let recipient = self.identity.to_public().to_string();
        create(&self.settings(), self.dir.path(), &[recipient]).unwrap()
    }

    fn verify(&self, backup: &Path) -> Result<Manifest, Error> {
        verify(&self.settings(), backup, &self.path("identity"))
    }

    fn restore(&self, created: &Created) -> Result<Restored, Error> {
        let id = Some(created.manifest.id.as_str());
        restore(&self.settings(), &created.path, &self.path("identity"), id)
    }

    /// The disk is lost. What is left is what the operator keeps elsewhere: configuration and
    /// credential.
    fn lose(&self) {
        fs::remove_dir_all(self.path("data")).unwrap();
        fs::remove_file(self.path("signing.key")).unwrap();
        self.write_private("credential", CREDENTIAL);
        let config = fs::read_to_string(self.path("node.toml")).unwrap();
        let config = config.replace("file:data/credential", "file:credential");
        fs::write(self.path("node.toml"), config).unwrap();
    }

    /// A file that the node's operators can decrypt, with these entries and nothing else.
    fn craft(&self, entries: &[(&str, EntryType)]) -> PathBuf {
        let path = self.path("crafted.age");
        let recipient = self.identity.to_public();
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).unwrap();
        let mut stream = encryptor.wrap_output(File::create(&path).unwrap()).unwrap();
        for (name, kind) in entries {
            let mut header = Header::new_gnu();
            // Past the checks of whoever writes archives honestly.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(if kind.is_file() { 4 } else { 0 });
            header.set_mode(0o644);
            if kind.is_symlink() {
                header.set_link_name("/etc").unwrap();
            }
            header.set_cksum();
            stream.write_all(header.as_bytes()).unwrap();
            if kind.is_file() {
                let mut block = [0; 512];
                block[..4].copy_from_slice(b"evil");
                stream.write_all(&block).unwrap();
            }
        }
        stream.write_all(&[0; 1024]).unwrap();
        stream.finish().unwrap();
        path
    }
}

#[test]
fn a_backup_holds_all_that_a_node_needs_and_nothing_readable() {
    let node = Node::new();
    let created = node.back_up();
    let files = &created.manifest.files;
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    let outside: Vec<_> = paths
        .iter()
        .filter(|path| !path.starts_with("data/audit/"))
        .collect();
    let expected = [
        "data/matcher.db",
        "data/uploads/a.tokens",
        "sealed/signing.key",
    ];
    assert_eq!(outside, expected.iter().collect::<Vec<_>>());
    assert!(paths.contains(&"data/audit/checkpoint"), "{paths:?}");
    assert_eq!(created.manifest.audit.size, 1);

    let bytes = fs::read(&created.path).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert!(!bytes.windows(16).any(|window| window == [5; 16]));
    let mode = fs::metadata(&created.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(node.verify(&created.path).unwrap(), created.manifest);
    let listed = list(node.dir.path()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].node.as_str(), &listed[0].id),
        ("matcher/m", &created.manifest.id)
    );
    let age = Timestamp::now().as_second() - listed[0].created.as_second();
    assert!((0..3600).contains(&age));
    assert!(!node.path("data/backup.partial").exists());
}

#[test]
fn the_node_logs_each_backup_once() {
    let node = Node::new();
    let created = node.back_up();
    let notes = node.path("data").join(made::FOLDER);
    let note = fs::read(notes.join(&created.manifest.id)).unwrap();
    let journal = node.journal();
    made::log_all(&notes, &journal).unwrap();
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 0);
    let logged = journal.find(Action::BackupCreate, &created.manifest.id);
    assert!(logged.unwrap().is_some());
    let (size, _) = journal.log().end();
    // Killed between the entry and the end of the note.
    fs::write(notes.join(&created.manifest.id), note).unwrap();
    fs::write(notes.join(uuid::Uuid::now_v7().to_string()), "no note").unwrap();
    made::log_all(&notes, &journal).unwrap();
    assert_eq!(journal.log().end().0, size);
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 0);
}

#[test]
fn a_node_that_was_lost_comes_back() {
    let node = Node::new();
    let created = node.back_up();
    node.act("lost with the disk");
    node.lose();
    for id in [None, Some("another")] {
        let identity = node.path("identity");
        let refused = restore(&node.settings(), &created.path, &identity, id).unwrap_err();
        assert!(
            refused.to_string().contains(&created.manifest.id),
            "{refused}"
        );
        assert_eq!(fs::read_dir(node.path("data")).unwrap().count(), 0);
    }
    let restored = node.restore(&created).unwrap();
    // One entry from before, and one that tells of the restore.
    assert_eq!(restored.entries, 2);
    assert_eq!(restored.keys, [node.path("signing.key")]);
    let data = node.path("data");
    assert_eq!(unfinished(&data), None);
    assert_eq!(
        fs::read(data.join("uploads/a.tokens")).unwrap(),
        [5; 100_000]
    );
    for (name, mode) in [
        ("uploads", 0o700),
        ("uploads/a.tokens", 0o600),
        ("matcher.db", 0o600),
    ] {
        let found = fs::metadata(data.join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    let summary = verify_dir(&data.join(AUDIT)).unwrap();
    assert_eq!((summary.entries, summary.open), (2, 0));
    assert!(segments::entries(&data.join(AUDIT), 0).is_ok());
    node.act("goes on");
    drop(MatcherStore::open(&data.join("matcher.db")).unwrap());
}

#[test]
fn a_restore_never_mixes_or_replaces() {
    let node = Node::new();
    let created = node.back_up();
    let refused = node.restore(&created).unwrap_err();
    assert!(matches!(refused, Error::NotEmpty(_)), "{refused}");
    let running = node.journal();
    let refused = node.restore(&created).unwrap_err();
    assert!(matches!(refused, Error::Running(_)), "{refused}");
    drop(running);
    assert!(node.path("data/uploads/a.tokens").exists());
    // One that was interrupted is in the way, of a node too.
    node.lose();
    store::private_folder(&node.path("data/restore.partial")).unwrap();
    assert!(unfinished(&node.path("data")).is_some());
    assert!(matches!(node.restore(&created), Err(Error::NotEmpty(_))));
}

#[test]
fn what_is_damaged_is_refused() {
    let node = Node::new();
    let created = node.back_up();
    let good = fs::read(&created.path).unwrap();
    for at in [30, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&created.path, &bad).unwrap();
        node.verify(&created.path).unwrap_err();
    }
    for length in [0, 100, good.len() / 2, good.len() - 65_552, good.len() - 20] {
        fs::write(&created.path, &good[..length]).unwrap();
        node.verify(&created.path).unwrap_err();
    }
    node.lose();
    node.restore(&created).unwrap_err();
    assert_eq!(fs::read_dir(node.path("data")).unwrap().count(), 0);
    fs::write(&created.path, &good).unwrap();
    node.restore(&created).unwrap();
}

#[test]
fn what_is_foreign_is_refused() {
    let node = Node::new();
    let created = node.back_up();
    let other = Identity::generate();
    node.write_private("other", other.to_string().expose_secret());
    let refused = verify(&node.settings(), &created.path, &node.path("other"));
    assert!(matches!(refused, Err(Error::Decrypt { .. })));
    fs::set_permissions(node.path("identity"), Permissions::from_mode(0o644)).unwrap();
    let open = node.verify(&created.path).unwrap_err();
    assert!(open.to_string().contains("chmod"), "{open}");
    fs::set_permissions(node.path("identity"), Permissions::from_mode(0o600)).unwrap();
    // Whoever knows the recipient can encrypt, but not sign.
    node.seal(&[8; 32]);
    let forged = node.verify(&created.path).unwrap_err();
    assert!(forged.to_string().contains("not signed"), "{forged}");
    let nobody = create(&node.settings(), node.dir.path(), &[]);
    assert!(matches!(nobody, Err(Error::NoRecipient)));
    let none = create(&node.settings(), node.dir.path(), &["age1".to_owned()]);
    assert!(matches!(none, Err(Error::Recipient(_))));
}

#[test]
fn no_archive_leads_out_of_the_folder() {
    let node = Node::new();
    let (file, link, folder) = (EntryType::Regular, EntryType::Symlink, EntryType::Directory);
    for entries in [
        &[("../escaped", file)][..],
        &[("data/../../escaped", file)],
        &[("/tmp/escaped", file)],
        &[("data/uploads", link)],
        &[("data/uploads", link), ("data/uploads/escaped", file)],
        &[("data/uploads", EntryType::Link)],
        &[("data/uploads", folder)],
        &[("escaped", file)],
    ] {
        let crafted = node.craft(entries);
        let refused = node.verify(&crafted).unwrap_err();
        assert!(
            refused.to_string().contains("no place"),
            "{entries:?}: {refused}"
        );
    }
    let twice = node.craft(&[("data/a", file), ("data/a", file)]);
    let refused = node.verify(&twice).unwrap_err();
    assert!(refused.to_string().contains("twice"), "{refused}");
    let unsigned = node.craft(&[("data/a", file)]);
    let refused = node.verify(&unsigned).unwrap_err();
    assert!(refused.to_string().contains("no manifest"), "{refused}");
    let mut folders = vec![node.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            assert_ne!(entry.file_name(), "escaped");
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
}

#[test]
fn names_lead_back_to_their_parts() {
    let name = "linkage_owner_social-security_0199f3a2-0000-7000-8000-000000000000.age";
    let (node, id) = parse_name(name).unwrap();
    assert_eq!(node, "owner/social-security");
    assert!(created(&id).is_some());
    for other in [
        "linkage_owner.age",
        "notes.txt",
        "linkage_owner_x_id.partial",
    ] {
        assert_eq!(parse_name(other), None, "{other}");
    }
}
