//! Manifests, their signatures, and owners' notices.

use linkage_core::audit::action::Action;
use linkage_core::ids::PartyId;
use linkage_core::project::notice::Kind;
use linkage_core::project::state::{Refused, Term};
use linkage_core::project::{self, Project};
use linkage_proto::v1;
use tonic::Code;

use super::Matcher;
use crate::authz::permit::{Member, Permit, Procedure};
use crate::fault::Fault;
use crate::procedures::{Projects, projects};
use crate::wire;

impl Projects for Matcher {
    async fn propose(
        &self,
        permit: Permit<projects::Propose>,
        request: v1::ProposeRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        let project = Project::parse(&request.manifest)?;
        project.owner(&permit.party()?)?;
        if self.store.project(&project.id)?.is_none() {
            self.check_proposal(&project)?;
            self.journal
                .act_of(permit.caller(), Action::ProjectPropose, project.id.short())
                .project(&project.id)
                .count("owners", project.manifest.owners.len() as u64)
                .count("epoch", project.manifest.epoch.into())
                .digest("manifest", project.id.as_bytes())
                .ok()?;
            self.store.add_project(&project)?;
        }
        self.reply(&project.id)
    }

    async fn sign(
        &self,
        member: Member<projects::Sign>,
        request: v1::SignRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        let project = member.project();
        let signature = request.signature.unwrap_or_default();
        let signature = wire::manifest_signature(signature)?;
        own(&member, &signature.party)?;
        let act = self
            .journal
            .act_of(member.caller(), Action::ProjectSign, project.id.short())
            .project(&project.id)
            .digest("manifest", project.id.as_bytes())
            .digest("first_person", signature.consent.first())
            .digest("second_person", signature.consent.second());
        self.store.sign(project, &signature, || act.ok())?;
        self.reply(&project.id)
    }

    async fn get(
        &self,
        member: Member<projects::Get>,
        _: v1::GetRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        self.reply(&member.project().id)
    }

    async fn list(
        &self,
        permit: Permit<projects::List>,
        _: v1::ListRequest,
    ) -> Result<v1::ListReply, Fault> {
        let party = permit.party()?;
        let mut projects = Vec::new();
        for kept in self.store.projects()? {
            let project = Project::parse(&kept.manifest)?;
            if project.owner(&party).is_ok() {
                projects.push(self.reply(&project.id)?);
            }
        }
        Ok(v1::ListReply { projects })
    }

    async fn suspend(
        &self,
        member: Member<projects::Suspend>,
        request: v1::NoticeRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        self.notified(&member, request, Kind::Suspend)?;
        self.reply(&member.project().id)
    }

    async fn resume(
        &self,
        member: Member<projects::Resume>,
        request: v1::NoticeRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        self.notified(&member, request, Kind::Resume)?;
        self.reply(&member.project().id)
    }

    async fn close(
        &self,
        member: Member<projects::Close>,
        request: v1::NoticeRequest,
    ) -> Result<v1::ProjectReply, Fault> {
        self.notified(&member, request, Kind::Close)?;
        let matcher = self.me.upgrade().ok_or_else(|| {
            let message = "this node is shutting down";
            Fault::new(Code::Unavailable, "node.stopping", message)
        })?;
        let project = member.project().clone();
        // Goes on when the one who asked for it goes away.
        tokio::spawn(async move { matcher.destroy(&project).await }).await??;
        self.reply(&member.project().id)
    }
}

impl Matcher {
    /// Refuses a manifest that this matcher cannot take.
    fn check_proposal(&self, project: &Project) -> Result<(), Fault> {
        if project.manifest.matcher != self.party {
            let message = "the manifest names another matcher";
            return Err(Fault::state("project.matcher", message));
        }
        if project.term(jiff::Timestamp::now()) == Term::Expired {
            return Err(Refused::Expired.into());
        }
        let Some(before) = &project.predecessor else {
            return Ok(());
        };
        let refuse = || {
            let message = "the manifest is not the next epoch of a project of these owners here";
            Fault::state("project.predecessor", message)
        };
        let before = self.store.project(before)?.ok_or_else(refuse)?;
        let before = Project::parse(&before.manifest)?;
        let follows = before.manifest.epoch.checked_add(1) == Some(project.manifest.epoch);
        // An epoch that keeps no owner would be another project's.
        let common = project.manifest.owners.iter();
        let common = common.filter(|owner| before.owner(&owner.party).is_ok());
        if follows && common.count() > 0 {
            Ok(())
        } else {
            Err(refuse())
        }
    }

    /// Takes an owner's own notice of this kind.
    fn notified<P: Procedure>(
        &self,
        member: &Member<P>,
        request: v1::NoticeRequest,
        kind: Kind,
    ) -> Result<(), Fault> {
        let project = member.project();
        let notice = wire::notice(request.notice.unwrap_or_default())?;
        own(member, &notice.party)?;
        if notice.kind != kind {
            return Err(Fault::malformed("the notice's kind"));
        }
        notice.verify(project)?;
        let action = match kind {
            Kind::Suspend => Action::ProjectSuspend,
            Kind::Resume => Action::ProjectResume,
            Kind::Close => Action::ProjectClose,
        };
        let act = self
            .journal
            .act_of(member.caller(), action, project.id.short())
            .project(&project.id)
            .count("notice", notice.number);
        self.store.notice(project, &notice, || act.ok())
    }
}

/// Refuses what an owner sends in another's name.
fn own<P: Procedure>(member: &Member<P>, party: &PartyId) -> Result<(), Fault> {
    if party == member.party() {
        Ok(())
    } else {
        Err(project::Error::Signature(party.clone()).into())
    }
}
