//! Spellings of Han names in Hong Kong and in the Wade-Giles system.

use zeroize::Zeroizing;

use crate::pack;
use crate::record::WILDCARD;

/// Most letters of a spelling and the blank after it.
const SPELLING_BYTES: usize = 8;

/// Spellings of the Hong Kong government, words in the name's order: the most usual one of each
/// character, and, where a character has another, the other. A character without one gives no word.
pub(super) fn hong_kong(whole: &str) -> impl Iterator<Item = Zeroizing<String>> {
    let capacity = whole.len() / 3 * SPELLING_BYTES;
    let mut usual = Zeroizing::new(String::with_capacity(capacity));
    let mut other = Zeroizing::new(String::with_capacity(capacity));
    let mut several = false;
    for c in whole.chars() {
        let spellings = pack::hong_kong(c);
        if let Some(first) = spellings.first() {
            push_word(&mut usual, first);
            push_word(&mut other, spellings.get(1).unwrap_or(first));
            several |= spellings.len() > 1;
        }
    }
    [Some(usual), several.then_some(other)]
        .into_iter()
        .flatten()
}

fn push_word(words: &mut String, word: &str) {
    if !words.is_empty() {
        words.push(' ');
    }
    words.push_str(word);
}

/// Initials of pinyin and of Wade-Giles, apostrophes left out, as people write it. Longer ones
/// first.
const INITIALS: [(&str, &str); 11] = [
    ("zh", "ch"),
    ("ch", "ch"),
    ("b", "p"),
    ("d", "t"),
    ("g", "k"),
    ("j", "ch"),
    ("q", "ch"),
    ("x", "hs"),
    ("z", "ts"),
    ("c", "ts"),
    ("r", "j"),
];

/// Syllables whose Wade-Giles spelling does not follow from their parts.
const IRREGULAR: [(&str, &str); 16] = [
    ("zhi", "chih"),
    ("chi", "chih"),
    ("shi", "shih"),
    ("ri", "jih"),
    ("zi", "tzu"),
    ("ci", "tzu"),
    ("si", "ssu"),
    ("yi", "i"),
    ("ye", "yeh"),
    ("yan", "yen"),
    ("you", "yu"),
    ("yong", "yung"),
    ("er", "erh"),
    ("ge", "ko"),
    ("ke", "ko"),
    ("he", "ho"),
];

/// The Wade-Giles spelling of a name in pinyin, without apostrophes and umlauts. Empty where a
/// character has no reading.
pub(super) fn wade_giles(pinyin: &str) -> Zeroizing<String> {
    let mut words = Zeroizing::new(String::with_capacity(pinyin.len() + 8));
    if pinyin.contains(WILDCARD) {
        return words;
    }
    for syllable in pinyin.split(' ') {
        if !words.is_empty() {
            words.push(' ');
        }
        push_wade_giles(&mut words, syllable);
    }
    words
}

fn push_wade_giles(words: &mut String, syllable: &str) {
    if let Some((_, spelling)) = IRREGULAR.iter().find(|(pinyin, _)| *pinyin == syllable) {
        words.push_str(spelling);
        return;
    }
    let initial = INITIALS
        .iter()
        .find_map(|(pinyin, other)| Some((*other, syllable.strip_prefix(pinyin)?)));
    let (initial, rest) = initial.unwrap_or(("", syllable));
    words.push_str(initial);
    push_final(words, rest);
}

/// The rest of a syllable; it may begin with an initial that both systems share.
fn push_final(words: &mut String, rest: &str) {
    // gui, kui are kuei; other -ui stay.
    if rest == "kui" || rest == "ui" && words.ends_with('k') {
        words.push_str(rest.trim_end_matches("ui"));
        words.push_str("uei");
        return;
    }
    let endings = [
        ("ian", "ien"),
        ("ong", "ung"),
        ("ie", "ieh"),
        ("ue", "ueh"),
        ("ve", "ueh"),
    ];
    for (pinyin, other) in endings {
        if let Some(stem) = rest.strip_suffix(pinyin) {
            words.push_str(stem);
            words.push_str(other);
            return;
        }
    }
    // duo, tuo, luo, zuo ... end in -o; guo, kuo, huo, shuo keep the u.
    if let Some(stem) = rest.strip_suffix("uo") {
        let keeps = words.ends_with('k') || matches!(stem, "k" | "h" | "sh");
        words.push_str(stem);
        words.push_str(if keeps { "uo" } else { "o" });
        return;
    }
    words.extend(rest.chars().map(|c| if c == 'v' { 'u' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the table of both systems in the Library of Congress's guide.
    #[test]
    fn wade_giles_follows_from_pinyin() {
        for (pinyin, spelling) in [
            ("mao ze dong", "mao tse tung"),
            ("jiang jie shi", "chiang chieh shih"),
            ("zhou en lai", "chou en lai"),
            ("deng xiao ping", "teng hsiao ping"),
            ("li bai", "li pai"),
            ("cai yuan pei", "tsai yuan pei"),
            ("zhang xue liang", "chang hsueh liang"),
            ("guo mo ruo", "kuo mo jo"),
            ("lv bu wei", "lu pu wei"),
            ("xie tian", "hsieh tien"),
            ("qiu zi gui", "chiu tzu kuei"),
            ("si kui duo", "ssu kuei to"),
            ("yan you yi", "yen yu i"),
            ("hong qiong", "hung chiung"),
        ] {
            assert_eq!(&*wade_giles(pinyin), spelling, "{pinyin}");
        }
        assert!(wade_giles("zhang \u{FFFD}").is_empty());
    }
}
