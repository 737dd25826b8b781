//! Who is not let in: under which stable reason, and that the refusing node's audit log says so.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use linkage_core::audit::action::Action;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_node::demo::Rules;
use linkage_node::demo::cluster::{MATCHER, Node, TRUST_DOMAIN};
use linkage_node::identity::Role;
use linkage_node::pki::{DevPki, Validity};
use linkage_node::tls::{TlsFiles, client_config};
use linkage_proto::v1;
use linkage_proto::v1::operations_client::OperationsClient;
use linkage_proto::v1::projects_client::ProjectsClient;
use linkage_proto::v1::runs_client::RunsClient;
use linkage_proto::v1::tables_client::TablesClient;
use linkage_proto::v1::uploads_client::UploadsClient;
use linkage_tests::world::{self, World};
use linkage_tests::{calls, certificates, trail};
use rustls::ClientConfig;
use tonic::transport::Channel;

/// Few records: nothing here depends on them.
const RECORDS: u64 = 50;

fn issue(world: &World, role: Role, party: &str, validity: Validity) -> Result<TlsFiles> {
    Ok(world
        .cluster
        .pki()
        .issue(role, party, certificates::HOSTS, validity)?)
}

/// A channel under a certificate issued for this call.
async fn channel(world: &World, role: Role, party: &str, node: &Node) -> Result<Channel> {
    let files = issue(world, role, party, certificates::today()?)?;
    Ok(calls::connect_as(&files, node).await??)
}

/// The node answers those whom it knows.
async fn still_answers(world: &World) -> Result<()> {
    world.agreed(&Rules::default()).await?;
    Ok(())
}

/// A connection that must be refused at every node, by name and in the node's log.
async fn refused_everywhere(
    world: &World,
    config: &Arc<ClientConfig>,
    expected: &str,
) -> Result<()> {
    for node in world.cluster.nodes() {
        let before = trail::entries(&node.data_dir)?.len();
        let Err(error) = calls::connect_with(Arc::clone(config), node).await? else {
            bail!("{} let {expected} in", node.party);
        };
        assert_eq!(error.reason(), expected, "{}: {error}", node.party);
        trail::expect(&node.data_dir, before, Action::TlsRefused, expected)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_do_not_hold() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 1)?;
    let pki = world.cluster.dir().join("pki");
    let own_ca = pki.join("ca.pem");
    let elsewhere = tempfile::tempdir()?;

    let other = DevPki::create(elsewhere.path(), TRUST_DOMAIN, certificates::today()?)?;
    let unknown = TlsFiles {
        // It trusts the nodes, so that only they have something to refuse.
        ca: own_ca.clone(),
        ..other.issue(Role::Owner, "health", &[], certificates::today()?)?
    };
    let expired = issue(&world, Role::Owner, "expired", certificates::hours(-3, -1)?)?;
    let early = issue(&world, Role::Owner, "early", certificates::hours(1, 3)?)?;
    let foreign = certificates::bearing(
        &pki,
        "spiffe://elsewhere.test/owner/health",
        &elsewhere.path().join("foreign"),
    )?;
    for (config, expected) in [
        (client_config(&unknown)?, "tls.unknown_ca"),
        (certificates::anonymous(&pki)?, "tls.no_client_certificate"),
        (client_config(&expired)?, "tls.expired"),
        (client_config(&early)?, "tls.not_yet_valid"),
        (client_config(&foreign)?, "identity.foreign_trust_domain"),
    ] {
        refused_everywhere(&world, &config, expected).await?;
    }
    still_answers(&world).await
}

/// What a node's log must say of a denied call.
struct Denied {
    data_dir: PathBuf,
    before: usize,
}

impl Denied {
    fn at(node: &Node) -> Result<Self> {
        Ok(Self {
            data_dir: node.data_dir.clone(),
            before: trail::entries(&node.data_dir)?.len(),
        })
    }

    fn expect(&self, reason: &str, caller: &str) -> Result<()> {
        let entry = trail::expect(&self.data_dir, self.before, Action::AuthzDenied, reason)?;
        assert_eq!(entry.event.actor.id, caller);
        Ok(())
    }
}

fn begin(project: ProjectId) -> v1::BeginRequest {
    v1::BeginRequest {
        project: project.as_bytes().to_vec().into(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_may_not() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 2)?;
    let project = world.agreed(&Rules::default()).await?;
    let matcher = world.matcher()?;
    let health: PartyId = "health".parse()?;
    let owner = world.node(&health)?;

    for (role, party) in [
        (Role::Analyst, "policy-lab"),
        (Role::Operator, "health"),
        (Role::Auditor, "watch"),
        (Role::Matcher, MATCHER),
    ] {
        let denied = Denied::at(matcher)?;
        let mut uploads = UploadsClient::new(channel(&world, role, party, matcher).await?);
        let reply = uploads.begin(begin(project)).await;
        assert_eq!(calls::refusal(reply)?, "authz.role", "{role} {party}");
        denied.expect("authz.role", party)?;
    }

    let upload = || v1::UploadRequest {
        project: project.as_bytes().to_vec().into(),
        dataset: linkage_tests::departments::DATASET.to_owned(),
    };
    for (role, party, expected) in [
        (Role::Analyst, "policy-lab", "authz.role"),
        (Role::Owner, "credit", "authz.role"),
        (Role::Matcher, MATCHER, "authz.role"),
        // The right role at the wrong department.
        (Role::Operator, "credit", "authz.party"),
    ] {
        let denied = Denied::at(owner)?;
        let mut operations = OperationsClient::new(channel(&world, role, party, owner).await?);
        let reply = operations.upload(upload()).await;
        assert_eq!(calls::refusal(reply)?, expected, "{role} {party}");
        denied.expect(expected, party)?;

        let denied = Denied::at(owner)?;
        let reply = operations.draft(v1::DraftRequest::default());
        assert_eq!(calls::refusal(reply.await)?, expected, "{role} {party}");
        denied.expect(expected, party)?;
    }

    // The matcher has no part in tables either.
    let denied = Denied::at(owner)?;
    let mut tables = TablesClient::new(channel(&world, Role::Matcher, MATCHER, owner).await?);
    let reply = tables.compute(tokio_stream::empty()).await;
    assert_eq!(calls::refusal(reply)?, "authz.role");
    denied.expect("authz.role", MATCHER)?;

    assert!(!world.outbox(&health, project).exists());
    still_answers(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_outside_the_manifest() -> Result<()> {
    let (world, _) = World::of_departments(RECORDS, 3)?;
    let (members, outsider) = (
        world.owners.get(..2).context("too few owners")?,
        world.owner(2)?,
    );
    let schema = linkage_tests::departments::SCHEMA;
    let rules = Rules::default();
    let project = world.propose_among(members, schema, &rules).await?;
    let matcher = world.matcher()?;

    let mut unknown = *project.as_bytes();
    unknown[0] ^= 1;
    let channel = channel(&world, Role::Owner, outsider.as_str(), matcher).await?;
    let mut statuses = vec![];
    for id in [project, unknown.into()] {
        let project: Vec<u8> = id.as_bytes().to_vec();
        let denied = Denied::at(matcher)?;
        let get = v1::GetRequest {
            project: project.clone().into(),
        };
        statuses.extend(ProjectsClient::new(channel.clone()).get(get).await.err());
        let begun = UploadsClient::new(channel.clone()).begin(begin(id)).await;
        statuses.extend(begun.err());
        let positions = v1::PositionsRequest {
            project: project.into(),
        };
        let positions = RunsClient::new(channel.clone()).positions(positions).await;
        statuses.extend(positions.err());
        denied.expect("project.unknown", outsider.as_str())?;
    }
    assert_eq!(statuses.len(), 6);
    let words = |status: &tonic::Status| {
        let message = status.message().to_owned();
        (status.code(), message, calls::reason(status))
    };
    assert_eq!(words(&statuses[0]).2, "project.unknown");
    assert!(
        statuses
            .iter()
            .all(|status| words(status) == words(&statuses[0]))
    );

    // Its own node does not know the project either, whatever its operator says.
    let Err(error) = world.approve(&outsider, project).await else {
        bail!("an outsider signed");
    };
    assert_eq!(world::reason(&error), "peer.refused");
    still_answers(&world).await
}
