//! Who may call what, as seen by caller, handler and sink.

use std::sync::atomic::Ordering;

use linkage_node::authz::{Denial, REASON_METADATA};
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use tonic::Code;

use crate::certificates::Authority;
use crate::toy::{ToyServer, call, party, who};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_sees_who_calls() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    for (role, name) in [(Role::Owner, "health"), (Role::Operator, "li")] {
        let channel = server.connect(&authority.issue(role, name)).await.unwrap();
        assert_eq!(who(&channel).await.unwrap(), party(role, name).to_string());
    }
    assert!(server.heard.denials().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_acts_at_its_own_node() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let files = authority.issue(Role::Operator, "m");
    let channel = server.connect(&files).await.unwrap();
    let answer = call(&channel, "/toy.v1.Toy/Own", "").await.unwrap();
    assert_eq!(answer, party(Role::Operator, "m").to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_table_does_not_allow_never_reaches_a_handler() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let (known, own, hidden) = ("/toy.v1.Toy/Who", "/toy.v1.Toy/Own", "/toy.v1.Toy/Hidden");
    for (role, path, denial, procedure) in [
        (Role::Analyst, known, Denial::Role, Some(known)),
        (Role::Auditor, known, Denial::Role, Some(known)),
        (Role::Matcher, known, Denial::Role, Some(known)),
        (Role::Operator, own, Denial::Party, Some(own)),
        (Role::Owner, hidden, Denial::UnknownProcedure, None),
        (
            Role::Owner,
            "/nowhere.v1.No/Thing",
            Denial::UnknownProcedure,
            None,
        ),
        (
            Role::Owner,
            "/toy.v1.Toy/who",
            Denial::UnknownProcedure,
            None,
        ),
        (
            Role::Owner,
            "/toy.v1.Toy/Who/",
            Denial::UnknownProcedure,
            None,
        ),
        (
            Role::Owner,
            "/toy.v1.Toy/%57ho",
            Denial::UnknownProcedure,
            None,
        ),
    ] {
        let channel = server.connect(&authority.issue(role, "x")).await.unwrap();
        let status = call(&channel, path, "").await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{path}");
        assert_eq!(
            status.metadata().get(REASON_METADATA).unwrap(),
            denial.code()
        );
        let heard = (Some(party(role, "x")), procedure, denial);
        assert_eq!(server.heard.denials(), [heard]);
    }
    assert_eq!(server.calls.entered.load(Ordering::SeqCst), 0);
}
