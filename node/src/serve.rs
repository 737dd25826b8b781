//! A node as a process: opens what the configuration names, serves, drains, stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::audit::action::Action;
use linkage_core::keys::SealingKey;
use ring::signature::Ed25519KeyPair;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::auditlog::AuditLog;
use crate::authz::layer::AuthzLayer;
use crate::authz::table::Table;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::matcher::Matcher;
use crate::owner::{Owner, Parts};
use crate::procedures::Services;
use crate::service::{ServeOptions, serve};
use crate::settings::{NodeRole, Settings};
use crate::store::matcher::MatcherStore;
use crate::store::owner::OwnerStore;
use crate::{keyfile, store, tls};

/// File in the data folder that holds the address on which the node listens, for whoever started it
/// on port 0.
pub const ADDRESS_FILE: &str = "address";

/// Why a node does not start or does not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Settings(#[from] crate::settings::Error),
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
    /// A key file.
    #[error(transparent)]
    Key(#[from] keyfile::Error),
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
    #[error("the audit log cannot be opened")]
    Audit(#[from] crate::auditlog::Error),
    /// Logging the start or stop failed.
    #[error("the audit log cannot be written")]
    Journal(#[source] crate::fault::Fault),
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
    /// The server.
    #[error(transparent)]
    Serve(#[from] crate::service::ServeError),
}

/// Runs the node of this configuration until `shutdown` ends.
///
/// # Errors
/// [`Error`], naming the file at fault.
pub async fn run(config: &Path, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let settings = Settings::read(config)?;
    let me = identity(&settings)?;
    store::private_folder(&settings.data_dir)?;
    let audit_dir = settings.data_dir.join("audit");
    let audit_key = signing_key(&settings.signing_key)?;
    let name = format!("{}/{}", me.role(), me.party());
    let log = AuditLog::open(&audit_dir, audit_key, &name, jiff::Timestamp::now())?;
    let journal = Journal::new(log, me.clone());

    let limits = Limits::default();
    let services = match settings.role {
        NodeRole::Matcher => matcher(&settings, &journal, &limits)?,
        NodeRole::Owner => owner(settings.clone(), &journal, &limits)?,
    };
    let (routes, rules) = services.into_parts();
    let table = Table::new(me.party(), &rules)?;
    let listen = |source| Error::Listen {
        address: settings.listen.clone(),
        source,
    };
    let listener = TcpListener::bind(&settings.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    journal
        .act(Action::NodeStart, me.to_string())
        .ok()
        .map_err(Error::Journal)?;
    // Written whole before it can be read: whoever waits for the file must not see half of it.
    let file = settings.data_dir.join(ADDRESS_FILE);
    let partial = file.with_extension("partial");
    std::fs::write(&partial, address.to_string())
        .and_then(|()| std::fs::rename(&partial, &file))
        .map_err(|source| store::Error::Io { path: file, source })?;
    tracing::info!(identity = %me, %address, "serving");

    let (_keep, tls) = watch::channel(tls::server_config(&settings.tls_files())?);
    let options = ServeOptions {
        tls,
        trust_domain: settings.trust_domain.clone(),
        limits,
        refusals: Arc::new(journal.clone()),
        authz: AuthzLayer::new(table, Arc::new(journal.clone())),
    };
    let stopped = serve(listener, options, routes, shutdown).await?;
    tracing::info!(connections_cut = stopped.connections_cut, "stopped");
    journal
        .act(Action::NodeStop, me.to_string())
        .count("connections_cut", stopped.connections_cut as u64)
        .ok()
        .map_err(Error::Journal)
}

/// The node's identity by its configuration, which its certificate must bear.
fn identity(settings: &Settings) -> Result<Identity, Error> {
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

fn signing_key(path: &Path) -> Result<Ed25519KeyPair, Error> {
    let seed = keyfile::read(path)?;
    Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
        .map_err(|_| Error::KeyContent(path.to_owned()))
}

fn matcher(settings: &Settings, journal: &Journal, limits: &Limits) -> Result<Services, Error> {
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
        limits.uploads.clone(),
    );
    Ok(Services::new(limits.message_bytes_max)
        .projects(&matcher)
        .mailbox(&matcher)
        .uploads(&matcher)
        .asks(&matcher)
        .runs(&matcher))
}

fn owner(settings: Settings, journal: &Journal, limits: &Limits) -> Result<Services, Error> {
    // The configuration's own check has seen that an owner names a sealing key.
    let path = settings.sealing_key.clone().unwrap_or_default();
    let sealing = SealingKey::from_bytes(keyfile::read(&path)?.as_slice())
        .map_err(|_| Error::KeyContent(path))?;
    let state = OwnerStore::open(&settings.data_dir.join("owner.db"))?;
    let tls = tls::client_config(&settings.tls_files())?;
    let signing = signing_key(&settings.signing_key)?;
    let owner = Owner::new(Parts {
        settings,
        store: state,
        journal: journal.clone(),
        signing,
        sealing,
        tls,
        limits: limits.clone(),
    });
    tokio::spawn(crate::owner::answer::watch(Arc::downgrade(&owner)));
    Ok(Services::new(limits.message_bytes_max)
        .operations(&owner)
        .extracts(&owner)
        .tables(&owner))
}
