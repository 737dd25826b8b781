use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::encode::{Batch, EncodedRecord, Encoder, Header};
use crate::keys::{KeyId, ProjectKey};
use crate::normalise::Normaliser;
use crate::record::RawRecord;
use crate::schema::Schema;

const TODAY: crate::record::Day = crate::record::Day {
    year: 2026,
    month: 1,
    day: 1,
};

fn schema() -> Schema {
    Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [token]
        profile = "plain-clk"
        bits = 256
        features_min = 1
        [[field]]
        name = "name"
        kind = "text"
        feature = [{ kind = "q-gram", q = 2, bits = 80 }]
        [[field]]
        name = "block"
        kind = "text"
        [[field]]
        name = "link"
        kind = "text"
        [[link_key]]
        name = "link"
        parts = [{ field = "link" }]
        [[block_key]]
        name = "block"
        parts = [{ field = "block" }]
        "#,
    )
    .unwrap()
}

pub(super) fn batch(rows: &[(u8, u8, u8)]) -> Batch {
    let schema = schema();
    let key = ProjectKey::from_bytes([1; 32]);
    let normaliser = Normaliser::new(&schema, TODAY);
    let encoder = Encoder::new(&schema, &key);
    let text = |n: u8| {
        if n == 0 {
            String::new()
        } else {
            format!("value {n}")
        }
    };
    let records: Vec<EncodedRecord> = rows
        .iter()
        .map(|(name, block, link)| {
            let values = [text(*name), text(*block), text(*link)];
            let raw = RawRecord {
                id: String::new().into(),
                values: values.into_iter().map(Into::into).collect(),
            };
            encoder.record(&normaliser.record(&raw))
        })
        .collect();
    let header = Header::new([0; 32], &schema, KeyId([0; 8]), rows.len() as u64);
    Batch::decode(&Batch::encode(&header, &records).unwrap()).unwrap()
}

pub(super) fn settings(all_pairs_max: u64, block_pairs_max: u64) -> CandidateSettings {
    CandidateSettings {
        all_pairs_max,
        block_pairs_max,
        ..CandidateSettings::default()
    }
}

pub(super) type Rows = Vec<(u8, u8, u8)>;

pub(super) fn rows() -> impl Strategy<Value = Rows> {
    prop::collection::vec((1_u8..6, 0_u8..5, 0_u8..12), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pre_filter_changes_no_pair(a in rows(), b in rows()) {
        let find = |prefilter| {
            let found = across_by_keys(&batch(&a).columns(), &batch(&b).columns(), &settings(0, 20), prefilter);
            (found.pairs, found.compared, found.block_rules)
        };
        prop_assert_eq!(find(Prefilter::Off), find(Prefilter::Bloom));
    }

    #[test]
    fn keyed_pairs_are_exactly_those_that_share_a_key(a in rows(), b in rows()) {
        let found = across(&batch(&a).columns(), &batch(&b).columns(), &settings(0, u64::MAX));
        let mut expected = BTreeSet::new();
        let mut expected_links = BTreeSet::new();
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                let ids = (u32::try_from(i).unwrap(), u32::try_from(j).unwrap());
                if x.2 != 0 && x.2 == y.2 {
                    expected_links.insert(ids);
                }
                if x.1 != 0 && x.1 == y.1 || x.2 != 0 && x.2 == y.2 {
                    expected.insert(ids);
                }
            }
        }
        let got: Vec<_> = found.pairs.iter().map(|p| (p.a, p.b)).collect();
        prop_assert!(got.is_sorted());
        let compared: BTreeSet<_> = got.into_iter().collect();
        // Only pairs without any agreement are missing, and those are no candidates.
        prop_assert!(compared.is_subset(&expected));
        prop_assert_eq!(found.compared, expected.len() as u64);
        let links: BTreeSet<_> =
            found.pairs.iter().filter(|p| p.link_rule == Some(0)).map(|p| (p.a, p.b)).collect();
        prop_assert_eq!(links, expected_links);
    }

    #[test]
    fn within_one_owner_each_pair_comes_once(a in rows()) {
        for max in [0, u64::MAX] {
            let found = within(&batch(&a).columns(), &settings(max, u64::MAX));
            prop_assert!(found.pairs.iter().all(|p| p.a < p.b));
            prop_assert!(found.pairs.is_sorted_by_key(|p| (p.a, p.b)));
        }
    }

    #[test]
    fn exhaustive_comparison_keeps_every_pair_above_the_floor(a in rows(), b in rows()) {
        let (a, b) = (batch(&a), batch(&b));
        let found = across(&a.columns(), &b.columns(), &settings(u64::MAX, 0));
        let comparison = crate::similarity::Comparison::new(&a.columns(), &b.columns());
        let kept: BTreeSet<_> = found.pairs.iter().map(|p| (p.a, p.b)).collect();
        for i in 0..u32::try_from(a.len()).unwrap() {
            for j in 0..u32::try_from(b.len()).unwrap() {
                let score = comparison.score(i, j);
                prop_assert!(score < found.floor || score == 0.0 || kept.contains(&(i, j)));
            }
        }
    }
}

#[test]
fn an_over_large_block_is_left_out_and_reported() {
    let a: Rows = (0..20).map(|_| (1, 1, 0)).collect();
    let found = across(
        &batch(&a).columns(),
        &batch(&a).columns(),
        &settings(0, 399),
    );
    assert_eq!(found.pairs.len(), 0);
    assert_eq!(found.block_rules[0].blocks_left_out, 1);
    assert_eq!(found.block_rules[0].pairs_left_out, 400);
}

/// Batches of (number, name, birth place) under one rule: equal numbers link with equal names or
/// places.
fn identities(rows: &[[&str; 3]]) -> Batch {
    let schema = Schema::parse(
        r#"
        version = 1
        entity = "persons"
        id_column = "id"
        [token]
        profile = "plain-clk"
        bits = 256
        features_min = 1
        [[field]]
        name = "number"
        kind = "code"
        [[field]]
        name = "name"
        kind = "text"
        feature = [{ kind = "q-gram", q = 2, bits = 80 }]
        [[field]]
        name = "place"
        kind = "text"
        [[link_key]]
        name = "number"
        parts = [{ field = "number" }]
        supports = [[{ field = "name" }], [{ field = "place" }]]
        "#,
    )
    .unwrap();
    let key = ProjectKey::from_bytes([1; 32]);
    let normaliser = Normaliser::new(&schema, TODAY);
    let encoder = Encoder::new(&schema, &key);
    let records: Vec<EncodedRecord> = rows
        .iter()
        .map(|values| {
            let raw = RawRecord {
                id: String::new().into(),
                values: values.iter().map(|v| (*v).to_owned().into()).collect(),
            };
            encoder.record(&normaliser.record(&raw))
        })
        .collect();
    let header = Header::new([0; 32], &schema, KeyId([0; 8]), rows.len() as u64);
    Batch::decode(&Batch::encode(&header, &records).unwrap()).unwrap()
}

#[test]
fn one_number_under_two_names_is_a_conflict_and_no_link() {
    let a = identities(&[["n1", "anna miller", "york"]]);
    let linked = |b: [&str; 3]| {
        let outcomes = [0, u64::MAX].map(|all_pairs_max| {
            let found = across(
                &a.columns(),
                &identities(&[b]).columns(),
                &settings(all_pairs_max, u64::MAX),
            );
            let link = found.pairs.iter().any(|pair| pair.link_rule == Some(0));
            (link, found.identity_conflicts.len())
        });
        assert_eq!(outcomes[0], outcomes[1]);
        outcomes[0]
    };
    assert_eq!(
        linked(["n1", "anna miller", "bath"]),
        (true, 0),
        "name supports"
    );
    assert_eq!(
        linked(["n1", "ann moller", "york"]),
        (true, 0),
        "place supports"
    );
    assert_eq!(
        linked(["n1", "bob smith", "bath"]),
        (false, 1),
        "both differ"
    );
    assert_eq!(
        linked(["n1", "", "bath"]),
        (false, 1),
        "the one that both have differs"
    );
    assert_eq!(
        linked(["n1", "", ""]),
        (false, 0),
        "nothing to support or contradict"
    );
    assert_eq!(
        linked(["n2", "bob smith", "bath"]),
        (false, 0),
        "another number"
    );
}

#[test]
fn a_pair_in_conflict_is_no_candidate_however_similar() {
    let a = identities(&[["n1", "anna miller", "york"]]);
    let b = identities(&[["n1", "anna millerr", "bath"]]);
    for all_pairs_max in [0, u64::MAX] {
        let found = across(
            &a.columns(),
            &b.columns(),
            &settings(all_pairs_max, u64::MAX),
        );
        assert!(found.pairs.is_empty());
        assert_eq!(found.identity_conflicts, [(0, 0)]);
    }
}
