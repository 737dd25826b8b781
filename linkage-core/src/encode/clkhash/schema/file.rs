//! Linkage schemas as they are written, one strict shape a version, brought to version 3.

use serde::Deserialize;

use super::Error;

#[derive(Deserialize)]
struct Version {
    version: serde_json::Value,
}

/// A schema with the configuration and hashing of its version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File<C, H> {
    version: u8,
    clk_config: C,
    features: Vec<Feature<H>>,
}

/// A schema of version 3, as written or as older ones mean it.
pub(super) struct Schema {
    pub(super) version: u8,
    pub(super) config: Config,
    pub(super) features: Vec<Feature<Hashing>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) l: u32,
    pub(super) kdf: Kdf,
    #[serde(default)]
    pub(super) xor_folds: u32,
    /// Documented by clkhash, and not read by it.
    #[serde(default, rename = "xorFolds")]
    pub(super) folds_unread: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config1 {
    l: u32,
    k: u32,
    hash: Hash,
    kdf: Kdf,
    #[serde(default)]
    xor_folds: u32,
    #[serde(default, rename = "xorFolds")]
    folds_unread: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kdf {
    #[serde(rename = "type")]
    _kind: KdfType,
    #[serde(default)]
    pub(super) hash: KdfHash,
    #[serde(default)]
    pub(super) salt: String,
    #[serde(default)]
    pub(super) info: String,
    pub(super) key_size: Option<usize>,
}

#[derive(Deserialize)]
enum KdfType {
    #[serde(rename = "HKDF")]
    Hkdf,
}

#[derive(Deserialize, Default)]
pub(super) enum KdfHash {
    #[default]
    #[serde(rename = "SHA256")]
    Sha256,
    #[serde(rename = "SHA512")]
    Sha512,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feature<H> {
    pub(super) identifier: String,
    #[serde(default)]
    pub(super) ignored: bool,
    #[serde(rename = "description")]
    _description: Option<String>,
    pub(super) format: Option<Format>,
    pub(super) hashing: Option<H>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormatType {
    String,
    Integer,
    Date,
    Enum,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Format {
    #[serde(rename = "type")]
    pub(super) kind: FormatType,
    #[serde(rename = "description")]
    _description: Option<String>,
    pub(super) encoding: Option<Encoding>,
    pub(super) case: Option<Case>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<String>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    pub(super) format: Option<String>,
    pub(super) values: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Copy)]
pub(super) enum Encoding {
    #[serde(rename = "ascii")]
    Ascii,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-16")]
    Utf16,
    #[serde(rename = "utf-32")]
    Utf32,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum Case {
    Upper,
    Lower,
    Mixed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Hashing {
    pub(super) comparison: Comparison,
    pub(super) strategy: Strategy,
    pub(super) hash: Option<Hash>,
    pub(super) missing_value: Option<Missing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hashing2 {
    ngram: u32,
    #[serde(default)]
    positional: bool,
    strategy: Strategy2,
    hash: Option<Hash>,
    missing_value: Option<Missing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hashing1 {
    ngram: u32,
    #[serde(default)]
    positional: bool,
    weight: Option<f64>,
    missing_value: Option<Missing>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum ComparisonType {
    Ngram,
    Exact,
    Numeric,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Comparison {
    #[serde(rename = "type")]
    pub(super) kind: ComparisonType,
    pub(super) n: Option<u32>,
    pub(super) positional: Option<bool>,
    #[serde(rename = "thresholdDistance")]
    pub(super) threshold_distance: Option<serde_json::Number>,
    pub(super) resolution: Option<u32>,
    /// Not in camel case, unlike its neighbours.
    pub(super) fractional_precision: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Strategy {
    pub(super) bits_per_token: Option<u32>,
    pub(super) bits_per_feature: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Strategy2 {
    k: Option<u32>,
    num_bits: Option<u32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(super) struct Hash {
    #[serde(rename = "type")]
    pub(super) kind: HashType,
    pub(super) prevent_singularity: Option<bool>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
pub(super) enum HashType {
    #[serde(rename = "blakeHash")]
    Blake,
    #[serde(rename = "doubleHash")]
    Double,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Missing {
    pub(super) sentinel: String,
    pub(super) replace_with: Option<String>,
}

/// Reads a schema of any version and brings it to version 3.
pub(super) fn read(text: &str) -> Result<Schema, Error> {
    let version = parse::<Version>(text)?.version;
    match version.as_u64() {
        Some(1) => {
            let file: File<Config1, Hashing1> = parse(text)?;
            let (config, k, hash) = file.clk_config.split();
            let hashing = |hashing: Hashing1| Some(hashing.into_2(k, hash)?.into_3());
            Ok(build(file.version, config, file.features, hashing))
        }
        Some(2) => {
            let file: File<Config, Hashing2> = parse(text)?;
            let hashing = |hashing: Hashing2| Some(hashing.into_3());
            Ok(build(file.version, file.clk_config, file.features, hashing))
        }
        Some(3) => {
            let file: File<Config, Hashing> = parse(text)?;
            Ok(build(file.version, file.clk_config, file.features, Some))
        }
        _ => Err(Error::Version(version.to_string())),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Syntax(error.to_string()))
}

/// A feature whose hashing becomes nothing is ignored.
fn build<H>(
    version: u8,
    config: Config,
    features: Vec<Feature<H>>,
    hashing: impl Fn(H) -> Option<Hashing>,
) -> Schema {
    let features = features.into_iter().map(|feature| {
        let given = feature.hashing.is_some();
        let hashing = feature.hashing.and_then(&hashing);
        Feature {
            ignored: feature.ignored || given && hashing.is_none(),
            identifier: feature.identifier,
            _description: None,
            format: feature.format,
            hashing,
        }
    });
    Schema {
        version,
        config,
        features: features.collect(),
    }
}

impl Config1 {
    /// The configuration without `k` and `hash`, which each feature has from version 2 on.
    fn split(self) -> (Config, u32, Hash) {
        let config = Config {
            l: self.l,
            kdf: self.kdf,
            xor_folds: self.xor_folds,
            folds_unread: self.folds_unread,
        };
        (config, self.k, self.hash)
    }
}

impl Hashing1 {
    /// Weight 0 makes a feature ignored.
    fn into_2(self, k: u32, hash: Hash) -> Option<Hashing2> {
        let weight = self.weight.unwrap_or(1.0);
        if weight == 0.0 {
            return None;
        }
        // Half to even, as Python rounds. A negative weight becomes 0, which is refused later.
        let k = (weight * f64::from(k)).round_ties_even() as u32;
        Some(Hashing2 {
            ngram: self.ngram,
            positional: self.positional,
            strategy: Strategy2 {
                k: Some(k),
                num_bits: None,
            },
            hash: Some(hash),
            missing_value: self.missing_value,
        })
    }
}

impl Hashing2 {
    fn into_3(self) -> Hashing {
        Hashing {
            comparison: Comparison {
                kind: ComparisonType::Ngram,
                n: Some(self.ngram),
                positional: Some(self.positional),
                threshold_distance: None,
                resolution: None,
                fractional_precision: None,
            },
            strategy: Strategy {
                bits_per_token: self.strategy.k,
                bits_per_feature: self.strategy.num_bits,
            },
            hash: self.hash,
            missing_value: self.missing_value,
        }
    }
}
