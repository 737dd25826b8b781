//! The TLS matrix: each flaw is refused with its own reason, which both sides are told.

use std::sync::Arc;

use linkage_node::connect::{ConnectError, Target, connect};
use linkage_node::identity::Role;
use linkage_node::limits::Limits;
use linkage_node::tls::{TlsFiles, client_config};
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificates::{Authority, HOSTS, hours, today};
use crate::toy::{ToyServer, party, who};

/// A client that is refused: its settings, the server's reason, and words in the client's error.
struct Case {
    config: Arc<ClientConfig>,
    reason: &'static str,
    words: &'static str,
}

fn case(files: &TlsFiles, reason: &'static str, words: &'static str) -> Case {
    Case {
        config: client_config(files).unwrap(),
        reason,
        words,
    }
}

/// A client's settings of another version, with or without a certificate.
fn settings(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
    own: Option<&TlsFiles>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority.ca()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let chain = vec![CertificateDer::from_pem_file(&files.cert).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Shows a certificate without having its key.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A client's settings with a weak key: rustls itself would not load it.
fn weak(authority: &Authority) -> ClientConfig {
    let files = authority.weak();
    let chain = vec![CertificateDer::from_pem_file(&files.cert).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let mut config = settings(authority, &rustls::version::TLS13, None);
    config.client_auth_cert_resolver = Arc::new(Shown(Arc::new(CertifiedKey::new(chain, key))));
    config
}

fn cases(authority: &Authority) -> Vec<Case> {
    let stranger = Authority::new();
    let unknown = TlsFiles {
        ca: authority.ca(),
        ..stranger.issue(Role::Owner, "health")
    };
    let expired = authority
        .pki
        .issue(Role::Owner, "past", HOSTS, hours(-48, -24))
        .unwrap();
    let early = authority
        .pki
        .issue(Role::Owner, "future", HOSTS, hours(24, 48))
        .unwrap();
    let good = authority.issue(Role::Owner, "health");
    let tls13 = &rustls::version::TLS13;
    let mut no_alpn = settings(authority, tls13, Some(&good));
    no_alpn.alpn_protocols = Vec::new();
    let mut http1 = settings(authority, tls13, Some(&good));
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let plain = |config, reason, words| Case {
        config: Arc::new(config),
        reason,
        words,
    };
    let odd = |uris: &[&str], reason, words| case(&authority.odd(uris, ClientAuth), reason, words);
    let (own, foreign) = (
        "spiffe://linkage.example/owner/a",
        "spiffe://other.example/owner/a",
    );
    vec![
        plain(
            settings(authority, tls13, None),
            "tls.no_client_certificate",
            "no client cert",
        ),
        plain(
            settings(authority, &rustls::version::TLS12, Some(&good)),
            "tls.protocol_version",
            "TLS 1.3 is required",
        ),
        plain(no_alpn, "tls.wrong_alpn", "HTTP/2 is required"),
        plain(http1, "tls.wrong_alpn", "HTTP/2 is required"),
        plain(weak(authority), "tls.weak_key", "a key is weak"),
        case(&unknown, "tls.unknown_ca", "unknown certificate authority"),
        case(&expired, "tls.expired", "is expired"),
        case(&early, "tls.not_yet_valid", "not valid yet"),
        case(
            &authority.odd(&[own], ServerAuth),
            "tls.wrong_eku",
            "not meant for this use",
        ),
        odd(&[], "identity.no_uri_san", "names no URI"),
        odd(&[own, own], "identity.many_uri_sans", "more than one URI"),
        odd(
            &["spiffe://linkage.example/*/a"],
            "identity.wildcard",
            "wildcard",
        ),
        odd(
            &["https://linkage.example/owner/a"],
            "identity.wrong_scheme",
            "scheme",
        ),
        odd(
            &["spiffe://linkage.example/owner"],
            "identity.bad_path",
            "is not spiffe://",
        ),
        odd(
            &["spiffe://linkage.example/root/a"],
            "identity.unknown_role",
            "role is not known",
        ),
        odd(
            &["spiffe://linkage.example/owner/A"],
            "identity.bad_party",
            "the party",
        ),
        odd(
            &[foreign],
            "identity.foreign_trust_domain",
            "another trust domain",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flaw_of_a_client_has_its_reason_on_both_sides() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    for Case {
        config,
        reason,
        words,
    } in cases(&authority)
    {
        let error = server.connect_as(config).await.unwrap_err();
        assert_eq!(server.heard.refusals().await, [reason]);
        assert!(
            matches!(error, ConnectError::Refused { .. }),
            "{reason}: {error:?}"
        );
        assert_eq!(error.reason(), reason);
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains("refused us"),
            "{reason}: {text}"
        );
    }
    // After all that, a good client is served.
    let channel = server
        .connect(&authority.issue(Role::Owner, "health"))
        .await
        .unwrap();
    assert_eq!(
        who(&channel).await.unwrap(),
        "spiffe://linkage.example/owner/health"
    );
    assert_eq!(server.heard.refused_now(), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flaw_of_a_server_is_refused_by_the_client() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let validity = today();
    let good = authority.issue(Role::Owner, "health");
    let own = "spiffe://linkage.example/matcher/m";
    let issue = |party, hosts: &[&str], validity| {
        authority.issue_apart(Role::Matcher, party, hosts, validity)
    };
    let odd = |uris: &[&str], purpose| authority.odd(uris, purpose);
    let unknown = TlsFiles {
        ca: authority.ca(),
        ..stranger.issue(Role::Matcher, "m")
    };
    let owner = authority.issue(Role::Owner, "m");
    let seen = Some("tls.refused_by_peer");
    for (files, reason, heard) in [
        (issue("m", HOSTS, hours(-48, -24)), "tls.expired", seen),
        (issue("m", HOSTS, hours(24, 48)), "tls.not_yet_valid", seen),
        (issue("m", &["m.example"], validity), "tls.wrong_name", seen),
        (unknown, "tls.unknown_ca", seen),
        (odd(&[own], ClientAuth), "tls.wrong_eku", seen),
        // Here the handshake succeeds and the client turns away.
        (odd(&[], ServerAuth), "identity.no_uri_san", None),
        (
            issue("other", HOSTS, validity),
            "identity.wrong_party",
            None,
        ),
        (owner, "identity.wrong_party", None),
    ] {
        let server = ToyServer::start_with(files, Limits::default()).await;
        let error = server.connect(&good).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        match heard {
            Some(code) => assert_eq!(server.heard.refusals().await, [code]),
            None => assert_eq!(server.heard.refused_now(), Vec::<&str>::new()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_resumed() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    let good = authority.issue(Role::Owner, "health");
    // These settings keep tickets and sessions, as an ordinary client's do.
    let config = Arc::new(settings(&authority, &rustls::version::TLS13, Some(&good)));
    for _ in 0..3 {
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::clone(&config));
        let mut tls = connector.connect(name, tcp).await.unwrap();
        // A ticket would come with the first frame.
        tls.read_exact(&mut [0; 9]).await.unwrap();
        let (_, session) = tls.get_ref();
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_to_check_can_differ_from_the_address() {
    let authority = Authority::new();
    let files = authority
        .pki
        .issue(Role::Matcher, "m", &["m.example"], today())
        .unwrap();
    let server = ToyServer::start_with(files, Limits::default()).await;
    let config = client_config(&authority.issue(Role::Owner, "health")).unwrap();
    let target = server.target().with_server_name("m.example").unwrap();
    let channel = connect(target, config, &Limits::default()).await.unwrap();
    who(&channel).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_is_refused_as_such() {
    let authority = Authority::new();
    let server = ToyServer::start(&authority, Limits::default()).await;
    for words in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(words.as_bytes()).await.unwrap();
        assert_eq!(server.heard.refusals().await, ["tls.not_tls"]);
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
    }
    drop(TcpStream::connect(server.address).await.unwrap());
    assert_eq!(server.heard.refusals().await, ["tls.closed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_or_silent_server_is_named() {
    let authority = Authority::new();
    let config = client_config(&authority.issue(Role::Owner, "health")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let target = Target::new(&address, party(Role::Matcher, "m")).unwrap();
    let limits = Limits {
        connect_timeout: std::time::Duration::from_millis(200),
        ..Limits::default()
    };
    // The kernel accepts; nobody speaks.
    let error = connect(target.clone(), Arc::clone(&config), &limits)
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "connect.timeout");
    assert!(error.to_string().contains("TLS handshake"), "{error}");

    drop(listener);
    let error = connect(target, config, &limits).await.unwrap_err();
    assert_eq!(error.reason(), "connect.unreachable");
    assert!(error.to_string().contains(&address), "{error}");
}
