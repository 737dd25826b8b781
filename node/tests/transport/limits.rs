//! Silent, slow and greedy clients do not keep others out.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkage_node::authz::REASON_METADATA;
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::observe::operation::OPERATION_METADATA;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::certificates::Authority;
use crate::toy::{ToyServer, call, who};

/// The first bytes of a TLS record that never comes: a handshake of 512 bytes.
const HALF_A_RECORD: [u8; 6] = [22, 3, 1, 2, 0, 1];

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_slow_clients_block_nobody() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let good = authority.issue(Role::Owner, "health");
    let mut held = Vec::new();
    for place in 0..800 {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        if place % 2 == 0 {
            tcp.write_all(&HALF_A_RECORD).await.unwrap();
        }
        held.push(tcp);
        if place % 100 == 99 {
            let start = Instant::now();
            let channel = server.connect(&good).await.unwrap();
            who(&channel).await.unwrap();
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "took {:?}",
                start.elapsed()
            );
        }
    }
    let heard = server.heard.refusals().await;
    // The 400 silent ones all have room, and of the 400 slow ones 64, less one at most for each of
    // the eight good clients.
    let expected = 400 - 64..=400 - 64 + 8;
    assert!(expected.contains(&heard.len()), "{} refused", heard.len());
    assert!(
        heard.iter().all(|code| *code == "limit.handshakes"),
        "{heard:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_silent_clients_leaves_room_for_those_that_speak() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let good = authority.issue(Role::Owner, "health");
    let address = server.address;
    let flood = tokio::spawn(async move {
        let mut held = Vec::new();
        for _ in 0..2_000 {
            // The server may end one of these before the kernel says that it is there.
            held.push(TcpStream::connect(address).await);
        }
    });
    // A connection request that finds the kernel's queue full is repeated after 1 s (RFC 6298);
    // what the server adds to that must be little.
    let bound = Duration::from_secs(2);
    let mut served = 0;
    while !flood.is_finished() || served == 0 {
        let start = Instant::now();
        let channel = server.connect(&good).await.unwrap();
        who(&channel).await.unwrap();
        assert!(start.elapsed() < bound, "took {:?}", start.elapsed());
        served += 1;
    }
    flood.await.unwrap();
    let heard = server.heard.refusals().await;
    assert!(
        heard.contains(&"limit.handshakes"),
        "the flood never filled the server"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_is_ended() {
    let authority = Authority::new();
    let limits = Limits {
        handshake_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = ToyServer::start(&authority, limits).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(server.heard.refusals().await, ["tls.handshake_timeout"]);
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(&HALF_A_RECORD).await.unwrap();
    assert_eq!(server.heard.refusals().await, ["tls.handshake_timeout"]);
    drop((silent, slow));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded_in_all_and_by_peer() {
    let authority = Authority::new();
    let limits = Limits {
        connections_max: 3,
        connections_per_peer_max: 2,
        ..Limits::default()
    };
    let server = ToyServer::start(&authority, limits).await;
    let (health, tax) = (
        authority.issue(Role::Owner, "health"),
        authority.issue(Role::Owner, "tax"),
    );
    let first = server.connect(&health).await.unwrap();
    let second = server.connect(&health).await.unwrap();
    let error = server.connect(&health).await.unwrap_err();
    assert_eq!(error.reason(), "limit.connections_per_peer");
    let third = server.connect(&tax).await.unwrap();
    let error = server.connect(&tax).await.unwrap_err();
    assert_eq!(error.reason(), "limit.connections");
    for channel in [&first, &second, &third] {
        who(channel).await.unwrap();
    }
    assert_eq!(
        server.heard.refusals().await,
        ["limit.connections_per_peer", "limit.connections"]
    );
    // A place comes back with the connection's end, which the server sees a moment later.
    drop(first);
    let mut again = server.connect(&health).await;
    for _ in 0..100 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = server.connect(&health).await;
    }
    who(&again.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_too_many_is_asked_to_come_back() {
    let authority = Authority::new();
    let limits = Limits {
        calls_max: 1,
        ..Limits::default()
    };
    let server = ToyServer::start(&authority, limits).await;
    let channel = server
        .connect(&authority.issue(Role::Owner, "health"))
        .await
        .unwrap();
    let held = channel.clone();
    let sleeping = tokio::spawn(async move { call(&held, "/toy.v1.Toy/Sleep", "2000").await });
    while server.calls.entered.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = who(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.metadata().get(REASON_METADATA).unwrap(),
        "limit.calls"
    );
    assert!(status.metadata().contains_key(OPERATION_METADATA));
    let retry = status.get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(Duration::from_secs(1)));
    sleeping.await.unwrap().unwrap();
    who(&channel).await.unwrap();
}
