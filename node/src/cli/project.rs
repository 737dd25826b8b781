//! An operator's acts in a project, at the operator's own node.

mod status;
mod upload;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::client::{self, Client, follow, refused};
use linkage_proto::v1;
use linkage_proto::v1::operations_client::OperationsClient;
use serde_json::Value;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use super::failure::{Blame, EXIT_OK, Failure};
use super::screen::Form;
use super::{progress, runtime};

/// How an operator reaches the own node.
#[derive(Debug, Args)]
pub struct As {
    /// The operator's configuration: trust_domain, tls, and the own node as the only `[[owner]]`
    #[arg(long = "as", value_name = "FILE")]
    config: PathBuf,
}

/// A project by its identity.
#[derive(Debug, Args)]
pub struct Chosen {
    #[command(flatten)]
    by: As,
    /// The project's identity: 64 hexadecimal digits, as `project draft` prints it
    #[arg(value_name = "PROJECT")]
    project: ProjectId,
}

/// Agree on projects, rest them, end them.
#[derive(Debug, Subcommand)]
pub enum Project {
    /// Write a manifest and answer for it
    Draft(Box<Draft>),
    /// Put a draft before the other owners
    #[command(after_help = "Example:\n  linkage project propose --as operator.toml 06b57428...")]
    Propose(Chosen),
    /// Answer for a manifest that another owner proposed
    #[command(after_help = "\
Read it first with `project show`. The node refuses a manifest whose parties or keys are not those of \
its own configuration.

Example:
  linkage project approve --as operator.toml 06b57428...")]
    Approve(Chosen),
    /// Sign a manifest for this owner, as another person than who answers for it
    #[command(after_help = "\
An owner agrees by two persons: one drafts or approves the manifest, another signs it. Each has a \
certificate of its own, for operator/<owner>/<person>.

Example:
  linkage project sign --as second-operator.toml 06b57428...")]
    Sign(Chosen),
    /// What this owner's node knows of a project
    #[command(after_help = "Example:\n  linkage project show --as operator.toml 06b57428...")]
    Show(Chosen),
    /// This owner's projects, and those that wait for its approval
    #[command(after_help = "Example:\n  linkage project list --as operator.toml")]
    List(As),
    /// Let nothing new begin in a project until this owner resumes it
    #[command(after_help = "\
Every owner can suspend, and only who suspended can resume. The reason is shown to the other owners.

Example:
  linkage project suspend --as operator.toml 06b57428... --reason \"audit of the sources\"")]
    Suspend(Reasoned),
    /// Lift this owner's suspension of a project
    #[command(after_help = "\
Example:
  linkage project resume --as operator.toml 06b57428... --reason \"audit is done\"")]
    Resume(Reasoned),
    /// Destroy what a project left, at the matcher and at all owners
    #[command(after_help = "\
Keys, tokens, the link map, positions and the outbox are destroyed, and each node writes a receipt. \
There is no way back; the sources are not touched. Closing again goes on with a close that was \
interrupted.

Example:
  linkage project close --as operator.toml 06b57428... --reason \"study has ended\" --yes")]
    Close(Close),
    /// Take part in agreeing on the project's key
    #[command(after_help = "\
Every owner's operator runs this; it ends when all have taken part. The key never leaves the owners:
the matcher carries the contributions sealed.

Example:
  linkage project key --as operator.toml 06b57428...")]
    Key(Chosen),
}

/// A project and why something is done to it.
#[derive(Debug, Args)]
pub struct Reasoned {
    #[command(flatten)]
    chosen: Chosen,
    /// Why, for the other owners; no personal data
    #[arg(long)]
    reason: String,
}

/// Arguments of `project close`.
#[derive(Debug, Args)]
pub struct Close {
    #[command(flatten)]
    reasoned: Reasoned,
    /// Do it
    #[arg(long)]
    yes: bool,
}

/// Arguments of `project draft`.
#[derive(Debug, Args)]
#[command(after_help = "\
A later epoch of a project, with other owners or only a new key, is a manifest of its own that names \
the one before. All its owners agree to it as to the first, and make a key of their own.

Examples:
  linkage project draft --as operator.toml --name \"Chronic illness and credit\" \\
    --purpose \"Policy study 2026-14\" --legal-basis \"Decree 809, art. 12\" \\
    --schema persons.toml --owner health --owner credit --analyst policy-lab \\
    --expires 2027-12-31
  linkage project draft --as operator.toml --epoch-after 06b57428... [the same again]")]
pub struct Draft {
    #[command(flatten)]
    by: As,
    /// The project's name
    #[arg(long)]
    name: String,
    /// What the linkage is for
    #[arg(long)]
    purpose: String,
    /// The law or decree that permits it
    #[arg(long)]
    legal_basis: String,
    /// The schema file
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// An owner that takes part, this one too; repeat for each
    #[arg(long = "owner", value_name = "PARTY", required = true)]
    owners: Vec<PartyId>,
    /// A party that may ask for tables; repeat for each
    #[arg(long = "analyst", value_name = "PARTY")]
    analysts: Vec<PartyId>,
    /// Last day, YYYY-MM-DD in UTC; afterwards nothing new begins
    #[arg(long, value_name = "DAY")]
    expires: String,
    /// The project of which this is the next epoch
    #[arg(long, value_name = "PROJECT")]
    epoch_after: Option<ProjectId>,
    /// Cells that count fewer are not shown
    #[arg(long, default_value_t = 10)]
    threshold_k: u32,
    /// Epsilon of each owner's noise share per table
    #[arg(long, default_value = "1")]
    epsilon_per_table: String,
    /// Epsilon that an owner's answers may add up to, in all epochs together
    #[arg(long, default_value = "10")]
    epsilon_budget: String,
    /// Largest share of an owner's rows that the matcher may ask tokens for
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    ask_rows_max_share: f64,
    /// Who accepts the risk of a schema with profile = "fields"
    #[arg(long, value_name = "WHO", requires = "risk_reason")]
    risk_accepted_by: Option<String>,
    /// Why the project needs that profile
    #[arg(long, value_name = "WHY", requires = "risk_accepted_by")]
    risk_reason: Option<String>,
}

/// Upload encoded records.
#[derive(Debug, Subcommand)]
pub enum Upload {
    /// Encode a data set at the own node and upload it; again after a failure: resume
    Start(Start),
    /// Tell how far the upload is, and where the matcher's receipts are
    #[command(after_help = "Example:\n  linkage upload status --as operator.toml 06b57428...")]
    Status(Chosen),
    /// Give up an upload that the matcher has not accepted; the next one sends everything anew
    #[command(after_help = "Example:\n  linkage upload abort --as operator.toml 06b57428...")]
    Abort(Chosen),
}

/// Arguments of `upload start`.
#[derive(Debug, Args)]
#[command(after_help = "\
Only tokens, link keys and block keys leave the node, in a secret random order. What was durable at
the matcher is not sent again.

Example:
  linkage upload start --as operator.toml 06b57428... people")]
pub struct Start {
    #[command(flatten)]
    chosen: Chosen,
    /// Name of the data set in the node's configuration
    #[arg(value_name = "DATASET")]
    dataset: String,
}

/// Link the owners' records.
#[derive(Debug, Subcommand)]
pub enum Run {
    /// Have the matcher link, once all owners have uploaded
    #[command(after_help = "Example:\n  linkage run start --as operator.toml 06b57428...")]
    Start(Chosen),
}

/// Positions of the own records.
#[derive(Debug, Subcommand)]
pub enum Linkmap {
    /// Fetch a fresh random position for every own record, linked or not
    #[command(after_help = "Example:\n  linkage linkmap fetch --as operator.toml 06b57428...")]
    Fetch(Chosen),
}

impl Project {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Draft(draft) => draft.run(form),
            Self::Propose(chosen) => chosen.status(form, async |operations, request| {
                operations.propose(request).await
            }),
            Self::Approve(chosen) => chosen.status(form, async |operations, request| {
                operations.approve(request).await
            }),
            Self::Sign(chosen) => chosen.status(form, async |operations, request| {
                operations.sign(request).await
            }),
            Self::Show(chosen) => chosen.status(form, async |operations, request| {
                operations.show(request).await
            }),
            Self::List(by) => list(form, &by),
            Self::Suspend(reasoned) => reasoned.run(form, async |operations, request| {
                operations.suspend(request).await
            }),
            Self::Resume(reasoned) => reasoned.run(form, async |operations, request| {
                operations.resume(request).await
            }),
            Self::Close(Close { reasoned, yes }) => {
                if !yes {
                    return Err(Failure::input(anyhow::anyhow!(
                        "this destroys the project's keys, tokens, link map and positions at all \
                         parties; add --yes to do it"
                    )));
                }
                reasoned.run(form, async |operations, request| {
                    operations.close(request).await
                })
            }
            Self::Key(chosen) => chosen.follow(form, async |operations, request| {
                operations.agree_key(request).await
            }),
        }
    }
}

impl Upload {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Start { chosen, dataset } = match self {
            Self::Start(start) => start,
            Self::Status(chosen) => {
                let told =
                    chosen.ask(async |operations, request| operations.upload_status(request).await);
                return upload::show(form, &told?);
            }
            Self::Abort(chosen) => {
                let told =
                    chosen.ask(async |operations, request| operations.abort_upload(request).await);
                return upload::show(form, &told?);
            }
        };
        chosen.follow(form, async |operations, request| {
            let request = v1::UploadRequest {
                project: request.project,
                dataset,
            };
            operations.upload(request).await
        })
    }
}

impl Run {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Start(chosen) = self;
        chosen.follow(form, async |operations, request| {
            operations.start_run(request).await
        })
    }
}

impl Linkmap {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Fetch(chosen) = self;
        chosen.follow(form, async |operations, request| {
            operations.fetch_positions(request).await
        })
    }
}

impl Draft {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = std::fs::read_to_string(&self.schema).map_err(|error| {
            Failure::input(anyhow::anyhow!(
                "cannot read {}: {error}",
                self.schema.display()
            ))
        })?;
        let predecessor = self.epoch_after.map(|id| id.as_bytes().to_vec());
        let request = v1::DraftRequest {
            name: self.name,
            purpose: self.purpose,
            legal_basis: self.legal_basis,
            schema,
            owners: self.owners.iter().map(PartyId::to_string).collect(),
            analysts: self.analysts.iter().map(PartyId::to_string).collect(),
            threshold_k: self.threshold_k,
            epsilon_per_table: self.epsilon_per_table,
            epsilon_budget: self.epsilon_budget,
            risk_accepted_by: self.risk_accepted_by.unwrap_or_default(),
            risk_reason: self.risk_reason.unwrap_or_default(),
            expires: self.expires,
            ask_rows_max_share: self.ask_rows_max_share,
            predecessor: predecessor.unwrap_or_default().into(),
        };
        let status = runtime()?.block_on(async {
            let (party, mut operations) = connect(&self.by.config).await?;
            let answer = operations.draft(request).await;
            answer.map_err(|status| refused(&party, &status)).or_input()
        })?;
        status::show(form, &status.into_inner())
    }
}

impl Reasoned {
    fn run(
        self,
        form: Form,
        call: impl AsyncFnOnce(
            &mut OperationsClient<Channel>,
            v1::ReasonRequest,
        ) -> Result<Response<v1::ProjectStatus>, Status>,
    ) -> Result<u8, Failure> {
        let request = v1::ReasonRequest {
            project: self.chosen.request().project,
            reason: self.reason,
        };
        let status = runtime()?.block_on(async {
            let (party, mut operations) = connect(&self.chosen.by.config).await?;
            let answer = call(&mut operations, request).await;
            answer.map_err(|status| refused(&party, &status)).or_input()
        })?;
        status::show(form, &status.into_inner())
    }
}

fn list(form: Form, by: &As) -> Result<u8, Failure> {
    let reply = runtime()?.block_on(async {
        let (party, mut operations) = connect(&by.config).await?;
        let answer = operations.list(v1::ListProjectsRequest {}).await;
        answer.map_err(|status| refused(&party, &status)).or_input()
    })?;
    status::show_all(form, &reply.into_inner().projects)
}

async fn connect(config: &Path) -> Result<(PartyId, OperationsClient<Channel>), Failure> {
    Ok(Client::read(config).or_input()?.operations().await?)
}

impl Chosen {
    fn request(&self) -> v1::ProjectRequest {
        v1::ProjectRequest {
            project: self.project.as_bytes().to_vec().into(),
        }
    }

    fn status(
        self,
        form: Form,
        call: impl AsyncFnOnce(
            &mut OperationsClient<Channel>,
            v1::ProjectRequest,
        ) -> Result<Response<v1::ProjectStatus>, Status>,
    ) -> Result<u8, Failure> {
        status::show(form, &self.ask(call)?)
    }

    /// Asks the own node about the project.
    fn ask<T>(
        self,
        call: impl AsyncFnOnce(
            &mut OperationsClient<Channel>,
            v1::ProjectRequest,
        ) -> Result<Response<T>, Status>,
    ) -> Result<T, Failure> {
        let answer = runtime()?.block_on(async {
            let (party, mut operations) = connect(&self.by.config).await?;
            let answer = call(&mut operations, self.request()).await;
            answer.map_err(|status| refused(&party, &status)).or_input()
        })?;
        Ok(answer.into_inner())
    }

    /// Follows a long act with a progress bar and shows its result.
    fn follow(
        self,
        form: Form,
        call: impl AsyncFnOnce(
            &mut OperationsClient<Channel>,
            v1::ProjectRequest,
        ) -> Result<Response<Streaming<v1::Progress>>, Status>,
    ) -> Result<u8, Failure> {
        let bar = progress::counted("waiting", 0);
        let result = runtime()?.block_on(async {
            let (party, mut operations) = connect(&self.by.config).await?;
            let stream = call(&mut operations, self.request()).await;
            let mut update = |progress: &v1::Progress| {
                bar.set_message(progress.step.clone());
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            };
            let result: Result<Value, client::Error> = follow(&party, stream, &mut update).await;
            result.or_input()
        });
        bar.finish_and_clear();
        let result = result?;
        form.show(&result, || {
            serde_json::to_string_pretty(&result).unwrap_or_default()
        })?;
        Ok(EXIT_OK)
    }
}
