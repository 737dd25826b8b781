use proptest::prelude::*;

use super::*;
use crate::audit::export::{Form, line};

const ORIGIN: &str = "linkage/linkage.example/health/owner/0123456789abcdef";

#[test]
fn the_bytes_of_an_entry_are_stable() {
    let text = concat!(
        r#"{"v":1,"seq":0,"time":"2026-01-31T12:00:00.000001Z","#,
        r#""node":"linkage/linkage.example/health/owner/0123456789abcdef","#,
        r#""boot":"7d3c1f52-6f0e-4f39-9f2e-0a1b2c3d4e5f","mono_ns":0,"#,
        r#""op":"0194b7d2-0000-7000-8000-000000000000","phase":"event","#,
        r#""actor":{"kind":"node","id":"credit","role":"owner","cert_sha256":"#,
        r#""abababababababababababababababababababababababababababababababab"},"#,
        r#""action":"node.start","object":"batch-0","project":"2026-income","result":"ok","#,
        r#""counts":{"rows":"<10"},"digests":{"batch":"#,
        r#""0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"}}"#,
    );
    let entry = entry(ORIGIN, 0, event(0));
    assert_eq!(String::from_utf8(entry.to_bytes().unwrap()).unwrap(), text);
    assert_eq!(Entry::from_bytes(text.as_bytes()).unwrap(), entry);
}

#[test]
fn few_records_are_a_band() {
    assert_eq!(Count::of_records(9), Count::Few);
    assert_eq!(Count::of_records(10), 10);
    assert_eq!(Count::Few.to_string(), "<10");
    assert!(serde_json::from_str::<Count>("\"<11\"").is_err());
}

#[test]
fn what_is_not_written_so_is_refused() {
    let entry = entry(ORIGIN, 3, event(3));
    let text = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
    for (from, to) in [
        (r#"{"v":1,"#, r#"{"v":2,"#),
        (r#"{"v":1,"#, r#"{ "v":1,"#),
        (r#","mono_ns":3"#, r#","mono_ns":3,"mono_ns":3"#),
        (r#""phase":"event""#, r#""phase":"event","more":1"#),
        (r#""phase":"event""#, r#""phase":"intent""#),
        (r#""phase":"event""#, r#""phase":"outcome""#),
        (r#""object":"batch-3""#, r#""object":"""#),
        (r#""op":"0194"#, r#""op":"019G"#),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        assert!(Entry::from_bytes(changed.as_bytes()).is_err(), "{to}");
    }
    let mut long = entry.clone();
    long.event.object = "x".repeat(257);
    assert_eq!(long.to_bytes(), Err(EntryError::Field("object")));
}

#[test]
fn an_outcome_names_its_intent_and_an_intent_has_no_result() {
    let mut told = event(1);
    told.phase = Phase::Intent;
    assert_eq!(
        entry(ORIGIN, 1, told.clone()).to_bytes(),
        Err(EntryError::Phase)
    );
    told.result = None;
    assert!(entry(ORIGIN, 1, told.clone()).to_bytes().is_ok());
    told.phase = Phase::Outcome;
    told.result = Some(Outcome::Unknown);
    assert_eq!(
        entry(ORIGIN, 2, told.clone()).to_bytes(),
        Err(EntryError::Phase)
    );
    told.intent = Some(1);
    assert!(entry(ORIGIN, 2, told).to_bytes().is_ok());
}

#[test]
fn exports_keep_to_their_forms() {
    let mut act = event(14);
    act.result = Some(Outcome::Denied);
    act.reason = Some("authz.role".into());
    act.object = "a|b=c\\d".into();
    let entry = entry(ORIGIN, 14, act);
    let bytes = entry.to_bytes().unwrap();
    assert_eq!(line(Form::Json, &entry, &bytes), bytes);
    let syslog = String::from_utf8(line(Form::Syslog, &entry, &bytes)).unwrap();
    let action = entry.event.action;
    let head = format!(
        "<108>1 2026-01-31T12:00:00.000001Z {ORIGIN} linkage {} {action} [meta sequenceId=\"15\"] {{",
        entry.boot
    );
    assert!(syslog.starts_with(&head), "{syslog}");
    let cef = String::from_utf8(line(Form::Cef, &entry, &bytes)).unwrap();
    assert!(
        cef.starts_with(&format!("CEF:0|Linkage|linkage|1|{action}|")),
        "{cef}"
    );
    for field in [
        "|6|rt=1769860800000 externalId=14 ",
        " duser=a|b\\=c\\\\d ",
        " outcome=denied reason=authz.role cs2Label=project cs2=2026-income ",
    ] {
        assert!(cef.contains(field), "{field} in {cef}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read_back(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(entry) = Entry::from_bytes(&bytes) {
            prop_assert_eq!(entry.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn no_altered_byte_goes_unseen(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bytes = entry(ORIGIN, 3, event(3)).to_bytes().unwrap();
        let mut altered = bytes.clone();
        altered[at.index(bytes.len())] = byte;
        if let Ok(entry) = Entry::from_bytes(&altered) {
            prop_assert_eq!(entry.to_bytes().unwrap(), altered);
        }
    }
}
