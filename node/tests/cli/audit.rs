//! `linkage audit`.

use std::fs;
use std::path::PathBuf;

use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::NodeKeys;
use linkage_core::audit::entry::{Actor, ActorKind, Count, Event, Outcome, Phase};
use linkage_node::auditlog::{AuditLog, segments};

use super::{Bench, json};

const PROJECT: &str = "2b9f";

fn keys(role: &str, party: &str) -> NodeKeys {
    NodeKeys::derive(party.as_bytes(), "linkage.test", role, party).unwrap()
}

fn sealed(rows: u64) -> Event {
    Event {
        op: "01980000-0000-7000-8000-000000000000".into(),
        phase: Phase::Event,
        intent: None,
        actor: Actor {
            kind: ActorKind::Node,
            id: "health".into(),
            role: "owner".into(),
            cert_sha256: None,
        },
        action: Action::UploadAccept,
        object: "upload".into(),
        project: Some(PROJECT.to_owned()),
        result: Some(Outcome::Ok),
        reason: None,
        counts: [("rows".to_owned(), Count::of_records(rows))].into(),
        digests: [("batch".to_owned(), format!("{rows:064x}"))].into(),
        detail_commit: None,
    }
}

/// A closed log that seals batches of these sizes.
fn log(bench: &Bench, name: &str, role: &str, party: &str, batches: &[u64]) {
    let log = AuditLog::open(&bench.path(name), keys(role, party)).unwrap();
    for rows in batches {
        log.append(sealed(*rows)).unwrap();
    }
}

fn journal(bench: &Bench, name: &str) -> PathBuf {
    let mut files = segments::list(&bench.path(name)).unwrap();
    files.pop().unwrap().path
}

#[test]
fn logs_are_verified_with_the_exit_codes_of_their_faults() {
    let bench = Bench::new();
    log(&bench, "audit", "owner", "health", &[50, 60, 70]);
    let shown = bench.ok(&["audit", "verify", "audit"]).out;
    assert!(
        shown.contains("audit: in order\n  3 entries, 3 signed"),
        "{shown}"
    );
    let data = json(&bench.ok(&["audit", "verify", "audit", "--json"]));
    assert_eq!(data["logs"][0]["signed"], 3);
    bench.refused(&["audit", "verify"], &["required arguments"]);

    let path = journal(&bench, "audit");
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[30] ^= 1;
    fs::write(&path, &flipped).unwrap();
    let changed = bench.run(&["audit", "verify", "audit"]);
    assert_eq!(changed.code, 11);
    assert!(
        changed.out.contains("NOT IN ORDER\n  entry 0 was changed"),
        "{}",
        changed.out
    );
    assert!(
        changed.out.contains("in audit/journal/0"),
        "{}",
        changed.out
    );
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let cut = bench.run(&["audit", "verify", "audit", "--json"]);
    assert_eq!(cut.code, 19);
    let found = &json(&cut)["logs"][0];
    assert_eq!(
        (&found["verified"], &found["index"]),
        (&false.into(), &2.into())
    );
    assert_eq!(bench.run(&["audit", "verify", "nowhere"]).code, 20);
}

#[test]
fn a_policy_says_whom_to_believe() {
    let bench = Bench::new();
    log(&bench, "audit", "owner", "health", &[50]);
    let health = keys("owner", "health").log;
    let tax = keys("owner", "tax").witness;
    let policy = |log: &NodeKeys, quorum: &str| {
        let text = format!(
            "log {}\nwitness tax {}\nquorum {quorum}\n",
            log.log.verifying(),
            tax.verifying()
        );
        bench.write("audit.policy", text);
        bench.run(&["audit", "verify", "audit", "--policy", "audit.policy"])
    };
    let believed = policy(&keys("owner", "health"), "none");
    assert_eq!(believed.code, 0, "{}", believed.err);
    assert!(
        believed.out.contains("witnessed by nobody"),
        "{}",
        believed.out
    );
    // Another key under the same name is not believed, whatever lies in the folder.
    let forged = NodeKeys::derive(&[1; 32], "linkage.test", "owner", "health").unwrap();
    assert_eq!(policy(&forged, "none").code, 10);
    assert_eq!(policy(&keys("owner", "health"), "tax").code, 13);
    bench.write("audit.policy", format!("log {}\n", health.verifying()));
    bench.refused(
        &["audit", "verify", "audit", "--policy", "audit.policy"],
        &["audit.policy is no policy", "exactly one `quorum` line"],
    );
}

#[test]
fn logs_of_both_ends_are_compared() {
    let bench = Bench::new();
    log(&bench, "health", "owner", "health", &[50, 60]);
    log(&bench, "matcher", "matcher", "centre", &[50, 60]);
    log(&bench, "lossy", "matcher", "centre", &[50]);
    bench.ok(&["audit", "verify", "health", "--peers", "matcher"]);
    let lossy = bench.run(&["audit", "verify", "health", "--peers", "lossy"]);
    assert_eq!(lossy.code, 15);
    assert!(
        lossy
            .out
            .contains("entry 1 of linkage/linkage.test/health/owner/")
    );
}

#[test]
fn entries_are_shown_proved_and_bundled() {
    let bench = Bench::new();
    log(&bench, "audit", "owner", "health", &[5, 60, 70]);
    let tail = bench.ok(&["audit", "tail", "audit", "-n", "2"]).out;
    let lines: Vec<&str> = tail.lines().collect();
    assert_eq!(lines.len(), 2, "{tail}");
    assert!(
        lines[1].contains("owner/health  upload.accept  upload  ok"),
        "{tail}"
    );
    let shown = json(&bench.ok(&["audit", "show", "audit", "0", "--json"]));
    assert_eq!(shown["counts"]["rows"], "<10");
    bench.refused(&["audit", "show", "audit", "3"], &["no entry 3"]);

    let receipt = bench.ok(&["audit", "receipt", "make", "audit", "1"]).out;
    bench.write("seal.tlog-proof", &receipt);
    let policy = |party: &str| {
        let keys = keys("owner", party);
        bench.write("p", format!("log {}\nquorum none\n", keys.log.verifying()));
        bench.run(&[
            "audit",
            "receipt",
            "check",
            "seal.tlog-proof",
            "--policy",
            "p",
        ])
    };
    let accepted = policy("health");
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    assert!(
        accepted
            .out
            .contains("accepted: entry 1 of linkage/linkage.test/health")
    );
    assert_eq!(policy("tax").code, 10);
    bench.refused(
        &["audit", "receipt", "make", "audit", "3"],
        &["no checkpoint covers"],
    );

    bench.ok(&["audit", "bundle", "audit", "health.bundle"]);
    policy("health");
    bench.ok(&["audit", "verify", "health.bundle", "--policy", "p"]);
    assert_eq!(bench.run(&["audit", "verify", "health.bundle"]).code, 10);
    bench.refused(&["audit", "bundle", "audit", "health.bundle"], &["exists"]);
}
