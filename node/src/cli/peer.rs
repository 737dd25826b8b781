//! The nodes that a configuration names: who they are, and whether they let us in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_core::ids::PartyId;
use linkage_node::connect::{ConnectError, Seen};
use linkage_node::contacts::{Contact, Contacts};
use serde_json::{Value, json};

use super::failure::{Blame, EXIT_FAILED, EXIT_OK, Failure};
use super::runtime;
use super::screen::{self, Form};

/// Look at the nodes that a configuration names.
#[derive(Debug, Subcommand)]
pub enum Peer {
    /// Show them
    #[command(after_help = "Example:\n  linkage peer list --config /etc/linkage/node.toml")]
    List(Chosen),
    /// Connect to each and say what happens
    Test(Test),
}

/// A configuration.
#[derive(Debug, Args)]
pub struct Chosen {
    /// A node's configuration, or an operator's or analyst's
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Arguments of `peer test`.
#[derive(Debug, Args)]
#[command(after_help = "\
Connects as a call would: TCP, TLS 1.3 with certificates on both sides, the first HTTP/2 frame. A
refusal is shown with the reason code that stands in the log of the node that refused; `refused us`
means that it stands in the peer's log, `we refuse` that our side found the fault. Nothing is called.

The exit code is 1 when a peer cannot be reached.

Example:
  linkage peer test --config /etc/linkage/node.toml
  linkage peer test --config operator.toml health")]
pub struct Test {
    #[command(flatten)]
    chosen: Chosen,
    /// Only the nodes of this party
    #[arg(value_name = "PARTY")]
    party: Option<PartyId>,
}

impl Peer {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::List(chosen) => list(&chosen, form),
            Self::Test(test) => test.run(form),
        }
    }
}

fn list(chosen: &Chosen, form: Form) -> Result<u8, Failure> {
    let contacts = Contacts::read(&chosen.config).or_input()?;
    let nodes = contacts.nodes();
    let data = json!({ "peers": nodes.iter().map(described).collect::<Vec<_>>() });
    form.show(&data, || {
        let rows = nodes.iter().map(words);
        screen::table(&["party", "role", "address"], 3, rows)
    })?;
    Ok(EXIT_OK)
}

fn words(contact: &Contact) -> Vec<String> {
    let role = contact.role.role().to_string();
    vec![contact.party.to_string(), role, contact.address.clone()]
}

fn described(contact: &Contact) -> Value {
    json!({
        "party": contact.party,
        "role": contact.role.role().as_str(),
        "address": contact.address,
    })
}

impl Test {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let contacts = Contacts::read(&self.chosen.config).or_input()?;
        let wanted = |contact: &&Contact| {
            self.party
                .as_ref()
                .is_none_or(|party| contact.party == *party)
        };
        let wanted: Vec<&Contact> = contacts.nodes().iter().filter(wanted).collect();
        if wanted.is_empty() {
            let config = self.chosen.config.display();
            return Err(Failure::input(anyhow::anyhow!(
                "{config} names no such node; `linkage peer list --config {config}` shows them"
            )));
        }
        let runtime = runtime()?;
        let mut tested = vec![];
        for contact in wanted {
            let outcome = runtime.block_on(contacts.test(contact)).or_input()?;
            tested.push((contact, outcome));
        }
        let data: Vec<Value> = tested
            .iter()
            .map(|(contact, outcome)| {
                let mut data = described(contact);
                if let Some(data) = data.as_object_mut() {
                    data.insert("result".to_owned(), result(outcome));
                }
                data
            })
            .collect();
        form.show(&json!({ "peers": data }), || {
            let rows = tested.iter().map(|(contact, outcome)| {
                let mut row = words(contact);
                row.push(match outcome {
                    Ok(seen) => format!("ok, its certificate is valid until {}", seen.until),
                    Err(error) => error.to_string(),
                });
                row
            });
            screen::table(&["party", "role", "address", "result"], 4, rows)
        })?;
        let failed = tested.iter().any(|(_, outcome)| outcome.is_err());
        Ok(if failed { EXIT_FAILED } else { EXIT_OK })
    }
}

fn result(outcome: &Result<Seen, ConnectError>) -> Value {
    match outcome {
        Ok(seen) => json!({ "ok": true, "certificate_until": seen.until.to_string() }),
        Err(error) => json!({
            "ok": false,
            "reason": error.reason(),
            "refused_by": match error {
                ConnectError::Refused { .. } => Some("peer"),
                ConnectError::Server { .. }
                | ConnectError::NoIdentity { .. }
                | ConnectError::WrongParty { .. } => Some("us"),
                _ => None,
            },
            "message": error.to_string(),
        }),
    }
}
