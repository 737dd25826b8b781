use proptest::prelude::*;

use super::*;

fn job() -> Job {
    Job {
        version: 1,
        direction: Direction::Across,
        inputs: vec!["aa".into(), "bb".into()],
        block_pairs_max: 9,
        floor_bits: 0,
    }
}

const STRIPES: Stripes = Stripes {
    rows_a: 1024,
    rows_b: 2048,
    count_a: 2,
    count_b: 1,
};

fn open(folder: &Path, fits: bool) -> RunFolder {
    RunFolder::open(folder, job(), STRIPES, |_| fits).unwrap()
}

fn pass(number: usize) -> PassDone {
    PassDone {
        number,
        index_crc: 5,
        count: RuleCount {
            pairs: 1,
            blocks_split: 2,
            pairs_split: 3,
            blocks_left_out: 4,
            pairs_left_out: 5,
        },
    }
}

fn touch(path: &Path) {
    fs::write(path, "x").unwrap();
}

#[test]
fn only_named_pieces_outlive_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = open(folder.path(), true);
    for path in [
        run.pass(0),
        run.pass(1),
        run.cell(0, 0),
        run.scratch("a"),
        folder.path().join("mine"),
    ] {
        touch(&path);
    }
    run.finish_pass(pass(0)).unwrap();
    drop(run);
    let run = open(folder.path(), true);
    assert_eq!(run.finished_pass(0), Some(&pass(0)));
    assert_eq!(run.finished_pass(1), None);
    assert!(run.pass(0).exists());
    for gone in [run.pass(1), run.cell(0, 0), run.scratch("a")] {
        assert!(!gone.exists());
    }
    run.remove().unwrap();
    let left = fs::read_dir(folder.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine"], "what is not the search's own stays");
}

#[test]
fn pieces_cut_for_more_memory_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = open(folder.path(), true);
    touch(&run.pass(0));
    run.finish_pass(pass(0)).unwrap();
    drop(run);
    let run = open(folder.path(), false);
    assert_eq!(run.finished_pass(0), None);
    assert!(!run.pass(0).exists());
}

proptest! {
    #[test]
    fn arbitrary_manifests_do_not_panic(text in ".{0,200}", checked in any::<bool>()) {
        let crc = crc32c::crc32c(text.as_bytes());
        let text = if checked { format!("{text}\n{crc:08x}\n") } else { text };
        prop_assert_eq!(parse(&text), None);
    }
}
