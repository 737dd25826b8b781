//! JSON read one encoding at a time, in memory that does not grow with the file.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{ELEMENT_BYTES_MAX, ENCODING_BYTES_MAX, Error, Layout, Sink, Summary};

/// Reads encodings from JSON of any layout.
///
/// # Errors
/// [`Error`]: also for an unknown or repeated key, base64 that is not canonical, encodings of
/// different lengths, and blocks of rows that are not there.
pub fn read_json(from: impl Read, sink: &mut impl Sink) -> Result<Summary, Error> {
    let left = Cell::new(ELEMENT_BYTES_MAX);
    let limited = Limited {
        inner: BufReader::with_capacity(256 * 1024, from),
        left: &left,
    };
    let mut state = State {
        sink,
        left: &left,
        layout: None,
        blocks_read: false,
        rows_in_blocks: 0,
        summary: Summary {
            count: 0,
            size: 0,
            block_ids: 0,
            layout: None,
        },
        failed: None,
        decoded: vec![],
    };
    let mut json = serde_json::Deserializer::from_reader(limited);
    let read = File(&mut state)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    if let Some(error) = state.failed {
        return Err(Error::Write(error));
    }
    match read {
        Ok(()) => Ok(state.summary),
        // The kind of a limit is `FileTooLarge`, which no reading of a file has.
        Err(error)
            if error.is_io() && error.io_error_kind() != Some(io::ErrorKind::FileTooLarge) =>
        {
            Err(Error::Read(error.into()))
        }
        Err(error) => Err(Error::Json(error.to_string())),
    }
}

/// Passes bytes on as long as the current element may have more.
struct Limited<'a, R> {
    inner: BufReader<R>,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let (buffer, _) = buffer.split_at_mut(most);
        let read = self.inner.read(buffer)?;
        self.left.set(self.left.get() - read as u64);
        if self.left.get() == 0 {
            let message = format!("an element is longer than {ELEMENT_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(read)
    }
}

struct State<'a, S> {
    sink: &'a mut S,
    left: &'a Cell<u64>,
    layout: Option<Layout>,
    blocks_read: bool,
    /// One above the greatest row that has blocks.
    rows_in_blocks: u64,
    summary: Summary,
    failed: Option<io::Error>,
    decoded: Vec<u8>,
}

impl<S: Sink> State<'_, S> {
    fn element(&self) {
        self.left.set(ELEMENT_BYTES_MAX);
    }

    fn start<E: serde::de::Error>(&mut self, layout: Layout) -> Result<(), E> {
        match self.layout.replace(layout) {
            None => Ok(()),
            Some(other) => Err(E::custom(format!(
                "the encodings stand under \"{}\" and again under \"{}\"",
                other.key(),
                layout.key()
            ))),
        }
    }

    fn encoding<E: serde::de::Error>(&mut self, base64: &str) -> Result<(), E> {
        let row = self.summary.count;
        self.decoded.clear();
        if STANDARD.decode_vec(base64, &mut self.decoded).is_err() {
            return Err(E::custom(format!(
                "encoding {row} (counted from 0) is not canonical base64"
            )));
        }
        let size = self.decoded.len();
        if !(1..=ENCODING_BYTES_MAX).contains(&size) {
            let message = format!("encoding {row} (counted from 0) has {size} bytes");
            return Err(E::custom(message));
        }
        if row == 0 {
            self.summary.size = size;
        } else if size != self.summary.size {
            return Err(E::custom(format!(
                "encoding {row} (counted from 0) has {size} bytes, those before have {}",
                self.summary.size
            )));
        }
        self.summary.count += 1;
        let handed = self.sink.encoding(&self.decoded);
        self.handed(handed)
    }

    fn blocks<E: serde::de::Error>(&mut self, row: u64, ids: &[String]) -> Result<(), E> {
        self.summary.block_ids += ids.len() as u64;
        let handed = self.sink.blocks(row, ids);
        self.handed(handed)
    }

    fn handed<E: serde::de::Error>(&mut self, result: io::Result<()>) -> Result<(), E> {
        result.map_err(|error| {
            self.failed = Some(error);
            E::custom("not taken")
        })
    }
}

/// The whole file.
struct File<'a, 'b, S>(&'a mut State<'b, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for File<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for File<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"clks\", \"encodings\" or \"clknblocks\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let state = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "clks" => {
                    state.start(Layout::Clks)?;
                    map.next_value_seed(Encodings(state))?;
                }
                "encodings" => {
                    state.start(Layout::Encodings)?;
                    map.next_value_seed(Encodings(state))?;
                }
                "clknblocks" => {
                    state.start(Layout::ClkNBlocks)?;
                    map.next_value_seed(Encodings(state))?;
                }
                "blocks" if state.blocks_read => {
                    return Err(A::Error::duplicate_field("blocks"));
                }
                "blocks" => {
                    state.blocks_read = true;
                    map.next_value_seed(Blocks(state))?;
                }
                other => {
                    let known = &["clks", "encodings", "blocks", "clknblocks"];
                    return Err(A::Error::unknown_field(other, known));
                }
            }
        }
        match state.layout {
            None => return Err(A::Error::missing_field("clks")),
            Some(Layout::Clks | Layout::ClkNBlocks) if state.blocks_read => {
                let message = "\"blocks\" goes with \"encodings\" only";
                return Err(A::Error::custom(message));
            }
            layout => state.summary.layout = layout,
        }
        if state.rows_in_blocks > state.summary.count {
            let message = format!(
                "there are blocks of row {} (counted from 0), and {} encodings",
                state.rows_in_blocks - 1,
                state.summary.count
            );
            return Err(A::Error::custom(message));
        }
        Ok(())
    }
}

/// A list of encodings.
struct Encodings<'a, 'b, S>(&'a mut State<'b, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Encodings<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Encodings<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of encodings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let state = self.0;
        loop {
            state.element();
            if list.next_element_seed(One(state))?.is_none() {
                return Ok(());
            }
        }
    }
}

/// One encoding, with blocks where the layout says so.
struct One<'a, 'b, S>(&'a mut State<'b, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for One<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.0.layout {
            Some(Layout::ClkNBlocks) => json.deserialize_seq(self),
            _ => json.deserialize_str(self),
        }
    }
}

impl<'de, S: Sink> Visitor<'de> for One<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.layout {
            Some(Layout::ClkNBlocks) => "a list of an encoding and its block ids",
            _ => "an encoding in base64",
        })
    }

    fn visit_str<E: serde::de::Error>(self, base64: &str) -> Result<(), E> {
        self.0.encoding(base64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(base64) = list.next_element::<String>()? else {
            return Err(A::Error::invalid_length(0, &self));
        };
        let row = self.0.summary.count;
        self.0.encoding(&base64)?;
        let mut ids = Vec::new();
        while let Some(id) = list.next_element::<String>()? {
            ids.push(id);
        }
        self.0.blocks(row, &ids)
    }
}

/// Block ids by row.
struct Blocks<'a, 'b, S>(&'a mut State<'b, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Blocks<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Blocks<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the block ids of rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let state = self.0;
        loop {
            state.element();
            let Some(Row(row)) = map.next_key()? else {
                return Ok(());
            };
            state.rows_in_blocks = state.rows_in_blocks.max(row.saturating_add(1));
            let ids: Vec<String> = map.next_value()?;
            state.blocks(row, &ids)?;
        }
    }
}

/// A row's number in plain decimal.
struct Row(u64);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = String::deserialize(json)?;
        match text.parse::<u64>() {
            Ok(row) if row.to_string() == text => Ok(Self(row)),
            _ => Err(D::Error::custom("a key of \"blocks\" is no row number")),
        }
    }
}
