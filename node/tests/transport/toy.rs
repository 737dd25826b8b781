//! A server with a toy service, and the client's calls to it.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use linkage_node::accept::RefusalSink;
use linkage_node::authz::layer::AuthzLayer;
use linkage_node::authz::permit::Caller;
use linkage_node::authz::table::{Party, Rule, Table};
use linkage_node::authz::{Denial, DenialSink, DeniedCall};
use linkage_node::connect::{ConnectError, Target, connect};
use linkage_node::identity::{Identity, Role};
use linkage_node::limits::Limits;
use linkage_node::refusal::Refusal;
use linkage_node::service::{ServeOptions, Stopped, serve};
use linkage_node::tls::credentials::Credentials;
use linkage_node::tls::{TlsFiles, client_config};
use rustls::ClientConfig;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use crate::certificates::{Authority, TRUST_DOMAIN};

/// Who may call the toy service; `Hidden` exists but has no row.
const RULES: &[Rule] = &[
    Rule {
        path: "/toy.v1.Toy/Who",
        roles: &[Role::Owner, Role::Operator],
        party: Party::Any,
    },
    Rule {
        path: "/toy.v1.Toy/Sleep",
        roles: &[Role::Owner],
        party: Party::Any,
    },
    Rule {
        path: "/toy.v1.Toy/Own",
        roles: &[Role::Operator],
        party: Party::Own,
    },
];

/// Answers with the caller's identity, to `Sleep` after so many milliseconds.
#[derive(Clone, Default)]
struct Toy {
    calls: Arc<Calls>,
}

/// Handlers entered, and handlers ended or dropped.
#[derive(Default)]
pub struct Calls {
    pub entered: AtomicUsize,
    pub left: AtomicUsize,
}

struct Leaving(Arc<Calls>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

impl NamedService for Toy {
    const NAME: &'static str = "toy.v1.Toy";
}

impl Service<http::Request<Body>> for Toy {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let calls = Arc::clone(&self.calls);
        let sleeps = request.uri().path() == "/toy.v1.Toy/Sleep";
        let handler = service_fn(move |request: Request<String>| {
            let calls = Arc::clone(&calls);
            async move {
                calls.entered.fetch_add(1, Ordering::SeqCst);
                let _leaving = Leaving(calls);
                let caller = Caller::of(&request)?;
                if sleeps {
                    let millis = request.into_inner().parse().unwrap();
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
                Ok::<_, Status>(Response::new(caller.identity().to_string()))
            }
        });
        let codec = ProstCodec::<String, String>::default();
        Box::pin(async move {
            Ok(tonic::server::Grpc::new(codec)
                .unary(handler, request)
                .await)
        })
    }
}

/// Caller, procedure and reason of a denied call.
type HeardDenial = (Option<Identity>, Option<&'static str>, Denial);

/// What a server's sinks have heard.
#[derive(Default)]
pub struct Heard {
    refusals: Mutex<Vec<(SocketAddr, Refusal)>>,
    denials: Mutex<Vec<HeardDenial>>,
}

impl RefusalSink for Heard {
    fn refused(&self, peer: SocketAddr, reason: Refusal) {
        self.refusals.lock().unwrap().push((peer, reason));
    }
}

impl DenialSink for Heard {
    fn denied(&self, call: DeniedCall<'_>) {
        let caller = call.caller.map(|(identity, _)| identity.clone());
        let heard = (caller, call.procedure, call.reason);
        self.denials.lock().unwrap().push(heard);
    }
}

impl Heard {
    /// Waits for the first refusal and returns all codes since the last call.
    pub async fn refusals(&self) -> Vec<&'static str> {
        for _ in 0..500 {
            let heard = std::mem::take(&mut *self.refusals.lock().unwrap());
            if !heard.is_empty() {
                return heard.iter().map(|(_, reason)| reason.code()).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Vec::new()
    }

    pub fn denials(&self) -> Vec<HeardDenial> {
        std::mem::take(&mut *self.denials.lock().unwrap())
    }

    /// What was refused so far, without waiting.
    pub fn refused_now(&self) -> Vec<&'static str> {
        self.refusals
            .lock()
            .unwrap()
            .iter()
            .map(|(_, reason)| reason.code())
            .collect()
    }
}

/// A running server of the matcher `m`.
pub struct ToyServer {
    pub address: SocketAddr,
    pub heard: Arc<Heard>,
    pub calls: Arc<Calls>,
    pub credentials: Arc<Credentials>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Stopped>,
}

impl ToyServer {
    pub async fn start(authority: &Authority, limits: Limits) -> Self {
        Self::start_with(authority.issue(Role::Matcher, "m"), limits).await
    }

    pub async fn start_with(files: TlsFiles, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let credentials = Credentials::read(files).unwrap();
        let heard = Arc::new(Heard::default());
        let toy = Toy::default();
        let calls = Arc::clone(&toy.calls);
        let denials: Arc<dyn DenialSink> = heard.clone();
        let options = ServeOptions {
            credentials: Arc::clone(&credentials),
            trust_domain: TRUST_DOMAIN.to_owned(),
            limits,
            refusals: heard.clone(),
            authz: AuthzLayer::new(
                Table::new("m", RULES).unwrap(),
                Arc::clone(&credentials),
                denials,
            ),
            hold: watch::channel(None).1,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let shutdown = async {
                stopped.await.ok();
            };
            let now = std::future::pending();
            serve(listener, options, Routes::new(toy), shutdown, now)
                .await
                .unwrap()
        });
        Self {
            address,
            heard,
            calls,
            credentials,
            stop,
            served,
        }
    }

    /// Where and who the server is.
    pub fn target(&self) -> Target {
        Target::new(&self.address.to_string(), party(Role::Matcher, "m")).unwrap()
    }

    pub async fn connect(&self, files: &TlsFiles) -> Result<Channel, ConnectError> {
        self.connect_as(client_config(files).unwrap()).await
    }

    pub async fn connect_as(&self, config: Arc<ClientConfig>) -> Result<Channel, ConnectError> {
        connect(self.target(), config, &Limits::default()).await
    }

    /// Asks the server to stop, and waits for it, at most 10 s.
    pub async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.served)
            .await
            .unwrap()
            .unwrap()
    }
}

pub fn party(role: Role, name: &str) -> Identity {
    Identity::new(TRUST_DOMAIN, role, name).unwrap()
}

/// Calls a procedure that takes and gives a string.
pub async fn call(channel: &Channel, path: &'static str, text: &str) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready()
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    let codec = ProstCodec::<String, String>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let reply = grpc
        .unary(Request::new(text.to_owned()), path, codec)
        .await?;
    Ok(reply.into_inner())
}

pub async fn who(channel: &Channel) -> Result<String, Status> {
    call(channel, "/toy.v1.Toy/Who", "").await
}
