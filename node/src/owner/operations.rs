//! Acts of the owner's operators.

use std::sync::Arc;

use linkage_core::ask::WholeBatch;
use linkage_core::audit::action::Action;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::{
    AcceptedRisk, Manifest, Owner as ManifestOwner, Project, Purpose, Tables,
};
use linkage_core::schema::Profile;
use linkage_proto::v1;
use linkage_proto::v1::run_event::Event;
use ring::signature::KeyPair;
use serde_json::json;
use tonic::Code;

use super::Owner;
use super::peers::relayed;
use super::progress::{self, ProgressStream, Reporter};
use super::upload::TOKENS_WHEN_ASKED;
use crate::authz::permit::Permit;
use crate::fault::Fault;
use crate::procedures::{Operations, operations};
use crate::settings::NodeRole;
use crate::store::owner::Positions;
use crate::wire;

impl Operations for Owner {
    async fn propose(
        &self,
        permit: Permit<operations::Propose>,
        request: v1::ProposeProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let project = self.draft(request)?;
        self.journal
            .act_of(permit.caller(), Action::ProjectPropose, project.id.short())
            .project(&project.id)
            .digest("manifest", project.id.as_bytes())
            .ok()?;
        let request = v1::ProposeRequest {
            manifest: project.bytes.clone().into(),
            signature: project.sign(&self.signing, Purpose::Manifest, b"").into(),
        };
        let reply = self
            .projects()
            .await?
            .propose(request)
            .await
            .map_err(relayed)?
            .into_inner();
        self.store.add_project(&project.id, &project.bytes)?;
        self.status(&project, &reply)
    }

    async fn approve(
        &self,
        permit: Permit<operations::Approve>,
        request: v1::ProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let id = wire::project_id(&request.project)?;
        let reply = self.proposed(&id).await?;
        let project = Project::parse(&reply.manifest)?;
        if project.id != id {
            return Err(Fault::malformed("the matcher's answer"));
        }
        self.check_parties(&project)?;
        self.journal
            .act_of(permit.caller(), Action::ProjectSign, id.short())
            .project(&id)
            .digest("manifest", id.as_bytes())
            .ok()?;
        let request = v1::SignRequest {
            project: id.as_bytes().to_vec().into(),
            signature: project.sign(&self.signing, Purpose::Manifest, b"").into(),
        };
        let reply = self
            .projects()
            .await?
            .sign(request)
            .await
            .map_err(relayed)?
            .into_inner();
        self.store.add_project(&id, &project.bytes)?;
        self.status(&project, &reply)
    }

    async fn status(
        &self,
        _: Permit<operations::Status>,
        request: v1::ProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let id = wire::project_id(&request.project)?;
        let reply = self.proposed(&id).await?;
        let project = Project::parse(&reply.manifest)?;
        self.status(&project, &reply)
    }

    async fn agree_key(
        &self,
        _: Permit<operations::AgreeKey>,
        request: v1::ProjectRequest,
    ) -> Result<ProgressStream, Fault> {
        let id = wire::project_id(&request.project)?;
        let owner = self.shared()?;
        Ok(progress::stream(|report| async move {
            owner.agree_key(id, report).await
        }))
    }

    async fn upload(
        &self,
        _: Permit<operations::Upload>,
        request: v1::UploadRequest,
    ) -> Result<ProgressStream, Fault> {
        let id = wire::project_id(&request.project)?;
        let owner = self.shared()?;
        Ok(progress::stream(|report| {
            owner.upload(id, request.dataset, report)
        }))
    }

    async fn start_run(
        &self,
        permit: Permit<operations::StartRun>,
        request: v1::ProjectRequest,
    ) -> Result<ProgressStream, Fault> {
        let id = wire::project_id(&request.project)?;
        self.journal
            .act_of(permit.caller(), Action::RunStart, id.short())
            .project(&id)
            .ok()?;
        let owner = self.shared()?;
        Ok(progress::stream(|report| owner.start_run(id, report)))
    }

    async fn fetch_positions(
        &self,
        _: Permit<operations::FetchPositions>,
        request: v1::ProjectRequest,
    ) -> Result<ProgressStream, Fault> {
        let id = wire::project_id(&request.project)?;
        let owner = self.shared()?;
        Ok(progress::stream(|report| owner.fetch_positions(id, report)))
    }
}

impl Owner {
    /// The manifest that an operator asks for, with every owner's keys from this node's own
    /// configuration.
    fn draft(&self, request: v1::ProposeProjectRequest) -> Result<Project, Fault> {
        let matcher = self.settings.matcher();
        let matcher =
            matcher.ok_or_else(|| Fault::state("peer.unknown", "no matcher is configured"))?;
        let mut parties: Vec<PartyId> = request
            .owners
            .iter()
            .map(|name| wire::party(name))
            .collect::<Result<_, _>>()?;
        parties.sort();
        let owners = parties
            .iter()
            .map(|party| self.known(party))
            .collect::<Result<_, _>>()?;
        let analysts = request
            .analysts
            .iter()
            .map(|name| wire::party(name))
            .collect::<Result<_, _>>()?;
        let accepted = !request.risk_accepted_by.is_empty() || !request.risk_reason.is_empty();
        let accepted_risk = accepted.then_some(AcceptedRisk {
            profile: Profile::Fields,
            by: request.risk_accepted_by,
            reason: request.risk_reason,
        });
        let manifest = Manifest {
            version: 1,
            name: request.name,
            purpose: request.purpose,
            legal_basis: request.legal_basis,
            matcher: matcher.party.clone(),
            nonce: hex::encode(crate::entropy::name()?),
            schema: request.schema,
            ask_rows_max_share: request.ask_rows_max_share,
            tables: Tables {
                analysts,
                threshold_k: request.threshold_k,
                epsilon_per_table: request.epsilon_per_table,
                epsilon_budget: request.epsilon_budget,
            },
            accepted_risk,
            owners,
        };
        let project = Project::parse(&manifest.to_bytes()?)?;
        project.owner(&self.settings.party)?;
        Ok(project)
    }

    /// An owner's entry by what this node knows of it.
    fn known(&self, party: &PartyId) -> Result<ManifestOwner, Fault> {
        if *party == self.settings.party {
            return Ok(ManifestOwner {
                party: party.clone(),
                signing_key: hex::encode(self.signing.public_key().as_ref()),
                sealing_key: hex::encode(self.sealing.public().to_bytes()),
            });
        }
        let peer = self.settings.peer(NodeRole::Owner, party);
        let keys = peer.and_then(|peer| peer.signing_key.clone().zip(peer.sealing_key.clone()));
        let (signing_key, sealing_key) = keys.ok_or_else(|| {
            Fault::state(
                "peer.unknown",
                format!("owner {party} is no [[peer]] of this node"),
            )
        })?;
        Ok(ManifestOwner {
            party: party.clone(),
            signing_key,
            sealing_key,
        })
    }

    /// Refuses a manifest whose parties or keys are not those that this node knows.
    fn check_parties(&self, project: &Project) -> Result<(), Fault> {
        let refuse = |message: String| Fault::state("project.parties", message);
        let matcher = self.settings.matcher().map(|peer| &peer.party);
        if matcher != Some(&project.manifest.matcher) {
            return Err(refuse("the manifest names another matcher".to_owned()));
        }
        project.owner(&self.settings.party)?;
        for owner in &project.manifest.owners {
            if self.known(&owner.party)? != *owner {
                let message = format!(
                    "the manifest's keys of {} are not those known here",
                    owner.party
                );
                return Err(refuse(message));
            }
        }
        Ok(())
    }

    async fn proposed(&self, id: &ProjectId) -> Result<v1::ProjectReply, Fault> {
        let request = v1::GetRequest {
            project: id.as_bytes().to_vec().into(),
        };
        Ok(self
            .projects()
            .await?
            .get(request)
            .await
            .map_err(relayed)?
            .into_inner())
    }

    /// A project's state. Signatures are counted when they verify.
    fn status(
        &self,
        project: &Project,
        reply: &v1::ProjectReply,
    ) -> Result<v1::ProjectStatus, Fault> {
        let signed = reply.signatures.iter().filter(|signature| {
            wire::party(&signature.party).is_ok_and(|party| {
                project
                    .verify(&party, Purpose::Manifest, b"", &signature.signature)
                    .is_ok()
            })
        });
        let manifest = &project.manifest;
        let risk = manifest.accepted_risk.clone();
        let (risk_accepted_by, risk_reason) =
            risk.map_or_else(Default::default, |risk| (risk.by, risk.reason));
        let tokens_sent =
            WholeBatch::of(&project.schema).map_or(TOKENS_WHEN_ASKED, WholeBatch::words);
        let asked = self.store.asked(&project.id)?;
        let (rows, rows_asked) = asked.map_or((0, 0), |asked| (asked.rows, asked.hits));
        Ok(v1::ProjectStatus {
            profile: project.schema.token.profile.as_str().to_owned(),
            risk_accepted_by,
            risk_reason,
            project: project.id.as_bytes().to_vec().into(),
            name: manifest.name.clone(),
            purpose: manifest.purpose.clone(),
            legal_basis: manifest.legal_basis.clone(),
            owners: manifest
                .owners
                .iter()
                .map(|owner| owner.party.to_string())
                .collect(),
            signed: signed.map(|signature| signature.party.clone()).collect(),
            keyed: self.vault.key(&project.id)?.is_some(),
            uploaded: self.store.upload_sealed(&project.id)? == Some(true),
            positioned: self.store.positions(&project.id)?.is_some(),
            tokens_sent: tokens_sent.to_owned(),
            rows,
            rows_asked,
        })
    }

    async fn start_run(
        self: Arc<Self>,
        id: ProjectId,
        report: Reporter,
    ) -> Result<serde_json::Value, Fault> {
        self.project(&id)?;
        let request = v1::StartRequest {
            project: id.as_bytes().to_vec().into(),
        };
        let mut events = self
            .runs()
            .await?
            .start(request)
            .await
            .map_err(relayed)?
            .into_inner();
        while let Some(event) = events.message().await.map_err(relayed)? {
            match event.event {
                Some(Event::Progress(at)) => report.step("link", at.done.into(), at.total.into()),
                Some(Event::Summary(summary)) => {
                    let parsed = serde_json::from_str::<serde_json::Value>(&summary.report_json);
                    let content = parsed.map_err(|_| Fault::malformed("the matcher's report"))?;
                    return Ok(json!({ "run": hex::encode(&summary.run), "report": content }));
                }
                None => {}
            }
        }
        Err(Fault::new(
            Code::Unavailable,
            "run.cut",
            "the matcher ended the run without a result",
        ))
    }

    async fn fetch_positions(
        self: Arc<Self>,
        id: ProjectId,
        report: Reporter,
    ) -> Result<serde_json::Value, Fault> {
        self.project(&id)?;
        let dummies = self.store.dummies(&id)?;
        let rows = self.store.record_ids(&id)?.len() + dummies.len();
        let request = v1::PositionsRequest {
            project: id.as_bytes().to_vec().into(),
        };
        let mut parts = self
            .runs()
            .await?
            .positions(request)
            .await
            .map_err(relayed)?
            .into_inner();
        let mut fetched: Option<Positions> = None;
        while let Some(part) = parts.message().await.map_err(relayed)? {
            let run = wire::fixed(&part.run, "the run's name")?;
            let fetched = fetched.get_or_insert_with(|| Positions {
                run,
                range: part.range,
                positions: Vec::with_capacity(rows),
            });
            let fits = fetched.run == run
                && fetched.range == part.range
                && fetched.positions.len() as u64 == part.first_row
                && fetched.positions.len() + part.positions.len() <= rows
                && part.positions.iter().all(|position| *position < part.range);
            if !fits {
                return Err(Fault::malformed("the matcher's positions"));
            }
            fetched.positions.extend(part.positions);
            report.step("positions", fetched.positions.len() as u64, rows as u64);
        }
        let fetched = fetched.filter(|fetched| fetched.positions.len() == rows);
        let mut fetched = fetched.ok_or_else(|| Fault::malformed("the number of positions"))?;
        // Two own records in one place would be counted twice in every table.
        let mut distinct = fetched.positions.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != rows {
            return Err(Fault::malformed("positions that repeat"));
        }
        // Nobody stands at the positions of rows that are nobody's.
        let mut row = 0;
        fetched.positions.retain(|_| {
            row += 1;
            dummies.binary_search(&(row - 1)).is_err()
        });
        self.journal
            .act(Action::LinkmapFetch, hex::encode(fetched.run))
            .project(&id)
            .count("positions", rows as u64)
            .ok()?;
        self.store.set_positions(&id, &fetched)?;
        Ok(json!({ "positions": rows, "range": fetched.range }))
    }
}
