//! The protocol as its descriptor tells it: any procedure can be called, also one that is new.

use anyhow::{Context as _, Result};
use bytes::{Buf as _, BufMut as _, Bytes};
use linkage_core::ids::ProjectId;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// Messages within messages that are searched for a project.
const DEPTH_MAX: usize = 2;

/// A procedure.
#[derive(Debug, Clone)]
pub struct Procedure {
    /// `/<package>.<service>/<method>`.
    pub path: String,
    /// Numbers of the fields that lead to the project in its request, if it names one.
    project: Option<Vec<u32>>,
}

/// Every procedure of the protocol, in its order.
///
/// # Errors
/// When the descriptor cannot be read.
pub fn procedures() -> Result<Vec<Procedure>> {
    let set = FileDescriptorSet::decode(linkage_proto::DESCRIPTOR)?;
    let mut procedures = vec![];
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let input = message(&set, method.input_type()).context("no such message")?;
                procedures.push(Procedure {
                    path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                    project: project_field(&set, input, DEPTH_MAX),
                });
            }
        }
    }
    Ok(procedures)
}

/// The message of this name, `.<package>.<message>`.
fn message<'a>(set: &'a FileDescriptorSet, name: &str) -> Option<&'a DescriptorProto> {
    set.file.iter().find_map(|file| {
        let own = name.strip_prefix(&format!(".{}.", file.package()))?;
        file.message_type.iter().find(|found| found.name() == own)
    })
}

fn project_field(set: &FileDescriptorSet, of: &DescriptorProto, depth: usize) -> Option<Vec<u32>> {
    let number = |field: &prost_types::FieldDescriptorProto| u32::try_from(field.number()).ok();
    let is_project = |field: &&prost_types::FieldDescriptorProto| {
        field.name() == "project" && field.r#type() == Type::Bytes
    };
    if let Some(field) = of.field.iter().find(is_project) {
        return Some(vec![number(field)?]);
    }
    let inner = of
        .field
        .iter()
        .filter(|field| field.r#type() == Type::Message);
    inner.filter(|_| depth > 0).find_map(|field| {
        let within = message(set, field.type_name())?;
        let mut path = project_field(set, within, depth - 1)?;
        path.insert(0, number(field)?);
        Some(path)
    })
}

impl Procedure {
    /// Whether its request names a project.
    pub fn names_project(&self) -> bool {
        self.project.is_some()
    }

    /// A request that holds the project and nothing else.
    pub fn request(&self, project: ProjectId) -> Bytes {
        let mut message = project.as_bytes().to_vec();
        let path = self.project.as_deref().unwrap_or_default();
        if path.is_empty() {
            return Bytes::new();
        }
        for number in path.iter().rev() {
            let mut outer = vec![];
            encode_key(*number, WireType::LengthDelimited, &mut outer);
            encode_varint(message.len() as u64, &mut outer);
            outer.extend(message);
            message = outer;
        }
        message.into()
    }

    /// Calls it and waits for its first message or its refusal.
    ///
    /// # Errors
    /// The refusal.
    pub async fn call(&self, channel: &Channel, request: Bytes) -> Result<(), Status> {
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let path = self
            .path
            .parse()
            .map_err(|_| Status::new(Code::Internal, "no path"))?;
        let request = Request::new(tokio_stream::once(request));
        let mut reply = grpc.streaming(request, path, Raw).await?.into_inner();
        reply.message().await.map(drop)
    }
}

/// Messages as the bytes that they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
