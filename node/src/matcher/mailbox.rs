//! The blind mailbox of the owners' key agreement.

use linkage_core::audit::action::Action;
use linkage_core::project::Purpose;
use linkage_proto::v1;
use ring::digest::{SHA256, digest};

use super::Matcher;
use crate::authz::permit::Member;
use crate::fault::Fault;
use crate::journal::Act;
use crate::procedures::{Mailbox, mailbox};
use crate::store::matcher::Item;
use crate::wire;

/// Largest item: a sealed contribution takes 112 bytes.
const BODY_BYTES_MAX: usize = 1024;

impl Mailbox for Matcher {
    async fn post(
        &self,
        member: Member<mailbox::Post>,
        request: v1::PostRequest,
    ) -> Result<v1::PostReply, Fault> {
        let project = member.project();
        let kind = request.kind();
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Fault::malformed("the item"));
        }
        let (purpose, signed) = signed_item(kind, &request.recipient, &request.body)?;
        if kind == v1::ItemKind::Sealed {
            let recipient = wire::party(&request.recipient)?;
            project.owner(&recipient)?;
        }
        if kind != v1::ItemKind::Sealed && !request.recipient.is_empty() {
            return Err(Fault::malformed("the item's recipient"));
        }
        project.verify(member.party(), purpose, &signed, &request.signature)?;
        let action = match kind {
            v1::ItemKind::Commitment => Some(Action::KeyCommit),
            v1::ItemKind::KeyCheck => Some(Action::KeyAgree),
            v1::ItemKind::Sealed | v1::ItemKind::Unspecified => None,
        };
        let act = action.map(|action| {
            self.journal
                .act_of(member.caller(), action, project.id.short())
                .project(&project.id)
                .digest("published", digest(&SHA256, &request.body).as_ref())
        });
        let item = Item {
            sender: member.party().to_string(),
            body: request.body.to_vec(),
            signature: request.signature.to_vec(),
        };
        let account = || act.map_or(Ok(()), Act::ok);
        self.store
            .add_item(project, kind, &request.recipient, &item, account)?;
        Ok(v1::PostReply {})
    }

    async fn collect(
        &self,
        member: Member<mailbox::Collect>,
        request: v1::CollectRequest,
    ) -> Result<v1::CollectReply, Fault> {
        let recipient = match request.kind() {
            v1::ItemKind::Sealed => member.party().as_str(),
            _ => "",
        };
        let items = self
            .store
            .items(&member.project().id, request.kind, recipient)?
            .into_iter()
            .map(|item| v1::Item {
                sender: item.sender,
                body: item.body.into(),
                signature: item.signature.into(),
            })
            .collect();
        Ok(v1::CollectReply { items })
    }
}

/// What the sender of an item signs, and for which purpose: the content, before it the recipient if
/// the item is sealed to one.
pub(crate) fn signed_item(
    kind: v1::ItemKind,
    recipient: &str,
    body: &[u8],
) -> Result<(Purpose, Vec<u8>), Fault> {
    match kind {
        v1::ItemKind::Commitment => Ok((Purpose::Commitment, body.to_vec())),
        v1::ItemKind::KeyCheck => Ok((Purpose::KeyCheck, body.to_vec())),
        v1::ItemKind::Sealed => Ok((
            Purpose::SealedReveal,
            [recipient.as_bytes(), b"\0", body].concat(),
        )),
        v1::ItemKind::Unspecified => Err(Fault::malformed("the item's kind")),
    }
}
