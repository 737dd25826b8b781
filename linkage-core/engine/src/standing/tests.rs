use std::path::Path;

use linkage_core::encode::Batch;
use linkage_core::encode::batch::{BatchWriter, Row};
use linkage_core::run::{self, Deciding, Outcome};
use linkage_core::schema::DecideSettings;

use super::*;
use crate::sample::{Shape, batch, header, mix};

/// Few enough pairs a key that all are compared.
const VALUES: u64 = 4_000;

fn shape(rows: u32, seed: u64) -> Shape {
    Shape {
        rows,
        token_bits: 136,
        values: VALUES,
        seed,
    }
}

fn records(rows: u32, seed: u64) -> Batch {
    Batch::decode(&batch(shape(rows, seed))).unwrap()
}

/// Rows of both batches that `takes` names, in another order, as a token file.
fn write(path: &Path, parts: [(&Batch, &dyn Fn(u32) -> bool); 2]) {
    let mut rows: Vec<(u64, usize, usize)> = Vec::new();
    for (part, (batch, takes)) in parts.iter().enumerate() {
        let taken = (0..batch.len()).filter(|row| takes(*row as u32));
        rows.extend(taken.map(|row| (mix(&mut (row as u64 * 2 + part as u64)), part, row)));
    }
    rows.sort_unstable();
    let header = header(shape(rows.len() as u32, 0));
    let mut writer = BatchWriter::new(Vec::new(), &header).unwrap();
    for (_, part, row) in rows {
        let columns = parts[part].0.columns();
        let link_keys: Vec<_> = (0..columns.link_keys.len())
            .map(|column| columns.link_key(row, column).map(u128::to_be_bytes))
            .collect();
        let block_keys: Vec<_> = (0..columns.block_keys.len())
            .map(|rule| columns.block_key(row, rule))
            .collect();
        let row = Row {
            token: columns.token(row),
            link_keys: &link_keys,
            block_keys: &block_keys,
            classes: &[],
        };
        writer.push(&row).unwrap();
    }
    std::fs::write(path, writer.finish().unwrap().0).unwrap();
}

fn settings() -> CandidateSettings {
    CandidateSettings {
        all_pairs_max: 0,
        ..CandidateSettings::default()
    }
}

/// Token files of three owners in a folder, and a standing folder beside them.
struct World {
    folder: tempfile::TempDir,
    names: Vec<String>,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        };
        let none = records(0, 0);
        for (name, seed) in world.names.iter().zip(1..) {
            let parts: [(&Batch, &dyn Fn(u32) -> bool); 2] =
                [(&records(1_500, seed), &|_| true), (&none, &|_| false)];
            write(&world.tokens(name), parts);
        }
        world
    }

    /// The owner loses every fifth record and gets some new ones.
    fn change(&self, name: &str, seed: u64) {
        let old = Batch::decode(&std::fs::read(self.tokens(name)).unwrap()).unwrap();
        let parts: [(&Batch, &dyn Fn(u32) -> bool); 2] = [
            (&old, &|row| row % 5 != 0),
            (&records(200, seed), &|_| true),
        ];
        write(&self.tokens(name), parts);
    }

    fn tokens(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.tokens"))
    }

    fn standing(&self) -> PathBuf {
        self.folder.path().join("standing")
    }

    /// Runs, compares with a full run, and says how each search was done.
    fn run(&self, settings: &CandidateSettings, commit: bool) -> Result<Vec<How>, Error> {
        let standing = Standing::open(&self.standing(), self.names.clone())?;
        let stores: Vec<TokenStore> = (0..)
            .zip(&self.names)
            .map(|(owner, name)| standing.store(owner, &self.tokens(name)).unwrap())
            .collect();
        let columns: Vec<_> = stores.iter().map(TokenStore::columns).collect();
        let finder = standing.finder(&stores, settings)?;
        let deciding = Deciding::keeping(DecideSettings::default());
        let found = run::link_with(&columns, settings, &finder, deciding, &|_, _| ())?;
        let full = run::link(&columns, settings, deciding, &|_, _| ()).unwrap();
        assert_eq!(found.assigned, full.assigned);
        let clusters = |outcome: &Outcome| -> Vec<Vec<u32>> {
            outcome.clusters.owners().map(<[u32]>::to_vec).collect()
        };
        assert_eq!(clusters(&found), clusters(&full));
        let reports = |outcome: &Outcome| serde_json::to_string(&outcome.pairs).unwrap();
        assert_eq!(reports(&found), reports(&full));
        let notes = finder.notes().into_iter().map(|note| note.how).collect();
        if commit {
            standing.commit(settings)?;
        }
        Ok(notes)
    }
}

#[test]
fn a_run_on_changed_records_is_a_full_run_at_less_cost() {
    let mut world = World::new();
    let settings = settings();
    assert_eq!(world.run(&settings, true).unwrap(), [How::New; 6]);
    world.change("a", 11);
    assert_eq!(world.run(&settings, true).unwrap(), [How::Updated; 6]);
    // Stopped before the end: the run before stands.
    world.change("b", 12);
    assert_eq!(world.run(&settings, false).unwrap(), [How::Updated; 6]);
    world.change("c", 13);
    assert_eq!(world.run(&settings, true).unwrap(), [How::Updated; 6]);
    let runs = std::fs::read_dir(world.standing()).unwrap().count();
    assert_eq!(runs, 3, "the manifest, the lock and one run");
    // Owners in another order; one that was not there.
    world.names = ["b", "d", "a"].map(str::to_owned).to_vec();
    std::fs::copy(world.tokens("c"), world.tokens("d")).unwrap();
    let notes = world.run(&settings, true).unwrap();
    // Within b, d, a; across b-d, b-a (which stood as a-b), d-a.
    let (updated, new) = (How::Updated, How::New);
    assert_eq!(notes, [updated, new, updated, new, new, new]);
}

#[test]
fn what_cannot_be_updated_is_searched_in_full() {
    let world = World::new();
    let first = settings();
    world.run(&first, true).unwrap();
    let other = CandidateSettings {
        block_pairs_max: 3,
        ..first
    };
    assert_eq!(world.run(&other, true).unwrap(), [How::New; 6]);
    world.change("a", 21);
    let notes = world.run(&other, true).unwrap();
    assert!(
        notes.contains(&How::Full(FullSearch::LargeBlock)),
        "{notes:?}"
    );
}

#[test]
fn two_runs_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let owners = || vec!["a".to_owned()];
    let first = Standing::open(folder.path(), owners()).unwrap();
    let second = Standing::open(folder.path(), owners());
    assert!(matches!(second, Err(Error::Busy { .. })));
    drop(first);
    assert!(Standing::open(folder.path(), owners()).is_ok());
}

#[test]
fn a_damaged_folder_is_refused_by_name() {
    let world = World::new();
    let settings = settings();
    world.run(&settings, true).unwrap();
    let found = world.standing().join("run-1/across-0-1.found");
    let mut bytes = std::fs::read(&found).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&found, bytes).unwrap();
    let error = world.run(&settings, true).unwrap_err().to_string();
    assert!(error.contains("across-0-1.found"), "{error}");
    std::fs::write(world.standing().join(MANIFEST), "{}").unwrap();
    let error = world.run(&settings, true).unwrap_err().to_string();
    assert!(error.contains(MANIFEST), "{error}");
}
