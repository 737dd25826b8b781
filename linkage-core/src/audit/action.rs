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
    AuditRecovered "audit.recovered" "At start, an incomplete last line left by a crash was cut off the log."
    TlsRefused "tls.refused" "A connection was refused before any request: certificate, protocol or peer."
    AuthzDenied "authz.denied" "A request of an authenticated peer was denied by the policy."
    ProjectPropose "project.propose" "A manifest was put forward for signing."
    ProjectSign "project.sign" "An owner signed a manifest."
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
    RunStart "run.start" "The matcher began to link the sealed batches of a project."
    RunFinish "run.finish" "The matcher finished a run, well or not."
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

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit-events.md");

    fn page() -> String {
        let mut page = String::from(
            "# Audit events\n\n\
             Every line of an audit log is one JSON object. `action` is one of the names below; they\n\
             are stable. This page is written from `linkage-core/src/audit/action.rs`:\n\
             `BLESS=1 cargo test -p linkage-core audit_events_page` renews it.\n\n\
             | action | logged when |\n|---|---|\n",
        );
        for action in Action::ALL {
            writeln!(page, "| `{action}` | {} |", action.when()).unwrap();
        }
        page.push_str(
            "\n## Fields\n\n\
             | field | meaning |\n|---|---|\n\
             | `v` | version of the entry format, 1 |\n\
             | `seq` | number of the entry in its log, from 0 |\n\
             | `node` | the node that wrote the log |\n\
             | `time` | UTC, RFC 3339 with microseconds, by the node's clock |\n\
             | `op` | UUID of the operation; the same in all entries, log lines and errors of one operation |\n\
             | `actor` | who acted: `kind` (`node`, `person`, `unknown`), `id`, `role`, and `cert_sha256` if a certificate was shown |\n\
             | `action` | what was done, from the table above |\n\
             | `object` | what it was done to: the name of a batch, run, request or peer |\n\
             | `project` | the project, if the act belongs to one |\n\
             | `result` | `ok`, `denied` or `failed` |\n\
             | `reason` | stable code of the reason, if the result is not `ok` |\n\
             | `counts` | numbers that belong to the act, by name |\n\
             | `digests` | SHA-256 digests in hexadecimal, by name |\n\
             | `prev` | hash of the entry before, 64 zeros in the first |\n\n\
             The hash of an entry is SHA-256 over the bytes `00`, `linkage/audit-entry/v1`, `00`, the 32 bytes\n\
             of `prev`, and the line without its newline.\n\n\
             ## Exit codes of a verification\n\n\
             | code | meaning |\n|---|---|\n\
             | 0 | every entry is in place and the newest is signed |\n\
             | 10 | the signature of the checkpoint does not hold, or entries lack one |\n\
             | 11 | an entry was changed, inserted, dropped or moved |\n\
             | 12 | entries are missing at the end, or the log is a fork of the one that was signed |\n\
             | 20 | the log cannot be read |\n",
        );
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
