//! New files count from the next connection on, whole or not at all; and a lost connection says why
//! it is lost.

use std::fs;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use linkage_node::connect::ConnectError;
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::tls::TlsFiles;
use tonic::Code;

use crate::certificates::{Authority, HOSTS, hours, today};
use crate::toy::{ToyServer, who};

/// Digest of the chain that the server would show now.
fn shown(server: &ToyServer) -> [u8; 32] {
    server.credentials.contents().chain
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_pair_counts_for_new_connections() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let good = authority.issue(Role::Owner, "health");
    let before = server.connect(&good).await.unwrap();
    let old = shown(&server);

    authority.issue(Role::Matcher, "m");
    assert!(server.credentials.reload(Timestamp::now()).unwrap());
    assert_ne!(shown(&server), old);
    who(&before).await.unwrap();
    who(&server.connect(&good).await.unwrap()).await.unwrap();
    // Nothing has changed since.
    assert!(!server.credentials.reload(Timestamp::now()).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_whole_and_right_is_not_taken() {
    let authority = Authority::new();
    let list = authority.pki.revoke(&[], today()).unwrap();
    let files = TlsFiles {
        crl: Some(list.clone()),
        ..authority.issue(Role::Matcher, "m")
    };
    let server = ToyServer::start_with(files.clone(), Limits::default()).await;
    let good = authority.issue(Role::Owner, "health");
    let contents = server.credentials.contents();
    let paths = [&files.cert, &files.key, &files.ca, &list];
    let whole = paths.map(|path| fs::read(path).unwrap());

    let stranger = Authority::new();
    let foreign_list = stranger.pki.revoke(&[], today()).unwrap();
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let other = |role, party, validity| {
        let issued = authority.pki.issue(role, party, HOSTS, validity).unwrap();
        let pair = [&issued.cert, &issued.key].map(|path| fs::read(path).unwrap());
        // `issue` has replaced the matcher's own files.
        for (path, bytes) in paths.into_iter().zip(&whole) {
            fs::write(path, bytes).unwrap();
        }
        pair
    };
    let [next, _] = other(Role::Matcher, "m", today());
    let [renamed, renamed_key] = other(Role::Matcher, "renamed", today());
    let [past, past_key] = other(Role::Matcher, "m", hours(-48, -24));
    let old_list = fs::read(authority.pki.revoke(&[], hours(-48, -24)).unwrap()).unwrap();
    fs::write(&list, &whole[3]).unwrap();

    let (cert, key, ca, crl) = (0, 1, 2, 3);
    // The reason, and which files then hold what.
    type Case = (&'static str, Vec<(usize, Vec<u8>)>);
    let cases: Vec<Case> = vec![
        ("tls_files.key_mismatch", vec![(cert, next)]),
        ("tls_files.no_certificate", vec![(cert, half(&whole[cert]))]),
        ("tls_files.no_key", vec![(key, half(&whole[key]))]),
        ("tls_files.no_certificate", vec![(ca, half(&whole[ca]))]),
        ("tls_files.no_certificate", vec![(ca, Vec::new())]),
        ("tls_files.no_list", vec![(crl, half(&whole[crl]))]),
        ("tls_files.no_list", vec![(crl, Vec::new())]),
        (
            "tls_files.missing_list",
            vec![(crl, fs::read(foreign_list).unwrap())],
        ),
        ("tls_files.past", vec![(crl, old_list)]),
        ("tls_files.past", vec![(cert, past), (key, past_key)]),
        (
            "tls_files.other_identity",
            vec![(cert, renamed), (key, renamed_key)],
        ),
    ];
    for (code, changes) in cases {
        for (at, bytes) in changes {
            fs::write(paths[at], bytes).unwrap();
        }
        let error = server.credentials.reload(Timestamp::now()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(server.credentials.contents(), contents, "{code}");
        who(&server.connect(&good).await.unwrap()).await.unwrap();
        for (path, bytes) in paths.into_iter().zip(&whole) {
            fs::write(path, bytes).unwrap();
        }
    }
    assert!(!server.credentials.reload(Timestamp::now()).unwrap());
}

#[tokio::test]
async fn a_change_is_seen_once_the_files_are_left_alone() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
    assert!(!server.credentials.is_stale(later(60)));
    authority.issue(Role::Matcher, "m");
    assert!(!server.credentials.is_stale(SystemTime::now()));
    assert!(server.credentials.is_stale(later(3)));
    server.credentials.reload(Timestamp::now()).unwrap();
    assert!(!server.credentials.is_stale(later(60)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_after_the_server_is_gone_names_the_cause() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let channel = server
        .connect(&authority.issue(Role::Owner, "health"))
        .await
        .unwrap();
    who(&channel).await.unwrap();
    server.stop().await;
    // A call that still goes out on the old connection is cancelled with it.
    let mut status = who(&channel).await.unwrap_err();
    for _ in 0..20 {
        if status.code() != Code::Cancelled {
            break;
        }
        status = who(&channel).await.unwrap_err();
    }
    assert_eq!(status.code(), Code::Unavailable);
    let cause = ConnectError::in_chain(&status).unwrap();
    assert_eq!(cause.reason(), "connect.unreachable");
}
