mod entries;
mod notes;
mod policies;
mod reading;
mod receipts;
mod witnesses;

use super::action::Action;
use super::checkpoint::{Checkpoint, NodeKeys};
use super::entry::*;
use super::note::Note;
use super::tree::{self, Hash};

/// The keys of a node of this party.
fn keys(party: &str) -> NodeKeys {
    let secret = ring::digest::digest(&ring::digest::SHA256, party.as_bytes());
    NodeKeys::derive(secret.as_ref(), "linkage.example", "owner", party).unwrap()
}

fn event(number: u64) -> Event {
    Event {
        op: format!("0194b7d2-0000-7000-8000-{number:012x}"),
        phase: Phase::Event,
        intent: None,
        actor: Actor {
            kind: ActorKind::Node,
            id: "credit".into(),
            role: "owner".into(),
            cert_sha256: Some("ab".repeat(32)),
        },
        action: Action::ALL[number as usize % Action::ALL.len()],
        object: format!("batch-{number}"),
        project: number.is_multiple_of(2).then(|| "2026-income".into()),
        result: Some(Outcome::Ok),
        reason: None,
        counts: [("rows".into(), Count::of_records(number))].into(),
        digests: [("batch".into(), "0f".repeat(32))].into(),
        detail_commit: None,
    }
}

fn entry(origin: &str, seq: u64, event: Event) -> Entry {
    Entry {
        v: VERSION,
        seq,
        time: EventTime::try_from("2026-01-31T12:00:00.000001Z").unwrap(),
        node: origin.to_owned(),
        boot: "7d3c1f52-6f0e-4f39-9f2e-0a1b2c3d4e5f".into(),
        mono_ns: seq,
        event,
    }
}

/// A log of `size` entries: their bytes.
fn log(origin: &str, size: u64) -> Vec<Vec<u8>> {
    let bytes = |seq| entry(origin, seq, event(seq)).to_bytes().unwrap();
    (0..size).map(bytes).collect()
}

fn leaves(log: &[Vec<u8>]) -> Vec<Hash> {
    log.iter().map(|entry| Hash::leaf(entry)).collect()
}

/// The checkpoint of the first `size` entries.
fn checkpoint(origin: &str, log: &[Vec<u8>], size: u64) -> Checkpoint {
    Checkpoint {
        origin: origin.to_owned(),
        size,
        root: tree::root(&leaves(log)[..], size).unwrap(),
    }
}

/// That checkpoint signed by the log of `keys`.
fn signed(keys: &NodeKeys, log: &[Vec<u8>], size: u64) -> Note {
    let origin = keys.log.verifying().name();
    checkpoint(origin, log, size).sign(&keys.log).unwrap()
}
