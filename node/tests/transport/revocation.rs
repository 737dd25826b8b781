//! Revocation lists: at the handshake, on connections that are open, in both directions; and what
//! happens when no list can be relied on.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use linkage_node::connect::ConnectError;
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::tls::credentials::Credentials;
use linkage_node::tls::{TlsFiles, client_config};
use tonic::{Code, Status};

use crate::certificates::{Authority, Hierarchy, hours, today};
use crate::toy::{ToyServer, call, who};

fn with_list(files: TlsFiles, list: &Path) -> TlsFiles {
    TlsFiles {
        crl: Some(list.to_owned()),
        ..files
    }
}

/// A server that believes the list in this file.
async fn server(authority: &Authority, list: &Path) -> ToyServer {
    let files = with_list(authority.issue(Role::Matcher, "m"), list);
    ToyServer::start_with(files, Limits::default()).await
}

/// Both sides give this reason.
async fn refused(server: &ToyServer, files: &TlsFiles, reason: &str) {
    let error = server.connect(files).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Refused { .. }),
        "{reason}: {error:?}"
    );
    assert_eq!(error.reason(), reason);
    assert_eq!(server.heard.refusals().await, [reason]);
}

/// The reason of a failed call: of the call itself, or of the connection that it needed.
fn reason(status: &Status) -> String {
    match ConnectError::in_chain(status) {
        Some(error) => error.reason().to_owned(),
        None => status
            .metadata()
            .get(linkage_node::authz::REASON_METADATA)
            .map(|reason| reason.to_str().unwrap().to_owned())
            .unwrap_or_else(|| format!("{status:?}")),
    }
}

/// The first reason that a stable failure gives: a call on a connection that is just being cut may
/// fail without one.
async fn settled_reason(channel: &tonic::transport::Channel) -> String {
    for _ in 0..20 {
        let status = who(channel).await.unwrap_err();
        if !matches!(status.code(), Code::Cancelled | Code::Unknown) {
            return reason(&status);
        }
    }
    panic!("no reason in 20 calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_refused() {
    let authority = Authority::new();
    let (good, bad) = (
        authority.issue(Role::Owner, "health"),
        authority.issue(Role::Owner, "tax"),
    );
    let list = authority.pki.revoke(&[&bad.cert], today()).unwrap();
    let server = server(&authority, &list).await;
    refused(&server, &bad, "tls.revoked").await;
    who(&server.connect(&good).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_below_a_revoked_one_is_refused() {
    let hierarchy = Hierarchy::new();
    let leaf = hierarchy.issue(Role::Owner, "health");
    let server_files = |revoked| {
        let list = hierarchy.lists(revoked);
        with_list(hierarchy.issue(Role::Matcher, "m"), &list)
    };
    let server = ToyServer::start_with(server_files(false), Limits::default()).await;
    who(&server.connect(&leaf).await.unwrap()).await.unwrap();
    server.stop().await;
    let server = ToyServer::start_with(server_files(true), Limits::default()).await;
    refused(&server, &leaf, "tls.authority_revoked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_current_list_nobody_is_let_in() {
    let authority = Authority::new();
    let good = authority.issue(Role::Owner, "health");
    let list = authority.pki.revoke(&[], hours(-48, -24)).unwrap();
    let expired = server(&authority, &list).await;
    refused(&expired, &good, "tls.revocation_list_expired").await;

    // The lists cover the root and not the authority below it, which issued the certificate.
    let hierarchy = Hierarchy::new();
    let leaf = hierarchy.issue(Role::Owner, "health");
    let files = with_list(hierarchy.issue(Role::Matcher, "m"), &hierarchy.root_list());
    let partial = ToyServer::start_with(files, Limits::default()).await;
    refused(&partial, &leaf, "tls.no_revocation_list").await;
}

#[test]
fn a_list_that_its_authority_has_not_signed_is_not_believed() {
    let hierarchy = Hierarchy::new();
    let files = hierarchy.issue(Role::Matcher, "m");
    Credentials::read(with_list(files.clone(), &hierarchy.lists(true))).unwrap();
    let forged = Credentials::read(with_list(files, &hierarchy.forged_list()));
    assert_eq!(forged.err().unwrap().code(), "tls_files.bad_list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_refuses_a_revoked_server() {
    let authority = Authority::new();
    let files = authority.issue(Role::Matcher, "m");
    let list = authority.pki.revoke(&[&files.cert], today()).unwrap();
    let server = ToyServer::start_with(files, Limits::default()).await;
    let client = with_list(authority.issue(Role::Owner, "health"), &list);
    let error = server.connect(&client).await.unwrap_err();
    assert!(matches!(error, ConnectError::Server { .. }), "{error:?}");
    assert_eq!(error.reason(), "tls.revoked");
    assert_eq!(server.heard.refusals().await, ["tls.refused_by_peer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_reaches_open_connections_and_calls_under_way() {
    let authority = Authority::new();
    let (good, bad) = (
        authority.issue(Role::Owner, "health"),
        authority.issue(Role::Owner, "tax"),
    );
    let list = authority.pki.revoke(&[], today()).unwrap();
    let server = server(&authority, &list).await;
    let kept = server.connect(&good).await.unwrap();
    let lost = server.connect(&bad).await.unwrap();
    who(&kept).await.unwrap();
    who(&lost).await.unwrap();
    let sleeping = lost.clone();
    let under_way =
        tokio::spawn(async move { call(&sleeping, "/toy.v1.Toy/Sleep", "60000").await });
    while server
        .calls
        .entered
        .load(std::sync::atomic::Ordering::SeqCst)
        < 3
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    authority.pki.revoke(&[&bad.cert], today()).unwrap();
    assert!(server.credentials.reload(Timestamp::now()).unwrap());
    let cut = tokio::time::timeout(Duration::from_secs(10), under_way).await;
    cut.unwrap().unwrap().unwrap_err();
    assert_eq!(server.heard.refusals().await, ["tls.revoked"]);
    assert_eq!(settled_reason(&lost).await, "tls.revoked");
    who(&kept).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_replaced_without_a_lost_call() {
    let (old, new) = (Authority::new(), Authority::new());
    let matcher = old.issue(Role::Matcher, "m");
    let server = ToyServer::start_with(matcher.clone(), Limits::default()).await;
    let both = format!(
        "{}{}",
        fs::read_to_string(old.ca()).unwrap(),
        fs::read_to_string(new.ca()).unwrap()
    );
    // Clients trust both from the start, and have certificates of the one or the other.
    let trusting = |files: TlsFiles| {
        fs::write(&files.ca, &both).unwrap();
        client_config(&files).unwrap()
    };
    let (before, after) = (
        trusting(old.issue(Role::Owner, "health")),
        trusting(new.issue(Role::Owner, "health")),
    );
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let first = server.connect_as(Arc::clone(&before)).await.unwrap();
    let load = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut calls = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                who(&first).await.unwrap();
                calls += 1;
            }
            calls
        }
    });

    let reload = || server.credentials.reload(Timestamp::now()).unwrap();
    fs::write(&matcher.ca, &both).unwrap();
    assert!(reload());
    let renewed = new.issue(Role::Matcher, "m");
    fs::copy(&renewed.key, &matcher.key).unwrap();
    fs::copy(&renewed.cert, &matcher.cert).unwrap();
    assert!(reload());
    let second = server.connect_as(after).await.unwrap();
    who(&second).await.unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);

    // The old authority goes, and with it those who have only its certificates.
    fs::copy(new.ca(), &matcher.ca).unwrap();
    assert!(reload());
    who(&second).await.unwrap();
    let error = server.connect_as(before).await.unwrap_err();
    assert_eq!(error.reason(), "tls.unknown_ca");
}
