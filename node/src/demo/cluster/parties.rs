//! What every party of a cluster is given before it starts: keys, certificates, configuration.

use std::fs;
use std::net::TcpListener;
use std::ops::Range;

use linkage_core::ids::PartyId;
use linkage_core::keys::SealingKey;
use rand::RngExt as _;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::error::io;
use super::{Cluster, Error, OwnerSpec, TRUST_DOMAIN, VALIDITY_DAYS};
use crate::client::{ClientSettings, OwnerNode};
use crate::demo::policy::PolicyText;
use crate::identity::Role;
use crate::keyfile;
use crate::limits::Limits;
use crate::pki::Validity;
use crate::sealed::{self, Credential};
use crate::secret::SecretRef;
use crate::settings::{Audit, Dataset, Log, Monitor, NodeRole, Peer, Settings};

/// File of a node's credential, under which its secrets are encrypted. A real node is given it by
/// systemd, or keeps it on another disk.
const CREDENTIAL: &str = "credential";

/// Ports of the nodes: below those that Linux gives to outgoing connections (32768 and above),
/// which would else take a node's port while it is not running.
const PORTS: Range<u16> = 15_000..32_000;

/// How many ports are tried.
const PORTS_TRIED: usize = 100;

/// A listener on a free port.
fn listen() -> Result<TcpListener, Error> {
    let mut rng = crate::entropy::generator()?;
    let mut last = None;
    for _ in 0..PORTS_TRIED {
        match TcpListener::bind(("127.0.0.1", rng.random_range(PORTS))) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(io("no free port")(error))
}

impl Cluster {
    /// Keys and free addresses for every node; returns how they know each other.
    pub(super) fn prepare(&self, owners: &[OwnerSpec]) -> Result<Vec<Peer>, Error> {
        let mut peers = vec![];
        // All listeners are held until all addresses are known, so that they differ.
        let mut held = vec![];
        let mut policy = PolicyText::default();
        let matcher = self.matcher_party();
        for party in std::iter::once(&matcher).chain(owners.iter().map(|owner| &owner.party)) {
            let dir = self.node_dir(party);
            crate::store::private_folder(&dir).map_err(|error| Error::Io {
                what: format!("cannot make {}", dir.display()),
                source: std::io::Error::other(error),
            })?;
            let secret = crate::entropy::secret()?;
            keyfile::create(&dir.join(CREDENTIAL), "credential of this node", &secret)?;
            let credential = Credential::read(&SecretRef::File(dir.join(CREDENTIAL)))?;
            let seed = crate::entropy::secret()?;
            let path = dir.join("signing.key");
            sealed::create(&path, sealed::SIGNING_KEY, seed.as_slice(), &credential)?;
            let signing = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
            let signing_key = signing
                .ok()
                .map(|key| hex::encode(key.public_key().as_ref()));
            let role = if *party == matcher {
                NodeRole::Matcher
            } else {
                NodeRole::Owner
            };
            policy.add(seed.as_slice(), role, party)?;
            let mut sealing_key = None;
            if role == NodeRole::Owner {
                let key = SealingKey::generate(&mut crate::entropy::generator()?);
                let path = dir.join("sealing.key");
                sealed::create(&path, sealed::SEALING_KEY, &key.expose(), &credential)?;
                sealing_key = Some(hex::encode(key.public().to_bytes()));
            }
            let listener = listen()?;
            let address = listener
                .local_addr()
                .map_err(io("no free port"))?
                .to_string();
            held.push(listener);
            peers.push(Peer {
                role,
                party: party.clone(),
                address,
                signing_key,
                sealing_key,
            });
        }
        let path = self.audit_policy();
        fs::write(&path, policy.text()).map_err(io(format!("cannot write {}", path.display())))?;
        Ok(peers)
    }

    pub(super) fn configure(
        &self,
        role: NodeRole,
        spec: &OwnerSpec,
        peers: &[Peer],
    ) -> Result<(), Error> {
        let party = &spec.party;
        let dir = self.node_dir(party);
        let validity = Validity::starting(jiff::Timestamp::now(), VALIDITY_DAYS)?;
        let files = self.pki.issue(
            role.role(),
            party.as_str(),
            &["localhost", "127.0.0.1"],
            validity,
        )?;
        let own = peers.iter().find(|peer| peer.party == *party);
        let settings = Settings {
            role,
            party: party.clone(),
            trust_domain: TRUST_DOMAIN.to_owned(),
            listen: own.map(|peer| peer.address.clone()).unwrap_or_default(),
            data_dir: dir.join("data"),
            tls: files.into(),
            credential: SecretRef::File(dir.join(CREDENTIAL)),
            signing_key: dir.join("signing.key"),
            sealing_key: (role == NodeRole::Owner).then(|| dir.join("sealing.key")),
            audit: Audit::with(self.is_witnessed.then(|| self.audit_policy())),
            peers: peers
                .iter()
                .filter(|peer| role == NodeRole::Owner && peer.party != *party)
                .cloned()
                .collect(),
            datasets: spec
                .datasets
                .iter()
                .map(|(name, path)| Dataset {
                    name: name.clone(),
                    path: Some(path.clone()),
                    sheet: None,
                    postgres: None,
                })
                .collect(),
            monitor: Monitor {
                listen: Some("127.0.0.1:0".to_owned()),
            },
            log: Log::default(),
            limits: Limits::default(),
        };
        let path = dir.join("node.toml");
        fs::write(&path, toml::to_string(&settings)?)
            .map_err(io(format!("cannot write {}", path.display())))
    }

    /// A person's certificate and configuration.
    pub(super) fn person(
        &self,
        role: Role,
        party: &PartyId,
        person: Option<&str>,
        owners: &[PartyId],
    ) -> Result<(), Error> {
        let validity = Validity::starting(jiff::Timestamp::now(), VALIDITY_DAYS)?;
        let (files, name) = match person {
            Some(person) => (
                self.pki
                    .issue_person(role, party.as_str(), person, validity)?,
                format!("{role}-{party}.{person}.toml"),
            ),
            None => (
                self.pki.issue(role, party.as_str(), &[], validity)?,
                format!("{role}-{party}.toml"),
            ),
        };
        let address = |party: &PartyId| self.node(party).map(|node| node.address.clone());
        let settings = ClientSettings {
            trust_domain: TRUST_DOMAIN.to_owned(),
            tls: files.into(),
            owners: owners
                .iter()
                .filter_map(|party| {
                    Some(OwnerNode {
                        party: party.clone(),
                        address: address(party)?,
                    })
                })
                .collect(),
        };
        let folder = self.dir.join("people");
        fs::create_dir_all(&folder).map_err(io("cannot make the folder people"))?;
        let path = folder.join(name);
        fs::write(&path, toml::to_string(&settings)?)
            .map_err(io(format!("cannot write {}", path.display())))
    }
}
