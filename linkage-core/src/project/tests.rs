use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use ring::signature::KeyPair;

use super::manifest::{AcceptedRisk, Tables, Terms};
use super::*;
use crate::keys::SealingKey;
use crate::schema::Profile;

const SCHEMA: &str = "version = 1\nentity = \"persons\"\nid_column = \"id\"\n[[field]]\n\
                      name = \"name\"\nkind = \"name\"\nfeature = [{ kind = \"whole\", bits = 9 }]\n";

pub(crate) fn signer(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn manifest() -> Manifest {
    let owner = |name: &str, seed: u8| Owner {
        party: name.parse().unwrap(),
        signing_key: hex::encode(signer(seed).public_key().as_ref()),
        sealing_key: hex::encode(
            SealingKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
                .public()
                .to_bytes(),
        ),
    };
    Manifest {
        version: 1,
        name: "试点".into(),
        purpose: "count".into(),
        legal_basis: "decree".into(),
        matcher: "matcher".parse().unwrap(),
        nonce: "n".into(),
        epoch: 1,
        predecessor: None,
        expires: "2030-12-31".into(),
        schema: SCHEMA.into(),
        terms: Terms::of(&Schema::parse(SCHEMA).unwrap(), SCHEMA, 0.3),
        tables: Tables {
            analysts: vec![],
            threshold_k: 10,
            epsilon_per_table: "0.5".into(),
            epsilon_budget: "5".into(),
        },
        accepted_risk: None,
        owners: vec![owner("credit", 1), owner("health", 2)],
    }
}

pub(crate) fn project() -> Project {
    Project::parse(&manifest().to_bytes().unwrap()).unwrap()
}

/// The manifest with another schema and its terms.
fn with_schema(mut manifest: Manifest, text: String) -> Manifest {
    manifest.terms = Terms::of(&Schema::parse(&text).unwrap(), &text, 0.3);
    manifest.schema = text;
    manifest
}

#[test]
fn a_signature_fits_one_owner_one_project_one_purpose() {
    let project = Project::parse(&manifest().to_bytes().unwrap()).unwrap();
    let (credit, health): (PartyId, PartyId) =
        ("credit".parse().unwrap(), "health".parse().unwrap());
    let signature = project.sign(&signer(1), Purpose::Manifest, b"");
    assert_eq!(
        project.verify(&credit, Purpose::Manifest, b"", &signature),
        Ok(())
    );
    assert!(
        project
            .verify(&health, Purpose::Manifest, b"", &signature)
            .is_err()
    );
    assert!(
        project
            .verify(&credit, Purpose::KeyCheck, b"", &signature)
            .is_err()
    );
    assert!(
        project
            .verify(&credit, Purpose::Manifest, b"x", &signature)
            .is_err()
    );
    let mut other = manifest();
    other.nonce = "m".into();
    let other = Project::parse(&other.to_bytes().unwrap()).unwrap();
    assert!(
        other
            .verify(&credit, Purpose::Manifest, b"", &signature)
            .is_err()
    );
    let stranger: PartyId = "tax".parse().unwrap();
    assert_eq!(
        project.verify(&stranger, Purpose::Manifest, b"", &signature),
        Err(Error::NotAnOwner(stranger))
    );
}

#[test]
fn a_manifest_is_signed_by_two_persons_of_each_owner() {
    let project = project();
    let (credit, health): (PartyId, PartyId) =
        ("credit".parse().unwrap(), "health".parse().unwrap());
    let consent = Consent::new([1; 32], [2; 32]).unwrap();
    let other = Consent::new([1; 32], [3; 32]).unwrap();
    let of = |party: &PartyId, consent, signature: &[u8]| ManifestSignature {
        party: party.clone(),
        consent,
        signature: signature.to_vec(),
    };
    let signature = project.sign_manifest(&signer(1), &consent);
    let first = of(&credit, consent, &signature);
    let one = project.signatures([&first]).unwrap();
    assert_eq!(one.missing(), std::slice::from_ref(&health));
    // A signature of the bare manifest is none.
    let bare = project.sign(&signer(1), Purpose::Manifest, b"");
    for wrong in [
        of(&credit, other, &signature),
        of(&health, consent, &signature),
        of(&credit, consent, &bare),
    ] {
        assert!(project.signatures([&wrong]).is_err(), "{wrong:?}");
    }
    let second = of(&health, other, &project.sign_manifest(&signer(2), &other));
    let all = project.signatures([&first, &second]).unwrap();
    assert!(all.missing().is_empty());
}

#[test]
fn a_project_expires_after_its_last_day() {
    let project = project();
    let term = |time: &str| project.term(time.parse().unwrap());
    assert_eq!(term("2030-12-31T23:59:59Z"), Term::Running);
    assert_eq!(term("2031-01-01T00:00:00Z"), Term::Expired);
}

#[test]
fn a_later_epoch_names_the_one_before() {
    let mut next = manifest();
    (next.epoch, next.predecessor) = (2, Some(project().id.to_string()));
    let next = Project::parse(&next.to_bytes().unwrap()).unwrap();
    assert_eq!(next.predecessor, Some(project().id));
}

#[test]
fn contradictions_are_refused() {
    type Change = fn(&mut Manifest);
    let changes: [Change; 17] = [
        |m| m.epoch = 0,
        |m| m.epoch = 2,
        |m| m.predecessor = Some("ab".repeat(32)),
        |m| (m.epoch, m.predecessor) = (2, Some("x".into())),
        |m| m.expires = "2030-13-01".into(),
        |m| m.expires = "20301231".into(),
        |m| m.terms.schema_sha256.replace_range(..1, "x"),
        |m| m.terms.profile = Profile::PlainClk,
        |m| m.terms.link_rules.push("id".into()),
        |m| m.terms.ask_rows_max_share = 0.0,
        |m| m.terms.ask_rows_max_share = f64::NAN,
        |m| m.owners.truncate(1),
        |m| m.owners.reverse(),
        |m| m.matcher = "credit".parse().unwrap(),
        |m| m.owners[1].signing_key = m.owners[0].signing_key.clone(),
        |m| m.purpose = " ".into(),
        |m| m.tables.threshold_k = 1,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut bad = manifest();
        change(&mut bad);
        assert!(
            Project::parse(&bad.to_bytes().unwrap()).is_err(),
            "change {at}"
        );
    }
    let unknown = format!("color = 1\n{}", toml::to_string(&manifest()).unwrap());
    assert!(
        Project::parse(unknown.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("color")
    );
}

#[test]
fn an_owner_has_one_record_of_a_person() {
    let schema = SCHEMA.replace(
        "id_column = \"id\"\n",
        "id_column = \"id\"\n[decide]\nrecords_per_owner = \"any\"\n",
    );
    let manifest = with_schema(manifest(), schema);
    let error = Project::parse(&manifest.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("records_per_owner"), "{error}");
}

#[test]
fn field_level_filters_need_an_accepted_risk_and_nothing_else_has_one() {
    let refusal = |manifest: &Manifest| match Project::parse(&manifest.to_bytes().unwrap()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let risk = AcceptedRisk {
        profile: Profile::Fields,
        by: "Data office".into(),
        reason: "enterprises are public".into(),
    };
    let mut manifest = manifest();
    manifest.accepted_risk = Some(risk.clone());
    assert!(refusal(&manifest).contains("does not bring"));
    let filter = "[[filter]]\nname = \"n\"\nbits = 64\nfields = [\"name\"]\nweight = 1\n";
    let schema = manifest.schema.replace(
        "id_column = \"id\"\n",
        "id_column = \"id\"\n[token]\nprofile = \"fields\"\n",
    );
    manifest = with_schema(manifest, format!("{schema}{filter}"));
    assert_eq!(refusal(&manifest), "");
    manifest.accepted_risk = None;
    assert!(refusal(&manifest).contains("add [accepted_risk]"));
    manifest.accepted_risk = Some(AcceptedRisk {
        by: " ".into(),
        ..risk.clone()
    });
    assert!(refusal(&manifest).contains("must be given"));
    manifest.accepted_risk = Some(AcceptedRisk {
        profile: Profile::PlainClk,
        ..risk
    });
    assert!(refusal(&manifest).contains("not the profile"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(at in 0_usize..400, byte in any::<u8>()) {
        let mut bytes = manifest().to_bytes().unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Project::parse(&bytes);
    }
}
