//! A project's manifest: what is read names itself, and is written again with the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage_core::project::Project;

fuzz_target!(|bytes: &[u8]| {
    let Ok(project) = Project::parse(bytes) else {
        return;
    };
    let again = project.manifest.to_bytes().expect("it was read");
    assert_eq!(
        Project::parse(&again).map(|again| again.manifest).ok(),
        Some(project.manifest)
    );
});
