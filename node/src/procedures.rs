//! Every procedure of the protocol: who may call it, and what its handler is given.
//!
//! The list below is the only place where the services that tonic generates are implemented. It
//! makes, for each service, a trait whose methods take a [`Permit`], or a [`Member`] where the
//! procedure is about a project; a row of the table of roles for each procedure; and the glue that
//! checks and then calls. So a handler cannot be reached past the checks, and a procedure that is
//! in the `.proto` files but not here does not compile.
//!
//! A handler is a method that takes its permit:
//!
//! ```
//! # use linkage_core::{ids::ProjectId, project::Project};
//! # use linkage_node::{authz::permit::{Manifests, Permit}, fault::Fault, journal::Journal};
//! # use linkage_node::procedures::{Tables, tables};
//! # use linkage_proto::v1::TableMessage;
//! # use tokio_stream::wrappers::ReceiverStream;
//! # use tonic::{Status, Streaming};
//! # struct Node;
//! # impl Manifests for Node {
//! #     fn known_project(&self, _: &ProjectId) -> Result<Option<Project>, Fault> { Ok(None) }
//! #     fn journal(&self) -> &Journal { panic!() }
//! # }
//! impl Tables for Node {
//!     async fn compute(
//!         &self,
//!         permit: Permit<tables::Compute>,
//!         request: Streaming<TableMessage>,
//!     ) -> Result<ReceiverStream<Result<TableMessage, Status>>, Fault> {
//! #       Err(Fault::no_project())
//!         // ...
//!     }
//! }
//! ```
//!
//! One that takes none is no handler:
//!
//! ```compile_fail
//! # use linkage_core::{ids::ProjectId, project::Project};
//! # use linkage_node::{authz::permit::{Manifests, Permit}, fault::Fault, journal::Journal};
//! # use linkage_node::procedures::{Tables, tables};
//! # use linkage_proto::v1::TableMessage;
//! # use tokio_stream::wrappers::ReceiverStream;
//! # use tonic::{Status, Streaming};
//! # struct Node;
//! # impl Manifests for Node {
//! #     fn known_project(&self, _: &ProjectId) -> Result<Option<Project>, Fault> { Ok(None) }
//! #     fn journal(&self) -> &Journal { panic!() }
//! # }
//! impl Tables for Node {
//!     async fn compute(
//!         &self,
//!         request: Streaming<TableMessage>,
//!     ) -> Result<ReceiverStream<Result<TableMessage, Status>>, Fault> {
//! #       Err(Fault::no_project())
//!         // ...
//!     }
//! }
//! ```
//!
//! Nor does a permit for one procedure serve for another, and nobody can make one:
//!
//! ```
//! # use linkage_node::{authz::permit::Permit, procedures::projects};
//! fn sign(permit: Permit<projects::Sign>) {}
//! fn call(permit: Permit<projects::Sign>) { sign(permit) }
//! ```
//!
//! ```compile_fail
//! # use linkage_node::{authz::permit::Permit, procedures::projects};
//! fn sign(permit: Permit<projects::Sign>) {}
//! fn call(permit: Permit<projects::Get>) { sign(permit) }
//! ```
//!
//! ```compile_fail
//! # use linkage_node::{authz::permit::{Caller, Permit}, procedures::projects};
//! # use std::marker::PhantomData;
//! fn forge(caller: Caller) -> Permit<projects::Sign> {
//!     Permit { caller, procedure: PhantomData }
//! }
//! ```

use std::sync::Arc;

use linkage_proto::v1;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::authz::permit::{Manifests, Member, Permit};
use crate::authz::table::Rule;
use crate::fault::Fault;

/// The services of a node, with the rows of the table of roles that belong to them.
pub struct Services {
    routes: Routes,
    rules: Vec<Rule>,
    message_bytes_max: usize,
}

impl Services {
    /// No services; those that follow take and give messages of at most `message_bytes_max` bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            routes: Routes::default(),
            rules: Vec::new(),
            message_bytes_max,
        }
    }

    /// What the node serves, and who may call it.
    pub fn into_parts(self) -> (Routes, Vec<Rule>) {
        (self.routes, self.rules)
    }
}

/// Stands between tonic's services and the handlers of `T`.
struct Gate<T>(Arc<T>);

/// What a handler is called with: `permit` or `member`.
macro_rules! permit {
    (permit $P:ty) => { Permit<$P> };
    (member $P:ty) => { Member<$P> };
}

/// What a procedure takes: one message or a stream of them.
macro_rules! taken {
    ($Message:ident) => { v1::$Message };
    (stream $Message:ident) => { Streaming<v1::$Message> };
}

/// What a procedure gives: one message or a stream of them.
macro_rules! given {
    ($Message:ident) => { v1::$Message };
    (stream $Message:ident as $Stream:ident) => { ReceiverStream<Result<v1::$Message, Status>> };
}

/// The associated type in which tonic wants a stream named.
macro_rules! given_stream {
    ($Message:ident) => {};
    (stream $Message:ident as $Stream:ident) => {
        type $Stream = ReceiverStream<Result<v1::$Message, Status>>;
    };
}

/// The check that follows the table's.
macro_rules! checked {
    (permit $permit:ident $node:expr, $message:ident) => {
        $permit
    };
    (member $permit:ident $node:expr, $message:ident) => {
        $permit.member($node, &$message.project)?
    };
}

macro_rules! service {
    (
        $(#[$docs:meta])*
        $Service:ident $module:ident $server:ident::$Server:ident;
        $(
            $Rpc:ident $rpc:ident($($In:tt)+) -> ($($Out:tt)+):
            $($role:ident)|+ of $party:ident party, $check:ident;
        )+
    ) => {
        #[doc = concat!("The procedures of [`", stringify!($Service), "`] as types.")]
        pub mod $module {
            use crate::authz::permit::Procedure;
            use crate::authz::table::{Party, Rule};
            use crate::identity::Role;

            $(
                #[doc = concat!("`", stringify!($Service), "/", stringify!($Rpc), "`")]
                #[derive(Debug)]
                pub enum $Rpc {}

                impl Procedure for $Rpc {
                    const PATH: &'static str =
                        concat!("/linkage.v1.", stringify!($Service), "/", stringify!($Rpc));
                }
            )+

            /// Who may call them.
            pub const RULES: &[Rule] = &[$(
                Rule {
                    path: <$Rpc as Procedure>::PATH,
                    roles: &[$(Role::$role),+],
                    party: Party::$party,
                },
            )+];
        }

        $(#[$docs])*
        pub trait $Service: Manifests {
            $(
                #[doc = concat!("Answers `", stringify!($Service), "/", stringify!($Rpc), "`.")]
                fn $rpc(
                    &self,
                    permit: permit!($check $module::$Rpc),
                    request: taken!($($In)+),
                ) -> impl Future<Output = Result<given!($($Out)+), Fault>> + Send;
            )+
        }

        #[tonic::async_trait]
        impl<T: $Service> v1::$server::$Service for Gate<T> {
            $(
                given_stream!($($Out)+);

                async fn $rpc(
                    &self,
                    request: Request<taken!($($In)+)>,
                ) -> Result<Response<given!($($Out)+)>, Status> {
                    let permit = Permit::<$module::$Rpc>::of(&request)?;
                    let message = request.into_inner();
                    let permit = checked!($check permit &*self.0, message);
                    Ok(Response::new(self.0.$rpc(permit, message).await?))
                }
            )+
        }

        impl Services {
            #[doc = concat!("Adds [`", stringify!($Service), "`].")]
            #[must_use]
            pub fn $module<T: $Service>(mut self, node: &Arc<T>) -> Self {
                let server = v1::$server::$Server::new(Gate(Arc::clone(node)))
                    .max_decoding_message_size(self.message_bytes_max)
                    .max_encoding_message_size(self.message_bytes_max);
                self.routes = self.routes.add_service(server);
                self.rules.extend($module::RULES);
                self
            }
        }
    };
}

service! {
    /// Manifests, their signatures and owners' notices, at the matcher.
    Projects projects projects_server::ProjectsServer;
    Propose propose(ProposeRequest) -> (ProjectReply): Owner of Any party, permit;
    Sign sign(SignRequest) -> (ProjectReply): Owner of Any party, member;
    Get get(GetRequest) -> (ProjectReply): Owner of Any party, member;
    List list(ListRequest) -> (ListReply): Owner of Any party, permit;
    Suspend suspend(NoticeRequest) -> (ProjectReply): Owner of Any party, member;
    Resume resume(NoticeRequest) -> (ProjectReply): Owner of Any party, member;
    Close close(NoticeRequest) -> (ProjectReply): Owner of Any party, member;
}

service! {
    /// The blind mailbox of the owners' key agreement, at the matcher.
    Mailbox mailbox mailbox_server::MailboxServer;
    Post post(PostRequest) -> (PostReply): Owner of Any party, member;
    Collect collect(CollectRequest) -> (CollectReply): Owner of Any party, member;
}

service! {
    /// Uploads of encoded records, at the matcher.
    Uploads uploads uploads_server::UploadsServer;
    Begin begin(BeginRequest) -> (UploadState): Owner of Any party, member;
    Put put(stream Chunk) -> (stream Ack as PutStream): Owner of Any party, permit;
    Status status(UploadName) -> (UploadState): Owner of Any party, permit;
    Seal seal(UploadName) -> (UploadState): Owner of Any party, permit;
    Abort abort(UploadName) -> (UploadState): Owner of Any party, permit;
}

service! {
    /// What the matcher asks owners for, at the matcher.
    Asks asks asks_server::AsksServer;
    Get get(AskRequest) -> (stream AskPart as GetStream): Owner of Any party, member;
    Refuse refuse(RefuseAskRequest) -> (RefuseAskReply): Owner of Any party, member;
}

service! {
    /// Linkage runs and their outcome, at the matcher.
    Runs runs runs_server::RunsServer;
    Start start(StartRequest) -> (stream RunEvent as StartStream): Owner of Any party, member;
    Positions positions(PositionsRequest) -> (stream PositionsPart as PositionsStream):
        Owner of Any party, member;
}

service! {
    /// An operator's acts, at the own owner.
    Operations operations operations_server::OperationsServer;
    Draft draft(DraftRequest) -> (ProjectStatus): Operator of Own party, permit;
    Propose propose(ProjectRequest) -> (ProjectStatus): Operator of Own party, permit;
    Approve approve(ProjectRequest) -> (ProjectStatus): Operator of Own party, permit;
    Sign sign(ProjectRequest) -> (ProjectStatus): Operator of Own party, permit;
    Show show(ProjectRequest) -> (ProjectStatus): Operator of Own party, permit;
    List list(ListProjectsRequest) -> (ListProjectsReply): Operator of Own party, permit;
    Suspend suspend(ReasonRequest) -> (ProjectStatus): Operator of Own party, permit;
    Resume resume(ReasonRequest) -> (ProjectStatus): Operator of Own party, permit;
    Close close(ReasonRequest) -> (ProjectStatus): Operator of Own party, permit;
    AgreeKey agree_key(ProjectRequest) -> (stream Progress as AgreeKeyStream):
        Operator of Own party, permit;
    UploadStatus upload_status(ProjectRequest) -> (UploadProgress):
        Operator of Own party, permit;
    AbortUpload abort_upload(ProjectRequest) -> (UploadProgress):
        Operator of Own party, permit;
    Upload upload(UploadRequest) -> (stream Progress as UploadStream):
        Operator of Own party, permit;
    StartRun start_run(ProjectRequest) -> (stream Progress as StartRunStream):
        Operator of Own party, permit;
    FetchPositions fetch_positions(ProjectRequest) -> (stream Progress as FetchPositionsStream):
        Operator of Own party, permit;
}

service! {
    /// Requests of analysts, at an owner.
    Extracts extracts extracts_server::ExtractsServer;
    Catalogue catalogue(CatalogueRequest) -> (CatalogueReply): Analyst of Any party, member;
    Answer answer(AnswerRequest) -> (AnswerReply): Analyst of Any party, member;
}

service! {
    /// The oblivious computation of a table, at the computing owner.
    Tables tables tables_server::TablesServer;
    Compute compute(stream TableMessage) -> (stream TableMessage as ComputeStream):
        Owner of Any party, permit;
}

service! {
    /// Watching over each other's audit logs, at every node.
    Witness witness witness_server::WitnessServer;
    AddCheckpoint add_checkpoint(AddCheckpointRequest) -> (AddCheckpointReply):
        Owner | Matcher of Any party, permit;
    GetCheckpoint get_checkpoint(GetCheckpointRequest) -> (GetCheckpointReply):
        Owner | Matcher of Any party, permit;
    AddCosignature add_cosignature(AddCosignatureRequest) -> (AddCosignatureReply):
        Owner | Matcher of Any party, permit;
}

#[cfg(test)]
mod tests {
    use crate::authz::table::{Table, uncovered};

    use super::*;

    #[test]
    fn every_procedure_has_one_rule() {
        let rules = [
            projects::RULES,
            mailbox::RULES,
            uploads::RULES,
            asks::RULES,
            runs::RULES,
            operations::RULES,
            extracts::RULES,
            tables::RULES,
            witness::RULES,
        ]
        .concat();
        Table::new("m", &rules).unwrap();
        let uncovered = uncovered(linkage_proto::DESCRIPTOR, &rules).unwrap();
        assert_eq!(uncovered, Vec::<String>::new());
    }
}
