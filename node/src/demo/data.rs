//! The demo's data: generated departments, the Febrl benchmark, or the user's own files.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use linkage_core::extract::ExtractRequest;
use linkage_core::extract::catalogue::{Catalogue, CatalogueEntry};
use linkage_core::ids::PartyId;
use linkage_core::schema::Schema;
use linkage_generator::output::{Files, Header, write};
use linkage_generator::{Department, ErrorLevel, Settings};

use super::{Error, Narrator, party};

const DEPARTMENTS_SCHEMA: &str = include_str!("../../schemas/person-cn.toml");
const FEBRL_SCHEMA: &str = include_str!("../../schemas/person-latin.toml");
const FEBRL_A: &str = include_str!("../../../tests/data/febrl4/dataset4a.csv");
const FEBRL_B: &str = include_str!("../../../tests/data/febrl4/dataset4b.csv");

/// The half-overlap variant keeps records of A numbered below this ...
const FEBRL_A_BELOW: u32 = 3333;
/// ... and of B numbered above this. With full overlap the one-to-one assignment would hide false
/// links.
const FEBRL_B_ABOVE: u32 = 1666;

/// What the demo runs on.
#[derive(Debug, Clone)]
pub enum Input {
    /// Three generated departments, then, if asked for, the Febrl benchmark.
    Generated {
        /// Records of each department.
        records: u64,
        /// Seed of the generator.
        seed: u64,
        /// How many errors.
        errors: ErrorLevel,
        /// Also run the benchmark.
        benchmark: bool,
    },
    /// The user's files: one owner each.
    Files {
        /// CSV files.
        files: Vec<PathBuf>,
        /// The schema file.
        schema: PathBuf,
        /// The truth, if known: columns `dataset,record_id,entity_id`; a data set is named by its
        /// file without the ending.
        truth: Option<PathBuf>,
    },
}

/// One linkage: who takes part with what.
pub struct Round {
    /// Short name of the data sets.
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// What is linked.
    pub description: String,
    /// Each owner and its file, in order of name.
    pub sources: Vec<(PartyId, PathBuf)>,
    /// The schema's text.
    pub schema: String,
    /// Entity number by owner and record id, where the truth is known.
    pub truth: Option<HashMap<(PartyId, String), u64>>,
    /// Requests of the analyst.
    pub queries: Vec<String>,
}

pub(super) fn prepare(
    input: &Input,
    dir: &Path,
    narrator: &mut dyn Narrator,
) -> Result<Vec<Round>, Error> {
    match input {
        Input::Generated {
            records,
            seed,
            errors,
            benchmark,
        } => {
            let mut rounds = vec![departments(dir, *records, *seed, *errors, narrator)?];
            if *benchmark {
                rounds.push(febrl(dir, &rounds, narrator)?);
            }
            Ok(rounds)
        }
        Input::Files {
            files,
            schema,
            truth,
        } => Ok(vec![own_files(files, schema, truth.as_deref(), narrator)?]),
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let what = format!("cannot use {}", path.display());
    move |source| Error::Io { what, source }
}

fn departments(
    dir: &Path,
    records_asked: u64,
    seed: u64,
    level: ErrorLevel,
    narrator: &mut dyn Narrator,
) -> Result<Round, Error> {
    let settings = Settings::for_records(seed, records_asked)
        .map_err(|error| Error::Input(error.to_string()))?
        .with_errors(level);
    let (truth_path, errors_path) = (dir.join("truth.csv"), dir.join("errors.csv"));
    let create = |path: &Path| File::create(path).map(BufWriter::new).map_err(io(path));
    let mut truth = create(&truth_path)?;
    let mut errors = create(&errors_path)?;
    let failed = |error: linkage_generator::output::Error| Error::Input(error.to_string());
    let mut sources = vec![];
    for (at, department) in Department::USUAL.into_iter().enumerate() {
        let path = dir.join(format!("{}.csv", department.slug()));
        let records = department
            .records(&settings)
            .map_err(|error| Error::Input(error.to_string()))?;
        let header = if at == 0 { Header::Yes } else { Header::No };
        let files = Files {
            records: create(&path)?,
            truth: &mut truth,
            errors: &mut errors,
        };
        let mut told = |done| narrator.progress(department.slug(), done, records_asked);
        let summary = write(&records, header, files, &mut told).map_err(failed)?;
        narrator.progress_end();
        narrator.line(&format!(
            "{:<16} {:>9} records, {} with an error; {}",
            department.slug(),
            summary.rows,
            summary.rows_with_errors,
            path.display()
        ));
        sources.push((party(department.slug())?, path));
    }
    sources.sort();
    let round = Round {
        slug: "people".to_owned(),
        name: "three departments".to_owned(),
        description: format!(
            "{records_asked} made-up persons' records in each of three departments of a province (seed \
             {seed}): names, numbers, addresses with the errors of real registers."
        ),
        truth: Some(read_truth(&truth_path, &sources)?),
        sources,
        schema: DEPARTMENTS_SCHEMA.to_owned(),
        queries: vec![
            "SELECT credit.grade, health.chronic, count(*) FROM persons GROUP BY 1, 2".to_owned(),
            "SELECT social_security.employment, credit.grade, count(*) FROM persons GROUP BY 1, 2"
                .to_owned(),
        ],
    };
    Ok(round)
}

/// The Febrl benchmark at the first two owners.
fn febrl(dir: &Path, before: &[Round], narrator: &mut dyn Narrator) -> Result<Round, Error> {
    let parties = before
        .iter()
        .flat_map(|round| round.sources.iter().map(|(party, _)| party));
    let mut sources = vec![];
    let mut truth = HashMap::new();
    type Keep = fn(u32) -> bool;
    let halves: [(&str, &str, Keep); 2] = [
        ("febrl4-a", FEBRL_A, |number| number < FEBRL_A_BELOW),
        ("febrl4-b", FEBRL_B, |number| number > FEBRL_B_ABOVE),
    ];
    for ((name, text, keep), party) in halves.into_iter().zip(parties) {
        let path = dir.join(format!("{name}.csv"));
        let mut file = File::create(&path).map_err(io(&path))?;
        let mut rows = 0;
        for (at, line) in text.lines().enumerate() {
            // Record ids read `rec-N-org` and `rec-N-dup-0`: N is the person.
            let number = line
                .split('-')
                .nth(1)
                .and_then(|number| number.parse().ok());
            if at > 0 && !number.is_some_and(keep) {
                continue;
            }
            writeln!(file, "{line}").map_err(io(&path))?;
            if let (Some(number), Some((id, _))) = (number, line.split_once(',')) {
                truth.insert((party.clone(), id.trim().to_owned()), u64::from(number));
                rows += 1;
            }
        }
        narrator.line(&format!("{name:<16} {rows:>9} records; {}", path.display()));
        sources.push((party.clone(), path));
    }
    Ok(Round {
        slug: "febrl4".to_owned(),
        name: "the Febrl 4 benchmark".to_owned(),
        description: "The public benchmark Febrl 4 (Christen 2008), half-overlap variant: records of \
                      A numbered below 3333, of B above 1666, given name, surname, address, suburb, \
                      postcode, state and date of birth, no identity number."
            .to_owned(),
        sources,
        schema: FEBRL_SCHEMA.to_owned(),
        truth: Some(truth),
        queries: vec![],
    })
}

fn own_files(
    files: &[PathBuf],
    schema: &Path,
    truth: Option<&Path>,
    narrator: &mut dyn Narrator,
) -> Result<Round, Error> {
    if files.len() < 2 {
        return Err(Error::Input(
            "name at least two files with --input".to_owned(),
        ));
    }
    let text = std::fs::read_to_string(schema).map_err(io(schema))?;
    let parsed = Schema::parse(&text)
        .map_err(|error| Error::Input(format!("{}: {error}", schema.display())))?;
    let mut sources = vec![];
    let mut names = BTreeSet::new();
    for file in files {
        let party = owner_name(file)?;
        if !names.insert(party.clone()) {
            return Err(Error::Input(format!(
                "two files would be owner \"{party}\"; rename one of them"
            )));
        }
        let path = std::fs::canonicalize(file).map_err(io(file))?;
        // Opened here so that a bad file is refused before any process is started.
        crate::ingest::Source::open(&path, &parsed)
            .map_err(|error| Error::Input(error.to_string()))?;
        narrator.line(&format!("{party:<16} {}", path.display()));
        sources.push((party, path));
    }
    sources.sort();
    Ok(Round {
        slug: "input".to_owned(),
        name: "your files".to_owned(),
        description: format!("{} files given on the command line.", files.len()),
        truth: truth.map(|path| read_truth(path, &sources)).transpose()?,
        sources,
        schema: text,
        queries: vec![],
    })
}

/// Refuses a request that no owner could answer before any process is started.
pub(super) fn check_queries(round: &Round) -> Result<(), Error> {
    if round.queries.is_empty() {
        return Ok(());
    }
    let input = |message: String| Error::Input(message);
    let schema = Schema::parse(&round.schema).map_err(|error| input(error.to_string()))?;
    let mut entries = vec![];
    for (party, path) in &round.sources {
        let source =
            crate::ingest::Source::open(path, &schema).map_err(|error| input(error.to_string()))?;
        let parser = source.parser();
        for (at, attribute) in schema.attributes.iter().enumerate() {
            if parser.has_attribute(at) {
                entries.push(CatalogueEntry {
                    party: party.to_string(),
                    attribute: attribute.name.clone(),
                    title: attribute.title.clone(),
                    values: attribute.values.clone(),
                });
            }
        }
    }
    let names: Vec<String> = entries
        .iter()
        .map(|entry| format!("{}.{}", entry.party.replace('-', "_"), entry.attribute))
        .collect();
    let catalogue =
        Catalogue::new(schema.entity, entries).map_err(|error| input(error.to_string()))?;
    for query in &round.queries {
        ExtractRequest::parse(query, &catalogue).map_err(|refusal| {
            input(format!(
                "{}  = dimensions: {}",
                refusal.render(),
                names.join(", ")
            ))
        })?;
    }
    Ok(())
}

/// The file's name without its ending, as a party's name.
fn owner_name(file: &Path) -> Result<PartyId, Error> {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let word: String = stem
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .collect();
    party(word.trim_matches('-')).map_err(|_| {
        Error::Input(format!(
            "the file name {} gives no owner name; name the file with letters a-z",
            file.display()
        ))
    })
}

/// Reads `dataset,record_id,entity_id`; a data set belongs to the owner of that name.
fn read_truth(
    path: &Path,
    sources: &[(PartyId, PathBuf)],
) -> Result<HashMap<(PartyId, String), u64>, Error> {
    let wrong = |message: String| Error::Input(format!("{}: {message}", path.display()));
    let mut reader = csv::Reader::from_path(path).map_err(|error| wrong(error.to_string()))?;
    let headers = reader
        .headers()
        .map_err(|error| wrong(error.to_string()))?
        .clone();
    let column = |name: &str| {
        let at = headers.iter().position(|header| header.trim() == name);
        at.ok_or_else(|| wrong(format!("row 1: no column \"{name}\"")))
    };
    let columns = (
        column("dataset")?,
        column("record_id")?,
        column("entity_id")?,
    );
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let mut truth = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let value = |at: usize| row.get(at).unwrap_or_default().trim().to_owned();
        let dataset = value(columns.0);
        let owner = owner_name(Path::new(&dataset))?;
        if !sources.iter().any(|(party, _)| *party == owner) {
            return Err(wrong(format!("no file is the data set \"{dataset}\"")));
        }
        let next = numbers.len() as u64;
        let entity = *numbers.entry(value(columns.2)).or_insert(next);
        truth.insert((owner, value(columns.1)), entity);
    }
    Ok(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_owner_names() {
        assert_eq!(
            owner_name(Path::new("/x/Tax Bureau.csv")).unwrap().as_str(),
            "tax-bureau"
        );
        assert!(owner_name(Path::new("/x/税务.csv")).is_err());
    }

    #[test]
    fn the_built_in_schemas_are_good() {
        Schema::parse(DEPARTMENTS_SCHEMA).unwrap();
        Schema::parse(FEBRL_SCHEMA).unwrap();
    }
}
