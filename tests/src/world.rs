//! Running nodes and a project taken through its steps.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use linkage_core::decide::Clusters;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::notice::Kind;
use linkage_core::schema::Schema;
use linkage_core::upload::Part;
use linkage_node::client::{Client, Error, follow, refused};
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::{ANALYST, Cluster, MATCHER, Node, OwnerSpec};
use linkage_node::matcher::link_stored;
use linkage_node::settings::NodeRole;
use linkage_node::store::matcher::{MatcherStore, Upload};
use linkage_node::store::owner::{OwnerStore, Positions};
use linkage_proto::v1;
use serde_json::Value;
use tempfile::TempDir;

use crate::departments::{DATASET, Departments, SCHEMA};
use crate::program;

/// The purpose in every manifest: words that the matcher is given in the clear, and that a search
/// of its files must therefore find.
pub const PURPOSE: &str = "purpose-known-to-every-party";

/// A matcher and owners as real processes. Dropping it stops them and removes their files.
pub struct World {
    /// The processes.
    pub cluster: Cluster,
    /// The owners, in order of name.
    pub owners: Vec<PartyId>,
    _dir: TempDir,
}

/// What an operator has the own node do for a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Take part in the key agreement.
    AgreeKey,
    /// Encode the data set and upload it.
    Upload,
    /// Have the matcher link.
    StartRun,
    /// Fetch the own positions.
    FetchPositions,
}

impl World {
    /// Starts a matcher and generated departments of `records` each.
    ///
    /// # Errors
    /// When files or processes cannot be made.
    pub fn of_departments(records: u64, seed: u64) -> Result<(Self, Departments)> {
        let dir = tempfile::tempdir()?;
        let departments = Departments::generate(dir.path(), records, seed)?;
        let world = Self::start(dir, &departments.sources)?;
        Ok((world, departments))
    }

    /// Starts a matcher and these owners, each with one data set; everything lies in `dir`.
    ///
    /// # Errors
    /// When the processes cannot be started.
    pub fn start(dir: TempDir, sources: &[(PartyId, PathBuf)]) -> Result<Self> {
        Self::start_with(dir, program::linkage()?, sources, false)
    }

    /// Starts a matcher and generated departments whose nodes cosign each other's audit logs.
    ///
    /// # Errors
    /// When files or processes cannot be made.
    pub fn witnessed(records: u64, seed: u64) -> Result<(Self, Departments)> {
        let dir = tempfile::tempdir()?;
        let departments = Departments::generate(dir.path(), records, seed)?;
        let world = Self::start_with(dir, program::linkage()?, &departments.sources, true)?;
        Ok((world, departments))
    }

    /// As [`Self::start`], as processes of `program`, which cosign each other's audit logs if
    /// `is_witnessed`.
    ///
    /// # Errors
    /// When the processes cannot be started.
    pub fn start_with(
        dir: TempDir,
        program: &Path,
        sources: &[(PartyId, PathBuf)],
        is_witnessed: bool,
    ) -> Result<Self> {
        let specs: Vec<_> = sources
            .iter()
            .map(|(party, path)| OwnerSpec {
                party: party.clone(),
                datasets: vec![(DATASET.to_owned(), path.clone())],
            })
            .collect();
        let world = dir.path().join("world");
        Ok(Self {
            cluster: Cluster::start_with(&world, program, &specs, is_witnessed)?,
            owners: specs.into_iter().map(|spec| spec.party).collect(),
            _dir: dir,
        })
    }

    /// The matcher's party.
    ///
    /// # Errors
    /// Never with a well-formed name.
    pub fn matcher_party() -> Result<PartyId> {
        Ok(MATCHER.parse()?)
    }

    /// The running matcher.
    ///
    /// # Errors
    /// When it has been stopped.
    pub fn matcher(&self) -> Result<&Node> {
        self.cluster.matcher().context("the matcher is stopped")
    }

    /// The running node of an owner.
    ///
    /// # Errors
    /// When it has been stopped.
    pub fn node(&self, party: &PartyId) -> Result<&Node> {
        let node = self.cluster.node(party);
        node.with_context(|| format!("{party} is stopped"))
    }

    /// The first, second or third owner.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn owner(&self, at: usize) -> Result<PartyId> {
        self.owners.get(at).cloned().context("too few owners")
    }

    /// The folder of a node's own data, whether it runs or not.
    pub fn data_dir(&self, party: &PartyId) -> PathBuf {
        self.node_dir(party).join("data")
    }

    /// The folder of a node's configuration, keys and data.
    pub fn node_dir(&self, party: &PartyId) -> PathBuf {
        self.cluster.dir().join("nodes").join(party.as_str())
    }

    /// Changes a stopped node's configuration as text.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the change changes nothing.
    pub fn reconfigure(&self, party: &PartyId, change: impl Fn(&str) -> String) -> Result<()> {
        let path = self.node_dir(party).join("node.toml");
        let before = std::fs::read_to_string(&path)?;
        let after = change(&before);
        ensure!(before != after, "the change of {} is none", path.display());
        Ok(std::fs::write(&path, after)?)
    }

    /// Has an owner reach the matcher at another address, and restarts it.
    ///
    /// # Errors
    /// When the owner does not come up again.
    pub fn redirect_matcher(&mut self, owner: &PartyId, address: &str) -> Result<()> {
        let before = self.matcher()?.address.clone();
        self.cluster.kill(owner)?;
        self.reconfigure(owner, |text| text.replace(&before, address))?;
        Ok(self.cluster.restart(NodeRole::Owner, owner)?)
    }

    /// An owner's second operator, who signs.
    ///
    /// # Errors
    /// When the configuration is gone.
    pub fn signer(&self, party: &PartyId) -> Result<Client, Error> {
        Client::read(&self.cluster.signer_config(party))
    }

    /// An owner's first operator.
    ///
    /// # Errors
    /// When the configuration is gone.
    pub fn operator(&self, party: &PartyId) -> Result<Client, Error> {
        Client::read(&self.cluster.operator_config(party))
    }

    /// The analyst whom every manifest names.
    ///
    /// # Errors
    /// When the configuration is gone.
    pub fn analyst(&self) -> Result<Client, Error> {
        Client::read(&self.cluster.analyst_config())
    }

    /// The first owner puts a project of all owners forward.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn propose(&self, rules: &Rules) -> Result<ProjectId> {
        self.propose_among(&self.owners, SCHEMA, rules).await
    }

    /// The first of these owners puts a project of theirs forward.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn propose_among(
        &self,
        owners: &[PartyId],
        schema: &str,
        rules: &Rules,
    ) -> Result<ProjectId> {
        let first = owners.first().context("no owner")?;
        let project = self.draft_among(owners, schema, rules, None).await?;
        let (party, mut operations) = self.operator(first)?.operations().await?;
        let reply = operations.propose(request(project)).await;
        reply.map_err(|status| refused(&party, &status))?;
        Ok(project)
    }

    /// The first of these owners drafts a project of theirs, or the next epoch of one.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn draft_among(
        &self,
        owners: &[PartyId],
        schema: &str,
        rules: &Rules,
        predecessor: Option<ProjectId>,
    ) -> Result<ProjectId> {
        let first = owners.first().context("no owner")?;
        let (party, mut operations) = self.operator(first)?.operations().await?;
        let predecessor = predecessor.map(|id| id.as_bytes().to_vec());
        let request = v1::DraftRequest {
            name: "Test".to_owned(),
            purpose: PURPOSE.to_owned(),
            legal_basis: "None: the data are made up".to_owned(),
            schema: schema.to_owned(),
            owners: owners.iter().map(ToString::to_string).collect(),
            analysts: vec![ANALYST.to_owned()],
            threshold_k: rules.threshold_k,
            epsilon_per_table: rules.epsilon_per_table.clone(),
            epsilon_budget: rules.epsilon_budget.clone(),
            expires: rules.expires.clone(),
            ask_rows_max_share: rules.ask_rows_max_share,
            predecessor: predecessor.unwrap_or_default().into(),
            ..v1::DraftRequest::default()
        };
        let reply = operations.draft(request).await;
        let status = reply
            .map_err(|status| refused(&party, &status))?
            .into_inner();
        let id: [u8; 32] = status.project.as_ref().try_into()?;
        Ok(id.into())
    }

    /// An owner's first operator answers for another owner's proposal.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn approve(&self, party: &PartyId, project: ProjectId) -> Result<(), Error> {
        let (party, mut operations) = self.operator(party)?.operations().await?;
        let reply = operations.approve(request(project)).await;
        reply.map(drop).map_err(|status| refused(&party, &status))
    }

    /// An owner's second operator signs.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn sign(&self, party: &PartyId, project: ProjectId) -> Result<(), Error> {
        let (party, mut operations) = self.signer(party)?.operations().await?;
        let reply = operations.sign(request(project)).await;
        reply.map(drop).map_err(|status| refused(&party, &status))
    }

    /// What an owner's node says of a project.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn show(
        &self,
        party: &PartyId,
        project: ProjectId,
    ) -> Result<v1::ProjectStatus, Error> {
        let (party, mut operations) = self.operator(party)?.operations().await?;
        let reply = operations.show(request(project)).await;
        reply
            .map(tonic::Response::into_inner)
            .map_err(|status| refused(&party, &status))
    }

    /// Proposed by the first owner, signed by all.
    ///
    /// # Errors
    /// What a node refused.
    pub async fn agreed(&self, rules: &Rules) -> Result<ProjectId> {
        let project = self.propose(rules).await?;
        self.sign_all(&self.owners, project).await?;
        Ok(project)
    }

    /// Two persons of each of these owners agree; the first owner has drafted.
    ///
    /// # Errors
    /// What a node refused.
    pub async fn sign_all(&self, owners: &[PartyId], project: ProjectId) -> Result<(), Error> {
        for (at, party) in owners.iter().enumerate() {
            if at > 0 {
                self.approve(party, project).await?;
            }
            self.sign(party, project).await?;
        }
        Ok(())
    }

    /// Agreed, and every owner holds the key.
    ///
    /// # Errors
    /// What a node refused.
    pub async fn keyed(&self, rules: &Rules) -> Result<ProjectId> {
        let project = self.agreed(rules).await?;
        self.all(Act::AgreeKey, project).await?;
        Ok(project)
    }

    /// Keyed, uploaded by all, linked, every owner has its positions.
    ///
    /// # Errors
    /// What a node refused.
    pub async fn linked(&self, rules: &Rules) -> Result<ProjectId> {
        let project = self.keyed(rules).await?;
        self.all(Act::Upload, project).await?;
        self.act(Act::StartRun, &self.owner(0)?, project).await?;
        self.all(Act::FetchPositions, project).await?;
        Ok(project)
    }

    /// An owner suspends, resumes or closes a project.
    ///
    /// # Errors
    /// What its node refused.
    pub async fn notice(
        &self,
        party: &PartyId,
        project: ProjectId,
        kind: Kind,
    ) -> Result<v1::ProjectStatus, Error> {
        let (party, mut operations) = self.operator(party)?.operations().await?;
        let request = v1::ReasonRequest {
            project: project.as_bytes().to_vec().into(),
            reason: "a test".to_owned(),
        };
        let reply = match kind {
            Kind::Suspend => operations.suspend(request).await,
            Kind::Resume => operations.resume(request).await,
            Kind::Close => operations.close(request).await,
        };
        reply
            .map(tonic::Response::into_inner)
            .map_err(|status| refused(&party, &status))
    }

    /// Every owner does the same at once; the results in the owners' order.
    ///
    /// # Errors
    /// What a node refused.
    pub async fn all(&self, act: Act, project: ProjectId) -> Result<Vec<Value>> {
        let mut results = vec![];
        let mut acting = vec![];
        for party in &self.owners {
            let (client, party) = (self.operator(party)?, party.clone());
            acting.push(tokio::spawn(async move {
                perform(&client, &party, act, project).await
            }));
        }
        for acting in acting {
            results.push(acting.await??);
        }
        Ok(results)
    }

    /// One owner does it.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn act(&self, act: Act, party: &PartyId, project: ProjectId) -> Result<Value, Error> {
        perform(&self.operator(party)?, party, act, project).await
    }

    /// An owner's database.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn owner_store(&self, party: &PartyId) -> Result<OwnerStore> {
        Ok(OwnerStore::open(&self.data_dir(party).join("owner.db"))?)
    }

    /// The matcher's database.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn matcher_store(&self) -> Result<MatcherStore> {
        let dir = self.data_dir(&Self::matcher_party()?);
        Ok(MatcherStore::open(&dir.join("matcher.db"))?)
    }

    /// The file in which the matcher keeps an upload.
    ///
    /// # Errors
    /// Never with a well-formed name.
    pub fn spool(&self, upload: &Upload) -> Result<PathBuf> {
        let dir = self.data_dir(&Self::matcher_party()?).join("uploads");
        Ok(dir.join(format!("{}.tokens", hex::encode(upload.id))))
    }

    /// The file in which an owner keeps what it uploads first: the keys of its records.
    pub fn outbox(&self, party: &PartyId, project: ProjectId) -> PathBuf {
        let name = format!("{project}.keys");
        self.data_dir(party).join("outbox").join(name)
    }

    /// An owner's positions.
    ///
    /// # Errors
    /// When it has none.
    pub fn positions(&self, party: &PartyId, project: ProjectId) -> Result<Positions> {
        let positions = self.owner_store(party)?.positions(&project)?;
        positions.with_context(|| format!("{party} has no positions"))
    }

    /// The clusters that the owners' positions say.
    ///
    /// # Errors
    /// When an owner has none.
    pub fn delivered(&self, project: ProjectId) -> Result<Clusters> {
        let mut marks = vec![];
        for party in &self.owners {
            marks.push(self.positions(party, project)?.positions);
        }
        Ok(Clusters::from_marks(&marks))
    }

    /// The clusters of a run that is made again from what the matcher holds, without the rows that
    /// are nobody's.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn recomputed(&self, project: ProjectId) -> Result<Clusters> {
        let schema = Schema::parse(SCHEMA)?;
        let dir = self.data_dir(&Self::matcher_party()?).join("uploads");
        let uploads = self.matcher_store()?.uploads(&project, Part::Keys)?;
        let outcome = link_stored(&dir, &uploads, &schema, false, &|_, _| {})?;
        let mut marks = vec![];
        for (clusters, upload) in outcome.clusters.owners().zip(&uploads) {
            let store = self.owner_store(&upload.party.parse()?)?;
            marks.push(without(&store.dummies(&project)?, clusters));
        }
        Ok(Clusters::from_marks(&marks))
    }

    /// Every node's folder of data with its party.
    ///
    /// # Errors
    /// Never with a well-formed name.
    pub fn data_dirs(&self) -> Result<Vec<(PartyId, PathBuf)>> {
        let parties = std::iter::once(Self::matcher_party()?).chain(self.owners.iter().cloned());
        Ok(parties
            .map(|party| {
                let dir = self.data_dir(&party);
                (party, dir)
            })
            .collect())
    }
}

/// What stands at the rows that are somebody's.
pub fn without(dummies: &[u32], marks: &[u32]) -> Vec<u32> {
    let rows = (0..).zip(marks);
    let real = rows.filter(|(row, _)| dummies.binary_search(row).is_err());
    real.map(|(_, mark)| *mark).collect()
}

/// A request about a project.
pub fn request(project: ProjectId) -> v1::ProjectRequest {
    v1::ProjectRequest {
        project: project.as_bytes().to_vec().into(),
    }
}

/// A client has the node of `party` do something for a project.
///
/// # Errors
/// What the node refused.
pub async fn perform(
    client: &Client,
    party: &PartyId,
    act: Act,
    project: ProjectId,
) -> Result<Value, Error> {
    let (_, mut operations) = client.operations().await?;
    let stream = match act {
        Act::AgreeKey => operations.agree_key(request(project)).await,
        Act::StartRun => operations.start_run(request(project)).await,
        Act::FetchPositions => operations.fetch_positions(request(project)).await,
        Act::Upload => {
            let request = v1::UploadRequest {
                project: project.as_bytes().to_vec().into(),
                dataset: DATASET.to_owned(),
            };
            operations.upload(request).await
        }
    };
    follow(party, stream, &mut |_| {}).await
}

/// The stable reason of a refusal, or the whole error where it is none.
pub fn reason(error: &Error) -> String {
    match error {
        Error::Refused { reason, .. } => reason.clone(),
        Error::Connect { source, .. } => source.reason().to_owned(),
        other => other.to_string(),
    }
}
