//! The matcher's receipts: proof that its audit log says that it accepted a batch.
//!
//! Each is checked before it is kept: that it is about this batch, and, where the node has an audit
//! policy, that the log is the matcher's by that policy. They stay when the project is closed.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use linkage_core::audit::action::Action;
use linkage_core::audit::entry::{Entry, Outcome};
use linkage_core::audit::policy::Policy;
use linkage_core::audit::receipt::Receipt;
use linkage_core::ids::ProjectId;
use linkage_proto::v1;
use tonic::Code;

use super::PrivateFile;
use crate::fault::{Chain, Fault};
use crate::identity::Identity;
use crate::owner::Owner;
use crate::witness;

/// Ending of a receipt's file (c2sp.org/tlog-proof).
const EXTENSION: &str = "tlog-proof";

impl Owner {
    /// Checks the receipt in the matcher's answer against what was sent, and keeps it.
    pub(super) fn keep_receipt(
        &self,
        project: &ProjectId,
        accepted: &v1::UploadState,
        digests: &[(&str, &[u8])],
    ) -> Result<(), Fault> {
        let upload = hex::encode(&accepted.upload);
        let receipt = about(&accepted.receipt, &upload, digests)?;
        if let Some(path) = &self.settings.audit.policy {
            let unusable = |error: &(dyn std::error::Error + 'static)| {
                Fault::state(
                    "audit.policy",
                    format!("{}: {}", path.display(), Chain(error)),
                )
            };
            let text = fs::read_to_string(path)?;
            let policy = text.parse::<Policy>().map_err(|error| unusable(&error))?;
            let peer = self.settings.matcher();
            let matcher = peer.map(|peer| peer.identity(&self.settings.trust_domain));
            let matcher = matcher
                .transpose()
                .map_err(|error| unusable(&error))?
                .ok_or_else(|| Fault::state("peer.unknown", "no matcher is configured"))?;
            in_log_of(&receipt, &matcher, &policy)?;
        }
        let folder = self.receipts();
        crate::store::private_folder(&folder)
            .map_err(|error| Fault::internal("store.failed", &error))?;
        let path = folder.join(format!("{project}.{upload}.{EXTENSION}"));
        let mut file = PrivateFile::new(&path)?;
        file.file.write_all(accepted.receipt.as_bytes())?;
        file.commit()
    }

    /// The files of the receipts for a project's batches, in order of name.
    pub(super) fn receipts_of(&self, project: &ProjectId) -> Result<Vec<PathBuf>, Fault> {
        let folder = self.receipts();
        if !folder.exists() {
            return Ok(vec![]);
        }
        let mut found = vec![];
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&format!("{project}.")) && name.ends_with(EXTENSION) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn receipts(&self) -> PathBuf {
        self.settings.data_dir.join("receipts")
    }
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new(Code::DataLoss, "upload.receipt", message)
}

/// The receipt in `text`, if its entry says that this upload was accepted with these digests.
fn about(text: &str, upload: &str, digests: &[(&str, &[u8])]) -> Result<Receipt, Fault> {
    let receipt = text.parse::<Receipt>();
    let receipt = receipt.map_err(|error| refused(Chain(&error).to_string()))?;
    let entry = Entry::from_bytes(&receipt.entry);
    let event = entry
        .map_err(|error| refused(Chain(&error).to_string()))?
        .event;
    let says =
        |(name, value): &(&str, &[u8])| event.digests.get(*name) == Some(&hex::encode(value));
    let is_about = event.action == Action::UploadAccept
        && event.result == Some(Outcome::Ok)
        && event.object == upload
        && digests.iter().all(says);
    if !is_about {
        return Err(refused(
            "the matcher's receipt is not about the batch that was sent",
        ));
    }
    Ok(receipt)
}

/// Refuses a receipt that is not of the matcher's log by the policy. That others have witnessed the
/// log since is not asked for: they see it within minutes.
fn in_log_of(receipt: &Receipt, matcher: &Identity, policy: &Policy) -> Result<(), Fault> {
    let key = witness::log_of(policy, matcher)?;
    let checked = receipt.verify(key);
    checked
        .map(drop)
        .map_err(|error| refused(Chain(&error).to_string()))
}

#[cfg(test)]
mod tests {
    use linkage_core::audit::checkpoint::NodeKeys;

    use super::*;
    use crate::auditlog::AuditLog;
    use crate::identity::Role;
    use crate::journal::Journal;

    /// A matcher's log with two accepted uploads, and the receipts of both.
    fn receipts(seed: u8) -> (String, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let keys = NodeKeys::derive(&[seed; 32], "linkage.test", "matcher", "matcher").unwrap();
        let policy = format!("log {}\nquorum none\n", keys.log.verifying());
        let log = AuditLog::open(&dir.path().join("audit"), keys).unwrap();
        let me = Identity::new("linkage.test", Role::Matcher, "matcher").unwrap();
        let journal = Journal::new(log, me);
        let receipts = ["aa", "bb"].map(|upload| {
            let act = journal.act(Action::UploadAccept, upload);
            let entry = act.digest("root", &[7; 32]).logged().unwrap();
            journal.receipt(entry).unwrap().to_string()
        });
        (policy, receipts.to_vec())
    }

    #[test]
    fn a_receipt_is_of_its_batch_and_of_the_matchers_log() {
        let (policy, receipts) = receipts(1);
        let root: (&str, &[u8]) = ("root", &[7; 32]);
        let receipt = about(&receipts[0], "aa", &[root]).unwrap();
        let reason = |result: Result<Receipt, Fault>| result.unwrap_err().reason().to_owned();
        // Another upload's, another content's, another act's words, and no receipt.
        assert_eq!(reason(about(&receipts[1], "aa", &[root])), "upload.receipt");
        let other: (&str, &[u8]) = ("root", &[8; 32]);
        assert_eq!(
            reason(about(&receipts[0], "aa", &[other])),
            "upload.receipt"
        );
        let batch: (&str, &[u8]) = ("batch", &[7; 32]);
        assert_eq!(
            reason(about(&receipts[0], "aa", &[batch])),
            "upload.receipt"
        );
        assert_eq!(reason(about("", "aa", &[root])), "upload.receipt");

        let policy: Policy = policy.parse().unwrap();
        let matcher = Identity::new("linkage.test", Role::Matcher, "matcher").unwrap();
        in_log_of(&receipt, &matcher, &policy).unwrap();
        // The same entry in a log of somebody else.
        let (_, forged) = self::receipts(2);
        let forged = about(&forged[0], "aa", &[root]).unwrap();
        let refused = in_log_of(&forged, &matcher, &policy).unwrap_err();
        assert_eq!(refused.reason(), "upload.receipt");
        let owner = Identity::new("linkage.test", Role::Owner, "health").unwrap();
        let refused = in_log_of(&receipt, &owner, &policy).unwrap_err();
        assert_eq!(refused.reason(), "audit.unknown");
    }
}
