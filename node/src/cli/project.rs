//! An operator's acts in a project, at the operator's own node.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::client::{self, Client, follow, refused};
use linkage_proto::v1;
use linkage_proto::v1::operations_client::OperationsClient;
use serde_json::{Value, json};
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
    /// The project's identity: 64 hexadecimal digits, as `project propose` prints it
    #[arg(value_name = "PROJECT")]
    project: ProjectId,
}

/// Agree on projects.
#[derive(Debug, Subcommand)]
pub enum Project {
    /// Put a project forward, signed by this owner
    Propose(Box<Propose>),
    /// Read and sign what another owner put forward
    #[command(after_help = "\
The node refuses a manifest whose parties or keys are not those of its own configuration.

Example:
  linkage project approve --as operator.toml 06b57428...")]
    Approve(Chosen),
    /// What this owner's node knows of a project
    #[command(after_help = "Example:\n  linkage project status --as operator.toml 06b57428...")]
    Status(Chosen),
    /// Take part in agreeing on the project's key
    #[command(after_help = "\
Every owner's operator runs this; it ends when all have taken part. The key never leaves the owners:
the matcher carries the contributions sealed.

Example:
  linkage project key --as operator.toml 06b57428...")]
    Key(Chosen),
}

/// Arguments of `project propose`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  linkage project propose --as operator.toml --name \"Chronic illness and credit\" \\
    --purpose \"Policy study 2026-14\" --legal-basis \"Decree 809, art. 12\" \\
    --schema persons.toml --owner health --owner credit --analyst policy-lab")]
pub struct Propose {
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
    /// Cells that count fewer are not shown
    #[arg(long, default_value_t = 10)]
    threshold_k: u32,
    /// Epsilon of each owner's noise share per table
    #[arg(long, default_value = "1")]
    epsilon_per_table: String,
    /// Epsilon that an owner's answers may add up to
    #[arg(long, default_value = "10")]
    epsilon_budget: String,
    /// Largest share of an owner's rows whose tokens the matcher may ask for
    #[arg(long, default_value_t = 0.8)]
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
            Self::Propose(propose) => propose.run(form),
            Self::Approve(chosen) => chosen.status(form, async |operations, request| {
                operations.approve(request).await
            }),
            Self::Status(chosen) => chosen.status(form, async |operations, request| {
                operations.status(request).await
            }),
            Self::Key(chosen) => chosen.follow(form, async |operations, request| {
                operations.agree_key(request).await
            }),
        }
    }
}

impl Upload {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Start(Start { chosen, dataset }) = self;
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

impl Propose {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let schema = std::fs::read_to_string(&self.schema).map_err(|error| {
            Failure::input(anyhow::anyhow!(
                "cannot read {}: {error}",
                self.schema.display()
            ))
        })?;
        let request = v1::ProposeProjectRequest {
            name: self.name,
            purpose: self.purpose,
            legal_basis: self.legal_basis,
            schema,
            owners: self.owners.iter().map(PartyId::to_string).collect(),
            analysts: self.analysts.iter().map(PartyId::to_string).collect(),
            threshold_k: self.threshold_k,
            epsilon_per_table: self.epsilon_per_table,
            epsilon_budget: self.epsilon_budget,
            ask_rows_max_share: self.ask_rows_max_share,
            risk_accepted_by: self.risk_accepted_by.unwrap_or_default(),
            risk_reason: self.risk_reason.unwrap_or_default(),
        };
        let status = runtime()?.block_on(async {
            let (party, mut operations) = connect(&self.by.config).await?;
            let answer = operations.propose(request).await;
            answer.map_err(|status| refused(&party, &status)).or_input()
        })?;
        show(form, &status.into_inner())
    }
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
        let status = runtime()?.block_on(async {
            let (party, mut operations) = connect(&self.by.config).await?;
            let answer = call(&mut operations, self.request()).await;
            answer.map_err(|status| refused(&party, &status)).or_input()
        })?;
        show(form, &status.into_inner())
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

fn show(form: Form, status: &v1::ProjectStatus) -> Result<u8, Failure> {
    let data = json!({
        "project": hex::encode(&status.project),
        "name": status.name,
        "purpose": status.purpose,
        "legal_basis": status.legal_basis,
        "profile": status.profile,
        "risk_accepted_by": status.risk_accepted_by,
        "risk_reason": status.risk_reason,
        "owners": status.owners,
        "signed": status.signed,
        "keyed": status.keyed,
        "uploaded": status.uploaded,
        "tokens_sent": status.tokens_sent,
        "rows": status.rows,
        "rows_asked": status.rows_asked,
        "positioned": status.positioned,
    });
    form.show(&data, || {
        let done = |done: bool| if done { "yes" } else { "not yet" };
        let asked = match status.rows {
            0 => String::new(),
            rows => format!("; {} of {rows} asked for", status.rows_asked),
        };
        let risk = match status.risk_reason.as_str() {
            "" => String::new(),
            reason => format!("; risk accepted by {}: {reason}", status.risk_accepted_by),
        };
        format!(
            "project      {}\nname         {}\npurpose      {}\nlegal basis  {}\nprofile      {}{risk}\n\
             owners       {}\n\
             signed by    {}\nkey agreed   {}\nuploaded     {}\ntokens       {}{}\npositions    {}",
            hex::encode(&status.project),
            status.name,
            status.purpose,
            status.legal_basis,
            status.profile,
            status.owners.join(", "),
            status.signed.join(", "),
            done(status.keyed),
            done(status.uploaded),
            status.tokens_sent,
            asked,
            done(status.positioned),
        )
    })?;
    Ok(EXIT_OK)
}
