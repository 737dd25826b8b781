//! Answers to what the matcher asks for: the tokens of all rows that its filter hits, whatever
//! their own state, or a refusal when they are more than the manifest allows.
//!
//! Nobody has to be there for it. The node looks for questions about every project whose keys it
//! has sent, from its database, so that it also answers after a restart.

use std::sync::{Arc, Weak};
use std::time::Duration;

use linkage_core::ask::{self, AskFilter, FILTER_BYTES_MAX};
use linkage_core::audit::action::Action;
use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_core::project::state::{Active, Event, Refused};
use linkage_proto::v1;
use linkage_proto::v1::asks_client::AsksClient;
use tonic::Code;
use tonic::transport::Channel;

use super::Owner;
use super::peers::relayed;
use super::progress::Reporter;
use super::upload::parts;
use crate::fault::Fault;
use crate::observe::operation;
use crate::store::owner::{Answer, Asked};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks for questions as long as the owner is there, and answers them.
pub(crate) async fn watch(owner: Weak<Owner>) {
    let mut asks = None;
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(owner) = owner.upgrade() else {
            return;
        };
        if let Err(fault) = owner.answer_all(&mut asks).await {
            // The connection is made anew; what is to be done by somebody stands in the log.
            asks = None;
            tracing::warn!(
                reason = fault.reason(),
                "cannot answer the matcher: {fault}"
            );
        }
    }
}

impl Owner {
    async fn answer_all(
        self: &Arc<Self>,
        asks: &mut Option<AsksClient<Channel>>,
    ) -> Result<(), Fault> {
        for project in self.store.unanswered()? {
            // What may not go on now is looked at again later; nobody is asked meanwhile.
            if self.may_answer(&self.project(&project)?).is_err() {
                continue;
            }
            if asks.is_none() {
                *asks = Some(self.asks().await?);
            }
            let Some(client) = asks else { continue };
            if let Some(filter) = asked(client, &project).await? {
                self.answer(client, project, filter).await?;
            }
        }
        Ok(())
    }

    /// Refuses unless tokens may be sent now.
    fn may_answer(&self, project: &Project) -> Result<(), Fault> {
        let state = self.state(&project.id)?;
        let key = state.active().and_then(Active::key).ok_or(Refused::NoKey)?;
        self.store.permit(project, Event::Upload { key }).map(drop)
    }

    /// Answers one question.
    async fn answer(
        self: &Arc<Self>,
        asks: &mut AsksClient<Channel>,
        id: ProjectId,
        filter: Vec<u8>,
    ) -> Result<(), Fault> {
        let project = self.project(&id)?;
        let filter = AskFilter::from_bytes(filter);
        let filter = filter
            .map_err(|error| Fault::new(Code::InvalidArgument, "ask.filter", error.to_string()))?;
        let cap = project.manifest.terms.ask_rows_max_share;
        let (whole, path) = (self.outbox(&id), self.answer_file(&id));
        let (owner, asked_in) = (Arc::clone(self), project.clone());
        let cutting = operation::spawn_blocking(move || -> Result<_, Fault> {
            let (hits, rows) = parts::count_hits(&whole, &filter)?;
            let fits = ask::share(hits, rows) <= cap;
            if fits && hits > 0 {
                let _not_closing = owner.secrets.read();
                owner.may_answer(&asked_in)?;
                parts::write_tokens(&whole, &filter, hits, &path)?;
            }
            Ok((hits, rows, fits))
        });
        let (hits, rows, fits) = cutting.await??;
        let act = self
            .journal
            .act(Action::AskAnswer, id.short())
            .project(&id)
            .count("asked", hits)
            .count("rows", rows);
        if !fits {
            let fault = act.failed(Fault::new(
                Code::PermissionDenied,
                "ask.too_much",
                format!(
                    "the matcher asks for {hits} of {rows} tokens, more than the share of {cap} that \
                     the manifest allows"
                ),
            ));
            let request = v1::RefuseAskRequest {
                project: id.as_bytes().to_vec().into(),
                hits,
                rows,
            };
            asks.refuse(request).await.map_err(relayed)?;
            self.store
                .set_answer(&id, Answer::Refused, Asked { hits, rows })?;
            return Err(fault);
        }
        act.ok()?;
        if hits > 0 {
            let path = self.answer_file(&id);
            self.send(&project, &path, &Reporter::silent()).await?;
        }
        self.store
            .set_answer(&id, Answer::Given, Asked { hits, rows })?;
        self.forget(&self.answer_file(&id))
    }
}

/// The filter that the matcher asks with, if it asks already.
async fn asked(
    asks: &mut AsksClient<Channel>,
    project: &ProjectId,
) -> Result<Option<Vec<u8>>, Fault> {
    let request = v1::AskRequest {
        project: project.as_bytes().to_vec().into(),
    };
    let mut parts = asks.get(request).await.map_err(relayed)?.into_inner();
    let (mut filter, mut is_whole) = (vec![], false);
    while let Some(part) = parts.message().await.map_err(relayed)? {
        if is_whole || filter.len() + part.filter.len() > FILTER_BYTES_MAX {
            return Err(Fault::malformed("the matcher's filter"));
        }
        filter.extend_from_slice(&part.filter);
        is_whole = part.last;
    }
    match (filter.is_empty(), is_whole) {
        (true, false) => Ok(None),
        (false, true) => Ok(Some(filter)),
        _ => Err(Fault::malformed("the matcher's filter")),
    }
}
