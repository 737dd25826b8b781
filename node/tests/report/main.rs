//! The report as a reader finds it: a folder with a page and its data.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic in a test is its failure"
)]

mod many;
mod sample;

use std::fs;

use linkage_node::report::data::{Histogram, PairQuality, Report, Round};
use linkage_node::report::{DATA_FILE, Error, write};

/// Everything that could end a tag, an attribute or a text.
const HOSTILE: &str =
    "</title></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\u{0}";

fn page(report: &Report) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::read_to_string(write(folder.path(), report).unwrap()).unwrap()
}

/// The drawings of a page, without the nested ones.
fn drawings(page: &str) -> Vec<&str> {
    let starts = page.match_indices("<svg xmlns=").map(|(start, _)| start);
    starts
        .map(|start| {
            let rest = &page[start..];
            let mut depth = 0;
            for (at, _) in rest.match_indices('<') {
                let tag = &rest[at..];
                depth += i32::from(tag.starts_with("<svg")) - i32::from(tag.starts_with("</svg>"));
                if depth == 0 {
                    return &rest[..at + "</svg>".len()];
                }
            }
            panic!("a drawing has no end");
        })
        .collect()
}

#[test]
fn every_picture_is_there_with_words_and_data() {
    let page = page(&sample::report(""));
    for (kind, count) in [
        ("histogram", 3),
        ("curves", 3),
        ("heatmap", 2),
        ("flow", 2),
        ("stages", 1),
        ("clusters", 1),
    ] {
        let figures = page
            .matches(&format!("<figure class=\"picture {kind}\">"))
            .count();
        assert_eq!(figures, count, "{kind}");
    }
    assert_eq!(
        page.matches("<details>").count(),
        page.matches("<figure").count()
    );
    for shown in [
        "0.9912",
        "4 of 4",
        "0 of 5",
        "卫健委",
        "Who saw what",
        "pseudonymous",
        "&#60; 40",
        "1,286,000",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn drawings_are_xml_with_a_text_alternative_and_unique_ids() {
    let page = page(&sample::report(HOSTILE));
    let drawings = drawings(&page);
    // The symbols and 12 pictures.
    assert_eq!(drawings.len(), 13);
    let mut ids = Vec::new();
    for drawing in drawings {
        let document = roxmltree::Document::parse(drawing).unwrap();
        let root = document.root_element();
        let nodes = document.descendants();
        ids.extend(
            nodes
                .filter_map(|node| node.attribute("id"))
                .map(str::to_owned),
        );
        for node in document.descendants() {
            assert!(!["script", "img"].contains(&node.tag_name().name()));
            for attribute in node.attributes() {
                assert!(!attribute.value().contains("NaN") && !attribute.value().contains("inf"));
            }
        }
        if root.attribute("role") == Some("img") {
            for part in ["title", "desc"] {
                let words = root.children().find(|node| node.tag_name().name() == part);
                assert!(
                    words
                        .and_then(|node| node.text())
                        .is_some_and(|text| text.len() > 10)
                );
            }
        }
    }
    let total = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), total, "ids are unique");
}

#[test]
fn no_text_becomes_markup() {
    let page = page(&sample::report(HOSTILE));
    for tag in ["<script", "<img", "onerror=alert(1)>"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("&#60;script&#62;") && page.contains("&lt;script&gt;"));
    // One page title, one in every drawing and those inside drawings; none closed early.
    assert_eq!(
        page.matches("<title").count(),
        page.matches("</title>").count()
    );
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn the_page_needs_no_other_file() {
    let page = page(&sample::report(""));
    assert!(page.contains("default-src 'none'"));
    for reference in [
        "src=",
        "@import",
        "url(http",
        "<link",
        "href=\"http",
        "javascript:",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn the_data_is_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let report = sample::report("");
    write(folder.path(), &report).unwrap();
    // A second report replaces the first and leaves nothing half written.
    write(folder.path(), &report).unwrap();
    let data: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join(DATA_FILE)).unwrap()).unwrap();
    assert_eq!(
        data["rounds"][1]["pairs"][0]["owners"][0],
        report.rounds[1].pairs[0].owners.0
    );
    assert_eq!(data["parties"][3]["link_map"]["level"], "pseudonymous");
    assert_eq!(data["rounds"][0]["overall"]["correct_links"], 16_057);
    assert_eq!(data["rounds"][0]["tables"][0]["cells"][4][3], "below_k");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_report_of_nothing_is_a_page() {
    let empty = Report {
        title: "Nothing".into(),
        generated_at: String::new(),
        linkage_version: String::new(),
        rounds: vec![Round::default()],
        parties: Vec::new(),
        audit: Vec::new(),
        processes: Vec::new(),
    };
    let page = page(&empty);
    assert!(page.contains("<h1>Nothing</h1>"));
    assert!(!page.contains("<figure") && !page.contains("<table"));
}

#[test]
fn failures_are_told_on_the_page() {
    let mut report = sample::report("");
    report.audit[1].verified = false;
    report.parties[3].identifiers.level = linkage_node::report::data::Level::Pseudonymous;
    let page = page(&report);
    assert!(page.contains("3 of 4") && page.contains("Not verified: Credit 信用办"));
    assert!(page.contains("Identifiers left their owners: seen by Matcher"));
    assert_eq!(page.matches("class=\"headline alarm\"").count(), 2);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("report");
    let mut report = sample::report("");
    report.rounds[0].tables[0].cells[2].pop();
    assert!(matches!(
        write(&target, &report),
        Err(Error::Shape {
            expected: 4,
            found: 3,
            ..
        })
    ));
    let mut report = sample::report("");
    let pair: &mut PairQuality = &mut report.rounds[0].pairs[0];
    pair.histogram = Histogram {
        edges: vec![0.2, 0.1],
        counts: vec![None],
        ..Histogram::default()
    };
    assert!(matches!(write(&target, &report), Err(Error::Edges { .. })));
    assert!(!target.exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write(&file.join("report"), &sample::report("")).unwrap_err();
    assert!(
        matches!(&error, Error::Io { path, .. } if path.ends_with("report")),
        "{error}"
    );
}
