//! What moved between the parties: owners, matcher, owners again, tables, analyst.

use super::data::{FlowStep, Round};
use super::number;
use super::picture::{DataTable, Picture};
use super::svg::{Anchor, Drawing, at, fit};

/// Height of a box in pixels.
const BOX: f64 = 46.0;

/// Height of the band of arrows between boxes in pixels: room for two lines of text.
const ARROWS: f64 = 74.0;

/// Narrowest lane of one owner in pixels: three of them fit a phone, and a short name fits each.
const LANE_MIN: u32 = 98;

/// One row of boxes.
enum Boxes<'a> {
    /// One box per owner.
    Owners(&'static str),
    /// One box across all lanes.
    Wide(&'a str, &'static str),
}

/// What arrows from one row of boxes to the next carry.
struct Carried {
    what: &'static str,
    /// Bytes per lane, or one sum.
    bytes: Vec<Option<u64>>,
}

/// The picture, or nothing when no owner sent anything.
pub(super) fn picture(id: &str, round: &Round) -> Option<Picture> {
    let sent: u64 = round
        .datasets
        .iter()
        .fold(0, |sum, line| sum.saturating_add(line.bytes_sent));
    if sent == 0 {
        return None;
    }
    let owners: Vec<&str> = round
        .datasets
        .iter()
        .map(|line| line.owner.as_str())
        .collect();
    let (boxes, carried) = rows(round);
    let height = boxes.len() as f64 * BOX + carried.len() as f64 * ARROWS;
    let mut drawing = Drawing::new(height);
    for (index, carried) in carried.iter().enumerate() {
        let y = index as f64 * (BOX + ARROWS) + BOX;
        draw_arrows(&mut drawing, carried, y);
    }
    for (index, boxes) in boxes.iter().enumerate() {
        draw_boxes(&mut drawing, boxes, &owners, index as f64 * (BOX + ARROWS));
    }
    let released = sum(round, FlowStep::Release);
    let mut finding = format!("{} of tokens went to the matcher", number::bytes(sent));
    if let Some(released) = released {
        finding.push_str(&format!(
            "; the analyst received {}",
            number::bytes(released)
        ));
    }
    let description = "Boxes from top to bottom: owners, matcher, owners, encrypted tables, \
                       analyst, as far as the round went. The table below the picture has the \
                       bytes of each arrow.";
    Some(Picture {
        kind: "flow",
        note: "Identifiers and attributes stay in the owners’ boxes.".to_owned(),
        legend: Vec::new(),
        padding: [2, 2, 2, 2],
        width_min: LANE_MIN * owners.len() as u32,
        width_max: 0,
        drawing: drawing.finish(id, &finding, description),
        finding,
        data: data(round),
    })
}

/// Boxes from top to bottom and what is carried between them, as far as the round went.
fn rows(round: &Round) -> (Vec<Boxes<'static>>, Vec<Carried>) {
    let lanes = |step| {
        round
            .datasets
            .iter()
            .map(|line| of(round, step, &line.owner))
            .collect()
    };
    let mut boxes = vec![
        Boxes::Owners("raw records"),
        Boxes::Wide("Matcher", "compares tokens, keeps the link map"),
    ];
    let uploads = round
        .datasets
        .iter()
        .map(|line| Some(line.bytes_sent))
        .collect();
    let mut carried = vec![Carried {
        what: "tokens",
        bytes: uploads,
    }];
    if sum(round, FlowStep::Positions).is_some() {
        boxes.push(Boxes::Owners("positions"));
        carried.push(Carried {
            what: "positions",
            bytes: lanes(FlowStep::Positions),
        });
    }
    if sum(round, FlowStep::Tables).is_some() {
        boxes.push(Boxes::Wide(
            "Oblivious tables",
            "encrypted cells, between owners",
        ));
        carried.push(Carried {
            what: "ciphertexts",
            bytes: lanes(FlowStep::Tables),
        });
    }
    if let Some(bytes) = sum(round, FlowStep::Release) {
        boxes.push(Boxes::Wide("Analyst", "sees released tables only"));
        carried.push(Carried {
            what: "released tables",
            bytes: vec![Some(bytes)],
        });
    }
    (boxes, carried)
}

/// Bytes of one owner in one step, if it took part.
fn of(round: &Round, step: FlowStep, owner: &str) -> Option<u64> {
    let flows = round
        .flows
        .iter()
        .filter(|flow| flow.step == step && flow.party == owner);
    flows.map(|flow| flow.bytes).reduce(u64::saturating_add)
}

/// Bytes of all parties in one step, if it took place.
fn sum(round: &Round, step: FlowStep) -> Option<u64> {
    let flows = round.flows.iter().filter(|flow| flow.step == step);
    flows.map(|flow| flow.bytes).reduce(u64::saturating_add)
}

fn draw_boxes(drawing: &mut Drawing, boxes: &Boxes<'_>, owners: &[&str], y: f64) {
    let mut draw = |class: &str, x: f64, width: f64, room: f64, name: &str, role: &str| {
        drawing.rect(class, at(x, y), (width, BOX), name);
        let middle = x + width / 2.0;
        let name = fit(name, room, 12.0);
        drawing.text("box-name", Anchor::Middle, at(middle, y + 20.0), 0.0, &name);
        let role = fit(role, room, 11.5);
        drawing.text("box-role", Anchor::Middle, at(middle, y + 36.0), 0.0, &role);
    };
    let lane = 100.0 / owners.len() as f64;
    match boxes {
        Boxes::Owners(role) => {
            for (index, owner) in owners.iter().enumerate() {
                let x = (index as f64 + 0.04) * lane;
                draw(
                    "box owner",
                    x,
                    lane * 0.92,
                    f64::from(LANE_MIN) * 0.92 - 4.0,
                    owner,
                    role,
                );
            }
        }
        Boxes::Wide(name, role) => {
            draw("box", lane * 0.04, 100.0 - lane * 0.08, 300.0, name, role);
        }
    }
}

fn draw_arrows(drawing: &mut Drawing, carried: &Carried, y: f64) {
    let lane = 100.0 / carried.bytes.len().max(1) as f64;
    for (index, bytes) in carried.bytes.iter().enumerate() {
        let Some(bytes) = bytes else { continue };
        let x = (index as f64 + 0.5) * lane;
        // The words stand in a gap of the arrow.
        drawing.line("arrow", at(x, y + 3.0), at(x, y + 19.0));
        drawing.text(
            "arrow-what",
            Anchor::Middle,
            at(x, y + 31.0),
            0.0,
            carried.what,
        );
        let bytes = number::bytes(*bytes);
        drawing.text("arrow-bytes", Anchor::Middle, at(x, y + 46.0), 0.0, &bytes);
        drawing.arrow(at(x, y + 52.0), at(x, y + ARROWS - 3.0));
    }
}

fn data(round: &Round) -> DataTable {
    let mut data = DataTable::new(&["Step", "Owner", "Bytes"]);
    let mut push = |step: &str, owner: &str, bytes: u64| {
        data.rows.push(vec![
            step.to_owned(),
            owner.to_owned(),
            number::bytes(bytes),
        ]);
    };
    for line in &round.datasets {
        push("tokens, owner to matcher", &line.owner, line.bytes_sent);
    }
    for (step, name) in [
        (FlowStep::Positions, "positions, matcher to owner"),
        (FlowStep::Tables, "ciphertexts, owner to owner"),
        (FlowStep::Release, "released tables, owner to analyst"),
    ] {
        for flow in round.flows.iter().filter(|flow| flow.step == step) {
            push(name, &flow.party, flow.bytes);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::super::data::{DatasetLine, Flow};
    use super::*;

    fn round(flows: Vec<Flow>) -> Round {
        let dataset = |owner: &str, bytes_sent| DatasetLine {
            owner: owner.to_owned(),
            rows_read: 10,
            rows_rejected: 0,
            tokens_sent: 10,
            bytes_sent,
        };
        Round {
            datasets: vec![dataset("tax", 2048), dataset("health", 1024)],
            flows,
            ..Round::default()
        }
    }

    fn flow(step: FlowStep, party: &str, bytes: u64) -> Flow {
        Flow {
            step,
            party: party.to_owned(),
            bytes,
        }
    }

    #[test]
    fn the_picture_goes_as_far_as_the_round() {
        let uploaded = picture("figure-1", &round(Vec::new())).unwrap();
        assert_eq!(uploaded.finding, "3.0 KiB of tokens went to the matcher");
        assert_eq!(
            uploaded.drawing.to_string().matches("marker-end").count(),
            2
        );
        let all = picture(
            "figure-1",
            &round(vec![
                flow(FlowStep::Positions, "tax", 100),
                flow(FlowStep::Positions, "health", 100),
                flow(FlowStep::Tables, "tax", 5000),
                flow(FlowStep::Release, "tax", 30),
                flow(FlowStep::Release, "health", 30),
            ]),
        )
        .unwrap();
        assert!(
            all.finding.ends_with("; the analyst received 60 B"),
            "{}",
            all.finding
        );
        assert_eq!(all.drawing.to_string().matches("marker-end").count(), 6);
        assert_eq!(all.data.rows.len(), 7);
    }

    #[test]
    fn nothing_sent_draws_nothing() {
        assert!(picture("figure-1", &Round::default()).is_none());
    }
}
