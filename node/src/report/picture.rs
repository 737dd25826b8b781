//! A picture with its words: the finding, a legend, and the data as a table.

use super::number;
use super::scale::Scale;
use super::svg::{Anchor, Drawing, Markup, at};

/// One picture of the page.
#[derive(Debug)]
pub(super) struct Picture {
    /// Kind of picture, a class of the style sheet.
    pub(super) kind: &'static str,
    /// What the picture shows, as a sentence.
    pub(super) finding: String,
    /// How to read it.
    pub(super) note: String,
    pub(super) legend: Vec<LegendEntry>,
    /// Room around the plot in pixels: top, right, bottom, left.
    pub(super) padding: [u32; 4],
    /// Width in pixels below which the picture scrolls rather than shrinks; 0 for none.
    pub(super) width_min: u32,
    /// Width in pixels above which the picture does not grow; 0 for none.
    pub(super) width_max: u32,
    pub(super) drawing: Markup,
    pub(super) data: DataTable,
}

/// One entry of a legend.
#[derive(Debug)]
pub(super) struct LegendEntry {
    /// Classes of the sample beside the label.
    pub(super) sample: &'static str,
    pub(super) label: String,
}

impl LegendEntry {
    pub(super) fn new(sample: &'static str, label: impl Into<String>) -> Self {
        Self {
            sample,
            label: label.into(),
        }
    }

    /// Whether the sample is a line rather than an area.
    pub(super) fn is_line(&self) -> bool {
        self.sample.starts_with("curve") || self.sample.starts_with("outline")
    }
}

/// The numbers behind a picture.
#[derive(Debug, Default)]
pub(super) struct DataTable {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl DataTable {
    pub(super) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Whether every cell of a column reads as a number, so that it is set flush right.
    pub(super) fn is_number(&self, column: &usize) -> bool {
        let number = |text: &String| {
            let unsigned = text.trim_start_matches(['<', '>', '+', '\u{2212}', ' ']);
            unsigned.starts_with(|first: char| first.is_ascii_digit())
                || [number::ABSENT, "×"].contains(&unsigned)
        };
        self.rows
            .iter()
            .all(|row| row.get(*column).is_none_or(number))
    }
}

/// Left and right axis labels, in pixels: room for `−12.5` or `1.25M` at 12 px, and for half a
/// tick label that stands at the right end.
pub(super) const AXIS_PADDING: [u32; 4] = [44, 18, 46, 46];

/// Ticks a plot can label without overlap when it is 280 px wide, the width left on a phone.
const TICKS_MAX: usize = 6;

/// Draws the horizontal axis below a plot `height` pixels high.
pub(super) fn horizontal_axis(drawing: &mut Drawing, scale: &Scale, height: f64, title: &str) {
    drawing.line("axis", at(0.0, height), at(100.0, height));
    let (values, step) = scale.ticks(TICKS_MAX);
    for value in values {
        let x = scale.place(value) * 100.0;
        drawing.line("axis", at(x, height), at(x, height + 5.0));
        let label = number::tick(value, step);
        drawing.text("tick", Anchor::Middle, at(x, height + 19.0), 0.0, &label);
    }
    drawing.text(
        "axis-title",
        Anchor::End,
        at(100.0, height + 38.0),
        0.0,
        title,
    );
}

/// Draws grid lines with labels left of a plot `height` pixels high, and the axis title above.
pub(super) fn vertical_axis(
    drawing: &mut Drawing,
    scale: &Scale,
    height: f64,
    ticks: &[(f64, String)],
    title: &str,
) {
    for (value, label) in ticks {
        let y = height * (1.0 - scale.place(*value));
        drawing.line("grid", at(0.0, y), at(100.0, y));
        drawing.text("tick", Anchor::End, at(0.0, y + 4.0), -8.0, label);
    }
    let left = -f64::from(AXIS_PADDING[3]);
    drawing.text("axis-title", Anchor::Start, at(0.0, -28.0), left, title);
}

/// Draws the chosen threshold, labelled above the plot on the side where there is room.
pub(super) fn threshold_line(drawing: &mut Drawing, scale: &Scale, height: f64, threshold: f64) {
    if !scale.contains(threshold) {
        return;
    }
    let x = scale.place(threshold) * 100.0;
    drawing.line("threshold", at(x, -6.0), at(x, height));
    let anchor = match x {
        ..20.0 => Anchor::Start,
        20.0..80.0 => Anchor::Middle,
        _ => Anchor::End,
    };
    let label = format!("threshold {}", number::digits(threshold, 4));
    drawing.text("threshold-label", anchor, at(x, -11.0), 0.0, &label);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_outside_the_axis_is_not_drawn() {
        let scale = Scale::linear(0.0, 1.0);
        for (threshold, lines) in [(0.5, 1), (1.5, 0), (f64::NAN, 0)] {
            let mut drawing = Drawing::new(100.0);
            threshold_line(&mut drawing, &scale, 100.0, threshold);
            let markup = drawing.finish("figure-1", "t", "d").to_string();
            assert_eq!(markup.matches("class=\"threshold\"").count(), lines);
        }
    }
}
