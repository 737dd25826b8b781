use std::fs;
use std::path::PathBuf;

use linkage_core::candidates::{Prefilter, across_by_keys};
use linkage_core::schema::DecideSettings;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::sample::Shape;
use crate::spill::plan::Stripes;
use crate::store;

/// Two stores and a folder for runs.
struct Setting {
    folder: TempDir,
    a: TokenStore,
    b: TokenStore,
}

impl Setting {
    fn new(rows: (u32, u32), values: u64, token_bits: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = |rows, seed, name| {
            let shape = Shape {
                rows,
                token_bits,
                values,
                seed,
            };
            store::tests::store(shape, &folder.path().join(name))
        };
        Self {
            a: store(rows.0, 1, "a"),
            b: store(rows.1, 2, "b"),
            folder,
        }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn search<'a>(&'a self, max: u64, threads: usize, folder: &'a Path) -> Search<'a> {
        let limits = Limits {
            memory_bytes: 1 << 28,
            threads,
        };
        Search::new(&self.a, Some(&self.b), &settings(0, max), limits, folder)
    }

    /// The outcome of a search by a plan, which is as small as the arguments say.
    fn planned(&self, search: &Search<'_>, stripes: u32, pairs: u64) -> Found {
        let rows = (
            self.a.header().rows,
            search.b.unwrap_or(&self.a).header().rows,
        );
        let mut plan = Plan::new(self.a.header(), rows, 1 << 28, 1).unwrap();
        let count = |rows: u64| (rows as u32).div_ceil(stripes * 1024).max(1);
        plan.stripes = Stripes {
            rows_a: stripes * 1024,
            rows_b: stripes * 1024,
            count_a: count(rows.0),
            count_b: count(rows.1),
        };
        plan.partitions = 3;
        plan.entries = 64;
        plan.partition_buffer = 256;
        plan.cell_buffer = 64;
        plan.pairs = pairs;
        plan.scores = 100;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(search.limits.threads)
            .build()
            .unwrap();
        pool.install(|| search.run_planned(plan, &|_, _| ()).unwrap())
    }

    fn expected(&self, max: u64) -> Candidates {
        let settings = settings(0, max);
        across_by_keys(
            &self.a.columns(),
            &self.b.columns(),
            &settings,
            Prefilter::Off,
        )
    }
}

fn settings(all_pairs_max: u64, block_pairs_max: u64) -> CandidateSettings {
    CandidateSettings {
        all_pairs_max,
        block_pairs_max,
        ..CandidateSettings::default()
    }
}

/// Equal to the bit.
#[track_caller]
fn assert_same(found: &Candidates, expected: &Candidates) {
    assert_eq!(found.compared, expected.compared);
    assert_eq!(found.block_rules, expected.block_rules);
    assert_eq!(found.identity_conflicts, expected.identity_conflicts);
    assert_eq!(found.method, expected.method);
    assert_eq!(found.pairs.len(), expected.pairs.len());
    for (x, y) in found.pairs.iter().zip(&expected.pairs) {
        assert_eq!((x.a, x.b, x.link_rule), (y.a, y.b, y.link_rule));
        assert_eq!(x.score.to_bits(), y.score.to_bits());
    }
}

#[test]
fn finds_what_is_found_in_memory_whatever_the_division() {
    let setting = Setting::new((5_000, 3_500), 900, 136);
    let expected = setting.expected(60);
    // The data show all that there is to get wrong.
    assert!(
        expected
            .block_rules
            .iter()
            .any(|rule| rule.blocks_left_out > 0)
    );
    assert!(!expected.identity_conflicts.is_empty());
    let rules: Vec<_> = expected.pairs.iter().map(|pair| pair.link_rule).collect();
    for rule in [None, Some(0), Some(1), Some(2)] {
        assert!(rules.contains(&rule));
    }
    for (stripes, pairs, threads) in [(1, 1, 1), (2, 5_000, 2), (3, 20_000, 4), (9, 1 << 40, 3)] {
        let folder = setting.run();
        let search = setting.search(60, threads, &folder);
        let found = setting.planned(&search, stripes, pairs);
        assert_same(&found.candidates().unwrap(), &expected);
        found.remove().unwrap();
        assert!(!folder.exists());
    }
}

#[test]
fn one_owner_is_compared_as_in_memory() {
    let setting = Setting::new((3_000, 0), 900, 64);
    for max in [9, 40, u64::MAX] {
        let expected = candidates::within(&setting.a.columns(), &settings(0, max));
        for (stripes, pairs, threads) in [(1, 1_000, 2), (2, 1 << 40, 1)] {
            let folder = setting.run();
            let search = setting.search(max, threads, &folder);
            let search = Search { b: None, ..search };
            let found = setting.planned(&search, stripes, pairs);
            assert_same(&found.candidates().unwrap(), &expected);
            found.remove().unwrap();
        }
    }
}

#[test]
fn limits_of_memory_and_threads_change_nothing() {
    let setting = Setting::new((20_000, 20_000), 9_000, 512);
    let expected = setting.expected(250_000);
    for (memory, threads) in [(64 << 20, 1), (64 << 20, 4), (1 << 30, 2), (1 << 40, 0)] {
        let limits = Limits {
            memory_bytes: memory,
            threads,
        };
        let settings = settings(0, 250_000);
        let (a, b, folder) = (&setting.a, &setting.b, setting.run());
        let found = across(a, b, &settings, &limits, &folder, &|_, _| ()).unwrap();
        assert_same(&found, &expected);
        assert!(!folder.exists());
    }
}

#[test]
fn small_data_sets_are_compared_exhaustively() {
    let setting = Setting::new((50, 40), 10, 64);
    let limits = Limits {
        memory_bytes: 1 << 28,
        threads: 1,
    };
    let settings = settings(2_500, 100);
    let (a, b, folder) = (&setting.a, &setting.b, setting.run());
    let found = across(a, b, &settings, &limits, &folder, &|_, _| ()).unwrap();
    assert_same(
        &found,
        &candidates::across(&a.columns(), &b.columns(), &settings),
    );
    let found = within(a, &settings, &limits, &folder, &|_, _| ()).unwrap();
    assert_same(&found, &candidates::within(&a.columns(), &settings));
    assert!(!folder.exists());
}

#[test]
fn a_floor_keeps_the_pairs_above_it_and_the_linked_ones() {
    let setting = Setting::new((3_000, 3_000), 900, 64);
    let expected = setting.expected(1_000);
    let floor = 0.3;
    let folder = setting.run();
    let search = setting.search(1_000, 2, &folder).floor(floor);
    let found = search.run(&|_, _| ()).unwrap();
    let kept = |pair: &&candidates::ScoredPair| pair.score >= floor || pair.link_rule.is_some();
    let pairs: Vec<_> = expected.pairs.iter().filter(kept).copied().collect();
    assert!(pairs.len() < expected.pairs.len() && pairs.len() > 100);
    assert_eq!(found.pairs().collect::<Result<Vec<_>, _>>().unwrap(), pairs);
    // A pair of several rules may be compared for each of them.
    let proposed: u64 = expected.block_rules.iter().map(|count| count.pairs).sum();
    assert_eq!(found.compared(), proposed);
    assert!((found.candidates().unwrap().floor - floor).abs() < f64::EPSILON);
}

#[test]
fn one_key_held_by_all_rows_fills_no_partition() {
    let setting = Setting::new((6_000, 5_000), 1, 64);
    let expected = setting.expected(50);
    assert!(
        expected
            .block_rules
            .iter()
            .all(|rule| rule.blocks_left_out == 1)
    );
    let folder = setting.run();
    let found = setting.planned(&setting.search(50, 2, &folder), 1, 100);
    assert_same(&found.candidates().unwrap(), &expected);
}

#[test]
fn a_folder_of_another_search_is_refused_by_name() {
    let setting = Setting::new((3_000, 3_000), 900, 64);
    let other = Setting::new((3_000, 2_999), 900, 64);
    let folder = setting.run();
    let held = setting.search(60, 1, &folder).run(&|_, _| ()).unwrap();
    let refused = |search: Search<'_>| match search.run(&|_, _| ()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("not refused"),
    };
    assert!(refused(setting.search(60, 1, &folder)).contains("another process"));
    drop(held);
    let changed = [
        (setting.search(61, 1, &folder), "block_pairs_max"),
        (setting.search(60, 1, &folder).floor(0.5), "agreement"),
        (other.search(60, 1, &folder), "second data set"),
        (
            Search {
                b: None,
                ..setting.search(60, 1, &folder)
            },
            "with itself",
        ),
    ];
    for (search, expected) in changed {
        let message = refused(search);
        assert!(message.contains(expected), "{message}");
    }
    // What is finished is found again, with other limits too.
    let search = Search {
        limits: Limits {
            memory_bytes: 1 << 29,
            threads: 3,
        },
        ..setting.search(60, 1, &folder)
    };
    let again = search.run(&|done, total| assert_eq!(done, total)).unwrap();
    assert_same(&again.candidates().unwrap(), &setting.expected(60));
}

#[test]
fn damaged_pieces_are_refused_and_lost_ones_made_again() {
    let setting = Setting::new((3_000, 3_000), 900, 64);
    let folder = setting.run();
    let search = setting.search(60, 1, &folder);
    drop(search.run(&|_, _| ()).unwrap());
    let manifest = folder.join("manifest");
    let right = fs::read_to_string(&manifest).unwrap();
    let compared = setting.expected(60).compared;
    let wrong = right.replace(&compared.to_string(), "7");
    assert_ne!(right, wrong);
    fs::write(&manifest, wrong).unwrap();
    assert!(matches!(search.run(&|_, _| ()), Err(Error::Damaged { .. })));
    fs::write(&manifest, right).unwrap();
    let cell = folder.join("cell-000-000");
    let mut bytes = fs::read(&cell).unwrap();
    bytes[100] ^= 1;
    fs::write(&cell, bytes).unwrap();
    let found = search.run(&|_, _| ()).unwrap();
    assert!(matches!(found.candidates(), Err(Error::Damaged { .. })));
    assert!(found.pairs().any(|pair| pair.is_err()));
    drop(found);
    fs::remove_file(&manifest).unwrap();
    let found = search.run(&|_, _| ()).unwrap();
    assert_same(&found.candidates().unwrap(), &setting.expected(60));
}

#[test]
fn too_little_memory_is_refused_with_what_is_needed() {
    let setting = Setting::new((10, 10), 5, 512);
    let folder = setting.run();
    let limits = Limits {
        memory_bytes: 1 << 20,
        threads: 1,
    };
    let search = Search {
        limits,
        ..setting.search(60, 1, &folder)
    };
    let needed = match search.run(&|_, _| ()) {
        Err(Error::Memory { needed, .. }) => needed,
        other => panic!("{other:?}"),
    };
    let limits = Limits {
        memory_bytes: needed,
        ..limits
    };
    assert!(Search { limits, ..search }.run(&|_, _| ()).is_ok());
}

#[test]
fn a_run_with_the_finder_is_the_run_in_memory() {
    let Setting { folder, a, b } = Setting::new((3_000, 2_500), 900, 256);
    let stores = [a, b];
    let columns: Vec<_> = stores.iter().map(TokenStore::columns).collect();
    let settings = settings(0, 500);
    let deciding = linkage_core::run::Deciding::keeping(DecideSettings::default());
    let expected = linkage_core::run::link(&columns, &settings, deciding, &|_, _| ()).unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        threads: 2,
    };
    let work = folder.path().join("work");
    for _ in 0..2 {
        let finder = Finder::new(&stores, &settings, limits, &work);
        let found =
            linkage_core::run::link_with(&columns, &settings, &finder, deciding, &|_, _| ())
                .unwrap();
        assert_eq!(found.assigned, expected.assigned);
        assert!(found.assigned.iter().any(|pairs| pairs.len() > 500));
        let numbers = |outcome: &linkage_core::run::Outcome| -> Vec<Vec<u32>> {
            outcome.clusters.owners().map(<[u32]>::to_vec).collect()
        };
        assert_eq!(numbers(&found), numbers(&expected));
        assert_eq!(fs::read_dir(&work).unwrap().count(), 3);
        // The second run finds everything finished.
        drop(finder);
    }
    let finder = Finder::new(&stores, &settings, limits, &work);
    linkage_core::run::link_with(&columns, &settings, &finder, deciding, &|_, _| ()).unwrap();
    finder.remove().unwrap();
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_search_finds_what_is_found_in_memory(
        rows in (0_u32..2_500, 0_u32..2_500),
        values in 1_u64..2_000,
        max in 0_u64..200,
        stripes in 1_u32..3,
        pairs in 1_u64..5_000,
        threads in 1_usize..4,
    ) {
        let setting = Setting::new(rows, values, 72);
        let folder = setting.run();
        let found = setting.planned(&setting.search(max, threads, &folder), stripes, pairs);
        assert_same(&found.candidates().unwrap(), &setting.expected(max));
    }
}
