//! The acts that are logged.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes the enum, its stable names and its catalogue from one list, so that they cannot differ.
macro_rules! actions {
    ($($variant:ident $name:literal $when:literal)+) => {
        /// An act. Names are stable: tools and reports of auditors refer to them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $(#[doc = $when] $variant,)+
        }

        impl Action {
            /// Every action, in catalogue order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The dotted name in the log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// When the action is logged, one sentence.
            pub const fn when(self) -> &'static str {
                match self { $(Self::$variant => $when,)+ }
            }
        }
    };
}

actions! {
    NodeStart "node.start" "A node has read its configuration and is about to serve."
    NodeStop "node.stop" "A node has stopped serving and is about to exit."
    ConfigReload "config.reload" "A running node was told to read its configuration again, and did or kept the old one."
    BackupCreate "backup.create" "An encrypted backup of the node's data was made; the digest is its manifest's."
    BackupRestore "backup.restore" "A backup is about to take the place of the node's data: what came after it is lost."
    AuditRecovered "audit.recovered" "At start, an incomplete last entry left by a crash was cut off the log."
    AuditPrune "audit.prune" "Entries that are old enough and were exported are deleted; their hashes stay."
    AuditFork "audit.fork" "A log, another node's or its own, contradicts a checkpoint that was cosigned."
    TlsRefused "tls.refused" "A connection was refused before any request: certificate, protocol or peer."
    AuthzDenied "authz.denied" "A request of an authenticated peer was denied by the policy."
    ProjectDraft "project.draft" "An operator wrote a manifest and answers for it."
    ProjectPropose "project.propose" "A manifest was put before its owners."
    ProjectApprove "project.approve" "An operator answers for another owner's manifest."
    ProjectSign "project.sign" "An owner signed a manifest, by a second person."
    ProjectSuspend "project.suspend" "An owner suspended a project."
    ProjectResume "project.resume" "An owner lifted its suspension of a project."
    ProjectClose "project.close" "An owner closed a project: what it left is about to be destroyed."
    ProjectDestroyed "project.destroyed" "All that a project left at the node is destroyed; the digest is the receipt's."
    KeyCommit "key.commit" "An owner committed to its contribution to the project key."
    KeyAgree "key.agree" "All contributions were opened, checked and made into the project key."
    UploadBegin "upload.begin" "An owner began to upload a batch of encoded records."
    UploadSeal "upload.seal" "All chunks of an upload are on the matcher's disk, and their check began."
    UploadAccept "upload.accept" "A batch whose root and digest are those announced became part of the project."
    UploadRefuse "upload.refuse" "A batch that is not the one announced was refused and removed."
    UploadAbort "upload.abort" "An owner gave up an upload; what had come of it was removed."
    UploadExpire "upload.expire" "An upload that nobody went on with was removed."
    AskSend "ask.send" "The matcher worked out which tokens are worth comparing and asked all owners."
    AskAnswer "ask.answer" "An owner answered the matcher with the tokens that it asked for, or refused to."
    AskRefused "ask.refused" "An owner told the matcher that it will not answer."
    RunStart "run.start" "An owner's operator had the matcher link."
    RunLink "run.link" "The matcher linked the accepted batches of a project."
    LinkmapDeliver "linkmap.deliver" "The matcher made an owner's positions available to it."
    LinkmapFetch "linkmap.fetch" "An owner fetched its positions."
    ExtractSubmit "extract.submit" "An analyst submitted an extract request."
    ExtractAnswer "extract.answer" "An owner answered an extract request, or refused to."
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .find(|action| action.name() == name)
            .copied()
            .ok_or_else(|| serde::de::Error::custom("unknown action"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write;

    use super::*;
    use crate::audit::verify::EXIT_CODES;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit-events.md");

    const FIELDS: &str = "
What takes effect at once is one `event`, which is on the disk before it does; if it cannot be written,
the act is not done. What takes time, `key.agree` at owners, `run.link`, `extract.answer`,
`project.destroyed` and `audit.prune`, is told twice: its `intent` before it, and its `outcome` after it.

## Fields

| field | meaning |
|---|---|
| `v` | version of the entry format, 1 |
| `seq` | number of the entry in its log, from 0 |
| `time` | UTC, RFC 3339 with microseconds, by the node's clock |
| `node` | the node that wrote the log: the log's origin |
| `boot` | UUID of the process that wrote the entry |
| `mono_ns` | nanoseconds since that process started, by a clock that never goes backwards |
| `op` | UUID of the operation; the same in all entries, log lines and errors of one operation |
| `phase` | `intent`, `outcome` or `event` |
| `intent` | in an outcome: `seq` of its intent |
| `actor` | who acted: `kind` (`node`, `person`, `unknown`), `id`, `role`, and `cert_sha256` if a certificate was shown |
| `action` | what was done, from the table above |
| `object` | what it was done to: the name of a batch, run, request or peer |
| `project` | the project, if the act belongs to one |
| `result` | `ok`, `denied`, `failed`, or `unknown` when the node was stopped between intent and outcome; not in an intent |
| `reason` | stable code of the reason, if the result is not `ok` |
| `counts` | numbers that belong to the act, by name |
| `digests` | SHA-256 digests in hexadecimal, by name |
| `detail_commit` | SHA-256 over a salt and longer detail that is kept beside the log |

There is no free text, no identifier of a person and no attribute value in an entry.
";

    const LOG: &str = "
## The log

The entries are the leaves of a Merkle tree (RFC 6962): the hash of a leaf is SHA-256 over the byte
`00` and the exact bytes of the entry. The files follow C2SP: tiles and entry bundles
(c2sp.org/tlog-tiles), checkpoints (c2sp.org/tlog-checkpoint) signed with Ed25519
(c2sp.org/signed-note), receipts (c2sp.org/tlog-proof) and policies (c2sp.org/tlog-policy). The
origin of a log is `linkage/<trust domain>/<party>/<role>/<log id>`. Tools for these formats read
our logs.

A checkpoint is made within 10 s of an entry, whenever a receipt is made, and when the node stops.
Its key and that of the node's cosignatures come from the node's signing key by HKDF; `linkage audit
keys` prints the public ones. The type of a key stands in it: `01` for Ed25519, `04` for
cosignature/v1. C2SP prefers ML-DSA-44 (`06`) for new logs; it will be one more type when the
cryptographic library has it.
";

    fn page() -> String {
        let mut page = String::from(
            "# Audit events\n\n\
             Every entry of an audit log is one JSON object. `action` is one of the names below; they\n\
             are stable. This page is written from `linkage-core/src/audit`:\n\
             `BLESS=1 cargo test -p linkage-core audit_events_page` renews it.\n\n\
             | action | logged when |\n|---|---|\n",
        );
        for action in Action::ALL {
            writeln!(page, "| `{action}` | {} |", action.when()).unwrap();
        }
        page.push_str(FIELDS);
        page.push_str(LOG);
        page.push_str(
            "\n## Exit codes of `linkage audit verify`\n\n\
             The first fault found decides, and is named with its entry and file.\n\n\
             | code | meaning |\n|---|---|\n",
        );
        for (code, meaning) in EXIT_CODES {
            writeln!(page, "| {code} | {meaning} |").unwrap();
        }
        page
    }

    #[test]
    fn audit_events_page_is_up_to_date() {
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(PAGE, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page());
    }

    #[test]
    fn names_are_dotted_unique_and_read_back() {
        let mut seen = HashSet::new();
        for &action in Action::ALL {
            let name = action.name();
            let (noun, verb) = name.split_once('.').unwrap();
            assert!(
                [noun, verb]
                    .iter()
                    .all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()))
            );
            assert!(seen.insert(name));
            assert!(action.when().ends_with('.'));
            let json = serde_json::to_string(&action).unwrap();
            assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action);
        }
        assert!(serde_json::from_str::<Action>("\"upload.Begin\"").is_err());
    }
}
