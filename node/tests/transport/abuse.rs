//! A client that is let in and misbehaves harms itself only.

use std::sync::atomic::Ordering;
use std::time::Duration;

use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::certificates::Authority;
use crate::toy::{ToyServer, call, who};

/// Calls `Who` with a header of so many bytes.
async fn with_header(channel: &Channel, bytes: usize) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready()
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    let mut request = Request::new(String::new());
    let value = "a".repeat(bytes).parse().unwrap();
    request.metadata_mut().insert("padding", value);
    let path = http::uri::PathAndQuery::from_static("/toy.v1.Toy/Who");
    let codec = ProstCodec::<String, String>::default();
    Ok(grpc.unary(request, path, codec).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_beyond_the_bound_reach_no_handler() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let (good, greedy) = (
        authority.issue(Role::Owner, "health"),
        authority.issue(Role::Owner, "greedy"),
    );
    let good = server.connect(&good).await.unwrap();
    with_header(&good, 8 << 10).await.unwrap();
    let greedy = server.connect(&greedy).await.unwrap();
    for bytes in [17 << 10, 1 << 20] {
        with_header(&greedy, bytes).await.unwrap_err();
        who(&good).await.unwrap();
    }
    assert_eq!(server.calls.entered.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_cancelled_calls_leaves_nothing_behind() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let (good, stormy) = (
        authority.issue(Role::Owner, "health"),
        authority.issue(Role::Owner, "stormy"),
    );
    let good = server.connect(&good).await.unwrap();
    let stormy = server.connect(&stormy).await.unwrap();
    for number in 0..2_000 {
        let stormy = stormy.clone();
        let cancelled =
            tokio::spawn(async move { call(&stormy, "/toy.v1.Toy/Sleep", "60000").await });
        // Some are cancelled before they are sent, some before they are answered.
        if number % 4 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancelled.abort();
        if number % 100 == 0 {
            who(&good).await.unwrap();
        }
    }
    let calls = &server.calls;
    let count = || {
        (
            calls.entered.load(Ordering::SeqCst),
            calls.left.load(Ordering::SeqCst),
        )
    };
    for _ in 0..500 {
        let (entered, left) = count();
        if entered == left {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (entered, left) = count();
    assert_eq!(entered, left, "a handler outlives its call");
    assert!(entered > 20, "no call of the storm arrived: {entered}");
    who(&good).await.unwrap();
}
