use proptest::prelude::*;

use super::*;
use crate::audit::policy::{Policy, Unaccepted};
use crate::audit::receipt::{Receipt, ReceiptError};
use crate::audit::tree::proof::{ProofError, inclusion};

/// A receipt for entry `index` of a log of `size`, cosigned by tax.
fn receipt(index: u64, size: u64) -> Receipt {
    let health = keys("health");
    let log = log(health.log.verifying().name(), size);
    let mut note = signed(&health, &log, size);
    note.add(keys("tax").witness.sign(note.text(), 77));
    Receipt {
        entry: log[index as usize].clone(),
        index,
        proof: inclusion(&leaves(&log)[..], index, size).unwrap(),
        note,
    }
}

fn policy(quorum: &str) -> Policy {
    let log = keys("health").log;
    let (tax, credit) = (keys("tax").witness, keys("credit").witness);
    format!(
        "log {}\nwitness tax {}\nwitness credit {}\nquorum {quorum}\n",
        log.verifying(),
        tax.verifying(),
        credit.verifying()
    )
    .parse()
    .unwrap()
}

#[test]
fn a_receipt_is_checked_with_the_policy_alone() {
    let text = receipt(41, 300).to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "), "{text}");
    let read: Receipt = text.parse().unwrap();
    let accepted = read.accept(&policy("tax")).unwrap();
    assert_eq!(accepted.since, Some(77));
    assert_eq!(Entry::from_bytes(&read.entry).unwrap().seq, 41);
    assert_eq!(
        read.accept(&policy("credit")),
        Err(Unaccepted::Quorum.into())
    );
    assert!(read.verify(keys("health").log.verifying()).is_ok());
    assert!(read.verify(keys("tax").log.verifying()).is_err());
}

#[test]
fn a_receipt_of_another_entry_is_refused() {
    let mut swapped = receipt(41, 300);
    swapped.entry = receipt(42, 300).entry;
    assert_eq!(
        swapped.accept(&policy("none")),
        Err(ReceiptError::Proof(ProofError::Root))
    );
    let mut moved = receipt(41, 300);
    moved.index = 300;
    assert!(matches!(
        moved.accept(&policy("none")),
        Err(ReceiptError::Proof(ProofError::Index { .. }))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_altered_receipt_is_accepted(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let text = receipt(4, 9).to_string();
        let mut bytes = text.clone().into_bytes();
        bytes[at.index(text.len())] ^= 1 << bit;
        if let Ok(altered) = String::from_utf8(bytes)
            && let Ok(read) = altered.parse::<Receipt>()
        {
            prop_assert!(read.accept(&policy("tax")).is_err());
        }
    }

    #[test]
    fn any_text_is_refused_or_read_back(text in "c2sp.org/tlog-proof@v1\nextra [A-Za-z0-9]{0,8}\nindex [0-9]{1,3}\n([A-Za-z0-9+/]{43}=\n){0,3}\nlog\n[0-9]\n[A-Za-z0-9+/]{43}=\n\n— a AAAAAAA[A-P]\n") {
        if let Ok(receipt) = text.parse::<Receipt>() {
            prop_assert_eq!(receipt.to_string(), text);
        }
    }
}
