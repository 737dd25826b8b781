//! Company names without Han characters.

use zeroize::Zeroizing;

use crate::record::{Component, NormalValue};

/// Words for the form of a company, with the class they count as.
const FORMS: [(&str, &str); 18] = [
    ("limited", "ltd"),
    ("ltd", "ltd"),
    ("co", "ltd"),
    ("company", "ltd"),
    ("inc", "inc"),
    ("incorporated", "inc"),
    ("corp", "inc"),
    ("corporation", "inc"),
    ("llc", "llc"),
    ("llp", "llp"),
    ("plc", "plc"),
    ("gmbh", "gmbh"),
    ("ag", "ag"),
    ("sa", "sa"),
    ("bv", "bv"),
    ("nv", "nv"),
    ("pte", "ltd"),
    ("pty", "ltd"),
];

/// The words of a name, separated by blanks; those of the form at the end are cut off the brand.
pub(super) fn parse(clean: &str) -> NormalValue {
    let mut whole = Zeroizing::new(String::with_capacity(clean.len()));
    for word in clean.split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() {
            if !whole.is_empty() {
                whole.push(' ');
            }
            whole.push_str(word);
        }
    }
    let mut brand = whole.as_str();
    let mut class = "";
    while let Some((head, last)) = brand.rsplit_once(' ')
        && let Some((_, form)) = FORMS.iter().find(|(word, _)| *word == last)
    {
        class = form;
        brand = head;
    }
    let brand = Zeroizing::new(brand.to_owned());
    let mut value = NormalValue::text(whole);
    value.add(Component::Brand, brand.clone());
    value.add(Component::BrandPinyin, brand.clone());
    value.add(Component::Pinyin, brand);
    value.add(Component::Form, Zeroizing::new(class.to_owned()));
    value
}
