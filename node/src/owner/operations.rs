//! Acts of the owner's operators.

use std::sync::Arc;

use linkage_core::audit::action::Action;
use linkage_core::ids::ProjectId;
use linkage_core::project::ManifestSignature;
use linkage_core::project::notice::Kind;
use linkage_core::project::persons::{FirstPerson, Person};
use linkage_core::project::state::{Event, State};
use linkage_proto::v1;
use linkage_proto::v1::run_event::Event as RunEvent;
use serde_json::json;
use tonic::Code;

use super::Owner;
use super::peers::relayed;
use super::progress::{self, ProgressStream, Reporter};
use crate::authz::permit::{Caller, Permit};
use crate::fault::Fault;
use crate::procedures::{Operations, operations};
use crate::store::owner::Positions;
use crate::wire;

/// Longest report of a run that is taken from the matcher: of sixty owners it has about 40 MB.
const REPORT_BYTES_MAX: usize = 256 << 20;

impl Operations for Owner {
    async fn draft(
        &self,
        permit: Permit<operations::Draft>,
        request: v1::DraftRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let author = FirstPerson::new(person(permit.caller())?);
        let project = self.draft_manifest(request)?;
        self.journal
            .act_of(permit.caller(), Action::ProjectDraft, project.id.short())
            .project(&project.id)
            .digest("manifest", project.id.as_bytes())
            .ok()?;
        self.store.add_project(&project, &State::draft(author))?;
        self.status(&project, None)
    }

    async fn propose(
        &self,
        permit: Permit<operations::Propose>,
        request: v1::ProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let id = wire::project_id(&request.project)?;
        let project = self.project(&id)?;
        self.store.permit(&project, Event::Propose)?;
        let request = v1::ProposeRequest {
            manifest: project.bytes.clone().into(),
        };
        let mut projects = self.projects().await?;
        let reply = projects.propose(request).await.map_err(relayed)?;
        let act = self
            .journal
            .act_of(permit.caller(), Action::ProjectPropose, id.short())
            .project(&id)
            .digest("manifest", id.as_bytes());
        self.store.advance(&project, Event::Propose, || act.ok())?;
        self.status(&project, Some(reply.get_ref()))
    }

    async fn approve(
        &self,
        permit: Permit<operations::Approve>,
        request: v1::ProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let first = FirstPerson::new(person(permit.caller())?);
        let id = wire::project_id(&request.project)?;
        let (project, reply) = self.adopted(&id).await?;
        let act = self
            .journal
            .act_of(permit.caller(), Action::ProjectApprove, id.short())
            .project(&id)
            .digest("manifest", id.as_bytes());
        self.store
            .advance(&project, Event::Approve(first), || act.ok())?;
        self.status(&project, Some(&reply))
    }

    async fn sign(
        &self,
        permit: Permit<operations::Sign>,
        request: v1::ProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let second = person(permit.caller())?;
        let id = wire::project_id(&request.project)?;
        let project = self.project(&id)?;
        let none = project.signatures([])?;
        let state = self.store.permit(&project, Event::Sign(none))?;
        if state.is_agreed() {
            let (_, reply) = self.caught_up(&id).await?;
            return self.status(&project, Some(&reply));
        }
        let first = state.first_person().ok_or_else(|| {
            let message = "nobody of this owner answers for the manifest yet; approve it first";
            Fault::state("project.unapproved", message)
        })?;
        let act = self
            .journal
            .act_of(permit.caller(), Action::ProjectSign, id.short())
            .project(&id)
            .digest("manifest", id.as_bytes());
        let consent = match first.consent(&second) {
            Ok(consent) => consent,
            Err(same) => return Err(act.failed(same.into())),
        };
        act.digest("first_person", consent.first())
            .digest("second_person", consent.second())
            .ok()?;
        let signature = ManifestSignature {
            party: self.settings.party.clone(),
            consent,
            signature: project.sign_manifest(&self.signing, &consent),
        };
        let request = v1::SignRequest {
            project: id.as_bytes().to_vec().into(),
            signature: Some(wire::party_signature(signature)),
        };
        let mut projects = self.projects().await?;
        let reply = projects.sign(request).await.map_err(relayed)?;
        self.absorb(&project, reply.get_ref())?;
        self.status(&project, Some(reply.get_ref()))
    }

    async fn show(
        &self,
        _: Permit<operations::Show>,
        request: v1::ProjectRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        self.shown(&wire::project_id(&request.project)?).await
    }

    async fn list(
        &self,
        _: Permit<operations::List>,
        _: v1::ListProjectsRequest,
    ) -> Result<v1::ListProjectsReply, Fault> {
        let projects = self.listed().await?;
        Ok(v1::ListProjectsReply { projects })
    }

    async fn suspend(
        &self,
        permit: Permit<operations::Suspend>,
        request: v1::ReasonRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        self.notify(permit.caller(), request, Kind::Suspend).await
    }

    async fn resume(
        &self,
        permit: Permit<operations::Resume>,
        request: v1::ReasonRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        self.notify(permit.caller(), request, Kind::Resume).await
    }

    async fn close(
        &self,
        permit: Permit<operations::Close>,
        request: v1::ReasonRequest,
    ) -> Result<v1::ProjectStatus, Fault> {
        let owner = self.shared()?;
        // Goes on when the operator goes away.
        let closing =
            tokio::spawn(async move { owner.notify(permit.caller(), request, Kind::Close).await });
        closing.await?
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

    async fn upload_status(
        &self,
        _: Permit<operations::UploadStatus>,
        request: v1::ProjectRequest,
    ) -> Result<v1::UploadProgress, Fault> {
        self.upload_progress(&wire::project_id(&request.project)?)
            .await
    }

    async fn abort_upload(
        &self,
        permit: Permit<operations::AbortUpload>,
        request: v1::ProjectRequest,
    ) -> Result<v1::UploadProgress, Fault> {
        let id = wire::project_id(&request.project)?;
        self.give_up_upload(permit.caller(), &id).await
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
    async fn start_run(
        self: Arc<Self>,
        id: ProjectId,
        report: Reporter,
    ) -> Result<serde_json::Value, Fault> {
        let (project, _) = self.caught_up(&id).await?;
        self.store.permit(&project, Event::Contribute)?;
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
        let mut read = Vec::new();
        while let Some(event) = events.message().await.map_err(relayed)? {
            match event.event {
                Some(RunEvent::Progress(at)) => {
                    report.step("link", at.done.into(), at.total.into())
                }
                Some(RunEvent::ReportPart(part)) => {
                    if read.len() + part.len() > REPORT_BYTES_MAX {
                        return Err(Fault::malformed("the matcher's report"));
                    }
                    read.extend_from_slice(&part);
                }
                Some(RunEvent::Summary(summary)) => {
                    let parsed = serde_json::from_slice::<serde_json::Value>(&read);
                    let content = parsed.map_err(|_| Fault::malformed("the matcher's report"))?;
                    // The matcher links once it has all batches.
                    let linked = Event::Link { missing: vec![] };
                    self.store.advance(&project, linked, || Ok(()))?;
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
        let (project, _) = self.caught_up(&id).await?;
        self.store
            .permit(&project, Event::Link { missing: vec![] })?;
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
        let act = self
            .journal
            .act(Action::LinkmapFetch, hex::encode(fetched.run))
            .project(&id)
            .count("positions", rows as u64);
        let linked = Event::Link { missing: vec![] };
        self.store.advance(&project, linked, || act.ok())?;
        self.store.set_positions(&project, &fetched)?;
        Ok(json!({ "positions": rows, "range": fetched.range }))
    }
}

/// The person behind a call.
fn person(caller: &Caller) -> Result<Person, Fault> {
    let name = caller.identity().person().ok_or_else(|| {
        Fault::new(
            Code::PermissionDenied,
            "authz.person",
            "the certificate names no person: this takes one for operator/<party>/<person>",
        )
    })?;
    Ok(Person::new(name, *caller.certificate_sha256()))
}
