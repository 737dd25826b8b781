//! The layers of a configuration, put together key by key; each value remembers where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::keys::{Key, Kind, catalogue, find, names, nearest};
use super::{Complaint, Error, Settings};

/// Largest configuration file, in bytes; far beyond 60 peers.
const BYTES_MAX: u64 = 1 << 20;

/// Most files in `conf.d`: one for each of 60 peers, and as many again.
const FILES_MAX: usize = 128;

/// How the names of variables begin that set keys.
pub const VARIABLE_PREFIX: &str = "LINKAGE__";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// A file and the line in it, counted from 1.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// `--set` of the command line.
    Set,
    /// The settings as a whole, of this file.
    Whole(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Set => f.write_str("--set"),
            Self::Whole(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What a configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file.
    pub file: PathBuf,
    /// Environment variables whose names begin with [`VARIABLE_PREFIX`].
    pub variables: Vec<(String, String)>,
    /// `key=value`, in order.
    pub set: Vec<String>,
}

impl Sources {
    /// A file and its `conf.d` alone.
    pub fn file(path: &Path) -> Self {
        Self {
            file: path.to_owned(),
            ..Self::default()
        }
    }

    /// A file, the environment of this process, and what the command line sets.
    pub fn of_process(path: &Path, set: Vec<String>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                let is_ours = name.starts_with(VARIABLE_PREFIX);
                // What is no text is no value of ours; the check of its kind then says so.
                is_ours.then(|| (name, value.to_string_lossy().into_owned()))
            })
            .collect();
        Self {
            file: path.to_owned(),
            variables,
            set,
        }
    }
}

/// One value of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's full name, such as `tls.cert` or `peer[0].address`.
    pub key: String,
    /// The value, written as TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A configuration, checked, and where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings. Paths are resolved against the file's folder.
    pub settings: Settings,
    /// Every value, those that nobody gave included, in order of the keys.
    pub entries: Vec<Entry>,
    /// What it was read from.
    pub sources: Sources,
}

impl Loaded {
    /// Reads all layers and checks them.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, or [`Error::Refused`] with everything that is
    /// wrong.
    pub fn load(sources: &Sources) -> Result<Self, Error> {
        let mut layers = Layers::default();
        layers.file(&sources.file)?;
        for path in more_files(&sources.file)? {
            layers.file(&path)?;
        }
        for (name, value) in &sources.variables {
            layers.variable(name, value);
        }
        for text in &sources.set {
            layers.set(text);
        }
        let Layers {
            values,
            origins,
            complaints,
        } = layers;
        if !complaints.is_empty() {
            return Err(Error::Refused(complaints));
        }
        let origin_of = |key: &str| {
            let mut name = key;
            loop {
                if let Some(origin) = origins.get(name) {
                    return origin.clone();
                }
                match name.rfind(['.', '[']) {
                    Some(at) => name = &name[..at],
                    None => return Origin::Whole(sources.file.clone()),
                }
            }
        };
        let refuse = |key: &str, message: String| {
            let origin = origin_of(key);
            Err(Error::Refused(vec![Complaint { origin, message }]))
        };
        let entries = entries(&values, &origins);
        let parsed = serde_path_to_error::deserialize::<_, Settings>(Value::Table(values));
        let mut settings = match parsed {
            Ok(settings) => settings,
            Err(error) => {
                let key = error.path().to_string();
                let words = error.into_inner().to_string();
                let message = match key.as_str() {
                    "." => words.trim().to_owned(),
                    key => format!("`{key}`: {}", words.trim()),
                };
                return refuse(&key, message);
            }
        };
        if let Err((key, message)) = settings.check() {
            let full = match find(key) {
                Some(_) => key.to_owned(),
                None => format!("limits.{key}"),
            };
            return refuse(&full, format!("`{full}`: {message}"));
        }
        settings.resolve(sources.file.parent().unwrap_or(Path::new(".")));
        Ok(Self {
            settings,
            entries,
            sources: sources.clone(),
        })
    }
}

/// The files of `conf.d` beside `file`, in order of name.
fn more_files(file: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = file.parent().unwrap_or(Path::new(".")).join("conf.d");
    let io = |source| Error::Io {
        path: folder.clone(),
        source,
    };
    let listed = match std::fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(io(error)),
    };
    let mut files = vec![];
    for entry in listed {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            files.push(path);
        }
    }
    if files.len() > FILES_MAX {
        let message = format!("more than {FILES_MAX} files");
        return Err(io(io::Error::other(message)));
    }
    files.sort();
    Ok(files)
}

/// The layers so far.
#[derive(Default)]
struct Layers {
    values: Table,
    origins: BTreeMap<String, Origin>,
    complaints: Vec<Complaint>,
}

impl Layers {
    fn file(&mut self, path: &Path) -> Result<(), Error> {
        let io = |source| Error::Io {
            path: path.into(),
            source,
        };
        let mut text = String::new();
        let file = File::open(path).map_err(io)?;
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        let place = |at: usize| {
            let before = text.get(..at).unwrap_or(&text);
            Origin::File(path.to_owned(), before.matches('\n').count() + 1)
        };
        match DeTable::parse(&text) {
            Ok(parsed) => {
                let mut walk = Walk {
                    layers: self,
                    place: &place,
                };
                walk.table(parsed.get_ref(), catalogue(), "", &mut vec![]);
                Ok(())
            }
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                self.complain(place(at), error.message());
                Ok(())
            }
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        let origin = Origin::Variable(name.to_owned());
        let key = name.trim_start_matches(VARIABLE_PREFIX).to_lowercase();
        self.scalar(&key.replace("__", "."), value, origin);
    }

    fn set(&mut self, text: &str) {
        match text.split_once('=') {
            Some((key, value)) => self.scalar(key.trim(), value.trim(), Origin::Set),
            None => self.complain(
                Origin::Set,
                "is written key=value, as in limits.silent_max=64",
            ),
        }
    }

    /// Sets a key from a text.
    fn scalar(&mut self, name: &str, text: &str, origin: Origin) {
        let Some(key) = find(name) else {
            let nearest = nearest(name, names().into_iter());
            return self.complain(origin, unknown(name, nearest));
        };
        let bad = || format!("`{name}` must be {}", key.kind.words());
        let value = match &key.kind {
            Kind::Text | Kind::OneOf(_) => Some(Value::String(text.to_owned())),
            Kind::Count => text.parse().ok().filter(|n| *n >= 0).map(Value::Integer),
            Kind::Number => text.parse().ok().map(Value::Float),
            Kind::Switch => text.parse().ok().map(Value::Boolean),
            Kind::Texts | Kind::Table(_) | Kind::Tables(_) => {
                let message = format!("`{name}` holds {}: set it in a file", key.kind.words());
                return self.complain(origin, message);
            }
        };
        if key.name.contains("[]") {
            let message = format!("`{name}` is within a repeated table: set it in a file");
            return self.complain(origin, message);
        }
        let acceptable = value.filter(|value| is_one_of(&key.kind, value.as_str()));
        let Some(value) = acceptable else {
            return self.complain(origin, bad());
        };
        if is_secret(value.as_str()) && !is_public(key) {
            return self.complain(origin, secret(name));
        }
        let path: Vec<Step<'_>> = name.split('.').map(Step::Key).collect();
        put(&mut self.values, &path, value);
        self.origins.insert(name.to_owned(), origin);
    }

    fn complain(&mut self, origin: Origin, message: impl Into<String>) {
        self.complaints.push(Complaint {
            origin,
            message: message.into(),
        });
    }
}

/// One file's tables on their way into the layers.
struct Walk<'a, F> {
    layers: &'a mut Layers,
    /// The origin of what stands at a byte of the file.
    place: &'a F,
}

/// A step from a table to a value within it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<F: Fn(usize) -> Origin> Walk<'_, F> {
    fn table<'t>(
        &mut self,
        table: &'t DeTable<'_>,
        keys: &'static BTreeMap<String, Key>,
        within: &str,
        path: &mut Vec<Step<'t>>,
    ) {
        for (name, value) in table.iter() {
            let origin = (self.place)(name.span().start);
            let text: &'t str = name.get_ref();
            let full = format!("{within}{text}");
            let Some(key) = keys.get(text) else {
                let near = nearest(text, keys.keys().map(String::as_str));
                self.layers.complain(origin, unknown(&full, near));
                continue;
            };
            path.push(Step::Key(text));
            self.value(value.get_ref(), key, &full, origin, path);
            path.pop();
        }
    }

    fn value<'t>(
        &mut self,
        value: &'t DeValue<'_>,
        key: &'static Key,
        full: &str,
        origin: Origin,
        path: &mut Vec<Step<'t>>,
    ) {
        match (&key.kind, value) {
            (Kind::Table(keys), DeValue::Table(table)) => {
                self.layers.origins.insert(full.to_owned(), origin);
                self.table(table, keys, &format!("{full}."), path);
            }
            (Kind::Tables(keys), DeValue::Array(tables)) => {
                self.layers.origins.insert(full.to_owned(), origin.clone());
                let before = length(&self.layers.values, path);
                for (at, table) in (before..).zip(tables.iter()) {
                    let place = (self.place)(table.span().start);
                    let DeValue::Table(table) = table.get_ref() else {
                        let message = format!("`{full}` must hold {}", key.kind.words());
                        self.layers.complain(place, message);
                        continue;
                    };
                    let one = format!("{full}[{at}]");
                    self.layers.origins.insert(one.clone(), place);
                    path.push(Step::Index(at));
                    put(&mut self.layers.values, path, Value::Table(Table::new()));
                    self.table(table, keys, &format!("{one}."), path);
                    path.pop();
                }
            }
            (kind, value) => match plain(kind, value) {
                Some(found) if is_secret(found.as_str()) && !is_public(key) => {
                    self.layers.complain(origin, secret(full));
                }
                Some(found) => {
                    put(&mut self.layers.values, path, found);
                    self.layers.origins.insert(full.to_owned(), origin);
                }
                None => {
                    let message = format!("`{full}` must be {}", kind.words());
                    self.layers.complain(origin, message);
                }
            },
        }
    }
}

/// The value, if it is of the kind.
fn plain(kind: &Kind, value: &DeValue<'_>) -> Option<Value> {
    let text = |value: &DeValue<'_>| Some(Value::String(value.as_str()?.to_owned()));
    match kind {
        Kind::Text | Kind::OneOf(_) => text(value).filter(|value| is_one_of(kind, value.as_str())),
        Kind::Count | Kind::Number => {
            if let Some(number) = value.as_integer() {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
                return (*kind == Kind::Number || number >= 0).then_some(Value::Integer(number));
            }
            let number = value.as_float().filter(|_| *kind == Kind::Number)?;
            number.as_str().parse().ok().map(Value::Float)
        }
        Kind::Switch => value.as_bool().map(Value::Boolean),
        Kind::Texts => {
            let items = value.as_array()?.iter();
            let texts: Option<Vec<_>> = items.map(|item| text(item.get_ref())).collect();
            texts.map(Value::Array)
        }
        Kind::Table(_) | Kind::Tables(_) => None,
    }
}

fn is_one_of(kind: &Kind, text: Option<&str>) -> bool {
    match (kind, text) {
        (Kind::OneOf(values), Some(text)) => values.iter().any(|value| value == text),
        _ => true,
    }
}

/// Whether a value is what key files hold: such a thing must not stand in a configuration.
fn is_secret(text: Option<&str>) -> bool {
    let digits = |text: &str| text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit());
    text.is_some_and(|text| text.contains("-----BEGIN") || digits(text.trim()))
}

/// Whether a key holds another node's public key, which looks like a secret one.
fn is_public(key: &Key) -> bool {
    key.name.contains("[]") && key.name.ends_with("_key")
}

fn secret(name: &str) -> String {
    format!("`{name}` holds a key itself: put it into a file of mode 0600 and name the file here")
}

fn unknown(name: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(near) => format!("there is no key `{name}`; `{near}` is meant?"),
        None => format!("there is no key `{name}`; `linkage config explain` lists all"),
    }
}

/// Elements of the array at `path`.
fn length(values: &Table, path: &[Step<'_>]) -> usize {
    let [Step::Key(first), rest @ ..] = path else {
        return 0;
    };
    let mut at = values.get(*first);
    for step in rest {
        at = match (at, step) {
            (Some(Value::Table(table)), Step::Key(key)) => table.get(*key),
            (Some(Value::Array(array)), Step::Index(index)) => array.get(*index),
            _ => None,
        };
    }
    at.and_then(Value::as_array).map_or(0, Vec::len)
}

/// Puts `value` at `path`, making the tables and arrays on the way.
fn put(values: &mut Table, path: &[Step<'_>], value: Value) {
    let [Step::Key(first), rest @ ..] = path else {
        return;
    };
    let empty = match rest.first() {
        None => {
            values.insert((*first).to_owned(), value);
            return;
        }
        Some(Step::Key(_)) => Value::Table(Table::new()),
        Some(Step::Index(_)) => Value::Array(vec![]),
    };
    match (values.entry((*first).to_owned()).or_insert(empty), rest) {
        (Value::Table(table), rest) => put(table, rest, value),
        (Value::Array(array), [Step::Index(_)]) => array.push(value),
        (Value::Array(array), [Step::Index(at), rest @ ..]) => {
            if let Some(Value::Table(table)) = array.get_mut(*at) {
                put(table, rest, value);
            }
        }
        _ => {}
    }
}

/// Every value, and the defaults of keys that nobody gave.
fn entries(values: &Table, origins: &BTreeMap<String, Origin>) -> Vec<Entry> {
    let mut entries = vec![];
    given(values, "", origins, &mut entries);
    fn defaults(keys: &BTreeMap<String, Key>, entries: &mut Vec<Entry>) {
        for key in keys.values() {
            match (&key.kind, &key.default) {
                (Kind::Table(inner), _) => defaults(inner, entries),
                (kind, Some(default)) if !entries.iter().any(|one| one.key == key.name) => {
                    let value = match kind {
                        Kind::Text | Kind::OneOf(_) => Value::String(default.clone()).to_string(),
                        _ => default.clone(),
                    };
                    entries.push(Entry {
                        key: key.name.clone(),
                        value,
                        origin: Origin::Default,
                    });
                }
                _ => {}
            }
        }
    }
    defaults(catalogue(), &mut entries);
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

fn given(
    values: &Table,
    within: &str,
    origins: &BTreeMap<String, Origin>,
    entries: &mut Vec<Entry>,
) {
    for (name, value) in values {
        let full = format!("{within}{name}");
        match value {
            Value::Table(table) => given(table, &format!("{full}."), origins, entries),
            Value::Array(array) if array.iter().all(Value::is_table) => {
                for (at, table) in array.iter().filter_map(Value::as_table).enumerate() {
                    given(table, &format!("{full}[{at}]."), origins, entries);
                }
            }
            value => entries.push(Entry {
                origin: origins.get(&full).cloned().unwrap_or(Origin::Default),
                key: full,
                value: value.to_string(),
            }),
        }
    }
}
