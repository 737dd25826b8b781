//! Searches what the matcher holds for values of the owners' files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;

use super::cluster::Cluster;
use super::{Error, Round};

/// Shortest value that is searched for, in bytes. Shorter ones occur in random bytes by chance; six
/// bytes are two Han characters, the shortest usual name.
pub const VALUE_BYTES_MIN: usize = 6;

/// The outcome of a search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaks {
    /// Different values searched for.
    pub searched: usize,
    /// Places where one was found.
    pub found: usize,
    /// Bytes searched.
    pub bytes: u64,
}

/// Every different value of at least [`VALUE_BYTES_MIN`] bytes in CSV files, header aside.
///
/// # Errors
/// When a file cannot be read.
pub fn values<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<BTreeSet<Vec<u8>>, Error> {
    let mut values = BTreeSet::new();
    for path in files {
        let wrong = |error: csv::Error| Error::Input(format!("{}: {error}", path.display()));
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(wrong)?;
        for row in reader.byte_records() {
            let row = row.map_err(wrong)?;
            let long = row.iter().filter(|value| value.len() >= VALUE_BYTES_MIN);
            values.extend(long.map(<[u8]>::to_vec));
        }
    }
    Ok(values)
}

/// Searches bytes for values.
pub struct Searcher {
    automaton: AhoCorasick,
    leaks: Leaks,
}

impl Searcher {
    /// A searcher for these values.
    ///
    /// # Errors
    /// When there are too many values for one automaton.
    pub fn new(values: &BTreeSet<Vec<u8>>) -> Result<Self, Error> {
        let automaton =
            AhoCorasick::new(values).map_err(|error| Error::Input(error.to_string()))?;
        Ok(Self {
            automaton,
            leaks: Leaks {
                searched: values.len(),
                ..Leaks::default()
            },
        })
    }

    /// Searches some bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.leaks.bytes += bytes.len() as u64;
        let word = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.')
        };
        // Short runs of digits and letters occur by chance within hashes and decimal fractions: a
        // value made of them counts where it stands by itself.
        let stands_alone = |found: &aho_corasick::Match| {
            let value = bytes.get(found.range()).unwrap_or(&[]);
            let plain = value.iter().all(u8::is_ascii_alphanumeric);
            !plain || !word(found.start().checked_sub(1)) && !word(Some(found.end()))
        };
        self.leaks.found += self
            .automaton
            .find_overlapping_iter(bytes)
            .filter(stands_alone)
            .count();
    }

    /// Searches every file under a folder, and the folder's file names.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn folder(&mut self, folder: &Path) -> Result<(), Error> {
        let io = |path: &Path| {
            let what = format!("cannot read {}", path.display());
            move |source| Error::Io { what, source }
        };
        let mut open: Vec<PathBuf> = vec![folder.to_owned()];
        while let Some(path) = open.pop() {
            self.bytes(path.as_os_str().as_encoded_bytes());
            if path.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(io(&path))? {
                    open.push(entry.map_err(io(&path))?.path());
                }
            } else {
                self.bytes(&std::fs::read(&path).map_err(io(&path))?);
            }
        }
        Ok(())
    }

    /// What was found.
    pub fn leaks(&self) -> Leaks {
        self.leaks
    }
}

/// Searches the matcher's data folder and log for every value of the rounds' files.
pub(super) fn search_matcher(cluster: &Cluster, rounds: &[Round]) -> Result<Leaks, Error> {
    let files = rounds
        .iter()
        .flat_map(|round| round.sources.iter().map(|(_, path)| path.as_path()));
    let mut values = values(files)?;
    // What the schema says (attribute names and value lists) is public to all parties.
    values.retain(|value| {
        let text = String::from_utf8_lossy(value);
        !rounds.iter().any(|round| round.schema.contains(&*text))
    });
    let mut searcher = Searcher::new(&values)?;
    if let Some(matcher) = cluster.matcher() {
        searcher.folder(&matcher.data_dir)?;
        searcher.folder(&matcher.log)?;
    }
    Ok(searcher.leaks())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_where_it_stands_by_itself() {
        let values = BTreeSet::from([b"1234567".to_vec()]);
        let found = |text: &str| {
            let mut searcher = Searcher::new(&values).unwrap();
            searcher.bytes(text.as_bytes());
            searcher.leaks().found
        };
        assert_eq!(
            ["id 1234567,", "1234567", "0.91234567"].map(found),
            [1, 1, 0]
        );
    }

    #[test]
    fn finds_what_is_there_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("a.csv");
        std::fs::write(&source, "id,name\n1,欧阳修\n2,ab\n").unwrap();
        let values = values([source.as_path()]).unwrap();
        assert_eq!(values.len(), 1);
        let target = dir.path().join("data");
        std::fs::create_dir_all(target.join("sub")).unwrap();
        std::fs::write(target.join("sub/file"), "xx欧阳修yy").unwrap();
        let mut searcher = Searcher::new(&values).unwrap();
        searcher.folder(&target).unwrap();
        assert_eq!(searcher.leaks().found, 1);
        std::fs::write(target.join("sub/file"), "xx欧阳yy").unwrap();
        let mut searcher = Searcher::new(&values).unwrap();
        searcher.folder(&target).unwrap();
        assert_eq!(searcher.leaks().found, 0);
    }
}
