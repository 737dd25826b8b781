//! New certificates count from the next connection on, and a lost connection says why it is lost.

use linkage_node::connect::ConnectError;
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::tls::server_config;
use tonic::Code;

use crate::certificates::Authority;
use crate::toy::{ToyServer, who};

#[tokio::test(flavor = "multi_thread")]
async fn new_settings_count_for_new_connections() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let good = authority.issue(Role::Owner, "health");
    let before = server.connect(&good).await.unwrap();
    who(&before).await.unwrap();

    let renamed = authority.issue(Role::Matcher, "renamed");
    server.tls.send(server_config(&renamed).unwrap()).unwrap();
    let error = server.connect(&good).await.unwrap_err();
    assert_eq!(error.reason(), "identity.wrong_party");
    assert!(
        error
            .to_string()
            .contains("is spiffe://linkage.example/matcher/renamed"),
        "{error}"
    );
    who(&before).await.unwrap();
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
