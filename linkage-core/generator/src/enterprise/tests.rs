use super::seat::{
    BLOCK, BRANCHES, COOPERATIVES, INDIVIDUALS, UNIT_INDIVIDUALS, UNITS, enterprises_max,
};
use super::*;
use std::collections::{HashMap, HashSet};

fn register(individuals: bool) -> Register {
    let settings = Settings::new(5, 1).unwrap();
    Register::new(&if individuals {
        settings
    } else {
        settings.without_individual_businesses()
    })
}

#[test]
fn a_block_has_the_stated_kinds() {
    let register = register(true);
    let mut counts: HashMap<String, u32> = HashMap::new();
    for index in 0..BLOCK {
        let kind = register.kind(index).unwrap();
        *counts.entry(format!("{kind:?}")).or_default() += 1;
    }
    assert_eq!(counts["Branch"], BRANCHES);
    assert_eq!(counts["Individual"], INDIVIDUALS + UNIT_INDIVIDUALS);
    assert_eq!(counts["Cooperative"], COOPERATIVES);
    assert_eq!(counts["Company"], UNITS - UNIT_INDIVIDUALS - COOPERATIVES);
    assert!(register.kind(enterprises_max(true)).is_none());
}

#[test]
fn codes_are_valid_distinct_and_of_no_one() {
    let register = register(true);
    let mut seen = HashSet::new();
    for index in (0..60_000).chain(enterprises_max(true) - 3_000..enterprises_max(true)) {
        let enterprise = register.enterprise(index).unwrap();
        assert!(
            codes::is_credit_code(&enterprise.uscc),
            "{}",
            enterprise.uscc
        );
        assert!(codes::is_organisation_code(&enterprise.org_code));
        assert_eq!(&enterprise.uscc[8..17], enterprise.org_code);
        let region: u32 = enterprise.uscc[2..8].parse().unwrap();
        assert!(WITHDRAWN.contains(&region));
        if let Some(number) = &enterprise.registration_number {
            assert!(codes::is_registration_number(number), "{number}");
            assert_eq!(number[..6], enterprise.uscc[2..8]);
            assert!(seen.insert(number.clone()));
        }
        assert!(seen.insert(enterprise.uscc));
    }
}

#[test]
fn branches_belong_to_companies_and_groups_share_a_brand() {
    let register = register(false);
    let mut by_brand: HashMap<String, u32> = HashMap::new();
    let mut companies = HashSet::new();
    let mut branches = Vec::new();
    for index in 0..UNITS + BRANCHES {
        let enterprise = register.enterprise(index).unwrap();
        let name = enterprise.name;
        match enterprise.kind {
            Kind::Branch => branches.push(name),
            _ => {
                *by_brand.entry(name.brand.clone()).or_default() += 1;
                companies.insert(name.text());
            }
        }
    }
    assert_eq!(branches.len(), BRANCHES as usize);
    for mut branch in branches {
        assert!(!branch.branch.is_empty());
        branch.branch.clear();
        assert!(companies.contains(&branch.text()), "{}", branch.text());
    }
    let sharing: u32 = by_brand.values().filter(|&&count| count > 1).sum();
    // 100 in groups, and some whose brands are alike by chance.
    assert!((100..220).contains(&sharing), "{sharing}");
}

#[test]
fn names_follow_the_stated_shares() {
    let register = register(false);
    let (mut lengths, mut regions, mut forms) = ([0; 5], HashMap::new(), HashMap::new());
    let mut all = 0;
    for index in 0..20_000 {
        let enterprise = register.enterprise(index).unwrap();
        if enterprise.kind != Kind::Company {
            continue;
        }
        all += 1;
        lengths[enterprise.name.brand.chars().count()] += 1;
        *regions
            .entry(format!("{:?}", enterprise.name.region))
            .or_default() += 1;
        *forms.entry(enterprise.name.form).or_default() += 1;
    }
    let near = |found: i32, per_cent: f64| {
        let share = f64::from(found) * 100.0 / f64::from(all);
        assert!((share - per_cent).abs() < 1.5, "{share} against {per_cent}");
    };
    near(lengths[2], 46.0);
    near(lengths[3], 33.0);
    near(lengths[4], 21.0);
    near(regions["City"], 59.0);
    near(regions["CityShort"], 15.0);
    near(regions["County"], 14.0);
    near(regions["Province"], 5.0);
    near(regions["Bracketed"] + regions["None"], 7.0);
    near(forms["厂"], 8.0);
    near(forms["股份有限公司"], 1.0);
}

#[test]
fn history_is_kept() {
    let register = register(false);
    let mut renamed = 0;
    for index in 0..20_000 {
        if let Some(former) = register.former_name(index) {
            renamed += 1;
            assert_eq!(register.former_name(index), Some(former.clone()));
            assert_ne!(former.brand, register.enterprise(index).unwrap().name.brand);
        }
        assert_eq!(register.former_representative(index, 0), None);
        assert_eq!(register.former_address(index, 0), None);
    }
    // 2.02 % in half a year; four standard deviations are 79.
    assert!((325..485).contains(&renamed), "{renamed}");
}
