//! A node as a process: opens what the configuration names, serves, drains, stops.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::NodeKeys;
use linkage_core::audit::policy::Policy;
use linkage_core::keys::SealingKey;
use ring::signature::Ed25519KeyPair;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::auditlog::AuditLog;
use crate::authz::layer::AuthzLayer;
use crate::authz::table::{Party, Rule, Table};
use crate::fault::{Chain, Fault};
use crate::identity::{Identity, Role};
use crate::journal::Journal;
use crate::matcher::Matcher;
use crate::observe::health::{Health, Phase};
use crate::observe::log::{self, Level};
use crate::observe::pulse::{Look, Pulse};
use crate::observe::{self, metrics};
use crate::owner::{Owner, Parts};
use crate::procedures::Services;
use crate::reload::{Part, Put, Reload};
use crate::sealed::{self, Credential};
use crate::service::{ServeOptions, serve};
use crate::settings::{Loaded, NodeRole, Settings};
use crate::store::matcher::MatcherStore;
use crate::store::owner::OwnerStore;
use crate::store::space::Space;
use crate::store::witness::WitnessStore;
use crate::tls::credentials::Credentials;
use crate::tls::keeper::keep_fresh;
use crate::witness::carry::Carrier;
use crate::witness::{STORE_FILE, Witness};
use crate::{backup, store, tls};

/// Who may ask any node for its health: everyone with a certificate.
const HEALTH_RULES: [Rule; 2] = [
    health_rule("/grpc.health.v1.Health/Check"),
    health_rule("/grpc.health.v1.Health/Watch"),
];

const fn health_rule(path: &'static str) -> Rule {
    Rule {
        path,
        roles: &Role::ALL,
        party: Party::Any,
    }
}

/// File in the data folder that holds the address at which the node shows its state.
pub const MONITOR_FILE: &str = "monitor-address";

/// File in the data folder that holds the address on which the node listens, for whoever started it
/// on port 0.
pub const ADDRESS_FILE: &str = "address";

/// Why a node does not start or does not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The identity in the certificate is not the one configured.
    #[error("the certificate {path} is for {found}, the configuration is for {expected}")]
    Identity {
        /// The certificate.
        path: PathBuf,
        /// Whom it names, or why that cannot be said.
        found: String,
        /// Whom the configuration names.
        expected: String,
    },
    /// A matcher found a project key.
    #[error(
        "{0} holds project keys: a matcher must never have one. Move the folder away and find out how \
         it came there"
    )]
    KeyAtMatcher(PathBuf),
    /// A restore was interrupted.
    #[error(
        "a restore into {} did not come to its end: empty the folder and run `linkage backup \
         restore` again",
        .0.display()
    )]
    HalfRestored(PathBuf),
    /// A secret, or the credential that it is encrypted under.
    #[error(transparent)]
    Secret(#[from] sealed::Error),
    /// A key file's content is no key.
    #[error("{0} is not usable as a key")]
    KeyContent(PathBuf),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The state.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The audit log.
    #[error("the audit log cannot be used")]
    Audit(#[from] crate::auditlog::Error),
    /// The policy of the audit log.
    #[error("the audit policy {path} cannot be used")]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Logging the start or stop failed.
    #[error("the audit log cannot be written")]
    Journal(#[source] crate::fault::Fault),
    /// The signals.
    #[error("cannot wait for signals")]
    Signal(#[source] std::io::Error),
    /// The listening address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The table of permissions.
    #[error("the table of permissions is wrong")]
    Rules(#[from] crate::authz::table::TableError),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] metrics::Error),
    /// Signals of the operating system.
    #[error("signals cannot be received")]
    Signals(#[source] std::io::Error),
    /// The server.
    #[error(transparent)]
    Serve(#[from] crate::service::ServeError),
}

/// What ends a node.
pub struct Stop<S, N> {
    /// Ends when the node is asked to stop.
    pub asked: S,
    /// Ends when it must stop at once.
    pub now: N,
}

/// Runs the node of this configuration until `stop`; `level` is its log's.
///
/// # Errors
/// [`Error`], naming the file at fault.
pub async fn run(
    loaded: Loaded,
    level: Level,
    stop: Stop<impl Future<Output = ()>, impl Future<Output = ()>>,
) -> Result<(), Error> {
    let settings = &loaded.settings;
    metrics::begin()?;
    metrics::build(settings.role.as_str());
    let (health, health_service) = Health::new();
    let me = identity(settings)?;
    store::private_folder(&settings.data_dir)?;
    if backup::unfinished(&settings.data_dir).is_some() {
        return Err(Error::HalfRestored(settings.data_dir.clone()));
    }
    let _monitor = monitor(settings, &health).await?;
    let log = AuditLog::open(&settings.data_dir.join("audit"), audit_keys(settings)?)?;
    let journal = Journal::new(log, me.clone());
    let credential = Credential::read(&settings.credential)?;
    let credentials = Credentials::read(settings.tls_files())?;
    let witness = witness(settings, &journal)?;
    let parts = match settings.role {
        NodeRole::Matcher => matcher(settings, &credential, &journal)?,
        NodeRole::Owner => owner(settings.clone(), credential, &journal, &credentials)?,
    };
    let services = match &witness {
        Some(witness) => parts.services.witness(witness),
        None => parts.services,
    };
    let (routes, mut rules) = services.into_parts();
    health.shows(rules.iter().map(|rule| rule.path));
    rules.extend(HEALTH_RULES);
    let table = Table::new(me.party(), &rules)?;
    let (listener, address) = listen(&settings.listen).await?;
    journal
        .act(Action::NodeStart, me.to_string())
        .ok()
        .map_err(Error::Journal)?;
    journal.log().checkpoint()?;
    tell(&address, &settings.data_dir.join(ADDRESS_FILE))?;

    let (hold, held) = watch::channel(None);
    let reload = Reload::new(&loaded)
        .with(log_level(level))
        .with(tls_files(Arc::clone(&credentials)));
    let mut tasks = carry(settings, &credentials, witness)?;
    tasks.spawn(reload_on_signal(reload, journal.clone(), me.to_string())?);
    tasks.spawn(keep_fresh(Arc::clone(&credentials), journal.clone()));
    let data_dir = settings.data_dir.clone();
    tasks.spawn(backup::made::watch(data_dir, journal.clone()));
    tasks.spawn(pulse(settings, &journal, parts.database, &health, &hold).run());
    let options = ServeOptions {
        credentials: Arc::clone(&credentials),
        trust_domain: settings.trust_domain.clone(),
        limits: settings.limits.clone(),
        refusals: Arc::new(journal.clone()),
        authz: AuthzLayer::new(table, credentials, Arc::new(journal.clone())),
        hold: held,
    };
    health.change(|state| state.phase = Phase::Serving).await;
    // Silent where no service manager listens.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    tracing::info!(identity = %me, version = env!("CARGO_PKG_VERSION"), "serving");

    let draining = async {
        stop.asked.await;
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        health.change(|state| state.phase = Phase::Draining).await;
        hold.send_replace(Some(Fault::stopping()));
    };
    let routes = routes.add_service(health_service);
    let stopped = serve(listener, options, routes, draining, stop.now).await?;
    tasks.abort_all();
    tracing::info!(connections_cut = stopped.connections_cut, "stopped");
    journal
        .act(Action::NodeStop, me.to_string())
        .count("connections_cut", stopped.connections_cut as u64)
        .ok()
        .map_err(Error::Journal)?;
    journal.log().checkpoint()?;
    Ok(())
}

/// Looks after the node while it runs.
fn pulse(
    settings: &Settings,
    journal: &Journal,
    database: Look,
    health: &Health,
    hold: &watch::Sender<Option<Fault>>,
) -> Pulse {
    let audit = journal.clone();
    Pulse {
        audit: Arc::new(move || audit.works()),
        database,
        space: Space::new(&settings.data_dir, &settings.limits),
        tls: settings.tls_files(),
        health: health.clone(),
        hold: hold.clone(),
    }
}

/// A role's services, and what else is needed of it.
struct RoleParts {
    services: Services,
    database: Look,
}

/// Listens; the address beside it is the one bound.
async fn listen(address: &str) -> Result<(TcpListener, String), Error> {
    let failed = |source| Error::Listen {
        address: address.to_owned(),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?.to_string();
    Ok((listener, bound))
}

/// Writes an address where whoever started the node on port 0 finds it, and takes it as the sign
/// that the node has started.
fn tell(address: &str, file: &Path) -> Result<(), Error> {
    // Written whole before it can be read: whoever waits for the file must not see half of it.
    let partial = file.with_extension("partial");
    std::fs::write(&partial, address)
        .and_then(|()| std::fs::set_permissions(&partial, Permissions::from_mode(0o600)))
        .and_then(|()| std::fs::rename(&partial, file))
        .map_err(|source| store::Error::Io {
            path: file.to_owned(),
            source,
        })?;
    Ok(())
}

/// Shows the state from the start on, so that a long start can be watched. Dropping the set ends
/// it.
async fn monitor(settings: &Settings, health: &Health) -> Result<JoinSet<()>, Error> {
    let mut task = JoinSet::new();
    if let Some(address) = &settings.monitor.listen {
        let (listener, address) = listen(address).await?;
        tell(&address, &settings.data_dir.join(MONITOR_FILE))?;
        task.spawn(observe::http::serve(listener, health.clone()));
    }
    Ok(task)
}

/// Reloads at each SIGHUP.
fn reload_on_signal(
    reload: Reload,
    journal: Journal,
    me: String,
) -> Result<impl Future<Output = ()>, Error> {
    let mut hangups = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    Ok(async move {
        while hangups.recv().await.is_some() {
            let result = reload.run();
            metrics::reloaded(result.is_ok());
            let act = journal.act(Action::ConfigReload, me.clone());
            // That the audit log is blocked is logged where it is found.
            match result {
                Ok(()) => {
                    tracing::info!("reloaded");
                    let _ = act.ok();
                }
                Err(error) => {
                    let error = Chain(&error).to_string();
                    let words = "the old configuration stays";
                    tracing::error!(reason = "config.refused", error, "{words}");
                    let _ = act.failed(Fault::state("config.refused", error));
                }
            }
        }
    })
}

fn log_level(level: Level) -> impl Part {
    move |settings: &Settings| -> Result<Put, String> {
        let (level, wanted) = (level.clone(), settings.log.level.clone());
        log::parse(&wanted).map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            if let Err(error) = level.set(&wanted) {
                tracing::error!(%error, "the log's level stays");
            }
        }))
    }
}

fn tls_files(credentials: Arc<Credentials>) -> impl Part {
    move |settings: &Settings| -> Result<Put, String> {
        let staged = credentials.stage(settings.tls_files(), jiff::Timestamp::now());
        let staged = staged.map_err(|error| Chain(&error).to_string())?;
        Ok(Box::new(move || {
            staged.put();
        }))
    }
}

/// The node's identity by its configuration, which its certificate must bear.
pub(crate) fn identity(settings: &Settings) -> Result<Identity, Error> {
    let mismatch = |found: String| Error::Identity {
        path: settings.tls.cert.clone(),
        found,
        expected: format!("{}/{}", settings.role.role(), settings.party),
    };
    let expected = Identity::new(
        &settings.trust_domain,
        settings.role.role(),
        settings.party.as_str(),
    )
    .map_err(|fault| mismatch(fault.to_string()))?;
    let found =
        tls::identity_of(&settings.tls.cert)?.map_err(|fault| mismatch(fault.to_string()))?;
    if found == expected {
        Ok(expected)
    } else {
        Err(mismatch(found.to_string()))
    }
}

/// The keys of the node's audit log, from its signing key's secret.
///
/// # Errors
/// When the credential or the key file cannot be read, or the party's name cannot stand in a
/// checkpoint.
pub fn audit_keys(settings: &Settings) -> Result<NodeKeys, Error> {
    let credential = Credential::read(&settings.credential)?;
    let secret = sealed::read_key(&settings.signing_key, sealed::SIGNING_KEY, &credential)?;
    let role = settings.role.role().to_string();
    let keys = NodeKeys::derive(
        secret.as_slice(),
        &settings.trust_domain,
        &role,
        settings.party.as_str(),
    );
    Ok(keys.map_err(crate::auditlog::Error::from)?)
}

/// The witness of a node whose configuration names a policy.
fn witness(settings: &Settings, journal: &Journal) -> Result<Option<Arc<Witness>>, Error> {
    let Some(path) = &settings.audit.policy else {
        return Ok(None);
    };
    let refused = |source| Error::Policy {
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.into()))?;
    let policy = text.parse::<Policy>();
    let policy = policy.map_err(|error| refused(error.into()))?;
    let state = WitnessStore::open(&journal.log().dir().join(STORE_FILE))?;
    let witness = Witness::new(journal.clone(), state, policy);
    Ok(Some(Arc::new(
        witness.map_err(|error| refused(error.into()))?,
    )))
}

/// The rounds of an owner's witness; they end when the set is dropped.
fn carry(
    settings: &Settings,
    credentials: &Arc<Credentials>,
    witness: Option<Arc<Witness>>,
) -> Result<JoinSet<()>, Error> {
    let mut carrying = JoinSet::new();
    let Some(witness) = witness.filter(|_| !settings.peers.is_empty()) else {
        return Ok(carrying);
    };
    let carrier = Carrier {
        witness,
        peers: settings.peers.clone(),
        trust_domain: settings.trust_domain.clone(),
        credentials: Arc::clone(credentials),
        limits: settings.limits.clone(),
    };
    carrying.spawn(carrier.run());
    Ok(carrying)
}

/// The node's signing key.
///
/// # Errors
/// When the file does not open under the credential.
pub(crate) fn signing_key(path: &Path, credential: &Credential) -> Result<Ed25519KeyPair, Error> {
    let seed = sealed::read_key(path, sealed::SIGNING_KEY, credential)?;
    Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
        .map_err(|_| Error::KeyContent(path.to_owned()))
}

fn matcher(
    settings: &Settings,
    credential: &Credential,
    journal: &Journal,
) -> Result<RoleParts, Error> {
    let keys = settings.data_dir.join("keys");
    if keys.exists() {
        return Err(Error::KeyAtMatcher(keys));
    }
    let uploads = settings.data_dir.join("uploads");
    store::private_folder(&uploads)?;
    let state = MatcherStore::open(&settings.data_dir.join("matcher.db"))?;
    let matcher = Matcher::new(
        state,
        uploads,
        journal.clone(),
        settings.party.clone(),
        settings.limits.clone(),
        signing_key(&settings.signing_key, credential)?,
    );
    let closing = Arc::clone(&matcher);
    tokio::spawn(async move {
        if let Err(fault) = closing.resume_closing().await {
            tracing::error!(reason = fault.reason(), "a project is not closed: {fault}");
        }
    });
    let database = Arc::clone(&matcher);
    let services = Services::new(settings.limits.message_bytes_max)
        .projects(&matcher)
        .mailbox(&matcher)
        .uploads(&matcher)
        .asks(&matcher)
        .runs(&matcher);
    Ok(RoleParts {
        services,
        database: Arc::new(move || database.works()),
    })
}

fn owner(
    settings: Settings,
    credential: Credential,
    journal: &Journal,
    credentials: &Arc<Credentials>,
) -> Result<RoleParts, Error> {
    // The configuration's own check has seen that an owner names a sealing key.
    let path = settings.sealing_key.clone().unwrap_or_default();
    let sealing = sealed::read_key(&path, sealed::SEALING_KEY, &credential)?;
    let sealing =
        SealingKey::from_bytes(sealing.as_slice()).map_err(|_| Error::KeyContent(path))?;
    let state = OwnerStore::open(&settings.data_dir.join("owner.db"))?;
    let signing = signing_key(&settings.signing_key, &credential)?;
    let limits = settings.limits.clone();
    let message_bytes_max = limits.message_bytes_max;
    let owner = Owner::new(Parts {
        settings,
        store: state,
        journal: journal.clone(),
        credential,
        signing,
        sealing,
        credentials: Arc::clone(credentials),
        limits,
    });
    tokio::spawn(Owner::keep_up(Arc::downgrade(&owner)));
    tokio::spawn(crate::owner::answer::watch(Arc::downgrade(&owner)));
    let database = Arc::clone(&owner);
    let services = Services::new(message_bytes_max)
        .operations(&owner)
        .extracts(&owner)
        .tables(&owner);
    Ok(RoleParts {
        services,
        database: Arc::new(move || database.works()),
    })
}
