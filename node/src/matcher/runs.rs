//! Linkage runs and the delivery of positions.

use linkage_core::ask::WholeBatch;
use linkage_core::audit::action::Action;
use linkage_core::linkmap::LinkMap;
use linkage_core::project::Project;
use linkage_core::project::state::{Event, Refused};
use linkage_core::upload::Part;
use linkage_proto::v1;
use linkage_proto::v1::run_event::Event as RunEvent;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Matcher, link_stored, stored};
use crate::authz::permit::{Caller, Member};
use crate::fault::Fault;
use crate::observe::operation;
use crate::procedures::{Runs, runs};
use crate::store::matcher::{Run, Upload};
use crate::wire;

/// Positions in one message: 256 KiB.
const POSITIONS_PER_PART: usize = 65_536;

impl Runs for Matcher {
    async fn start(
        &self,
        member: Member<runs::Start>,
        _: v1::StartRequest,
    ) -> Result<ReceiverStream<Result<v1::RunEvent, Status>>, Fault> {
        let (events, stream) = mpsc::channel(64);
        let matcher = self.shared()?;
        // A run goes on when the one who asked for it goes away.
        operation::spawn(async move {
            let result = matcher
                .run(member.caller(), member.project(), &events)
                .await;
            let run = match result {
                Ok(run) => run,
                Err(fault) => {
                    let _ = events.send(Err(fault.into())).await;
                    return;
                }
            };
            let summary = RunEvent::Summary(v1::RunSummary {
                run: run.id.to_vec().into(),
            });
            // Of sixty owners a report has 1770 pairs and tens of megabytes.
            let parts = wire::parts(run.report.into()).map(RunEvent::ReportPart);
            for event in parts.chain([summary]) {
                let event = v1::RunEvent { event: Some(event) };
                if events.send(Ok(event)).await.is_err() {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(stream))
    }

    async fn positions(
        &self,
        member: Member<runs::Positions>,
        _: v1::PositionsRequest,
    ) -> Result<ReceiverStream<Result<v1::PositionsPart, Status>>, Fault> {
        let project = member.project();
        let id = project.id;
        self.permit(project, Event::Deliver { missing: vec![] })?;
        let none = || Fault::from(Refused::NotLinked);
        let run = self.store.run(&id)?.ok_or_else(none)?;
        let positions = self.store.positions(&id, member.party().as_str())?;
        let positions = positions.ok_or_else(none)?;
        let act = self
            .journal
            .act_of(member.caller(), Action::LinkmapDeliver, hex::encode(run.id))
            .project(&id)
            .count("positions", positions.len() as u64);
        self.store.deliver(project, member.party(), || act.ok())?;
        let (parts, stream) = mpsc::channel(4);
        operation::spawn(async move {
            for (at, part) in positions.chunks(POSITIONS_PER_PART).enumerate() {
                let part = v1::PositionsPart {
                    run: run.id.to_vec().into(),
                    range: run.range,
                    first_row: (at * POSITIONS_PER_PART) as u64,
                    positions: part.to_vec(),
                };
                if parts.send(Ok(part)).await.is_err() {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(stream))
    }
}

impl Matcher {
    /// The project's run: the one already made, or a new one.
    async fn run(
        &self,
        caller: &Caller,
        project: &Project,
        events: &mpsc::Sender<Result<v1::RunEvent, Status>>,
    ) -> Result<Run, Fault> {
        let _one_at_a_time = self.running.lock().await;
        let part = match WholeBatch::of(&project.schema) {
            Some(_) => Part::Whole,
            None => Part::Keys,
        };
        let uploads = self.store.uploads(&project.id, part)?;
        let accepted: Vec<_> = uploads
            .iter()
            .filter(|upload| upload.state.is_accepted())
            .map(|upload| wire::party(&upload.party))
            .collect::<Result<_, _>>()?;
        let missing = project.others_than(&accepted);
        self.permit(project, Event::Link { missing })?;
        if let Some(run) = self.store.run(&project.id)? {
            return Ok(run);
        }
        let intent = self
            .journal
            .act_of(caller, Action::RunLink, project.id.short())
            .project(&project.id)
            .count("owners", uploads.len() as u64)
            .intent()?;
        match self.link(project, &uploads, events).await {
            Ok((run, links)) => {
                let outcome = intent.object(hex::encode(run.id));
                outcome.records("links", links).ok()?;
                Ok(run)
            }
            Err(fault) => Err(intent.failed(fault)),
        }
    }

    /// Links, draws positions, keeps both. Returns the run and its number of links.
    async fn link(
        &self,
        project: &Project,
        uploads: &[Upload],
        events: &mpsc::Sender<Result<v1::RunEvent, Status>>,
    ) -> Result<(Run, u64), Fault> {
        let tell = |done: u32, total: u32| {
            let progress = v1::RunProgress { done, total };
            // Progress is a courtesy: a slow reader misses some.
            let _ = events.try_send(Ok(v1::RunEvent {
                event: Some(RunEvent::Progress(progress)),
            }));
        };
        let keys_first = WholeBatch::of(&project.schema).is_none();
        if keys_first {
            self.gather(project, uploads, &tell).await?;
        }
        let (dir, uploads) = (self.uploads_dir.clone(), uploads.to_vec());
        let (schema, events) = (project.schema.clone(), events.clone());
        let linking = operation::spawn_blocking(move || {
            if !keys_first {
                uploads
                    .iter()
                    .try_for_each(|upload| stored::of_whole(&dir, upload))?;
            }
            let progress = |done: usize, total: usize| {
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let progress = v1::RunProgress {
                    done: count(done),
                    total: count(total),
                };
                let _ = events.try_send(Ok(v1::RunEvent {
                    event: Some(RunEvent::Progress(progress)),
                }));
            };
            link_stored(&dir, &uploads, &schema, false, &progress)
        });
        let outcome = linking.await??;
        let map = LinkMap::draw(&outcome.clusters, &mut crate::entropy::generator()?)
            .map_err(|error| Fault::state("run.too_large", error.to_string()))?;
        let report = json!({
            "owners": project.manifest.owners.iter().map(|o| o.party.as_str()).collect::<Vec<_>>(),
            "pairs": outcome.pairs,
            "links_refused": outcome.clusters.refused(),
        });
        let run = Run {
            id: crate::entropy::name()?,
            range: map.range(),
            report: report.to_string(),
        };
        let owners = project.manifest.owners.iter().enumerate();
        let positions = owners.filter_map(|(at, owner)| Some((&owner.party, map.owner(at)?)));
        self.store.add_run(project, &run, positions)?;
        let links = outcome.pairs.iter().map(|pair| pair.links).sum();
        Ok((run, links))
    }
}
