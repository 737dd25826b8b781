//! The encoding once more, written straight from the rules over the schema's JSON: no caches, no
//! shared code, numbers as strings of digits or wide integers. Versions 2 and 3 and 1 alike.

use std::collections::BTreeSet;

use blake2::Blake2bMac512;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::civil::Date;
use md5::Md5;
use ring::hmac as ring_hmac;
use serde_json::{Value, json};

/// Encodes one record, whose values must be allowed.
pub(super) fn encode(schema: &Value, secret: &[u8], record: &[String]) -> Vec<u8> {
    let schema = version_3(schema);
    let config = &schema["clkConfig"];
    let features = schema["features"].as_array().unwrap();
    let length = config["l"].as_u64().unwrap();
    let folds = config["xor_folds"].as_u64().unwrap_or(0);
    let size = length * 2_u64.pow(folds as u32);
    let keys = rule_1_and_2(&config["kdf"], secret, features.len());
    let mut indices = BTreeSet::new();
    for (column, feature) in features.iter().enumerate() {
        if feature["ignored"] == true {
            continue;
        }
        let value = rule_3(feature, &record[column]);
        let hashing = &feature["hashing"];
        let tokens = rules_4_to_6(&hashing["comparison"], &value);
        let counts = rule_7(&hashing["strategy"], tokens.len() as u64);
        for (token, count) in tokens.iter().zip(counts) {
            let bytes = rule_8(&feature["format"], token);
            let (k0, k1) = (&keys[2 * column], &keys[2 * column + 1]);
            if hashing["hash"]["type"] == "doubleHash" {
                let prevent = hashing["hash"]["prevent_singularity"] == true;
                indices.extend(rule_10(k0, k1, &bytes, count, size, prevent));
            } else {
                indices.extend(rule_9(k0, &bytes, count, size));
            }
        }
    }
    let mut bits: Vec<bool> = (0..size).map(|bit| indices.contains(&bit)).collect();
    for _ in 0..folds {
        let second = bits.split_off(bits.len() / 2);
        bits = bits.iter().zip(second).map(|(a, b)| *a != b).collect();
    }
    bits.resize(bits.len().next_multiple_of(8), false);
    bits.chunks(8)
        .map(|byte| byte.iter().fold(0, |byte, bit| byte * 2 + u8::from(*bit)))
        .collect()
}

fn version_3(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let config = schema["clkConfig"].clone();
    let version = schema["version"].clone();
    for feature in schema["features"].as_array_mut().unwrap() {
        if version == 3 || feature["ignored"] == true {
            continue;
        }
        let hashing = feature["hashing"].clone();
        if version == 1 {
            let weight = hashing["weight"].as_f64().unwrap_or(1.0);
            let product = weight * config["k"].as_f64().unwrap();
            let below = product.floor();
            let odd = below % 2.0 == 1.0;
            let up = product - below > 0.5 || product - below == 0.5 && odd;
            feature["hashing"]["strategy"] = json!({ "k": below as u64 + u64::from(up) });
            feature["hashing"]["hash"] = config["hash"].clone();
            feature["ignored"] = json!(weight == 0.0);
        }
        let strategy = feature["hashing"]["strategy"].clone();
        feature["hashing"]["strategy"] = json!({
            "bitsPerToken": strategy["k"],
            "bitsPerFeature": strategy["numBits"],
        });
        feature["hashing"]["comparison"] = json!({
            "type": "ngram",
            "n": hashing["ngram"],
            "positional": hashing["positional"],
        });
    }
    schema
}

/// RFC 5869 out of HMAC.
fn rule_1_and_2(kdf: &Value, secret: &[u8], features: usize) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let decode = |name: &str| {
        let text = kdf[name].as_str().unwrap_or("");
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    };
    let algorithm = match kdf["hash"].as_str() {
        Some("SHA512") => ring_hmac::HMAC_SHA512,
        _ => ring_hmac::HMAC_SHA256,
    };
    let mac = |key: &[u8], message: &[u8]| {
        let key = ring_hmac::Key::new(algorithm, key);
        ring_hmac::sign(&key, message).as_ref().to_vec()
    };
    let size = kdf["keySize"].as_u64().unwrap_or(64) as usize;
    let pseudorandom = mac(&decode("salt"), secret);
    let (mut material, mut last) = (vec![], vec![]);
    for counter in 1..=255_u8 {
        last = mac(
            &pseudorandom,
            &[last, decode("info"), vec![counter]].concat(),
        );
        material.extend_from_slice(&last);
    }
    let keys = material.chunks_exact(size).map(<[u8]>::to_vec);
    keys.take(2 * features).collect()
}

/// Of integers and days only what the tests make: ASCII digits of any number, common formats.
fn rule_3(feature: &Value, value: &str) -> String {
    let missing = &feature["hashing"]["missingValue"];
    if missing["sentinel"] == value {
        let replacement = missing["replaceWith"].as_str();
        return replacement.unwrap_or(value).to_owned();
    }
    match feature["format"]["type"].as_str().unwrap() {
        "integer" => {
            let (sign, digits) = integer(value).unwrap();
            let sign = if sign < 0 && digits != "0" { "-" } else { "" };
            format!("{sign}{digits}")
        }
        "date" => {
            let format = feature["format"]["format"].as_str().unwrap();
            let spaced: Vec<String> = value
                .split(|c: char| !c.is_alphanumeric())
                .filter(|part| !part.is_empty())
                .map(str::to_lowercase)
                .collect();
            let number = |at: usize| ascii_digits(&spaced[at]).parse::<i16>().unwrap();
            let months = "janfebmaraprmayjunjulaugsepoctnovdec";
            let date = match format {
                "%Y-%m-%d" => Date::new(number(0), number(1) as i8, number(2) as i8),
                "%d/%m/%Y" => Date::new(number(2), number(1) as i8, number(0) as i8),
                "%d %b %y" => {
                    let month = months.find(&spaced[1]).unwrap() / 3 + 1;
                    let century = if number(2) < 69 { 2000 } else { 1900 };
                    Date::new(century + number(2), month as i8, number(0) as i8)
                }
                other => panic!("no slow reading of {other}"),
            };
            let date = date.unwrap();
            format!("{}{:02}{:02}", date.year(), date.month(), date.day())
        }
        _ => value.to_owned(),
    }
}

fn ascii_digits(text: &str) -> String {
    text.chars()
        .map(|c| match u32::from(c) {
            code @ 0x660..=0x669 => char::from_digit(code - 0x660, 10).unwrap(),
            code @ 0xff10..=0xff19 => char::from_digit(code - 0xff10, 10).unwrap(),
            _ => c,
        })
        .collect()
}

/// Sign and digits of an integer.
fn integer(text: &str) -> Option<(i8, String)> {
    let text = ascii_digits(text.trim()).replace('_', "");
    let (sign, digits) = match text.split_at_checked(1) {
        Some(("-", digits)) => (-1, digits),
        Some(("+", digits)) => (1, digits),
        _ => (1, &*text),
    };
    let good = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let short = digits.trim_start_matches('0');
    let short = if short.is_empty() { "0" } else { short };
    good.then(|| (sign, short.to_owned()))
}

fn round(number: f64) -> i128 {
    // Half to even by the fraction's distance from a half.
    let (floor, fraction) = (number.floor(), number - number.floor());
    let floor = floor as i128;
    match fraction.partial_cmp(&0.5).unwrap() {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}

fn rules_4_to_6(comparison: &Value, value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec![];
    }
    match comparison["type"].as_str().unwrap() {
        "exact" => vec![value.to_owned()],
        "ngram" => {
            let n = comparison["n"].as_u64().unwrap() as usize;
            let pad = " ".repeat(n - 1);
            let padded: Vec<char> = format!("{pad}{value}{pad}").chars().collect();
            let mut tokens = vec![];
            for start in 0..=padded.len() - n {
                let gram: String = padded[start..start + n].iter().collect();
                tokens.push(if comparison["positional"] == true {
                    format!("{} {gram}", start + 1)
                } else {
                    gram
                });
            }
            tokens
        }
        _ => numeric(comparison, value),
    }
}

fn numeric(comparison: &Value, value: &str) -> Vec<String> {
    let p = comparison["fractional_precision"].as_u64().unwrap_or(0) as u32;
    let r = i128::from(comparison["resolution"].as_u64().unwrap());
    let ten = 10_i128.pow(p);
    let threshold = &comparison["thresholdDistance"];
    let d = match threshold.as_u64() {
        Some(whole) => i128::from(whole) * ten,
        None => round(threshold.as_f64().unwrap() * ten as f64),
    };
    let x = match integer(value) {
        Some((sign, digits)) => i128::from(sign) * digits.parse::<i128>().unwrap() * ten,
        None => {
            let text = ascii_digits(value.trim()).replace('_', "");
            let number: f64 = text.parse().unwrap();
            if p > 0 {
                round(number * ten as f64)
            } else {
                number as i128
            }
        }
    };
    let mut v = 2 * r * x;
    let m = ((v % d) + d) % d;
    if m != 0 {
        v = if 2 * m < d { v - m } else { v + d - m };
    }
    (-r..=r).map(|i| (v + i * d).to_string()).collect()
}

fn rule_7(strategy: &Value, tokens: u64) -> Vec<u64> {
    match strategy["bitsPerToken"].as_u64() {
        Some(k) => vec![k; tokens as usize],
        None => {
            let bits = strategy["bitsPerFeature"].as_u64().unwrap();
            let mut counts = vec![0; tokens as usize];
            // One by one, in turn, comes to the same.
            if tokens > 0 {
                for bit in 0..bits {
                    counts[(bit % tokens) as usize] += 1;
                }
            }
            counts
        }
    }
}

fn rule_8(format: &Value, token: &str) -> Vec<u8> {
    match format["encoding"].as_str() {
        Some("utf-16") => {
            let mut bytes = vec![0xff, 0xfe];
            for unit in token.encode_utf16() {
                bytes.extend(unit.to_le_bytes());
            }
            bytes
        }
        Some("utf-32") => {
            let mut bytes = vec![0xff, 0xfe, 0, 0];
            for c in token.chars() {
                bytes.extend(u32::from(c).to_le_bytes());
            }
            bytes
        }
        _ => token.as_bytes().to_vec(),
    }
}

fn rule_9(key: &[u8], token: &[u8], count: u64, size: u64) -> Vec<u64> {
    assert!(size.is_power_of_two());
    let mut indices = vec![];
    for j in 0.. {
        if indices.len() as u64 >= count {
            break;
        }
        let mut salt = [0; 16];
        for (at, digit) in j.to_string().bytes().enumerate() {
            salt[at] = digit;
        }
        let mac = Blake2bMac512::new_with_salt_and_personal(Some(key), &salt, &[]).unwrap();
        let digest = mac.chain_update(token).finalize().into_bytes();
        for pair in 0..32 {
            let number = u64::from(digest[2 * pair]) + 256 * u64::from(digest[2 * pair + 1]);
            indices.push(number % size);
        }
    }
    indices.truncate(count as usize);
    indices
}

fn rule_10(k0: &[u8], k1: &[u8], token: &[u8], count: u64, size: u64, prevent: bool) -> Vec<u64> {
    let modulo = |digest: &[u8]| {
        let mut left = 0;
        for byte in digest {
            for bit in (0..8).rev() {
                left = (2 * left + u64::from(byte >> bit & 1)) % size;
            }
        }
        left
    };
    let sha1 = ring_hmac::Key::new(ring_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, k0);
    let g = modulo(ring_hmac::sign(&sha1, token).as_ref());
    let md5 = |message: &[u8]| {
        let mac = Hmac::<Md5>::new_from_slice(k1).unwrap();
        modulo(&mac.chain_update(message).finalize().into_bytes())
    };
    let mut d = md5(token);
    let mut suffix = 0;
    while prevent && d == 0 {
        let c = char::from_u32(suffix).unwrap().to_string();
        d = md5(&[token, c.as_bytes()].concat());
        suffix += 1;
    }
    (0..count).map(|i| (g + i * d) % size).collect()
}
