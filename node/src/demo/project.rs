//! A project from proposal to released tables, each act by the operator or analyst it belongs to.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::try_join_all;
use linkage_core::disclosure::release::ReleasedTable;
use linkage_core::extract::ExtractRequest;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_proto::v1;
use tokio::sync::mpsc;

use super::cluster::{ANALYST, Cluster};
use super::{Error, Narrator, Round};
use crate::client::{self, Client, follow, refused};

/// A project's rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Cells that count fewer are not shown.
    pub threshold_k: u32,
    /// Epsilon of each owner's noise share per table.
    pub epsilon_per_table: String,
    /// Epsilon that an owner spends at most.
    pub epsilon_budget: String,
    /// Last day, `YYYY-MM-DD`.
    pub expires: String,
    /// Largest share of an owner's rows that an ask filter may hit.
    pub ask_rows_max_share: f64,
}

impl Default for Rules {
    fn default() -> Self {
        // k = 10 is what UK LLC, ACRO and the project's own policy ask for at least; epsilon 1 per
        // owner gives a noise of standard deviation 2.
        Self {
            threshold_k: 10,
            epsilon_per_table: "1".to_owned(),
            epsilon_budget: "10".to_owned(),
            expires: last_day(365),
            // Between generated departments, 0.56 to 0.64 of the rows are asked for.
            ask_rows_max_share: 0.8,
        }
    }
}

/// The day in so many days, as a manifest writes it.
pub fn last_day(days: i64) -> String {
    let now = jiff::Timestamp::now();
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    today
        .saturating_add(jiff::Span::new().days(days))
        .to_string()
}

/// A linked project.
pub struct Linked {
    /// The project.
    pub project: ProjectId,
    /// Result of each owner's upload.
    pub uploads: BTreeMap<PartyId, serde_json::Value>,
    /// Seconds of each step.
    pub seconds: Vec<(&'static str, f64)>,
}

/// A released table and what it took.
pub struct Released {
    /// The request.
    pub request: ExtractRequest,
    /// The table.
    pub table: ReleasedTable,
    /// Bytes between the two owners.
    pub bytes: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Progress of several owners' streams, shown as one sum.
struct Sum<'a> {
    narrator: &'a mut dyn Narrator,
    at: BTreeMap<usize, (u64, u64)>,
    step: String,
}

impl Sum<'_> {
    fn update(&mut self, owner: usize, progress: &v1::Progress) {
        if progress.step == "done" {
            return;
        }
        if progress.step != self.step {
            self.at.clear();
            self.step.clone_from(&progress.step);
        }
        self.at.insert(owner, (progress.done, progress.total));
        let (done, total) = self
            .at
            .values()
            .fold((0, 0), |(d, t), (done, total)| (d + done, t + total));
        self.narrator.progress(&self.step, done, total);
    }
}

/// Links a round: propose, sign, agree on a key, upload, run, deliver.
///
/// # Errors
/// [`Error`], with the words of whichever node refused.
pub async fn link(
    cluster: &Cluster,
    round: &Round,
    rules: &Rules,
    narrator: &mut dyn Narrator,
) -> Result<Linked, Error> {
    let owners: Vec<&PartyId> = round.sources.iter().map(|(party, _)| party).collect();
    let operators: Vec<Client> = owners
        .iter()
        .map(|party| Client::read(&cluster.operator_config(party)))
        .collect::<Result<_, _>>()?;
    let pairs = owners
        .iter()
        .map(|party| {
            Ok(Pair {
                first: Client::read(&cluster.operator_config(party))?,
                second: Client::read(&cluster.signer_config(party))?,
            })
        })
        .collect::<Result<Vec<_>, client::Error>>()?;
    let mut seconds = vec![];
    let mut timed = |name: &'static str, since: Instant| {
        seconds.push((name, since.elapsed().as_secs_f64()));
    };

    let start = Instant::now();
    let project = agree(&pairs, round, rules).await?;
    timed("agree on the manifest", start);
    narrator.line(&format!(
        "manifest {} proposed by {}, signed by two persons of each of {} owners",
        project.short(),
        owners.first().map_or("", |party| party.as_str()),
        owners.len()
    ));

    let start = Instant::now();
    let keyed = all(&operators, narrator, |client| keyed(client, project)).await?;
    timed("agree on the key", start);
    let key = keyed
        .first()
        .and_then(|key| key.get("key_id")?.as_str())
        .unwrap_or_default()
        .to_owned();
    narrator.line(&format!(
        "project key {key} agreed by all owners; the matcher carried it sealed"
    ));

    let start = Instant::now();
    let uploads = all(&operators, narrator, |client| {
        upload(client, project, round.slug.clone())
    })
    .await?;
    timed("encode and upload", start);
    let uploads: BTreeMap<PartyId, _> = owners
        .iter()
        .map(|party| (*party).clone())
        .zip(uploads)
        .collect();
    for (party, result) in &uploads {
        let number = |path: &str| {
            result
                .pointer(path)
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0)
        };
        let (rows, bytes) = (number("/summary/rows"), number("/bytes"));
        narrator.line(&format!(
            "{party:<16} {rows:>9} records encoded, {bytes} bytes uploaded"
        ));
        let rejected = result
            .pointer("/summary/rejected")
            .and_then(serde_json::Value::as_object);
        let rejected: u64 = rejected.map_or(0, |reasons| {
            reasons.values().filter_map(serde_json::Value::as_u64).sum()
        });
        if rejected > 0 {
            let file = result
                .pointer("/summary/rejects_file")
                .and_then(serde_json::Value::as_str);
            narrator.line(&format!(
                "  {rejected} rows rejected, see {}",
                file.unwrap_or_default()
            ));
        }
    }

    let start = Instant::now();
    let first = operators.get(..1).unwrap_or(&[]);
    all(first, narrator, |client| start_run(client, project)).await?;
    timed("link", start);

    let start = Instant::now();
    all(&operators, narrator, |client| {
        fetch_positions(client, project)
    })
    .await?;
    timed("deliver positions", start);
    narrator.line("every owner has a fresh random position for every record, linked or not");
    Ok(Linked {
        project,
        uploads,
        seconds,
    })
}

/// One owner's two operators.
struct Pair {
    first: Client,
    second: Client,
}

async fn agree(pairs: &[Pair], round: &Round, rules: &Rules) -> Result<ProjectId, Error> {
    let author = pairs.first().ok_or_else(unreadable)?;
    let (party, mut operations) = author.first.operations().await?;
    let draft = v1::DraftRequest {
        name: format!("Demo: {}", round.name),
        purpose: "Show how departments link records without showing them".to_owned(),
        legal_basis: "None: the data are made up or public".to_owned(),
        schema: round.schema.clone(),
        owners: round
            .sources
            .iter()
            .map(|(party, _)| party.to_string())
            .collect(),
        analysts: vec![ANALYST.to_owned()],
        threshold_k: rules.threshold_k,
        epsilon_per_table: rules.epsilon_per_table.clone(),
        epsilon_budget: rules.epsilon_budget.clone(),
        expires: rules.expires.clone(),
        ask_rows_max_share: rules.ask_rows_max_share,
        ..v1::DraftRequest::default()
    };
    let heard = |answer: Result<tonic::Response<v1::ProjectStatus>, tonic::Status>, party| {
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| refused(&party, &status))
    };
    let drafted = heard(operations.draft(draft).await, party.clone())?;
    let bytes: [u8; 32] = drafted
        .project
        .as_ref()
        .try_into()
        .map_err(|_| unreadable())?;
    let project = ProjectId::from(bytes);
    heard(operations.propose(request(project)).await, party)?;
    for (at, pair) in pairs.iter().enumerate() {
        if at > 0 {
            let (party, mut operations) = pair.first.operations().await?;
            heard(operations.approve(request(project)).await, party)?;
        }
        let (party, mut operations) = pair.second.operations().await?;
        heard(operations.sign(request(project)).await, party)?;
    }
    Ok(project)
}

fn unreadable() -> Error {
    client::Error::Answer("a node's answer is not readable".to_owned()).into()
}

fn request(project: ProjectId) -> v1::ProjectRequest {
    v1::ProjectRequest {
        project: project.as_bytes().to_vec().into(),
    }
}

type Stream = Result<tonic::Response<tonic::Streaming<v1::Progress>>, tonic::Status>;

async fn keyed(client: &Client, project: ProjectId) -> Result<(PartyId, Stream), client::Error> {
    let (party, mut operations) = client.operations().await?;
    let stream = operations.agree_key(request(project)).await;
    Ok((party, stream))
}

async fn upload(
    client: &Client,
    project: ProjectId,
    dataset: String,
) -> Result<(PartyId, Stream), client::Error> {
    let (party, mut operations) = client.operations().await?;
    let request = v1::UploadRequest {
        project: project.as_bytes().to_vec().into(),
        dataset,
    };
    let stream = operations.upload(request).await;
    Ok((party, stream))
}

async fn start_run(
    client: &Client,
    project: ProjectId,
) -> Result<(PartyId, Stream), client::Error> {
    let (party, mut operations) = client.operations().await?;
    let stream = operations.start_run(request(project)).await;
    Ok((party, stream))
}

async fn fetch_positions(
    client: &Client,
    project: ProjectId,
) -> Result<(PartyId, Stream), client::Error> {
    let (party, mut operations) = client.operations().await?;
    let stream = operations.fetch_positions(request(project)).await;
    Ok((party, stream))
}

/// Lets every operator do the same at once, and shows their progress as one.
async fn all<'a, F>(
    operators: &'a [Client],
    narrator: &mut dyn Narrator,
    act: impl Fn(&'a Client) -> F,
) -> Result<Vec<serde_json::Value>, Error>
where
    F: Future<Output = Result<(PartyId, Stream), client::Error>>,
{
    let (sender, mut progress) = mpsc::unbounded_channel();
    let acts = operators.iter().enumerate().map(|(at, client)| {
        let (act, sender) = (act(client), sender.clone());
        async move {
            let (party, stream) = act.await?;
            follow(&party, stream, &mut |step| {
                // The receiver outlives every act.
                let _ = sender.send((at, step.clone()));
            })
            .await
        }
    });
    let acting = try_join_all(acts);
    drop(sender.clone());
    let mut sum = Sum {
        narrator,
        at: BTreeMap::new(),
        step: String::new(),
    };
    tokio::pin!(acting);
    let results = loop {
        tokio::select! {
            results = &mut acting => break results,
            Some((owner, step)) = progress.recv() => sum.update(owner, &step),
        }
    };
    sum.narrator.progress_end();
    Ok(results?)
}

/// Asks the round's requests as the analyst.
pub(super) async fn tables(
    cluster: &Cluster,
    round: &Round,
    linked: &Linked,
    narrator: &mut dyn Narrator,
) -> Result<Vec<Released>, Error> {
    let mut released = vec![];
    if round.queries.is_empty() {
        return Ok(released);
    }
    let analyst = Client::read(&cluster.analyst_config())?;
    for query in &round.queries {
        narrator.line(&format!("analyst asks: {query}"));
        let start = Instant::now();
        let extract = analyst.extract(&linked.project, query).await?;
        let seconds = start.elapsed().as_secs_f64();
        for line in super::show::grid(&extract.table).lines() {
            narrator.line(&format!("  {line}"));
        }
        released.push(Released {
            request: extract.request,
            table: extract.table,
            bytes: extract.bytes_between_owners,
            seconds,
        });
    }
    Ok(released)
}
