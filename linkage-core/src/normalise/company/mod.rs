//! Names of companies and other organisations: region, brand, trade, form, branch.
//!
//! | step | module |
//! |---|---|
//! | punctuation and brackets | [`plain`] |
//! | branch behind the name | [`branch`] |
//! | form, trade, region, brand | [`grammar`] |
//! | pinyin of the brand | [`reading`] |
//! | no Han characters: words | [`western`] |
//!
//! The canonical name starts with its region in full, wherever the region stood: 鑫源贸易(广州)有限责任公司
//! is 广州市鑫源贸易有限公司.

mod branch;
mod grammar;
mod plain;
mod reading;
mod suffix;
pub(crate) mod tables;
mod western;

use zeroize::Zeroizing;

use self::grammar::Parts;
use super::Parsed;
use super::address::add_place;
use super::address::region::{self, Place};
use crate::record::{Component, Components, FieldState, Finding, NormalValue};

/// Times that a name is read at most until its canonical form stays the same. Two readings suffice
/// for names that mean something; what has none after all of them is no name.
const READS_MAX: usize = 6;

/// Branch of a name without one. A component of its own, so that a head office and its branch,
/// alike in all else, differ in features and keys.
const HEAD_OFFICE: &str = "-";

/// Reads a cleaned company name.
pub(super) fn parse(clean: &str) -> Parsed {
    let plain = plain::plain(clean);
    if plain.text.is_empty() || !plain.text.contains(plain::is_han) {
        let value = western::parse(&plain::without_han(clean));
        return if value.whole().is_empty() {
            (None, FieldState::Invalid(Finding::BadCharacters))
        } else {
            (Some(value), FieldState::Valid)
        };
    }
    let state = if plain.remarks {
        FieldState::Repaired(Finding::RemarkRemoved)
    } else {
        FieldState::Valid
    };
    let parts = grammar::parts(&plain.text, plain.inner);
    let mut whole = canonical(&parts);
    // A region from brackets stands in front from the second reading on.
    if plain.inner.is_unknown() && *whole == *plain.text {
        return (Some(value(&whole, &parts)), state);
    }
    for _ in 2..READS_MAX {
        let parts = grammar::parts(&whole, Place::default());
        let again = canonical(&parts);
        if *again == *whole {
            return (Some(value(&whole, &parts)), state);
        }
        whole = again;
    }
    (None, FieldState::Invalid(Finding::Unparsed))
}

/// The value of a canonical name.
fn value(whole: &str, parts: &Parts<'_>) -> NormalValue {
    let owned = |text: &str| Zeroizing::new(text.to_owned());
    let brand = reading::pinyin(parts.brand);
    let trade = reading::pinyin(parts.trade);
    let mut pinyin = Zeroizing::new(String::with_capacity(brand.len() + trade.len() + 1));
    pinyin.push_str(&brand);
    if !trade.is_empty() {
        pinyin.push(' ');
        pinyin.push_str(&trade);
    }
    let mut value = NormalValue::text(owned(whole));
    add_place(&mut value, parts.place, Components::ALL);
    value.add(Component::Brand, owned(parts.brand));
    value.add(Component::BrandPinyin, brand);
    value.add(Component::Pinyin, pinyin);
    value.add(Component::Trade, owned(parts.trade));
    value.add(
        Component::Form,
        owned(parts.form.map_or("", |form| form.class)),
    );
    let branch = if parts.branch.is_empty() {
        HEAD_OFFICE
    } else {
        parts.branch
    };
    value.add(Component::Branch, owned(branch));
    value
}

/// The name in canonical order and spelling.
fn canonical(parts: &Parts<'_>) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(160));
    parts.place.write_local_names(&mut out);
    for name in &parts.locality {
        out.push_str(name);
    }
    out.push_str(parts.brand);
    out.push_str(parts.trade);
    out.push_str(parts.form.map_or("", |form| form.text));
    branch_text(parts.branch, &mut out);
    out
}

/// A branch with its region's name in short: 深圳市分公司 and 深圳分公司 are one.
fn branch_text(branch: &str, out: &mut String) {
    let mut rest = branch;
    while let Some((name, short)) = region::name_at(rest) {
        out.push_str(short);
        rest = rest.get(name.len()..).unwrap_or_default();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests;
