//! The grammar: one function per rule, each failing at the word where the text leaves it.
//!
//! ```text
//! request   = SELECT dimension {"," dimension} "," count FROM population
//!             [WHERE condition {AND condition}] GROUP BY group {"," group} [";"]
//! dimension = name "." name [AS name]
//! count     = COUNT "(" "*" ")" [AS name]
//! condition = name "." name IN "(" value {"," value} ")"
//! value     = quoted text | number
//! group     = number | name "." name
//! ```

use std::ops::Range;

use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::catalogue::Catalogue;
use super::refusal::{Reason, Refusal, near_misses};
use crate::schema::Entity;

use super::{
    CATEGORIES_MAX, CELLS_MAX, DIMENSIONS_MAX, DimensionRef, ExtractRequest, Filter,
    TEXT_BYTES_MAX, folded, is_name,
};

/// Words with a meaning in SQL that analysts may try, and why they are not offered.
const NOT_OFFERED: &[(&[&str], &str)] = &[
    (
        &["having", "qualify", "filter"],
        "cells are shown or suppressed by the project's rules, never by the request",
    ),
    (
        &["case", "between", "like", "or", "not", "exists"],
        "a dimension is restricted by IN and a list of its values, several by AND",
    ),
    (
        &[
            "sum", "avg", "min", "max", "median", "stddev", "variance", "over", "window",
        ],
        "the one measure is count(*)",
    ),
    (
        &["distinct", "all", "top"],
        "select dimensions and count(*)",
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
        let mut owners = Vec::new();
        let (dimensions, places) = self.selected_dimensions(&mut owners)?;
        let count_name = self.count()?;
        let population = self.catalogue.population();
        self.keyword("from", "FROM and the project's population")?;
        self.keyword(
            population.as_str(),
            match population {
                Entity::Persons => "persons, the project's population",
                Entity::Enterprises => "enterprises, the project's population",
            },
        )?;
        let filters = self.conditions(&mut owners)?;
        self.grouping(&dimensions)?;
        let _is_terminated = self.cursor.consume_token(&Token::SemiColon);
        self.symbol(&Token::EOF, "the end of the request")?;
        let request = ExtractRequest {
            dimensions,
            count_name,
            population,
            filters,
        };
        self.check_size(&request, &places)?;
        // It is sent on in this form, which may be longer than what was written.
        let bytes = request.canonical().len();
        if bytes > TEXT_BYTES_MAX {
            return Err(self.refusal(0..0, Reason::TooLong { bytes }));
        }
        Ok(request)
    }

    /// The dimensions and their places in the text.
    fn selected_dimensions(
        &mut self,
        owners: &mut Vec<String>,
    ) -> Result<(Vec<DimensionRef>, Vec<Range<usize>>), Refusal> {
        let (mut dimensions, mut places) = (Vec::<DimensionRef>::new(), Vec::new());
        while dimensions.is_empty() || !self.is_count() {
            let (dimension, bytes) = self.selected_dimension()?;
            self.one_of_two(owners, &dimension.party, bytes.clone())?;
            let is_same = |other: &DimensionRef| {
                (&dimension.party, &dimension.attribute) == (&other.party, &other.attribute)
            };
            if dimensions.iter().any(is_same) {
                let reason = Reason::SelectedTwice {
                    party: dimension.party,
                    attribute: dimension.attribute,
                };
                return Err(self.refusal(bytes, reason));
            }
            if dimensions.len() == DIMENSIONS_MAX {
                return Err(self.refusal(bytes, Reason::TooManyDimensions));
            }
            dimensions.push(dimension);
            places.push(bytes);
            self.symbol(&Token::Comma, "a comma and another dimension or count(*)")?;
        }
        Ok((dimensions, places))
    }

    /// Whether `count (` comes next: an owner may be called `count`.
    fn is_count(&self) -> bool {
        is_word(self.cursor.peek_token_ref(), "count")
            && self.cursor.peek_nth_token_ref(1).token == Token::LParen
    }

    /// `count(*)` and its name.
    fn count(&mut self) -> Result<Option<String>, Refusal> {
        self.keyword("count", "count(*)")?;
        self.symbol(&Token::LParen, "(*) after count")?;
        self.symbol(&Token::Mul, "the * of count(*)")?;
        self.symbol(&Token::RParen, "the ) of count(*)")?;
        self.column_name()
    }

    /// Adds an owner; refuses a third.
    fn one_of_two(
        &self,
        owners: &mut Vec<String>,
        party: &str,
        bytes: Range<usize>,
    ) -> Result<(), Refusal> {
        if owners.iter().any(|owner| owner == party) {
            return Ok(());
        }
        owners.push(party.to_owned());
        if owners.len() > 2 {
            let parties = owners.clone();
            return Err(self.refusal(bytes, Reason::TooManyOwners { parties }));
        }
        Ok(())
    }

    /// All restrictions, in order.
    fn conditions(&mut self, owners: &mut Vec<String>) -> Result<Vec<Filter>, Refusal> {
        let mut filters: Vec<Filter> = Vec::new();
        let mut word = "where";
        while is_word(self.cursor.peek_token_ref(), word) {
            self.cursor.next_token();
            word = "and";
            let (dimension, bytes) = self.dimension()?;
            self.one_of_two(owners, &dimension.party, bytes.clone())?;
            let DimensionRef {
                party, attribute, ..
            } = dimension;
            let is_same = |other: &Filter| (&party, &attribute) == (&other.party, &other.attribute);
            if filters.iter().any(is_same) {
                return Err(self.refusal(bytes, Reason::RestrictedTwice { party, attribute }));
            }
            let values = self.values(&party, &attribute)?;
            filters.push(Filter {
                party,
                attribute,
                values,
            });
        }
        filters.sort();
        Ok(filters)
    }

    /// `IN` and the list of an attribute's values, in the catalogue's order.
    fn values(&mut self, party: &str, attribute: &str) -> Result<Vec<String>, Refusal> {
        self.keyword("in", "IN and a list of values in parentheses")?;
        self.symbol(&Token::LParen, "a list of values in parentheses")?;
        let all = match self.catalogue.entry(party, attribute) {
            Some(entry) => entry.values.as_slice(),
            None => &[],
        };
        let mut asked = Vec::new();
        loop {
            asked.push(self.value(party, attribute, all)?);
            if !self.cursor.consume_token(&Token::Comma) {
                break;
            }
        }
        self.symbol(&Token::RParen, "a comma and another value, or )")?;
        Ok(all
            .iter()
            .filter(|value| asked.contains(value))
            .cloned()
            .collect())
    }

    /// A value, which must be one of `all`.
    fn value(&mut self, party: &str, attribute: &str, all: &[String]) -> Result<String, Refusal> {
        let token = self.cursor.peek_token();
        let value = match &token.token {
            Token::SingleQuotedString(text) => text,
            Token::Number(number, _) => number,
            _ => return Err(self.unexpected("a value in single quotes")),
        };
        if all.contains(value) {
            self.cursor.next_token();
            return Ok(value.clone());
        }
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        let reason = Reason::UnknownValue {
            party: party.to_owned(),
            attribute: attribute.to_owned(),
            name: shortened(value),
            near: near_misses(value, &names),
            allowed: all.to_vec(),
        };
        Err(self.refusal(self.bytes(&token), reason))
    }

    /// `GROUP BY` and every dimension once.
    fn grouping(&mut self, dimensions: &[DimensionRef]) -> Result<(), Refusal> {
        self.keyword("group", "GROUP BY 1, ...")?;
        self.keyword("by", "BY after GROUP")?;
        let mut grouped = Vec::new();
        while grouped.len() < dimensions.len() {
            if !grouped.is_empty() {
                self.symbol(&Token::Comma, "a comma and the next selected dimension")?;
            }
            let start = self.cursor.peek_token();
            let dimension = self.grouped_dimension(dimensions)?;
            if grouped.contains(&dimension) {
                return Err(self.refusal(self.bytes(&start), Reason::Grouping));
            }
            grouped.push(dimension);
        }
        Ok(())
    }

    /// Refuses a table that is too large, at the dimension with which it becomes so.
    fn check_size(&self, request: &ExtractRequest, places: &[Range<usize>]) -> Result<(), Refusal> {
        let (mut cells, mut by_party) = (1, Vec::<(&str, usize)>::new());
        for (named, bytes) in request.dimensions.iter().zip(places) {
            let entry = self.catalogue.entry(&named.party, &named.attribute);
            let values = entry.map_or(0, |entry| request.values_asked(entry).len());
            let before = by_party
                .iter()
                .rev()
                .find(|(party, _)| *party == named.party);
            let categories = values * before.map_or(1, |(_, categories)| *categories);
            by_party.push((&named.party, categories));
            cells *= values;
            let reason = if categories > CATEGORIES_MAX {
                let party = named.party.clone();
                Reason::TooManyCategories { party, categories }
            } else if cells > CELLS_MAX {
                Reason::TooManyCells { cells }
            } else {
                continue;
            };
            return Err(self.refusal(bytes.clone(), reason));
        }
        Ok(())
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

    /// Which of the selected dimensions a grouping names, from 0.
    fn grouped_dimension(&mut self, dimensions: &[DimensionRef]) -> Result<usize, Refusal> {
        let token = self.cursor.peek_token();
        let (found, bytes) = if let Token::Number(number, _) = &token.token {
            self.cursor.next_token();
            let number: Option<usize> = number.parse().ok();
            let at = number.and_then(|number| number.checked_sub(1));
            (at.filter(|at| *at < dimensions.len()), self.bytes(&token))
        } else {
            let (named, bytes) = self.dimension()?;
            let is_same = |other: &DimensionRef| {
                (&named.party, &named.attribute) == (&other.party, &other.attribute)
            };
            (dimensions.iter().position(is_same), bytes)
        };
        found.ok_or_else(|| self.refusal(bytes, Reason::Grouping))
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
