//! Many pairs of owners at a glance: a triangle of their F1, the darker, the lower.

use super::data::{PairQuality, Quality};
use super::heatmap::OPACITY;
use super::number;
use super::picture::{DataTable, Picture};
use super::svg::{Anchor, Drawing, at, fit};

/// Font size of labels in pixels, as in the style sheet.
const FONT: f64 = 12.0;

/// Height of one row in pixels.
const ROW: f64 = 15.0;

/// Room for the owners' names in pixels. Longer ones are cut in the picture and complete in the
/// table below it.
const LABEL_WIDTH: u32 = 130;

/// F1 from here down is drawn darkest: what is worse is bad enough to be looked into.
const DARKEST: f64 = 0.8;

/// Columns between two that are numbered.
const NUMBERED: usize = 5;

/// The quality of a pair: against the truth if it is known, else estimated.
pub(super) fn quality(pair: &PairQuality) -> Option<&Quality> {
    pair.measured.as_ref().or(pair.estimated.as_ref())
}

/// The picture, or nothing where there are no pairs.
pub(super) fn picture(id: &str, pairs: &[PairQuality]) -> Option<Picture> {
    let owners = owners(pairs);
    if owners.is_empty() {
        return None;
    }
    let width = 100.0 / owners.len() as f64;
    let mut drawing = Drawing::new(owners.len() as f64 * ROW);
    for (place, name) in owners.iter().enumerate() {
        let label = fit(
            &format!("{} {name}", place + 1),
            f64::from(LABEL_WIDTH) - 12.0,
            FONT,
        );
        let y = (place as f64 + 0.5) * ROW + 4.0;
        drawing.text("tick", Anchor::End, at(0.0, y), -8.0, &label);
        if place == 0 || (place + 1).is_multiple_of(NUMBERED) {
            let x = (place as f64 + 0.5) * width;
            let number = (place + 1).to_string();
            drawing.text("tick", Anchor::Middle, at(x, -8.0), 0.0, &number);
        }
    }
    for pair in pairs {
        let place = |name: &String| owners.iter().position(|owner| *owner == name);
        let ends = place(&pair.owners.0).zip(place(&pair.owners.1));
        let Some(((a, b), quality)) = ends.zip(quality(pair)) else {
            continue;
        };
        if quality.f1.is_finite() {
            let share = ((1.0 - quality.f1) / (1.0 - DARKEST)).clamp(0.0, 1.0);
            let opacity = OPACITY.0 + share * (OPACITY.1 - OPACITY.0);
            let corner = at(a.min(b) as f64 * width, a.max(b) as f64 * ROW);
            let tip = format!("{}: {}", name(pair), number::rate(quality.f1));
            drawing.shaded_rect("cell", corner, (width, ROW), opacity, &tip);
        }
    }
    let finding = finding(pairs);
    let description = format!(
        "Triangle of the F1 of {} pairs of {} owners. The table below the picture has the figures.",
        pairs.len(),
        owners.len(),
    );
    Some(Picture {
        kind: "pairs",
        note: format!(
            "F1 of each pair of owners: palest at 1, darkest at {DARKEST} and below. Columns are \
             numbered as the rows are."
        ),
        legend: Vec::new(),
        padding: [28, 2, 6, LABEL_WIDTH],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish(id, &finding, &description),
        finding,
        data: data(pairs),
    })
}

/// The owners in the order in which pairs name them.
fn owners(pairs: &[PairQuality]) -> Vec<&String> {
    let mut owners = Vec::new();
    for name in pairs
        .iter()
        .flat_map(|pair| [&pair.owners.0, &pair.owners.1])
    {
        if !owners.contains(&name) {
            owners.push(name);
        }
    }
    owners
}

/// The middle one of the pairs' F1, and the lowest.
pub(super) fn middle_and_lowest(pairs: &[PairQuality]) -> Option<(f64, f64)> {
    let rates = pairs
        .iter()
        .filter_map(quality)
        .map(|quality| quality.f1)
        .filter(|f1| f1.is_finite());
    let mut rates: Vec<f64> = rates.collect();
    rates.sort_by(f64::total_cmp);
    Some((*rates.get(rates.len() / 2)?, *rates.first()?))
}

fn finding(pairs: &[PairQuality]) -> String {
    match middle_and_lowest(pairs) {
        Some((middle, _)) => {
            let low = pairs
                .iter()
                .filter_map(quality)
                .filter(|quality| quality.f1 < DARKEST)
                .count();
            format!(
                "Half of {} pairs of owners have an F1 of {} or more; {} less than {DARKEST}",
                number::count(pairs.len() as u64),
                number::rate(middle),
                match low {
                    0 => "none has".to_owned(),
                    1 => "1 has".to_owned(),
                    low => format!("{} have", number::count(low as u64)),
                },
            )
        }
        None => "No pair of owners has a known quality".to_owned(),
    }
}

fn name(pair: &PairQuality) -> String {
    format!("{} – {}", pair.owners.0, pair.owners.1)
}

fn data(pairs: &[PairQuality]) -> DataTable {
    let mut table = DataTable::new(&[
        "Owners",
        "Source",
        "Precision",
        "Recall",
        "F1",
        "Threshold",
        "Found",
    ]);
    table.rows.extend(pairs.iter().filter_map(|pair| {
        let quality = quality(pair)?;
        let source = if pair.measured.is_some() {
            "measured"
        } else {
            "estimated"
        };
        let found = quality.found_links;
        Some(vec![
            name(pair),
            source.to_owned(),
            number::rate(quality.precision),
            number::rate(quality.recall),
            number::rate(quality.f1),
            number::digits(pair.threshold, 4),
            found.map_or_else(|| number::ABSENT.to_owned(), |found| found.to_string()),
        ])
    }));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(a: &str, b: &str, f1: f64) -> PairQuality {
        PairQuality {
            owners: (a.to_owned(), b.to_owned()),
            estimated: Some(Quality {
                f1,
                ..Quality::default()
            }),
            ..PairQuality::default()
        }
    }

    #[test]
    fn each_pair_is_a_cell_and_a_row_and_the_worse_is_darker() {
        let pairs = [
            pair("a", "b", 1.0),
            pair("a", "c", 0.9),
            pair("b", "c", 0.2),
        ];
        let drawn = picture("figure-1", &pairs).unwrap();
        assert_eq!(drawn.data.rows.len(), 3);
        let markup = drawn.drawing.to_string();
        let opacities: Vec<f64> = markup
            .split("fill-opacity=\"")
            .skip(1)
            .map(|rest| rest.split_once('"').unwrap().0.parse().unwrap())
            .collect();
        assert_eq!(opacities.len(), 3);
        assert!(opacities.is_sorted_by(|a, b| a < b), "{opacities:?}");
        assert_eq!(
            drawn.finding,
            "Half of 3 pairs of owners have an F1 of 0.9000 or more; 1 has less than 0.8"
        );
    }

    #[test]
    fn what_is_not_known_is_not_drawn() {
        let unknown = picture("figure-1", &[pair("a", "b", f64::NAN)]).unwrap();
        assert!(!unknown.drawing.to_string().contains("class=\"cell\""));
        assert!(picture("figure-1", &[]).is_none());
    }
}
