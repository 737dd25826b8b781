//! A shutdown lets requests end, and never waits longer than it may.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::service::Stopped;
use linkage_node::tls::client_config;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificates::Authority;
use crate::toy::{ToyServer, call, who};

fn drain(millis: u64) -> Limits {
    Limits {
        drain_timeout: Duration::from_millis(millis),
        ..Limits::default()
    }
}

/// Waits until a handler has been entered.
async fn entered(server: &ToyServer) {
    while server.calls.entered.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_delay_it() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, drain(5_000)).await;
    let channel = server
        .connect(&authority.issue(Role::Owner, "health"))
        .await
        .unwrap();
    who(&channel).await.unwrap();
    let start = Instant::now();
    assert_eq!(server.stop().await, Stopped { connections_cut: 0 });
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "took {:?}",
        start.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_and_nothing_new_starts() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, drain(5_000)).await;
    let good = authority.issue(Role::Owner, "health");
    let channel = server.connect(&good).await.unwrap();
    let request = tokio::spawn(async move { call(&channel, "/toy.v1.Toy/Sleep", "600").await });
    entered(&server).await;
    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the listener is still open"
    );
    assert!(!stopping.is_finished(), "it did not wait for the request");
    assert_eq!(
        request.await.unwrap().unwrap(),
        "spiffe://linkage.example/owner/health"
    );
    assert_eq!(stopping.await.unwrap(), Stopped { connections_cut: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_end_is_cut() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, drain(300)).await;
    let channel = server
        .connect(&authority.issue(Role::Owner, "health"))
        .await
        .unwrap();
    let request = tokio::spawn(async move { call(&channel, "/toy.v1.Toy/Sleep", "60000").await });
    entered(&server).await;
    let calls = Arc::clone(&server.calls);
    let start = Instant::now();
    assert_eq!(server.stop().await, Stopped { connections_cut: 1 });
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(300)..Duration::from_millis(1_200)).contains(&took),
        "{took:?}"
    );
    request.await.unwrap().unwrap_err();
    for _ in 0..100 {
        if calls.left.load(Ordering::SeqCst) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the handler of a cut connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_speaks_cannot_hold_it_up() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, drain(300)).await;
    let config = client_config(&authority.issue(Role::Owner, "health")).unwrap();
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let held = TlsConnector::from(config).connect(name, tcp).await.unwrap();
    let silent = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    server.stop().await;
    assert!(
        start.elapsed() < Duration::from_millis(1_500),
        "took {:?}",
        start.elapsed()
    );
    drop((held, silent));
}
