//! Compiles the protocol with protox, so that no protoc is needed, and keeps the descriptor for
//! checks that every procedure is authorised.

use std::path::PathBuf;

use prost::Message;

/// Messages that carry tokens, keys or shares: their `Debug` would print them.
const SILENT: [&str; 9] = [
    ".linkage.v1.Chunk",
    ".linkage.v1.BeginRequest",
    ".linkage.v1.PostRequest",
    ".linkage.v1.Item",
    ".linkage.v1.PositionsPart",
    ".linkage.v1.AnswerReply",
    ".linkage.v1.TableMessage",
    ".linkage.v1.TablePart",
    ".linkage.v1.TableChunk",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "linkage/v1/matcher.proto",
        "linkage/v1/owner.proto",
        "linkage/v1/witness.proto",
    ];
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("descriptor.bin");
    // `compile_fds` writes no descriptor file of its own.
    std::fs::write(out, descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .skip_debug(SILENT)
        .compile_fds(descriptors)?;
    println!("cargo::rerun-if-changed=linkage");
    Ok(())
}
