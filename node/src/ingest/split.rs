//! Values of one CSV line (RFC 4180, with quotation marks taken as the `csv` crate takes them).

use std::ops::Range;

use zeroize::Zeroizing;

/// Takes lines apart; keeps its memory from line to line.
#[derive(Default)]
pub(super) struct Splitter {
    /// The line's values without quotation marks, where it has any.
    unquoted: Zeroizing<String>,
    /// Places of the values.
    values: Vec<Range<usize>>,
}

/// The values of a line.
pub(super) struct Values<'a> {
    text: &'a str,
    places: &'a [Range<usize>],
}

impl<'a> Values<'a> {
    /// Values at known places of a text.
    pub(super) fn at(text: &'a str, places: &'a [Range<usize>]) -> Self {
        Self { text, places }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Value `at` without white space around it; empty if there is none.
    pub(super) fn get(&self, at: usize) -> &str {
        let place = self.places.get(at).cloned().unwrap_or_default();
        self.text.get(place).unwrap_or("").trim()
    }
}

impl Splitter {
    /// The values of `line`.
    pub(super) fn split<'a>(&'a mut self, line: &'a str) -> Values<'a> {
        self.values.clear();
        if memchr::memchr(b'"', line.as_bytes()).is_none() {
            let mut start = 0;
            for comma in memchr::memchr_iter(b',', line.as_bytes()) {
                self.values.push(start..comma);
                start = comma + 1;
            }
            self.values.push(start..line.len());
            return Values {
                text: line,
                places: &self.values,
            };
        }
        self.unquote(line);
        Values {
            text: &self.unquoted,
            places: &self.values,
        }
    }

    fn unquote(&mut self, line: &str) {
        self.unquoted.clear();
        // Never longer than the line, so that no copy is left behind by growing.
        if self.unquoted.capacity() < line.len() {
            self.unquoted = Zeroizing::new(String::with_capacity(line.len()));
        }
        let (mut start, mut chars) = (0, line.chars().peekable());
        loop {
            if chars.next_if_eq(&'"').is_some() {
                while let Some(next) = chars.next() {
                    // A mark inside quotation marks is written twice; a single one ends them.
                    if next == '"' && chars.next_if_eq(&'"').is_none() {
                        break;
                    }
                    self.unquoted.push(next);
                }
            }
            while let Some(next) = chars.next_if(|next| *next != ',') {
                self.unquoted.push(next);
            }
            self.values.push(start..self.unquoted.len());
            start = self.unquoted.len();
            if chars.next().is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference(line: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(line.as_bytes());
        let mut record = csv::StringRecord::new();
        reader.read_record(&mut record).unwrap();
        record.iter().map(str::to_owned).collect()
    }

    fn split(line: &str) -> Vec<String> {
        let mut splitter = Splitter::default();
        let values = splitter.split(line);
        (0..values.len())
            .map(|at| values.get(at).to_owned())
            .collect()
    }

    #[test]
    fn quotation_marks_are_taken_as_usual() {
        assert_eq!(
            split(r#"1, "a", "b,c" ,x"#),
            reference(r#"1, "a", "b,c" ,x"#)
        );
        assert_eq!(split(r#"1,"a ""b"", c" ,,"#), ["1", r#"a "b", c"#, "", ""]);
        assert_eq!(split(""), [""]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_csv_crate(line in r#"[a张 ,",",\u{3000}]{1,30}"#) {
            prop_assert_eq!(split(&line), reference(&line));
        }
    }
}
