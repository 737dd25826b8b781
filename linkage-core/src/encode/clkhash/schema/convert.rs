//! What a schema of version 3 means, with the path to what is wrong.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::super::date::DateFormat;
use super::super::hash::BLAKE_KEY_BYTES_MAX;
use super::super::number;
use super::super::pattern::Pattern;
use super::super::tokens;
use super::file;
use super::{
    Case, Comparison, Encoding, Error, FILTER_BITS_MAX, Feature, Format, Hash, Hashing,
    INSERTIONS_MAX, Kdf, KdfHash, Missing, NGRAM_CHARS_MAX, PRECISION_MAX, RESOLUTION_MAX, Schema,
    Strategy, TextRule,
};

/// Bytes of a key where the schema does not say.
const KEY_BYTES_DEFAULT: usize = 64;

/// Greatest distance of a numeric comparison in units of its last decimal place: far above any
/// measure, and low enough that all the numbers around one fit in 128 bits.
const DISTANCE_MAX: i128 = 10_i128.pow(30);

fn refuse<T>(path: &str, message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Meaning {
        path: path.to_owned(),
        message: message.into(),
    })
}

/// A number that must lie within bounds.
fn within(path: &str, value: u32, min: u32, max: u32) -> Result<u32, Error> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    refuse(path, format!("{value} is not within {min} to {max}"))
}

pub(super) fn schema(file: file::Schema) -> Result<Schema, Error> {
    let config = file.config;
    if config.folds_unread > 0 {
        return refuse(
            "clkConfig.xorFolds",
            "clkhash ignores this key; rename it to xor_folds to fold, or remove it to encode \
             without folding as clkhash does",
        );
    }
    if config.l == 0 {
        return refuse("clkConfig.l", "an encoding has at least 1 bit");
    }
    let filter = u64::from(config.l).checked_shl(config.xor_folds);
    if config.xor_folds > 20 || filter.is_none_or(|bits| bits > u64::from(FILTER_BITS_MAX)) {
        let message = format!("a filter has at most {FILTER_BITS_MAX} bits before folding");
        return refuse("clkConfig", message);
    }
    let kdf = kdf(config.kdf, file.features.len())?;
    let features = file.features.into_iter().enumerate();
    let features = features.map(|(index, one)| feature(&format!("features[{index}]"), one));
    let schema = Schema {
        bits: config.l,
        folds: config.xor_folds,
        kdf,
        features: features.collect::<Result<_, _>>()?,
        version: file.version,
    };
    check_blake(&schema)?;
    Ok(schema)
}

fn kdf(kdf: file::Kdf, features: usize) -> Result<Kdf, Error> {
    let (hash, hash_bytes) = match kdf.hash {
        file::KdfHash::Sha256 => (KdfHash::Sha256, 32),
        file::KdfHash::Sha512 => (KdfHash::Sha512, 64),
    };
    let key_bytes = kdf.key_size.unwrap_or(KEY_BYTES_DEFAULT);
    if key_bytes == 0 {
        return refuse("clkConfig.kdf.keySize", "a key has at least 1 byte");
    }
    if features == 0 {
        return refuse(
            "features",
            "there are none; a schema has one for every column",
        );
    }
    let most = 255 * hash_bytes / 2 / features;
    if key_bytes > most {
        let message = format!(
            "HKDF has key material for {features} features of at most {most} bytes a key, this \
             schema asks for {key_bytes}; lower keySize, or take SHA512 for hash"
        );
        return refuse("clkConfig.kdf", message);
    }
    let bytes = |name: &str, text: &str| match STANDARD.decode(text) {
        Ok(bytes) => Ok(bytes),
        Err(_) => refuse(
            &format!("clkConfig.kdf.{name}"),
            "not base64 of the standard alphabet with padding",
        ),
    };
    Ok(Kdf {
        hash,
        salt: bytes("salt", &kdf.salt)?,
        info: bytes("info", &kdf.info)?,
        key_bytes,
    })
}

fn check_blake(schema: &Schema) -> Result<(), Error> {
    let hashing = schema.features.iter().flat_map(|one| &one.hashing);
    if !hashing.into_iter().any(|one| one.hash == Hash::Blake) {
        return Ok(());
    }
    if !schema.filter_bits().is_power_of_two() {
        let message = format!(
            "blakeHash needs a power of two, not {}; change l, or take doubleHash for every feature",
            schema.bits
        );
        return refuse("clkConfig.l", message);
    }
    if schema.kdf.key_bytes > BLAKE_KEY_BYTES_MAX {
        let message = format!("blakeHash takes keys of at most {BLAKE_KEY_BYTES_MAX} bytes");
        return refuse("clkConfig.kdf.keySize", message);
    }
    Ok(())
}

fn feature(path: &str, feature: file::Feature<file::Hashing>) -> Result<Feature, Error> {
    let identifier = feature.identifier;
    if feature.ignored {
        return Ok(Feature {
            identifier,
            hashing: None,
        });
    }
    let (Some(form), Some(hashing)) = (feature.format, feature.hashing) else {
        return refuse(
            path,
            "a feature has a format and a hashing, unless it has \"ignored\": true",
        );
    };
    let form = format(&format!("{path}.format"), form)?;
    let path = format!("{path}.hashing");
    let hashing = Hashing {
        comparison: comparison(&format!("{path}.comparison"), &hashing.comparison)?,
        strategy: strategy(&format!("{path}.strategy"), &hashing.strategy)?,
        hash: hash(&format!("{path}.hash"), hashing.hash)?,
        missing: hashing.missing_value.map(|missing| Missing {
            sentinel: Zeroizing::new(missing.sentinel),
            replacement: missing.replace_with.map(Zeroizing::new),
        }),
        format: form,
    };
    check_missing(&format!("{path}.missingValue"), &hashing)?;
    Ok(Feature {
        identifier,
        hashing: Some(hashing),
    })
}

/// What stands for a missing value is not checked by the format, but must be possible to encode.
fn check_missing(path: &str, hashing: &Hashing) -> Result<(), Error> {
    let Some(missing) = &hashing.missing else {
        return Ok(());
    };
    let encoded = missing.encoded();
    if hashing.format.encoding() == Encoding::Ascii && !encoded.is_ascii() {
        return refuse(path, "what is encoded for a missing value is not ASCII");
    }
    match tokens::Tokens::default().split(&hashing.comparison, encoded) {
        Ok(()) => Ok(()),
        Err(_) => refuse(
            path,
            "what is encoded for a missing value is no number, which the comparison asks for; \
             give a replaceWith that is a number or empty",
        ),
    }
}

fn format(path: &str, format: file::Format) -> Result<Format, Error> {
    use file::FormatType::{Date, Enum, Integer, String};
    let kind = format.kind;
    let text = kind == String && format.pattern.is_none();
    let belongs = [
        ("encoding", kind == String, format.encoding.is_some()),
        ("case", text, format.case.is_some()),
        ("minLength", text, format.min_length.is_some()),
        ("maxLength", text, format.max_length.is_some()),
        ("pattern", kind == String, format.pattern.is_some()),
        ("minimum", kind == Integer, format.minimum.is_some()),
        ("maximum", kind == Integer, format.maximum.is_some()),
        ("format", kind == Date, format.format.is_some()),
        ("values", kind == Enum, format.values.is_some()),
    ];
    if let Some((name, ..)) = belongs.iter().find(|(_, may, is)| *is && !*may) {
        let message = "this key does not go with the format's type or its pattern; remove it";
        return refuse(&format!("{path}.{name}"), message);
    }
    let needed = |name: &str| refuse(path, format!("the key {name} is missing"));
    match kind {
        String => string(path, format),
        Integer => Ok(Format::Integer {
            minimum: format.minimum,
            maximum: format.maximum,
        }),
        Date => match format.format.as_deref().map(DateFormat::parse) {
            Some(Ok(parsed)) => Ok(Format::Date(parsed)),
            Some(Err(error)) => refuse(&format!("{path}.format"), error.to_string()),
            None => needed("format"),
        },
        Enum => match format.values {
            Some(values) => Ok(Format::Enum(values.into_iter().collect::<HashSet<_>>())),
            None => needed("values"),
        },
    }
}

fn string(path: &str, format: file::Format) -> Result<Format, Error> {
    let encoding = match format.encoding {
        Some(file::Encoding::Ascii) => Encoding::Ascii,
        Some(file::Encoding::Utf16) => Encoding::Utf16,
        Some(file::Encoding::Utf32) => Encoding::Utf32,
        Some(file::Encoding::Utf8) | None => Encoding::Utf8,
    };
    let rule = match format.pattern.as_deref().map(Pattern::new) {
        Some(Ok(pattern)) => TextRule::Pattern(pattern),
        Some(Err(error)) => return refuse(&format!("{path}.pattern"), error.to_string()),
        None => TextRule::Shape {
            case: format.case.and_then(|case| match case {
                file::Case::Upper => Some(Case::Upper),
                file::Case::Lower => Some(Case::Lower),
                file::Case::Mixed => None,
            }),
            chars_min: format.min_length,
            chars_max: format.max_length,
        },
    };
    Ok(Format::Text { encoding, rule })
}

fn comparison(path: &str, comparison: &file::Comparison) -> Result<Comparison, Error> {
    use file::ComparisonType::{Exact, Ngram, Numeric};
    let kind = comparison.kind;
    let numeric = kind == Numeric;
    let belongs = [
        ("n", kind == Ngram, comparison.n.is_some()),
        ("positional", kind == Ngram, comparison.positional.is_some()),
        (
            "thresholdDistance",
            numeric,
            comparison.threshold_distance.is_some(),
        ),
        ("resolution", numeric, comparison.resolution.is_some()),
        (
            "fractional_precision",
            numeric,
            comparison.fractional_precision.is_some(),
        ),
    ];
    if let Some((name, ..)) = belongs.iter().find(|(_, may, is)| *is && !*may) {
        let message = "this key does not go with the comparison's type; remove it";
        return refuse(&format!("{path}.{name}"), message);
    }
    match kind {
        Exact => Ok(Comparison::Exact),
        Ngram => {
            let Some(n) = comparison.n else {
                return refuse(path, "the key n is missing");
            };
            Ok(Comparison::Ngram {
                n: within(&format!("{path}.n"), n, 1, NGRAM_CHARS_MAX)?,
                positional: comparison.positional.unwrap_or(false),
            })
        }
        Numeric => {
            let (Some(threshold), Some(resolution)) =
                (&comparison.threshold_distance, comparison.resolution)
            else {
                return refuse(path, "thresholdDistance and resolution are both needed");
            };
            let precision = comparison.fractional_precision.unwrap_or(0);
            let precision = within(
                &format!("{path}.fractional_precision"),
                precision,
                0,
                PRECISION_MAX,
            )?;
            let distance_path = format!("{path}.thresholdDistance");
            Ok(Comparison::Numeric {
                distance: distance(&distance_path, threshold, precision)?,
                resolution: within(&format!("{path}.resolution"), resolution, 1, RESOLUTION_MAX)?,
                precision,
            })
        }
    }
}

/// The distance in units of the last decimal place that counts, half to even.
fn distance(path: &str, threshold: &serde_json::Number, precision: u32) -> Result<i128, Error> {
    let scale = 10_i128.pow(precision);
    let distance = match (threshold.as_u64(), threshold.as_f64()) {
        (Some(whole), _) => i128::from(whole).checked_mul(scale),
        (None, Some(number)) => number::whole((number * scale as f64).round_ties_even()),
        (None, None) => None,
    };
    let Some(distance) = distance.filter(|distance| *distance <= DISTANCE_MAX) else {
        return refuse(path, "the distance is too large");
    };
    if distance < 1 {
        let message = "the distance is not above 0, or rounds to 0; raise fractional_precision so \
                       that its decimal places count";
        return refuse(path, message);
    }
    Ok(distance)
}

fn strategy(path: &str, strategy: &file::Strategy) -> Result<Strategy, Error> {
    match (strategy.bits_per_token, strategy.bits_per_feature) {
        (Some(bits), None) => within(&format!("{path}.bitsPerToken"), bits, 1, INSERTIONS_MAX)
            .map(Strategy::BitsPerToken),
        (None, Some(bits)) => within(&format!("{path}.bitsPerFeature"), bits, 1, INSERTIONS_MAX)
            .map(Strategy::BitsPerFeature),
        _ => refuse(
            path,
            "give one of bitsPerToken and bitsPerFeature (k and numBits in version 2)",
        ),
    }
}

fn hash(path: &str, hash: Option<file::Hash>) -> Result<Hash, Error> {
    let Some(hash) = hash else {
        return Ok(Hash::Blake);
    };
    match (hash.kind, hash.prevent_singularity) {
        (file::HashType::Blake, None) => Ok(Hash::Blake),
        (file::HashType::Blake, Some(_)) => refuse(
            &format!("{path}.prevent_singularity"),
            "this key does not go with blakeHash, which has no singularities; remove it",
        ),
        (file::HashType::Double, prevent) => Ok(Hash::Double {
            prevent_singularity: prevent.unwrap_or(false),
        }),
    }
}
