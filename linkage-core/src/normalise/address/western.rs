//! Addresses without Han characters.

use zeroize::Zeroizing;

use crate::record::{Component, NormalValue};

/// The words of an address: letters and digits, separated by blanks. Words with a digit are house
/// numbers (`#12`), the others together are the road, so that a street, a number and a whole
/// address in one field can all be compared.
pub(super) fn parse(clean: &str) -> NormalValue {
    let mut whole = Zeroizing::new(String::with_capacity(clean.len()));
    let mut road = Zeroizing::new(String::with_capacity(clean.len()));
    let mut numbers = Vec::new();
    let words = clean
        .split(|c: char| !c.is_alphanumeric() && c != '\'' || super::is_han(c))
        // Parts of other scripts may compose when put together.
        .flat_map(|word| word.split(|c: char| c == '\'' && !word.is_ascii()))
        .filter(|word| word.contains(char::is_alphanumeric));
    for word in words {
        let start = append(&mut whole, word);
        let plain = whole.get(start..).unwrap_or_default();
        if plain.contains(|c: char| c.is_ascii_digit()) {
            let mut number = Zeroizing::new(String::with_capacity(plain.len() + 1));
            number.push('#');
            number.push_str(plain);
            numbers.push(number);
        } else {
            append(&mut road, plain);
        }
    }
    let mut value = NormalValue::text(whole);
    value.add(Component::Road, road);
    for number in numbers {
        value.add(Component::HouseNumber, number);
    }
    value
}

/// Adds a word without apostrophes behind a blank; where it starts.
fn append(text: &mut String, word: &str) -> usize {
    if !text.is_empty() {
        text.push(' ');
    }
    let start = text.len();
    text.extend(word.chars().filter(|&c| c != '\''));
    start
}
