//! A matcher that cheats: the real services over a database of its own, with one answer changed.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use linkage_core::audit::checkpoint::NodeKeys;
use linkage_core::ids::ProjectId;
use linkage_core::project::Project;
use linkage_node::auditlog::AuditLog;
use linkage_node::authz::layer::AuthzLayer;
use linkage_node::authz::permit::{Manifests, Member};
use linkage_node::authz::table::{Rule, Table};
use linkage_node::demo::cluster::{MATCHER, TRUST_DOMAIN};
use linkage_node::entropy;
use linkage_node::fault::Fault;
use linkage_node::identity::{Identity, Role};
use linkage_node::journal::Journal;
use linkage_node::limits::Limits;
use linkage_node::matcher::Matcher;
use linkage_node::pki::DevPki;
use linkage_node::procedures::{Asks, Mailbox, Runs, Services, asks, mailbox, runs};
use linkage_node::service::{ServeOptions, serve};
use linkage_node::store::matcher::MatcherStore;
use linkage_node::tls::TlsFiles;
use linkage_node::tls::credentials::Credentials;
use linkage_proto::v1;
use ring::signature::Ed25519KeyPair;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::certificates;

/// Changes items of the mailbox before an owner is given them. It is told their kind.
pub type ChangeItems = dyn Fn(v1::ItemKind, &mut Vec<v1::Item>) + Send + Sync;

/// Changes an owner's positions before it is given them.
pub type ChangePositions = dyn Fn(&mut Vec<v1::PositionsPart>) + Send + Sync;

/// Changes the filter with which an owner is asked for tokens.
pub type ChangeFilter = dyn Fn(&mut Vec<u8>) + Send + Sync;

/// How a matcher cheats.
#[derive(Clone, Default)]
pub struct Cheat {
    /// On the key agreement.
    pub items: Option<Arc<ChangeItems>>,
    /// On the outcome.
    pub positions: Option<Arc<ChangePositions>>,
    /// On what it needs to know.
    pub filter: Option<Arc<ChangeFilter>>,
}

/// A cheating matcher within this process. Dropping it ends it.
pub struct Cheater {
    /// Where it listens.
    pub address: String,
    cheat: watch::Sender<Cheat>,
    serving: JoinHandle<()>,
}

impl Drop for Cheater {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Cheater {
    /// Starts one in the empty folder `dir`, under a matcher's certificate of this authority. It is
    /// honest until it is told to cheat.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(dir: &Path, pki: &DevPki) -> Result<Self> {
        let limits = Limits::default();
        let secret = entropy::secret()?;
        let (matcher, journal) = open(dir, secret.as_slice(), &limits)?;

        let (cheat, seen) = watch::channel(Cheat::default());
        let cheating = Arc::new(Cheating {
            matcher: Arc::clone(&matcher),
            cheat: seen,
        });
        let services = Services::new(limits.message_bytes_max)
            .projects(&matcher)
            .uploads(&matcher)
            .asks(&cheating)
            .mailbox(&cheating)
            .runs(&cheating);
        let (routes, rules) = services.into_parts();
        let files = pki.issue(
            Role::Matcher,
            MATCHER,
            &["127.0.0.1"],
            certificates::today()?,
        )?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (options, keep) = options(files, &limits, &rules, journal)?;
        let serving = tokio::spawn(async move {
            // Ends with the task only; whoever calls it then hears of a lost connection.
            let never = std::future::pending;
            let _ = serve(listener, options, routes, never(), never()).await;
            drop(keep);
        });
        Ok(Self {
            address,
            cheat,
            serving,
        })
    }

    /// Cheats from now on like this and in no other way.
    pub fn cheat(&self, cheat: Cheat) {
        self.cheat.send_replace(cheat);
    }
}

/// A matcher over the data in `dir`, and its journal; `secret` is that of its signing key.
///
/// # Errors
/// When they cannot be opened, or the secret is of no key.
pub fn open(dir: &Path, secret: &[u8], limits: &Limits) -> Result<(Arc<Matcher>, Journal)> {
    let keys = NodeKeys::derive(secret, TRUST_DOMAIN, "matcher", MATCHER)?;
    let log = AuditLog::open(&dir.join("audit"), keys)?;
    let me = Identity::new(TRUST_DOMAIN, Role::Matcher, MATCHER)?;
    let journal = Journal::new(log, me);
    let uploads = dir.join("uploads");
    std::fs::create_dir_all(&uploads)?;
    let store = MatcherStore::open(&dir.join("matcher.db"))?;
    let party = MATCHER.parse()?;
    let signing = Ed25519KeyPair::from_seed_unchecked(secret)
        .map_err(|_| anyhow::anyhow!("no signing key"))?;
    let (journal_of, limits_of) = (journal.clone(), limits.clone());
    let matcher = Matcher::new(store, uploads, journal_of, party, limits_of, signing);
    Ok((matcher, journal))
}

/// How a matcher serves, and what must be kept as long as it does.
///
/// # Errors
/// When the certificate cannot be used, or two rules are for one procedure.
pub fn options(
    files: TlsFiles,
    limits: &Limits,
    rules: &[Rule],
    journal: Journal,
) -> Result<(ServeOptions, watch::Sender<Option<Fault>>)> {
    let credentials = Credentials::read(files)?;
    // A sender that is gone means that the node stops.
    let (keep, hold) = watch::channel(None);
    let options = ServeOptions {
        credentials: Arc::clone(&credentials),
        trust_domain: TRUST_DOMAIN.to_owned(),
        limits: limits.clone(),
        refusals: Arc::new(journal.clone()),
        authz: AuthzLayer::new(Table::new(MATCHER, rules)?, credentials, Arc::new(journal)),
        hold,
    };
    Ok((options, keep))
}

/// The services with changed answers.
struct Cheating {
    matcher: Arc<Matcher>,
    cheat: watch::Receiver<Cheat>,
}

impl Manifests for Cheating {
    fn known_project(&self, id: &ProjectId) -> Result<Option<Project>, Fault> {
        self.matcher.known_project(id)
    }

    fn journal(&self) -> &Journal {
        self.matcher.journal()
    }
}

impl Mailbox for Cheating {
    async fn post(
        &self,
        member: Member<mailbox::Post>,
        request: v1::PostRequest,
    ) -> Result<v1::PostReply, Fault> {
        self.matcher.post(member, request).await
    }

    async fn collect(
        &self,
        member: Member<mailbox::Collect>,
        request: v1::CollectRequest,
    ) -> Result<v1::CollectReply, Fault> {
        let kind = request.kind();
        let mut reply = self.matcher.collect(member, request).await?;
        let change = self.cheat.borrow().items.clone();
        if let Some(change) = change {
            change(kind, &mut reply.items);
        }
        Ok(reply)
    }
}

impl Asks for Cheating {
    async fn get(
        &self,
        member: Member<asks::Get>,
        request: v1::AskRequest,
    ) -> Result<ReceiverStream<Result<v1::AskPart, Status>>, Fault> {
        let mut honest = self.matcher.get(member, request).await?;
        let mut filter = vec![];
        while let Some(part) = honest.next().await {
            let part = part.map_err(|status| Fault::broken(&status))?;
            filter.extend_from_slice(&part.filter);
        }
        let change = self.cheat.borrow().filter.clone();
        if let Some(change) = change {
            change(&mut filter);
        }
        let (sender, stream) = mpsc::channel(1);
        if !filter.is_empty() {
            let filter = filter.into();
            let part = v1::AskPart { filter, last: true };
            let _ = sender.send(Ok(part)).await;
        }
        Ok(ReceiverStream::new(stream))
    }

    async fn refuse(
        &self,
        member: Member<asks::Refuse>,
        request: v1::RefuseAskRequest,
    ) -> Result<v1::RefuseAskReply, Fault> {
        self.matcher.refuse(member, request).await
    }
}

impl Runs for Cheating {
    async fn start(
        &self,
        member: Member<runs::Start>,
        request: v1::StartRequest,
    ) -> Result<ReceiverStream<Result<v1::RunEvent, Status>>, Fault> {
        self.matcher.start(member, request).await
    }

    async fn positions(
        &self,
        member: Member<runs::Positions>,
        request: v1::PositionsRequest,
    ) -> Result<ReceiverStream<Result<v1::PositionsPart, Status>>, Fault> {
        let mut honest = self.matcher.positions(member, request).await?;
        let mut parts = vec![];
        while let Some(part) = honest.next().await {
            parts.push(part.map_err(|status| Fault::broken(&status))?);
        }
        let change = self.cheat.borrow().positions.clone();
        if let Some(change) = change {
            change(&mut parts);
        }
        let (sender, stream) = mpsc::channel(4);
        tokio::spawn(async move {
            for part in parts {
                if sender.send(Ok(part)).await.is_err() {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(stream))
    }
}
