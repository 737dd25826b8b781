use std::path::Path;

use linkage_core::audit::checkpoint::NodeKeys;
use tempfile::TempDir;

use super::*;
use crate::auditlog::AuditLog;
use crate::identity::Role;

const DOMAIN: &str = "linkage.test";

fn keys(party: &str) -> NodeKeys {
    NodeKeys::derive(party.as_bytes(), DOMAIN, "owner", party).unwrap()
}

fn identity(party: &str) -> Identity {
    Identity::new(DOMAIN, Role::Owner, party).unwrap()
}

fn policy(quorum: &str) -> Policy {
    let mut text = String::new();
    for party in ["health", "tax", "credit"] {
        let keys = keys(party);
        text += &format!("log {}\n", keys.log.verifying());
        text += &format!("witness {party} {}\n", keys.witness.verifying());
    }
    format!("{text}group two 2 health tax credit\nquorum {quorum}\n")
        .parse()
        .unwrap()
}

fn witness_in(dir: &Path, party: &str) -> Witness {
    let log = AuditLog::open(&dir.join(party), keys(party)).unwrap();
    let journal = Journal::new(log, identity(party));
    let store = WitnessStore::open(&dir.join(party).join(STORE_FILE)).unwrap();
    Witness::new(journal, store, policy("two")).unwrap()
}

fn act(witness: &Witness, number: u64) {
    let act = witness
        .journal
        .act(Action::RunStart, format!("run-{number}"));
    act.ok().unwrap();
}

/// One exchange: the log of `of` cosigned by `by`.
fn exchange(of: &Witness, of_party: &str, by: &Witness, by_party: &str) -> Result<(), Fault> {
    let name = of.witness_of(&identity(by_party))?.name();
    let mut old = of.store.witnessed_size(name)?;
    for _ in 0..2 {
        let (_, checkpoint) = of.offer()?;
        let body = of.request(old)?.to_string();
        match by.cosign(&identity(of_party), &body)? {
            Answer::Cosigned(line) => {
                return of.take(&identity(by_party), checkpoint.size, &line.to_string());
            }
            Answer::Conflict(size) => old = size,
        }
    }
    panic!("no end of conflicts");
}

fn witnessed(witness: &Witness) -> Option<u64> {
    let path = witness.journal.log().dir().join("checkpoint.witnessed");
    let note = Note::parse(&std::fs::read_to_string(path).ok()?).unwrap();
    Some(witness.policy.accept(&note).unwrap().checkpoint.size)
}

fn three() -> (TempDir, Witness, Witness, Witness) {
    let dir = tempfile::tempdir().unwrap();
    let [health, tax, credit] = ["health", "tax", "credit"].map(|p| witness_in(dir.path(), p));
    (dir, health, tax, credit)
}

#[test]
fn a_quorum_cosigns_one_checkpoint() {
    let (_dir, health, tax, credit) = three();
    act(&health, 0);
    exchange(&health, "health", &tax, "tax").unwrap();
    assert_eq!(witnessed(&health), None);
    // Something new meanwhile does not take the checkpoint from those who have not signed yet.
    act(&health, 1);
    exchange(&health, "health", &credit, "credit").unwrap();
    assert_eq!(witnessed(&health), Some(1));
    assert!(health.journal.quorum_age().unwrap() < QUORUM_AGE_WARNED);
    // The next one is the newest.
    for by in [(&tax, "tax"), (&credit, "credit")] {
        exchange(&health, "health", by.0, by.1).unwrap();
    }
    assert_eq!(witnessed(&health), Some(2));
}

#[test]
fn a_lost_reply_costs_one_conflict() {
    let (_dir, health, tax, _) = three();
    act(&health, 0);
    let body = health.request(0).unwrap().to_string();
    // The reply is lost: the log does not know that it was cosigned.
    assert!(matches!(
        tax.cosign(&identity("health"), &body),
        Ok(Answer::Cosigned(_))
    ));
    assert!(matches!(
        tax.cosign(&identity("health"), &body),
        Ok(Answer::Conflict(1))
    ));
    exchange(&health, "health", &tax, "tax").unwrap();
}

#[test]
fn a_forked_log_is_refused_and_the_proof_kept() {
    let (dir, health, tax, credit) = three();
    act(&health, 0);
    act(&health, 1);
    exchange(&health, "health", &tax, "tax").unwrap();
    // The same log with another past: what a node would show to somebody else.
    let fork = witness_in(&dir.path().join("fork"), "health");
    for number in 7..12 {
        act(&fork, number);
    }
    exchange(&fork, "health", &credit, "credit").unwrap();
    let fault = exchange(&fork, "health", &tax, "tax").unwrap_err();
    assert_eq!(fault.reason(), "audit.fork");
    let evidence = tax.store.evidence().unwrap();
    assert_eq!(evidence.len(), 1);
    let [kept, refused] = [&evidence[0].kept, &evidence[0].refused]
        .map(|note| Checkpoint::open(&Note::parse(note).unwrap(), keys("health").log.verifying()))
        .map(Result::unwrap);
    assert_eq!((kept.size, refused.size), (2, 5));
    // What was cosigned stays the same.
    exchange(&health, "health", &tax, "tax").unwrap();
    // Told in the witness's own log.
    assert!(tax.journal.log().end().0 >= 1);
}

#[test]
fn a_rewound_log_is_refused_and_the_proof_kept() {
    let (dir, health, tax, _) = three();
    for number in 0..5 {
        act(&health, number);
    }
    exchange(&health, "health", &tax, "tax").unwrap();
    let early = witness_in(&dir.path().join("early"), "health");
    act(&early, 0);
    let fault = exchange(&early, "health", &tax, "tax").unwrap_err();
    assert_eq!(fault.reason(), "audit.fork");
    assert_eq!(tax.store.evidence().unwrap().len(), 1);
}

#[test]
fn only_the_policys_keys_count() {
    let (_dir, health, tax, _) = three();
    act(&health, 0);
    let body = health.request(0).unwrap().to_string();
    // Another node's log under the own name.
    let fault = tax.cosign(&identity("credit"), &body).err().unwrap();
    assert_eq!(fault.reason(), "audit.signature");
    let stranger = Identity::new(DOMAIN, Role::Owner, "stranger").unwrap();
    assert_eq!(
        tax.cosign(&stranger, &body).err().unwrap().reason(),
        "audit.unknown"
    );
    let forged = keys("credit").witness.sign("another text\n", 1).to_string();
    let fault = health.take(&identity("credit"), 1, &forged).unwrap_err();
    assert_eq!(fault.reason(), "request.malformed");
}

#[test]
fn without_a_quorum_for_hours_nothing_new_begins() {
    let (_dir, health, tax, credit) = three();
    health.journal.require_quorum().unwrap();
    health
        .quorum_at(now() - QUORUM_AGE_MAX.as_secs() - 60)
        .unwrap();
    assert!(health.warn());
    let fault = health.journal.require_quorum().unwrap_err();
    assert_eq!(fault.reason(), "audit.unwitnessed");
    exchange(&health, "health", &tax, "tax").unwrap();
    exchange(&health, "health", &credit, "credit").unwrap();
    health.journal.require_quorum().unwrap();
    assert!(!health.warn());
}
