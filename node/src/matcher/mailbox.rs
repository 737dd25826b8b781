//! The blind mailbox of the owners' key agreement.

use linkage_core::audit::action::Action;
use linkage_core::project::Purpose;
use linkage_proto::v1;
use linkage_proto::v1::mailbox_server::Mailbox;
use tonic::{Code, Request, Response, Status};

use super::Matcher;
use crate::authz::Caller;
use crate::fault::Fault;
use crate::store::matcher::Item;
use crate::wire;

/// Largest item: a sealed contribution takes 112 bytes.
const BODY_BYTES_MAX: usize = 1024;

#[tonic::async_trait]
impl Mailbox for Matcher {
    async fn post(
        &self,
        request: Request<v1::PostRequest>,
    ) -> Result<Response<v1::PostReply>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let member = self.member(&caller, &request.project)?;
        self.require_agreed(&member.project)?;
        let kind = request.kind();
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Fault::malformed("the item").into());
        }
        let (purpose, signed) = signed_item(kind, &request.recipient, &request.body)?;
        if kind == v1::ItemKind::Sealed {
            let recipient = wire::party(&request.recipient)?;
            member.project.owner(&recipient).map_err(Fault::from)?;
        }
        if kind != v1::ItemKind::Sealed && !request.recipient.is_empty() {
            return Err(Fault::malformed("the item's recipient").into());
        }
        member
            .project
            .verify(&member.party, purpose, &signed, &request.signature)
            .map_err(Fault::from)?;
        let action = match kind {
            v1::ItemKind::Commitment => Some(Action::KeyCommit),
            v1::ItemKind::KeyCheck => Some(Action::KeyAgree),
            v1::ItemKind::Sealed | v1::ItemKind::Unspecified => None,
        };
        if let Some(action) = action {
            self.journal
                .act_of(&caller, action, member.project.id.short())
                .project(&member.project.id)
                .digest("published", &request.body)
                .ok()?;
        }
        let item = Item {
            sender: member.party.to_string(),
            body: request.body.to_vec(),
            signature: request.signature.to_vec(),
        };
        let stored = self
            .store
            .add_item(&member.project.id, kind.into(), &request.recipient, &item)
            .map_err(Fault::from)?;
        if !stored {
            return Err(Fault::new(
                Code::AlreadyExists,
                "key.posted",
                "another item stands in this place: a contribution cannot be changed",
            )
            .into());
        }
        Ok(Response::new(v1::PostReply {}))
    }

    async fn collect(
        &self,
        request: Request<v1::CollectRequest>,
    ) -> Result<Response<v1::CollectReply>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let member = self.member(&caller, &request.project)?;
        let recipient = match request.kind() {
            v1::ItemKind::Sealed => member.party.as_str(),
            _ => "",
        };
        let items = self
            .store
            .items(&member.project.id, request.kind, recipient)
            .map_err(Fault::from)?
            .into_iter()
            .map(|item| v1::Item {
                sender: item.sender,
                body: item.body.into(),
                signature: item.signature.into(),
            })
            .collect();
        Ok(Response::new(v1::CollectReply { items }))
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
