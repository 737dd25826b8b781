//! Certificates for development and demonstrations, and the way to made-up data.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use linkage_node::identity::Role;
use linkage_node::pki::{DevPki, PkiError, Validity};
use serde_json::json;

use super::docs::Docs;
use super::failure::{Blame as _, EXIT_OK, Failure};
use super::generate::Generate;
use super::screen::{self, Form};

/// Data and certificates for development; never for production.
#[derive(Debug, Subcommand)]
pub enum Dev {
    /// Write man pages and completions, for packaging
    #[command(hide = true)]
    Docs(Docs),
    /// Make data sets of invented people or enterprises for several departments, with the truth
    Generate(Generate),
    /// Make a certificate authority and certificates for the parties of a demonstration
    Pki(Pki),
}

/// Arguments of `dev pki`.
#[derive(Debug, Args)]
#[command(after_help = "\
A party is <role>/<name>; roles are owner, matcher, operator, analyst, auditor. A person within a \
party is <role>/<name>/<person>: an owner agrees to a project by two of its operators. Each gets the \
folder DIR/<role>-<name> or DIR/<role>-<name>.<person> with ca.pem, cert.pem and key.pem. If DIR holds an authority already, it issues the \
certificates; a party that has one gets a new one. For development only: the authority's key lies \
unprotected in DIR.

Example:
  linkage dev pki --out pki --trust-domain demo.test owner/health owner/credit matcher/centre \
    operator/health/li operator/health/wang")]
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

/// A role and a name, and perhaps a person.
#[derive(Debug, Clone)]
struct Party {
    role: Role,
    name: String,
    person: Option<String>,
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
        let (name, person) = match name.split_once('/') {
            Some((name, person)) => (name, Some(person.to_owned())),
            None => (name, None),
        };
        Ok(Self {
            role,
            name: name.to_owned(),
            person,
        })
    }
}

impl Dev {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Docs(command) => command.run(form),
            Self::Generate(command) => command.run(form),
            Self::Pki(command) => command.run(form),
        }
    }
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
            let (files, person) = match &party.person {
                Some(person) => (
                    pki.issue_person(party.role, &party.name, person, validity),
                    format!("/{person}"),
                ),
                None => (
                    pki.issue(party.role, &party.name, names, validity),
                    String::new(),
                ),
            };
            let identity = format!(
                "spiffe://{}/{}/{}{person}",
                self.trust_domain, party.role, party.name
            );
            issued.push((identity, files.map_err(blame)?.cert));
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
