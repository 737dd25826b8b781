use super::*;
use crate::audit::tree::proof::{ProofError, consistency};
use crate::audit::witness::{AddCheckpoint, Refused, decide};

struct Log {
    keys: NodeKeys,
    entries: Vec<Vec<u8>>,
}

impl Log {
    fn new(size: u64) -> Self {
        let keys = keys("health");
        let entries = log(keys.log.verifying().name(), size);
        Self { keys, entries }
    }

    /// What the log sends to a witness that has cosigned `old` entries.
    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        AddCheckpoint {
            old,
            proof: consistency(&leaves(&self.entries)[..], old, new).unwrap(),
            note: signed(&self.keys, &self.entries, new),
        }
    }

    fn decide(&self, old: u64, new: u64, kept: Option<&Checkpoint>) -> Result<Checkpoint, Refused> {
        let text = self.request(old, new).to_string();
        decide(&text.parse().unwrap(), self.keys.log.verifying(), kept)
    }
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let log = Log::new(300);
    let first = log.decide(0, 20, None).unwrap();
    let second = log.decide(20, 300, Some(&first)).unwrap();
    assert_eq!((first.size, second.size), (20, 300));
    // The same again is no offence: the cosignature may have been lost on the way.
    assert_eq!(log.decide(300, 300, Some(&second)), Ok(second));
}

#[test]
fn another_old_size_gets_the_true_one() {
    let log = Log::new(300);
    let kept = log.decide(0, 200, None).unwrap();
    assert_eq!(
        log.decide(0, 300, Some(&kept)),
        Err(Refused::Conflict { size: 200 })
    );
    assert_eq!(
        log.decide(100, 300, Some(&kept)),
        Err(Refused::Conflict { size: 200 })
    );
    assert_eq!(log.decide(5, 300, None), Err(Refused::Conflict { size: 0 }));
    assert_eq!(log.decide(200, 100, Some(&kept)), Err(Refused::Sizes));
    assert_eq!(log.decide(150, 100, Some(&kept)), Err(Refused::Old));
}

#[test]
fn a_fork_is_refused_whatever_it_proves() {
    let log = Log::new(300);
    let kept = log.decide(0, 200, None).unwrap();
    let mut fork = Log::new(300);
    fork.entries[150] = fork.entries[151].clone();
    assert_eq!(
        fork.decide(200, 300, Some(&kept)),
        Err(Refused::Fork(ProofError::Root))
    );
    // The proof of the true log does not help.
    let mut request = fork.request(200, 300);
    request.proof = log.request(200, 300).proof;
    let refused = decide(&request, fork.keys.log.verifying(), Some(&kept));
    assert!(matches!(refused, Err(Refused::Fork(_))));
    // Nor does the same size.
    assert_eq!(
        fork.decide(200, 200, Some(&kept)),
        Err(Refused::Fork(ProofError::Root))
    );
}

#[test]
fn only_the_log_itself_can_ask() {
    let log = Log::new(30);
    let other = keys("tax");
    let refused = decide(&log.request(0, 30), other.log.verifying(), None);
    assert!(matches!(refused, Err(Refused::Checkpoint(_))));
    for wrong in [
        "",
        "old 0\n",
        "old 00\n\nlog\n",
        "old -1\n\nlog\n",
        "new 0\n\nlog\n",
    ] {
        assert!(wrong.parse::<AddCheckpoint>().is_err(), "{wrong}");
    }
    let lines = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".repeat(64);
    let long = format!("old 1\n{lines}\n{}", signed(&log.keys, &log.entries, 30));
    assert_eq!(long.parse::<AddCheckpoint>(), Err(Refused::Form));
}
