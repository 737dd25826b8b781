//! Generated departments: three owners' files, and which records are of one person.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use linkage_core::ids::PartyId;
use linkage_core::quality::Truth;
use linkage_generator::output::{Files, Header, write};
use linkage_generator::{Department, Settings};

/// The schema that the departments agree on.
pub const SCHEMA: &str = include_str!("../../node/schemas/person-cn.toml");

/// Name of every owner's data set.
pub const DATASET: &str = "people";

/// Owners with their files, in order of name.
pub struct Departments {
    /// Each owner and its CSV file.
    pub sources: Vec<(PartyId, PathBuf)>,
    people: HashMap<(String, String), u64>,
}

impl Departments {
    /// Writes `records` of each of three departments into `dir`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn generate(dir: &Path, records: u64, seed: u64) -> Result<Self> {
        let settings = Settings::for_records(seed, records)?;
        let mut sources = vec![];
        let mut truth = vec![];
        for (at, department) in Department::USUAL.into_iter().enumerate() {
            let path = dir.join(format!("{}.csv", department.slug()));
            let header = if at == 0 { Header::Yes } else { Header::No };
            let files = Files {
                records: File::create(&path)?,
                truth: &mut truth,
                errors: std::io::sink(),
            };
            write(&department.records(&settings)?, header, files, &mut |_| {})?;
            sources.push((department.slug().parse()?, path));
        }
        sources.sort();
        let mut numbers: HashMap<String, u64> = HashMap::new();
        let mut people = HashMap::new();
        for row in csv::Reader::from_reader(truth.as_slice()).records() {
            let row = row?;
            let value = |at: usize| row.get(at).context("a short row").map(str::to_owned);
            let next = numbers.len() as u64;
            let person = *numbers.entry(value(2)?).or_insert(next);
            people.insert((value(0)?, value(1)?), person);
        }
        Ok(Self { sources, people })
    }

    /// The truth about records whose ids are given by owner and row.
    pub fn truth(&self, ids: &[(PartyId, Vec<String>)]) -> Truth {
        let person = |party: &PartyId, id: &String| {
            self.people.get(&(party.to_string(), id.clone())).copied()
        };
        let owners = ids
            .iter()
            .map(|(party, ids)| ids.iter().map(|id| person(party, id)).collect());
        Truth::new(owners.collect())
    }
}
