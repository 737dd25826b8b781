//! Manifests and their signatures.

use linkage_core::audit::action::Action;
use linkage_core::project::Project;
use linkage_proto::v1;

use super::Matcher;
use crate::authz::permit::{Member, Permit};
use crate::fault::Fault;
use crate::procedures::{Projects, projects};

impl Projects for Matcher {
    async fn propose(
        &self,
        permit: Permit<projects::Propose>,
        request: v1::ProposeRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        let project = Project::parse(&request.manifest)?;
        let party = permit.party()?;
        Self::verify_manifest_signature(&project, &party, &request.signature)?;
        if project.manifest.matcher != self.party {
            return Err(Fault::state(
                "project.matcher",
                "the manifest names another matcher",
            ));
        }
        self.journal
            .act_of(permit.caller(), Action::ProjectPropose, project.id.short())
            .project(&project.id)
            .count("owners", project.manifest.owners.len() as u64)
            .digest("manifest", project.id.as_bytes())
            .ok()?;
        self.store.add_project(&project.id, &project.bytes)?;
        self.store
            .add_signature(&project.id, party.as_str(), &request.signature)?;
        self.reply(&project.id, project.bytes)
    }

    async fn sign(
        &self,
        member: Member<projects::Sign>,
        request: v1::SignRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        let (project, party) = (member.project(), member.party());
        Self::verify_manifest_signature(project, party, &request.signature)?;
        self.journal
            .act_of(member.caller(), Action::ProjectSign, project.id.short())
            .project(&project.id)
            .digest("manifest", project.id.as_bytes())
            .ok()?;
        self.store
            .add_signature(&project.id, party.as_str(), &request.signature)?;
        self.reply(&project.id, project.bytes.clone())
    }

    async fn get(
        &self,
        member: Member<projects::Get>,
        _: v1::GetRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        let project = member.project();
        self.reply(&project.id, project.bytes.clone())
    }

    async fn list(
        &self,
        permit: Permit<projects::List>,
        _: v1::ListRequest,
    ) -> Result<v1::ListReply, Fault> {
        let party = permit.party()?;
        let mut projects = Vec::new();
        for manifest in self.store.manifests()? {
            let project = Project::parse(&manifest)?;
            if project.owner(&party).is_ok() {
                projects.push(self.reply(&project.id, manifest)?);
            }
        }
        Ok(v1::ListReply { projects })
    }
}
