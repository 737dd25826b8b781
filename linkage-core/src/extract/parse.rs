//! The grammar: one function per rule, each failing at the word where the text leaves it.
//!
//! ```text
//! request   = SELECT dimension "," dimension "," count FROM population
//!             GROUP BY group "," group [";"]
//! dimension = name "." name [AS name]
//! count     = COUNT "(" "*" ")" [AS name]
//! group     = 1 | 2 | name "." name
//! ```

use std::ops::Range;

use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::catalogue::Catalogue;
use super::refusal::{Reason, Refusal, near_misses};
use crate::schema::Entity;

use super::{DimensionRef, ExtractRequest, TEXT_BYTES_MAX, folded, is_name};

/// Words with a meaning in SQL that analysts may try, and why they are not offered.
const NOT_OFFERED: &[(&[&str], &str)] = &[
    (
        &[
            "where", "having", "qualify", "filter", "case", "between", "like", "in",
        ],
        "rows cannot be filtered, as a filter can single people out",
    ),
    (
        &[
            "sum", "avg", "min", "max", "median", "stddev", "variance", "over", "window",
        ],
        "the one measure is count(*)",
    ),
    (
        &["distinct", "all", "top"],
        "select exactly two dimensions and count(*)",
    ),
    (
        &[
            "join", "inner", "left", "right", "full", "cross", "natural", "using", "on", "lateral",
        ],
        "owners are joined by the link map, never by the request",
    ),
    (
        &["union", "intersect", "except", "with", "recursive"],
        "a request is one table, without parts",
    ),
    (
        &["order", "limit", "offset", "fetch", "sort"],
        "all cells come in the order of the catalogue",
    ),
    (
        &["rollup", "cube", "grouping", "sets"],
        "totals would reveal suppressed cells",
    ),
    (
        &[
            "insert", "update", "delete", "merge", "drop", "create", "alter", "truncate", "copy",
            "grant", "set", "call", "explain", "into",
        ],
        "a request only reads",
    ),
];

/// Reads a whole request.
pub(super) fn request(text: &str, catalogue: &Catalogue) -> Result<ExtractRequest, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::new(
            text,
            0..0,
            Reason::TooLong { bytes: text.len() },
        ));
    }
    let tokens = Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|error| {
            let start = byte_offset(text, error.location);
            Refusal::new(text, start..start, Reason::Unreadable(error.message))
        })?;
    let cursor = Parser::new(&GenericDialect).with_tokens_with_locations(tokens);
    Request {
        text,
        catalogue,
        cursor,
    }
    .read()
}

/// A request that is being read.
struct Request<'a> {
    text: &'a str,
    catalogue: &'a Catalogue,
    cursor: Parser<'a>,
}

/// A name as it was written.
struct Name {
    value: String,
    is_quoted: bool,
    bytes: Range<usize>,
}

impl Name {
    /// Whether this spelling means the catalogue's `name`.
    fn means(&self, name: &str) -> bool {
        if self.is_quoted {
            self.value == name
        } else {
            folded(&self.value) == folded(name)
        }
    }
}

impl Request<'_> {
    fn read(mut self) -> Result<ExtractRequest, Refusal> {
        self.keyword("select", "SELECT")?;
        let (row, _) = self.selected_dimension()?;
        self.symbol(&Token::Comma, "a comma and a second dimension")?;
        let (column, column_bytes) = self.selected_dimension()?;
        if row.party == column.party {
            let reason = Reason::SameOwner { party: row.party };
            return Err(self.refusal(column_bytes, reason));
        }
        self.symbol(&Token::Comma, "a comma and count(*)")?;
        self.keyword("count", "count(*)")?;
        self.symbol(&Token::LParen, "(*) after count")?;
        self.symbol(&Token::Mul, "the * of count(*)")?;
        self.symbol(&Token::RParen, "the ) of count(*)")?;
        let count_name = self.column_name()?;
        let population = self.catalogue.population();
        self.keyword("from", "FROM and the project's population")?;
        self.keyword(
            population.as_str(),
            match population {
                Entity::Persons => "persons, the project's population",
                Entity::Enterprises => "enterprises, the project's population",
            },
        )?;
        self.keyword("group", "GROUP BY 1, 2")?;
        self.keyword("by", "BY after GROUP")?;
        let first = self.grouped_dimension(&row, &column)?;
        self.symbol(&Token::Comma, "a comma and the second dimension")?;
        let start = self.cursor.peek_token();
        if self.grouped_dimension(&row, &column)? == first {
            return Err(self.refusal(self.bytes(&start), Reason::Grouping));
        }
        let _is_terminated = self.cursor.consume_token(&Token::SemiColon);
        self.symbol(&Token::EOF, "the end of the request")?;
        Ok(ExtractRequest {
            row,
            column,
            population,
            count_name,
        })
    }

    /// A dimension in the select list, and the bytes of its party name.
    fn selected_dimension(&mut self) -> Result<(DimensionRef, Range<usize>), Refusal> {
        let (dimension, bytes) = self.dimension()?;
        let name = self.column_name()?;
        Ok((DimensionRef { name, ..dimension }, bytes))
    }

    /// `party.attribute`, looked up in the catalogue, and the bytes of its party name.
    fn dimension(&mut self) -> Result<(DimensionRef, Range<usize>), Refusal> {
        let expected = "a dimension such as owner.attribute";
        let party = self.name(expected)?;
        if self.cursor.peek_token_ref().token != Token::Period {
            // `DISTINCT a.b` and `sum(a.b)` go wrong at their first word, not after it.
            let reason = match not_offered(&party) {
                Some(reason) => reason,
                None => Reason::Unexpected {
                    expected,
                    found: found(&party.value),
                },
            };
            return Err(self.refusal(party.bytes, reason));
        }
        self.symbol(&Token::Period, expected)?;
        let attribute = self.name("an attribute after the owner")?;
        let dimension = DimensionRef {
            party: self.known_party(&party)?,
            attribute: String::new(),
            name: None,
        };
        let attribute = self.known_attribute(&dimension.party, &attribute)?;
        Ok((
            DimensionRef {
                attribute,
                ..dimension
            },
            party.bytes,
        ))
    }

    fn known_party(&self, name: &Name) -> Result<String, Refusal> {
        let parties = self.catalogue.parties();
        if let Some(party) = parties.iter().find(|party| name.means(party)) {
            return Ok((*party).to_owned());
        }
        let reason = Reason::UnknownParty {
            name: shortened(&name.value),
            near: near_misses(&name.value, &parties),
            allowed: parties.into_iter().map(str::to_owned).collect(),
        };
        Err(self.refusal(name.bytes.clone(), reason))
    }

    fn known_attribute(&self, party: &str, name: &Name) -> Result<String, Refusal> {
        let attributes = self.catalogue.attributes(party);
        if let Some(attribute) = attributes.iter().find(|attribute| name.means(attribute)) {
            return Ok((*attribute).to_owned());
        }
        let reason = Reason::UnknownAttribute {
            party: party.to_owned(),
            name: shortened(&name.value),
            near: near_misses(&name.value, &attributes),
            allowed: attributes.into_iter().map(str::to_owned).collect(),
        };
        Err(self.refusal(name.bytes.clone(), reason))
    }

    /// `AS name`, or nothing.
    fn column_name(&mut self) -> Result<Option<String>, Refusal> {
        if !is_word(&self.cursor.peek_token(), "as") {
            return Ok(None);
        }
        self.cursor.next_token();
        let expected = "a column name of 1 to 64 characters without quotes in it";
        let name = self.name(expected)?;
        if !is_name(&name.value) {
            let reason = Reason::Unexpected {
                expected,
                found: found(&name.value),
            };
            return Err(self.refusal(name.bytes, reason));
        }
        Ok(Some(name.value))
    }

    /// Which of the two selected dimensions a grouping names: 1 or 2.
    fn grouped_dimension(
        &mut self,
        row: &DimensionRef,
        column: &DimensionRef,
    ) -> Result<usize, Refusal> {
        let token = self.cursor.peek_token();
        if let Token::Number(number, _) = &token.token {
            self.cursor.next_token();
            return match number.as_str() {
                "1" => Ok(1),
                "2" => Ok(2),
                _ => Err(self.refusal(self.bytes(&token), Reason::Grouping)),
            };
        }
        let (named, bytes) = self.dimension()?;
        let is_same = |other: &DimensionRef| {
            (&named.party, &named.attribute) == (&other.party, &other.attribute)
        };
        match (is_same(row), is_same(column)) {
            (true, _) => Ok(1),
            (_, true) => Ok(2),
            _ => Err(self.refusal(bytes, Reason::Grouping)),
        }
    }

    /// A name, quoted or not.
    fn name(&mut self, expected: &'static str) -> Result<Name, Refusal> {
        let token = self.cursor.peek_token();
        let bytes = self.bytes(&token);
        let Token::Word(word) = token.token else {
            return Err(self.unexpected(expected));
        };
        self.cursor.next_token();
        Ok(Name {
            value: word.value,
            is_quoted: word.quote_style.is_some(),
            bytes,
        })
    }

    fn keyword(&mut self, word: &str, expected: &'static str) -> Result<(), Refusal> {
        if !is_word(&self.cursor.peek_token(), word) {
            return Err(self.unexpected(expected));
        }
        self.cursor.next_token();
        Ok(())
    }

    fn symbol(&mut self, symbol: &Token, expected: &'static str) -> Result<(), Refusal> {
        if self.cursor.consume_token(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    /// A refusal of the next word.
    fn unexpected(&self, expected: &'static str) -> Refusal {
        let token = self.cursor.peek_token();
        let bytes = self.bytes(&token);
        let reason = match &token.token {
            Token::Word(word) => not_offered(&Name {
                value: word.value.clone(),
                is_quoted: word.quote_style.is_some(),
                bytes: bytes.clone(),
            }),
            _ => None,
        };
        let reason = reason.unwrap_or_else(|| Reason::Unexpected {
            expected,
            found: match token.token {
                Token::EOF => "the end of the text".to_owned(),
                other => found(&other.to_string()),
            },
        });
        self.refusal(bytes, reason)
    }

    fn refusal(&self, bytes: Range<usize>, reason: Reason) -> Refusal {
        Refusal::new(self.text, bytes, reason)
    }

    /// The bytes of a token; the empty end of the text for its end marker.
    fn bytes(&self, token: &TokenWithSpan) -> Range<usize> {
        if token.token == Token::EOF {
            return self.text.len()..self.text.len();
        }
        byte_offset(self.text, token.span.start)..byte_offset(self.text, token.span.end)
    }
}

/// Whether `token` is the unquoted `word`, in any case.
fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found)
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn not_offered(name: &Name) -> Option<Reason> {
    if name.is_quoted {
        return None;
    }
    let word = name.value.to_ascii_lowercase();
    let (_, why) = NOT_OFFERED
        .iter()
        .find(|(words, _)| words.contains(&word.as_str()))?;
    Some(Reason::NotAllowed {
        word: word.to_ascii_uppercase(),
        why,
    })
}

/// What stands in the text, for a message.
fn found(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// A word of the request for a message: a name has at most 64 characters, more need no echo.
fn shortened(word: &str) -> String {
    match word.char_indices().nth(super::NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}...", word.get(..end).unwrap_or_default()),
        None => word.to_owned(),
    }
}

/// The byte that a line and column (both from 1, in characters) lie at.
fn byte_offset(text: &str, location: Location) -> usize {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
    let line_start = match number(location.line) {
        0 => 0,
        line => text
            .match_indices('\n')
            .nth(line - 1)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let line = text.get(line_start..).unwrap_or_default();
    let in_line = line
        .char_indices()
        .nth(number(location.column))
        .map_or(line.len(), |(at, _)| at);
    line_start + in_line
}
