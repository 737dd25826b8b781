//! Data sets and certificates for development and demonstrations.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use jiff::Timestamp;
use linkage_generator::output::{self, Header, Summary};
use linkage_generator::{Department, ErrorLevel, Settings};
use linkage_node::identity::Role;
use linkage_node::pki::{DevPki, PkiError, Validity};
use serde_json::json;

use super::failure::{Blame as _, EXIT_OK, Failure};
use super::outputs::{self, Outputs};
use super::progress::{self, Lines};
use super::screen::{self, Form};

/// Data and certificates for development; never for production.
#[derive(Debug, Subcommand)]
pub enum Dev {
    /// Make data sets of invented people for three departments, with the truth
    Generate(Generate),
    /// Make a certificate authority and certificates for the parties of a demonstration
    Pki(Pki),
}

/// Arguments of `dev generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes one CSV per department (columns of the schema template person-cn), truth.csv (which records \
are one person's) and errors.csv (what is wrong in which record). Equal arguments give equal files. \
Nobody in them exists, and no identity number can belong to anyone.

Example:
  linkage dev generate --records 5000 --seed 1 --out data")]
pub struct Generate {
    /// Records per department
    #[arg(long, value_name = "N")]
    records: u64,
    /// Seed from which everything follows
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Folder to write to, made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Errors as in badly kept registers
    #[arg(long)]
    dirty: bool,
    /// Overwrite the files of an earlier run
    #[arg(long)]
    force: bool,
}

/// Arguments of `dev pki`.
#[derive(Debug, Args)]
#[command(after_help = "\
A party is <role>/<name>; roles are owner, matcher, operator, analyst, auditor. Each gets the folder \
DIR/<role>-<name> with ca.pem, cert.pem and key.pem. If DIR holds an authority already, it issues the \
certificates; a party that has one gets a new one. For development only: the authority's key lies \
unprotected in DIR.

Example:
  linkage dev pki --out pki --trust-domain demo.test owner/health owner/credit matcher/centre")]
pub struct Pki {
    /// Folder of the authority, made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Trust domain of all identities, a DNS name
    #[arg(long, value_name = "D")]
    trust_domain: String,
    /// Parties to issue certificates to
    #[arg(value_name = "PARTY", required = true)]
    parties: Vec<Party>,
    /// Host that owners and the matcher answer at; may be given several times
    #[arg(long = "host", value_name = "HOST", default_values = ["localhost", "127.0.0.1"])]
    hosts: Vec<String>,
    /// Days until the certificates end
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u32,
}

/// A role and a name.
#[derive(Debug, Clone)]
struct Party {
    role: Role,
    name: String,
}

impl FromStr for Party {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, name) = text
            .split_once('/')
            .ok_or("expected <role>/<name>, such as owner/health")?;
        let role = role.parse().map_err(|_| {
            let roles: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
            format!("\"{role}\" is no role; roles are {}", roles.join(", "))
        })?;
        Ok(Self {
            role,
            name: name.to_owned(),
        })
    }
}

impl Dev {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Generate(command) => command.run(form),
            Self::Pki(command) => command.run(form),
        }
    }
}

/// Places of the outputs in [`Outputs`], after the departments' files.
const TRUTH: usize = Department::ALL.len();
const ERRORS: usize = TRUTH + 1;

impl Generate {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let level = if self.dirty {
            ErrorLevel::Dirty
        } else {
            ErrorLevel::Routine
        };
        let settings = Settings::for_records(self.seed, self.records)
            .or_input()?
            .with_errors(level);
        let mut names: Vec<String> = Department::ALL.iter().map(|d| format!("{d}.csv")).collect();
        names.extend(["truth.csv", "errors.csv"].map(str::to_owned));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let outputs = Outputs::within(&self.out, &names, &[], self.force)?;
        // Records and truth: two lines for each record.
        let bar = progress::counted("writing", 2 * self.records * Department::ALL.len() as u64);
        let written = write(&outputs, &settings, &bar);
        bar.finish_and_clear();
        let summaries = written?;
        outputs.commit()?;
        let lines = Department::ALL.iter().zip(&summaries).map(|(d, s)| {
            json!({ "dataset": d.slug(), "rows": s.rows, "errors": s.errors,
                    "rows_with_errors": s.rows_with_errors })
        });
        let data = json!({ "folder": self.out, "seed": self.seed,
                           "datasets": lines.collect::<Vec<_>>() });
        form.show(&data, || text(&self.out, &summaries))?;
        Ok(EXIT_OK)
    }
}

fn write(
    outputs: &Outputs,
    settings: &Settings,
    bar: &ProgressBar,
) -> Result<Vec<Summary>, Failure> {
    let mut truth = Lines::new(BufWriter::new(create(outputs, TRUTH)?), bar.clone());
    let mut errors = BufWriter::new(create(outputs, ERRORS)?);
    let mut summaries = vec![];
    let mut header = Header::Yes;
    for (index, department) in Department::ALL.into_iter().enumerate() {
        let records = BufWriter::new(create(outputs, index)?);
        summaries.push(output::write_csv(
            department,
            settings,
            Lines::new(records, bar.clone()),
        )?);
        output::write_truth(department, settings, header, &mut truth)?;
        output::write_errors(department, settings, header, &mut errors)?;
        header = Header::No;
    }
    truth
        .flush()
        .map_err(outputs::io_error(&outputs.target(TRUTH)))?;
    errors
        .flush()
        .map_err(outputs::io_error(&outputs.target(ERRORS)))?;
    Ok(summaries)
}

/// Invented people need no protection: the files are readable as the user's other files are.
fn create(outputs: &Outputs, index: usize) -> Result<File, outputs::Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(outputs.staged(index))
        .map_err(outputs::io_error(&outputs.target(index)))
}

fn text(folder: &Path, summaries: &[Summary]) -> String {
    let rows = Department::ALL
        .iter()
        .zip(summaries)
        .map(|(department, summary)| {
            let counts = [summary.rows, summary.rows_with_errors, summary.errors];
            let mut row = vec![format!("{department}.csv")];
            row.extend(counts.map(screen::count));
            row
        });
    format!(
        "Invented people in {}\n\n{}\n\nWhich records are one person's: truth.csv; what is wrong in them: errors.csv",
        folder.display(),
        screen::table(&["file", "records", "with errors", "errors"], 1, rows)
    )
}

impl Pki {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let validity = Validity::starting(Timestamp::now(), self.days).or_input()?;
        let pki = match DevPki::create(&self.out, &self.trust_domain, validity) {
            Err(PkiError::Exists { .. }) => DevPki::open(&self.out).or_input()?,
            created => created.map_err(blame)?,
        };
        if pki.trust_domain() != self.trust_domain {
            return Err(Failure::input(anyhow::anyhow!(
                "the authority in {} is of the trust domain {}; choose another folder",
                self.out.display(),
                pki.trust_domain()
            )));
        }
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let mut issued = vec![];
        for party in &self.parties {
            let names: &[&str] = if party.role.is_node() { &hosts } else { &[] };
            let files = pki
                .issue(party.role, &party.name, names, validity)
                .map_err(blame)?;
            let identity = format!(
                "spiffe://{}/{}/{}",
                self.trust_domain, party.role, party.name
            );
            issued.push((identity, files.cert));
        }
        let lines = issued
            .iter()
            .map(|(identity, cert)| json!({ "identity": identity, "certificate": cert }));
        let data = json!({ "folder": self.out, "trust_domain": self.trust_domain,
                           "days": self.days, "parties": lines.collect::<Vec<_>>() });
        form.show(&data, || {
            let rows = issued
                .iter()
                .map(|(identity, cert)| vec![identity.clone(), cert.display().to_string()]);
            format!(
                "Certificates for {} days, for development only\n\n{}",
                self.days,
                screen::table(&["identity", "certificate"], 2, rows)
            )
        })?;
        Ok(EXIT_OK)
    }
}

fn blame(error: PkiError) -> Failure {
    match error {
        PkiError::Identity(_) | PkiError::BadCa { .. } | PkiError::BadKey { .. } => {
            Failure::input(error)
        }
        error => error.into(),
    }
}
