//! What this owner knows of its projects, and how it keeps up with what the matcher shows of the
//! other owners: signatures and notices, each verified. The matcher's own word changes no state.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use linkage_core::ask::WholeBatch;
use linkage_core::audit::action::Action;
use linkage_core::ids::ProjectId;
use linkage_core::project::manifest::AcceptedRisk;
use linkage_core::project::notice::{Kind, Notice};
use linkage_core::project::receipt::SignedReceipt;
use linkage_core::project::state::{Active, Event, State};
use linkage_core::project::{ManifestSignature, Project, Signatures};
use linkage_proto::v1;
use tonic::Code;

use super::Owner;
use super::peers::relayed;
use super::upload::TOKENS_WHEN_ASKED;
use crate::authz::permit::Caller;
use crate::fault::Fault;
use crate::wire;

/// Pause between looks at what the matcher shows: other owners' suspensions and closes reach this
/// one within it even when nobody acts here.
const PAUSE: Duration = Duration::from_secs(30);

impl Owner {
    /// What the matcher shows of a project.
    pub(super) async fn proposed(&self, id: &ProjectId) -> Result<v1::ProjectReply, Fault> {
        let request = v1::GetRequest {
            project: id.as_bytes().to_vec().into(),
        };
        let mut projects = self.projects().await?;
        Ok(projects.get(request).await.map_err(relayed)?.into_inner())
    }

    /// A project that another owner may have proposed, known here from now on.
    pub(super) async fn adopted(
        &self,
        id: &ProjectId,
    ) -> Result<(Project, v1::ProjectReply), Fault> {
        let reply = self.proposed(id).await?;
        let project = Project::parse(&reply.manifest)?;
        if project.id != *id {
            return Err(Fault::malformed("the matcher's answer"));
        }
        self.check_parties(&project)?;
        self.check_line(&project)?;
        self.store.add_project(&project, &State::proposed())?;
        self.absorb(&project, &reply)?;
        Ok((project, reply))
    }

    /// Refuses a later epoch that does not follow the one known here. An owner that joins knows
    /// none.
    fn check_line(&self, project: &Project) -> Result<(), Fault> {
        let Some(before) = project.predecessor else {
            return Ok(());
        };
        let Some(kept) = self.store.project(&before)? else {
            return Ok(());
        };
        let before = Project::parse(&kept.manifest)?;
        if before.manifest.epoch.checked_add(1) == Some(project.manifest.epoch) {
            return Ok(());
        }
        let message = "the manifest's epoch does not follow that of its predecessor";
        Err(Fault::state("project.predecessor", message))
    }

    /// A project known here, after a look at what the matcher shows of it.
    pub(super) async fn caught_up(
        &self,
        id: &ProjectId,
    ) -> Result<(Project, v1::ProjectReply), Fault> {
        let project = self.project(id)?;
        let reply = self.proposed(id).await?;
        self.absorb(&project, &reply)?;
        Ok((project, reply))
    }

    /// Takes in signatures, notices and receipts of others that verify.
    pub(super) fn absorb(&self, project: &Project, reply: &v1::ProjectReply) -> Result<(), Fault> {
        if let State::Active(Active::Proposed(_)) = self.state(&project.id)? {
            let signatures = verified(project, reply)?;
            match self
                .store
                .advance(project, Event::Sign(signatures), || Ok(()))
            {
                // Expired: signatures come too late, notices do not.
                Err(fault) if fault.code() == Code::FailedPrecondition => {}
                other => drop(other?),
            }
        }
        for notice in &reply.notices {
            let notice = wire::notice(notice.clone())?;
            if notice.party == self.settings.party || self.is_over(&project.id)? {
                continue;
            }
            notice.verify(project)?;
            let act = self
                .journal
                .act(action(notice.kind), project.id.short())
                .project(&project.id)
                .count("notice", notice.number);
            match self.store.notice(project, &notice, || act.ok()) {
                // The matcher shows what it was sent first; a later one has overtaken it.
                Err(fault) if fault.reason() == "project.notice" => {}
                other => other?,
            }
        }
        self.absorb_receipts(project, reply)
    }

    fn absorb_receipts(&self, project: &Project, reply: &v1::ProjectReply) -> Result<(), Fault> {
        let Some(peer) = self.settings.matcher() else {
            return Ok(());
        };
        let key = peer.signing_key.as_deref().map(hex::decode);
        for receipt in &reply.receipts {
            let (node, receipt) = (wire::party(&receipt.node)?, receipt.clone());
            let receipt = SignedReceipt {
                bytes: receipt.receipt.to_vec(),
                signature: receipt.signature.to_vec(),
            };
            if node != project.manifest.matcher {
                continue;
            }
            if let Some(Ok(key)) = &key {
                receipt.verify(project, key)?;
            }
            self.store.add_receipt(&project.id, &node, &receipt)?;
        }
        Ok(())
    }

    /// The state of a project known here.
    pub(super) fn state(&self, id: &ProjectId) -> Result<State, Fault> {
        let kept = self.store.project(id)?.ok_or_else(Fault::no_project)?;
        Ok(kept.state)
    }

    fn is_over(&self, id: &ProjectId) -> Result<bool, Fault> {
        Ok(matches!(
            self.state(id)?,
            State::Closing(_) | State::Closed(_)
        ))
    }

    /// Suspends, resumes or closes a project: here first, so that it holds at once, then at the
    /// matcher, which shows it to the others.
    pub(super) async fn notify(
        &self,
        caller: &Caller,
        request: v1::ReasonRequest,
        kind: Kind,
    ) -> Result<v1::ProjectStatus, Fault> {
        let id = wire::project_id(&request.project)?;
        let project = match self.project(&id) {
            Err(_) => self.adopted(&id).await?.0,
            Ok(project) => project,
        };
        let was_draft = self.state(&id)?.is_draft();
        // A close that was interrupted goes on; asking for it again is no second notice.
        if !(kind == Kind::Close && self.is_over(&id)?) {
            let party = self.settings.party.clone();
            let number = self.store.next_notice(&id, &party)?;
            let reason = &request.reason;
            let notice = Notice::sign(&project, &self.signing, party, number, kind, reason)?;
            let act = self
                .journal
                .act_of(caller, action(kind), id.short())
                .project(&id)
                .count("notice", number);
            self.store.notice(&project, &notice, || act.ok())?;
        }
        if kind == Kind::Close {
            self.destroy(&project)?;
        }
        match self.report(&project).await {
            Ok(reply) => self.status(&project, Some(&reply)),
            // The matcher has never heard of a draft.
            Err(fault) if was_draft && fault.code() == Code::NotFound => {
                self.status(&project, None)
            }
            Err(fault) => Err(Fault::new(
                fault.code(),
                "project.unreported",
                format!("it holds here, and the matcher is told as soon as it answers: {fault}"),
            )),
        }
    }

    /// Sends the matcher this owner's notices that it does not show, and takes in what it shows.
    async fn report(&self, project: &Project) -> Result<v1::ProjectReply, Fault> {
        let mut reply = self.proposed(&project.id).await?;
        let shown: BTreeSet<(String, u64)> = reply
            .notices
            .iter()
            .map(|notice| (notice.party.clone(), notice.number))
            .collect();
        let mut projects = self.projects().await?;
        for notice in self.store.notices(&project.id)? {
            let key = (notice.party.to_string(), notice.number);
            let unfinished = notice.kind == Kind::Close && reply.receipts.is_empty();
            let own = notice.party == self.settings.party;
            if !own || (shown.contains(&key) && !unfinished) {
                continue;
            }
            let kind = notice.kind;
            let request = v1::NoticeRequest {
                project: project.id.as_bytes().to_vec().into(),
                notice: Some(wire::notice_message(notice)),
            };
            let sent = match kind {
                Kind::Suspend => projects.suspend(request).await,
                Kind::Resume => projects.resume(request).await,
                Kind::Close => projects.close(request).await,
            };
            reply = sent.map_err(relayed)?.into_inner();
        }
        self.absorb(project, &reply)?;
        Ok(reply)
    }

    /// Looks after the projects for as long as the node runs: goes on with closes, tells the
    /// matcher what it has not heard, takes in what others did.
    pub async fn keep_up(owner: Weak<Self>) {
        loop {
            // Not held over the pause: the node must be able to end.
            let Some(owner) = owner.upgrade() else {
                return;
            };
            if let Err(fault) = owner.look().await {
                tracing::warn!(reason = fault.reason(), "a project does not go on: {fault}");
            }
            drop(owner);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self) -> Result<(), Fault> {
        let mut result = Ok(());
        for kept in self.store.projects()? {
            let project = Project::parse(&kept.manifest)?;
            if let State::Closing(_) = kept.state {
                self.destroy(&project)?;
            }
            let receipts = self.store.receipts(&project.id)?;
            let done = matches!(kept.state, State::Closed(_))
                && receipts
                    .iter()
                    .any(|(node, _)| *node == project.manifest.matcher.as_str());
            if done || kept.state.is_draft() {
                continue;
            }
            // One project's trouble is not the others'.
            let looked = self.report(&project).await.map(drop);
            if let (Ok(()), State::Closing(_)) = (&looked, self.state(&project.id)?) {
                self.destroy(&project)?;
            }
            result = result.and(looked);
        }
        result
    }

    /// A project by its identity, as far as this node and the matcher know it.
    pub(super) async fn shown(&self, id: &ProjectId) -> Result<v1::ProjectStatus, Fault> {
        if self.store.project(id)?.is_none() {
            let reply = self.proposed(id).await?;
            return self.status(&Project::parse(&reply.manifest)?, Some(&reply));
        }
        let project = self.project(id)?;
        let looked = self.report(&project).await;
        if let State::Closing(_) = self.state(id)? {
            self.destroy(&project)?;
        }
        match looked {
            Ok(reply) => self.status(&project, Some(&reply)),
            Err(fault) => {
                tracing::warn!(
                    reason = fault.reason(),
                    "the matcher shows nothing: {fault}"
                );
                self.status(&project, None)
            }
        }
    }

    /// The projects known here, then those that wait for this owner at the matcher.
    pub(super) async fn listed(&self) -> Result<Vec<v1::ProjectStatus>, Fault> {
        let mut replies = match self.projects().await {
            Ok(mut projects) => {
                projects
                    .list(v1::ListRequest {})
                    .await
                    .map_err(relayed)?
                    .into_inner()
                    .projects
            }
            Err(fault) => {
                tracing::warn!(
                    reason = fault.reason(),
                    "the matcher lists nothing: {fault}"
                );
                vec![]
            }
        };
        let mut listed = vec![];
        for kept in self.store.projects()? {
            let at = replies
                .iter()
                .position(|reply| reply.manifest == kept.manifest);
            let reply = at.map(|at| replies.swap_remove(at));
            listed.push(self.status(&Project::parse(&kept.manifest)?, reply.as_ref())?);
        }
        for reply in replies {
            listed.push(self.status(&Project::parse(&reply.manifest)?, Some(&reply))?);
        }
        Ok(listed)
    }

    /// A project as this node and, if it has answered, the matcher know it.
    pub(super) fn status(
        &self,
        project: &Project,
        reply: Option<&v1::ProjectReply>,
    ) -> Result<v1::ProjectStatus, Fault> {
        let kept = self.store.project(&project.id)?;
        let state = kept.map(|kept| kept.state);
        let signed = match reply {
            Some(reply) => verified(project, reply)?,
            None => project.signatures([])?,
        };
        let (manifest, terms) = (&project.manifest, &project.manifest.terms);
        let risk = manifest.accepted_risk.clone();
        let (risk_accepted_by, risk_reason) = risk
            .map_or_else(Default::default, |AcceptedRisk { by, reason, .. }| {
                (by, reason)
            });
        let texts = |parties: Vec<&linkage_core::ids::PartyId>| -> Vec<String> {
            parties.iter().map(ToString::to_string).collect()
        };
        let state = state.as_ref();
        let key = state.and_then(State::active).and_then(Active::key);
        let first = state.and_then(State::first_person);
        let notices = self.store.notices(&project.id)?;
        let receipts = self.store.receipts(&project.id)?;
        let tokens_sent =
            WholeBatch::of(&project.schema).map_or(TOKENS_WHEN_ASKED, WholeBatch::words);
        let asked = self.store.asked(&project.id)?;
        let (rows, rows_asked) = asked.map_or((0, 0), |asked| (asked.rows, asked.hits));
        Ok(v1::ProjectStatus {
            project: project.id.as_bytes().to_vec().into(),
            name: manifest.name.clone(),
            purpose: manifest.purpose.clone(),
            legal_basis: manifest.legal_basis.clone(),
            owners: texts(manifest.owners.iter().map(|owner| &owner.party).collect()),
            signed: texts(signed.parties().collect()),
            state: state.map_or("", State::name).to_owned(),
            matcher_state: reply.map_or("", |reply| reply.state.as_str()).to_owned(),
            first_person: first.map_or("", |first| first.person().name()).to_owned(),
            profile: terms.profile.as_str().to_owned(),
            risk_accepted_by,
            risk_reason,
            expires: manifest.expires.clone(),
            epoch: manifest.epoch,
            predecessor: project
                .predecessor
                .map_or_else(Default::default, |id| id.as_bytes().to_vec().into()),
            key_id: key.map_or_else(String::new, |key| key.to_string()),
            suspended_by: texts(state.map_or_else(Vec::new, |s| s.suspended_by().collect())),
            notices: notices.into_iter().map(wire::notice_message).collect(),
            receipts: receipts.into_iter().map(wire::receipt_message).collect(),
            schema_sha256: terms.schema_sha256.clone(),
            link_rules: terms.link_rules.clone(),
            block_rules: terms.block_rules.clone(),
            ask_rows_max_share: terms.ask_rows_max_share,
            threshold_k: manifest.tables.threshold_k,
            epsilon_per_table: manifest.tables.epsilon_per_table.clone(),
            epsilon_budget: manifest.tables.epsilon_budget.clone(),
            analysts: texts(manifest.tables.analysts.iter().collect()),
            tokens_sent: tokens_sent.to_owned(),
            rows,
            rows_asked,
        })
    }
}

fn action(kind: Kind) -> Action {
    match kind {
        Kind::Suspend => Action::ProjectSuspend,
        Kind::Resume => Action::ProjectResume,
        Kind::Close => Action::ProjectClose,
    }
}

/// The signatures that the matcher shows, all of which must verify.
fn verified(project: &Project, reply: &v1::ProjectReply) -> Result<Signatures, Fault> {
    let signatures: Vec<ManifestSignature> = reply
        .signatures
        .iter()
        .cloned()
        .map(wire::manifest_signature)
        .collect::<Result<_, _>>()?;
    Ok(project.signatures(&signatures)?)
}
