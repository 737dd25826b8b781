//! Manifests and their signatures.

use linkage_core::audit::action::Action;
use linkage_core::project::Project;
use linkage_proto::v1;
use linkage_proto::v1::projects_server::Projects;
use tonic::{Request, Response, Status};

use super::Matcher;
use crate::authz::Caller;
use crate::fault::Fault;
use crate::wire;

#[tonic::async_trait]
impl Projects for Matcher {
    async fn propose(
        &self,
        request: Request<v1::ProposeRequest>,
    ) -> Result<Response<v1::ProjectReply>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let project = Project::parse(&request.manifest).map_err(Fault::from)?;
        let party = wire::party(caller.identity().party())?;
        Self::verify_manifest_signature(&project, &party, &request.signature)?;
        if project.manifest.matcher != self.party {
            return Err(
                Fault::state("project.matcher", "the manifest names another matcher").into(),
            );
        }
        self.journal
            .act_of(&caller, Action::ProjectPropose, project.id.short())
            .project(&project.id)
            .count("owners", project.manifest.owners.len() as u64)
            .digest("manifest", project.id.as_bytes())
            .ok()?;
        self.store
            .add_project(&project.id, &project.bytes)
            .map_err(Fault::from)?;
        self.store
            .add_signature(&project.id, party.as_str(), &request.signature)
            .map_err(Fault::from)?;
        Ok(Response::new(self.reply(&project.id, project.bytes)?))
    }

    async fn sign(
        &self,
        request: Request<v1::SignRequest>,
    ) -> Result<Response<v1::ProjectReply>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let member = self.member(&caller, &request.project)?;
        Self::verify_manifest_signature(&member.project, &member.party, &request.signature)?;
        self.journal
            .act_of(&caller, Action::ProjectSign, member.project.id.short())
            .project(&member.project.id)
            .digest("manifest", member.project.id.as_bytes())
            .ok()?;
        self.store
            .add_signature(
                &member.project.id,
                member.party.as_str(),
                &request.signature,
            )
            .map_err(Fault::from)?;
        Ok(Response::new(
            self.reply(&member.project.id, member.project.bytes)?,
        ))
    }

    async fn get(
        &self,
        request: Request<v1::GetRequest>,
    ) -> Result<Response<v1::ProjectReply>, Status> {
        let caller = Caller::of(&request)?;
        let member = self.member(&caller, &request.into_inner().project)?;
        Ok(Response::new(
            self.reply(&member.project.id, member.project.bytes)?,
        ))
    }

    async fn list(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListReply>, Status> {
        let caller = Caller::of(&request)?;
        let party = wire::party(caller.identity().party())?;
        let mut projects = Vec::new();
        for manifest in self.store.manifests().map_err(Fault::from)? {
            let project = Project::parse(&manifest).map_err(Fault::from)?;
            if project.owner(&party).is_ok() {
                projects.push(self.reply(&project.id, manifest)?);
            }
        }
        Ok(Response::new(v1::ListReply { projects }))
    }
}
