//! The keys that a configuration may have, derived from the types of the settings: names, kinds,
//! defaults, and the documentation as text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Settings;

/// Least likeness (Jaro-Winkler) at which another key is suggested: transposed and left-out letters
/// are above it, words that share a beginning only are below.
const LIKENESS_MIN: f64 = 0.8;

/// A key that a configuration may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its full name, such as `tls.cert` or, within a repeated table, `peer[].address`.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// Why the default is what it is, and more; empty if nothing is to be said.
    pub reason: String,
    /// What it holds.
    pub kind: Kind,
    /// What counts where it is not given.
    pub default: Option<String>,
    /// Whether it must be given.
    pub is_required: bool,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A text; a path, address or name.
    Text,
    /// One of these texts.
    OneOf(Vec<String>),
    /// A whole number from 0.
    Count,
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// A list of texts.
    Texts,
    /// A table of keys.
    Table(BTreeMap<String, Key>),
    /// A table of keys that may be there several times, `[[so]]`.
    Tables(BTreeMap<String, Key>),
}

impl Kind {
    /// The kind in words.
    pub fn words(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::OneOf(values) => format!("one of {}", values.join(", ")),
            Self::Count => "a whole number from 0".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Tables(_) => "tables, each headed by its name in [[double brackets]]".to_owned(),
        }
    }

    /// The keys within, if it is a table.
    pub fn keys(&self) -> Option<&BTreeMap<String, Key>> {
        match self {
            Self::Table(keys) | Self::Tables(keys) => Some(keys),
            _ => None,
        }
    }
}

/// All keys of a node's configuration.
pub fn catalogue() -> &'static BTreeMap<String, Key> {
    static KEYS: LazyLock<BTreeMap<String, Key>> = LazyLock::new(|| {
        let mut form = SchemaSettings::draft2020_12();
        form.inline_subschemas = true;
        let schema = form.into_generator().into_root_schema_for::<Settings>();
        table(schema.as_value(), "")
    });
    &KEYS
}

/// The key of this full name; `peer.address` will do for `peer[].address`.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let mut keys = catalogue();
    let mut found = None;
    for part in name.split('.') {
        let part = part.split_once('[').map_or(part, |(part, _)| part);
        let key = keys.get(part)?;
        if let Some(inner) = key.kind.keys() {
            keys = inner;
        } else if found.is_some_and(|before: &Key| before.kind.keys().is_none()) {
            return None;
        }
        found = Some(key);
    }
    found
}

/// Every key's full name, tables' own names included.
pub(super) fn names() -> Vec<&'static str> {
    fn collect(keys: &'static BTreeMap<String, Key>, names: &mut Vec<&'static str>) {
        for key in keys.values() {
            names.push(&key.name);
            if let Some(inner) = key.kind.keys() {
                collect(inner, names);
            }
        }
    }
    let mut names = vec![];
    collect(catalogue(), &mut names);
    names
}

/// The name most like `name` among `names`, if one is like it at all.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |other: &str| strsim::jaro_winkler(name, other);
    names
        .map(|other| (likeness(other), other))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, other)| other)
}

fn table(schema: &Value, within: &str) -> BTreeMap<String, Key> {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = schema["properties"].as_object();
    let keys = properties.into_iter().flatten().map(|(name, property)| {
        let kind = kind(property, &format!("{within}{name}"));
        let full = format!("{within}{name}");
        let text = property["description"].as_str().unwrap_or_default();
        let (meaning, reason) = text.split_once("\n\n").unwrap_or((text, ""));
        let default = match &property["default"] {
            Value::Null | Value::Object(_) | Value::Array(_) => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let key = Key {
            name: full,
            meaning: plain(meaning),
            reason: plain(reason),
            kind,
            default,
            is_required: required.contains(&name.as_str()),
        };
        (name.clone(), key)
    });
    keys.collect()
}

fn kind(schema: &Value, name: &str) -> Kind {
    // An optional value is written as itself or null.
    if let Some(options) = schema["anyOf"].as_array() {
        let some = options.iter().find(|option| option["type"] != "null");
        return some.map_or(Kind::Text, |some| kind(some, name));
    }
    let values = values(schema);
    if !values.is_empty() {
        return Kind::OneOf(values);
    }
    let is = |word: &str| match &schema["type"] {
        Value::String(one) => one == word,
        Value::Array(several) => several.iter().any(|one| one == word),
        _ => false,
    };
    if is("object") {
        return Kind::Table(table(schema, &format!("{name}.")));
    }
    if is("array") {
        return match kind(&schema["items"], &format!("{name}[]")) {
            Kind::Table(keys) => Kind::Tables(keys),
            _ => Kind::Texts,
        };
    }
    if is("integer") {
        return Kind::Count;
    }
    if is("number") {
        return Kind::Number;
    }
    if is("boolean") {
        return Kind::Switch;
    }
    Kind::Text
}

/// The only texts that a value may be, if they are few.
fn values(schema: &Value) -> Vec<String> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    listed
        .chain(described.map(|option| &option["const"]))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Documentation as plain text: one line a paragraph, links without brackets.
fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let words: Vec<_> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    let text = paragraphs.collect::<Vec<_>>().join("\n\n");
    text.replace("[`Self::", "`")
        .replace("[`", "`")
        .replace("`]", "`")
}
