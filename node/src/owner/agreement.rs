//! The owner's part in the key agreement: commit, wait for all commitments, seal the own
//! contribution to every other owner, open theirs, derive, compare check values.

use std::collections::BTreeMap;
use std::time::Duration;

use linkage_core::audit::action::Action;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::keys::{
    self, Commitment, KEY_ID_BYTES, ProjectKey, SealedReveal, SealingPublicKey,
};
use linkage_core::project::Project;
use linkage_core::project::state::{Event, Refused};
use linkage_proto::v1;
use linkage_proto::v1::mailbox_client::MailboxClient;
use ring::digest::{SHA256, digest};
use serde_json::json;
use tokio::time::Instant;
use tonic::Code;
use tonic::transport::Channel;

use super::Owner;
use super::peers::relayed;
use super::progress::Reporter;
use super::vault::Vault;
use crate::fault::Fault;
use crate::matcher::signed_item;
use crate::wire;

/// How long to wait for the other owners: their operators act by hand.
const PATIENCE: Duration = Duration::from_secs(600);

/// Pause between looks into the mailbox.
const PAUSE: Duration = Duration::from_millis(200);

impl Owner {
    /// Takes part until all owners hold the key. Repeating it after a restart goes on where it
    /// stood.
    pub(super) async fn agree_key(
        &self,
        id: ProjectId,
        report: Reporter,
    ) -> Result<serde_json::Value, Fault> {
        let (project, _) = self.caught_up(&id).await?;
        let owners = project.manifest.owners.len() as u64;
        let intent = self
            .journal
            .act(Action::KeyAgree, id.short())
            .project(&id)
            .count("owners", owners)
            .intent()?;
        let key = match self.take_part(&project, report).await {
            Ok(key) => key,
            Err(fault) => return Err(intent.failed(fault)),
        };
        let check = key.check_value(&id, &self.settings.party);
        let outcome = intent.digest("key_check", digest(&SHA256, check.as_bytes()).as_ref());
        self.store.advance(&project, shown(&key), || outcome.ok())?;
        Ok(json!({ "key_id": key.id().to_string(), "owners": owners }))
    }

    /// The key, once all owners have shown that they hold it; it is kept.
    async fn take_part(&self, project: &Project, report: Reporter) -> Result<ProjectKey, Fault> {
        let id = project.id;
        let me = self.settings.party.clone();
        let owners = project.manifest.owners.len() as u64;
        let mut mailbox = self.mailbox().await?;
        let contribution =
            self.kept(project, Event::Contribute, |vault| vault.contribution(&id))?;

        let commitment = contribution.commitment(&id, &me);
        self.post(
            &mut mailbox,
            project,
            v1::ItemKind::Commitment,
            "",
            &commitment.0,
        )
        .await?;
        let commitments = self
            .collect(
                &mut mailbox,
                project,
                v1::ItemKind::Commitment,
                owners,
                |n| {
                    report.step("commitments", n, owners);
                },
            )
            .await?;
        let commitments: BTreeMap<PartyId, Commitment> = commitments
            .into_iter()
            .map(|(party, body)| Ok((party, Commitment(wire::fixed(&body, "a commitment")?))))
            .collect::<Result<_, Fault>>()?;

        for owner in project
            .manifest
            .owners
            .iter()
            .filter(|owner| owner.party != me)
        {
            let key = hex::decode(&owner.sealing_key).map_err(|_| Fault::malformed("a key"))?;
            let mut rng = crate::entropy::generator()?;
            let sealed = SealingPublicKey::from_bytes(&key)?.seal(
                &id,
                &me,
                &owner.party,
                &contribution,
                &mut rng,
            )?;
            let to = owner.party.as_str();
            self.post_sealed(&mut mailbox, project, to, &sealed.0)
                .await?;
        }
        let sealed = self
            .collect(
                &mut mailbox,
                project,
                v1::ItemKind::Sealed,
                owners - 1,
                |n| {
                    report.step("contributions", n, owners - 1);
                },
            )
            .await?;
        let mut contributions = BTreeMap::from([(me.clone(), contribution)]);
        for (party, body) in sealed {
            let opened = self.sealing.open(&id, &party, &me, &SealedReveal(body))?;
            contributions.insert(party, opened);
        }
        let key = keys::agree(&id, &commitments, &contributions)?;

        let check = key.check_value(&id, &me);
        // The key's name lets the matcher hold batches to it.
        let body = [&key.id().0, check.as_bytes().as_slice()].concat();
        self.post(&mut mailbox, project, v1::ItemKind::KeyCheck, "", &body)
            .await?;
        let checks = self
            .collect(&mut mailbox, project, v1::ItemKind::KeyCheck, owners, |n| {
                report.step("key checks", n, owners);
            })
            .await?;
        for (party, body) in &checks {
            let (_, value) = body.split_at_checked(KEY_ID_BYTES).unwrap_or((&[], &[]));
            key.check_value(&id, party).matches(value, party)?;
        }
        self.kept(project, shown(&key), |vault| match vault.key(&id)? {
            None => vault.set_key(&id, &key),
            Some(before) if before.id() == key.id() => Ok(()),
            Some(_) => Err(Refused::KeyDiffers.into()),
        })?;
        Ok(key)
    }

    /// Keeps a secret of a project, if the event that it belongs to may happen.
    fn kept<T>(
        &self,
        project: &Project,
        event: Event,
        keep: impl FnOnce(&Vault) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _not_closing = self.secrets.read();
        self.store.permit(project, event)?;
        keep(&self.vault)
    }

    async fn post(
        &self,
        mailbox: &mut MailboxClient<Channel>,
        project: &Project,
        kind: v1::ItemKind,
        recipient: &str,
        body: &[u8],
    ) -> Result<(), Fault> {
        let (purpose, signed) = signed_item(kind, recipient, body)?;
        let request = v1::PostRequest {
            project: project.id.as_bytes().to_vec().into(),
            kind: kind.into(),
            recipient: recipient.to_owned(),
            body: body.to_vec().into(),
            signature: project.sign(&self.signing, purpose, &signed).into(),
        };
        mailbox.post(request).await.map_err(relayed).map(drop)
    }

    /// Posts a sealed contribution. Sealing is randomised, so after a restart the mailbox may hold
    /// an earlier sealing of the same contribution, which serves as well.
    async fn post_sealed(
        &self,
        mailbox: &mut MailboxClient<Channel>,
        project: &Project,
        recipient: &str,
        body: &[u8],
    ) -> Result<(), Fault> {
        let posted = self
            .post(mailbox, project, v1::ItemKind::Sealed, recipient, body)
            .await;
        posted.or_else(|fault| {
            if fault.code() == Code::AlreadyExists {
                Ok(())
            } else {
                Err(fault)
            }
        })
    }

    /// Waits until `count` items of a kind are there, and checks that they are signed and of as
    /// many owners: an owner's item shown twice would otherwise stand in for one that was kept
    /// back, and the rest would agree on a key without that owner's contribution.
    async fn collect(
        &self,
        mailbox: &mut MailboxClient<Channel>,
        project: &Project,
        kind: v1::ItemKind,
        count: u64,
        mut report: impl FnMut(u64),
    ) -> Result<BTreeMap<PartyId, Vec<u8>>, Fault> {
        let deadline = Instant::now() + PATIENCE;
        let me = self.settings.party.as_str();
        loop {
            let request = v1::CollectRequest {
                project: project.id.as_bytes().to_vec().into(),
                kind: kind.into(),
            };
            let items = mailbox
                .collect(request)
                .await
                .map_err(relayed)?
                .into_inner()
                .items;
            report(items.len() as u64);
            if items.len() as u64 >= count {
                let mut checked = BTreeMap::new();
                for item in items {
                    let sender = wire::party(&item.sender)?;
                    let (purpose, signed) = signed_item(kind, me, &item.body)?;
                    project.verify(&sender, purpose, &signed, &item.signature)?;
                    checked.insert(sender, item.body.to_vec());
                }
                if checked.len() as u64 != count {
                    return Err(Fault::new(
                        Code::Aborted,
                        "key.parties",
                        "the mailbox did not show one item of each owner",
                    ));
                }
                return Ok(checked);
            }
            if Instant::now() > deadline {
                return Err(Fault::new(
                    Code::DeadlineExceeded,
                    "key.waiting",
                    "the other owners have not taken part yet; run the key agreement again",
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// All owners have shown this key.
fn shown(key: &ProjectKey) -> Event {
    Event::ShowKey {
        key: key.id(),
        missing: vec![],
    }
}
