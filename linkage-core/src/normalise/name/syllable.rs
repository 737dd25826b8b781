//! Syllables of pinyin, and Latin words that are made of them.

use zeroize::Zeroizing;

/// The toneless syllables of Hanyu pinyin (GB/T 16159), `v` for u-umlaut, sorted. Interjections and
/// syllables without a vowel, which no name has, are left out.
const SYLLABLES: &[&str] = &[
    "a", "ai", "an", "ang", "ao", "ba", "bai", "ban", "bang", "bao", "bei", "ben", "beng", "bi",
    "bian", "biang", "biao", "bie", "bin", "bing", "bo", "bu", "ca", "cai", "can", "cang", "cao",
    "ce", "cen", "ceng", "cha", "chai", "chan", "chang", "chao", "che", "chen", "cheng", "chi",
    "chong", "chou", "chu", "chua", "chuai", "chuan", "chuang", "chui", "chun", "chuo", "ci",
    "cong", "cou", "cu", "cuan", "cui", "cun", "cuo", "da", "dai", "dan", "dang", "dao", "de",
    "dei", "den", "deng", "di", "dia", "dian", "diao", "die", "ding", "diu", "dong", "dou", "du",
    "duan", "dui", "dun", "duo", "e", "ei", "en", "er", "fa", "fan", "fang", "fei", "fen", "feng",
    "fo", "fou", "fu", "ga", "gai", "gan", "gang", "gao", "ge", "gei", "gen", "geng", "gong",
    "gou", "gu", "gua", "guai", "guan", "guang", "gui", "gun", "guo", "ha", "hai", "han", "hang",
    "hao", "he", "hei", "hen", "heng", "hong", "hou", "hu", "hua", "huai", "huan", "huang", "hui",
    "hun", "huo", "ji", "jia", "jian", "jiang", "jiao", "jie", "jin", "jing", "jiong", "jiu", "ju",
    "juan", "jue", "jun", "ka", "kai", "kan", "kang", "kao", "ke", "ken", "keng", "kong", "kou",
    "ku", "kua", "kuai", "kuan", "kuang", "kui", "kun", "kuo", "la", "lai", "lan", "lang", "lao",
    "le", "lei", "len", "leng", "li", "lia", "lian", "liang", "liao", "lie", "lin", "ling", "liu",
    "lo", "long", "lou", "lu", "luan", "lun", "luo", "lv", "lve", "ma", "mai", "man", "mang",
    "mao", "me", "mei", "men", "meng", "mi", "mian", "miao", "mie", "min", "ming", "miu", "mo",
    "mou", "mu", "na", "nai", "nan", "nang", "nao", "ne", "nei", "nen", "neng", "ni", "nian",
    "niang", "niao", "nie", "nin", "ning", "niu", "nong", "nou", "nu", "nuan", "nuo", "nv", "nve",
    "o", "ou", "pa", "pai", "pan", "pang", "pao", "pei", "pen", "peng", "pi", "pian", "piao",
    "pie", "pin", "ping", "po", "pou", "pu", "qi", "qia", "qian", "qiang", "qiao", "qie", "qin",
    "qing", "qiong", "qiu", "qu", "quan", "que", "qun", "ran", "rang", "rao", "re", "ren", "reng",
    "ri", "rong", "rou", "ru", "ruan", "rui", "run", "ruo", "sa", "sai", "san", "sang", "sao",
    "se", "sen", "seng", "sha", "shai", "shan", "shang", "shao", "she", "shen", "sheng", "shi",
    "shou", "shu", "shua", "shuai", "shuan", "shuang", "shui", "shun", "shuo", "si", "song", "sou",
    "su", "suan", "sui", "sun", "suo", "ta", "tai", "tan", "tang", "tao", "te", "teng", "ti",
    "tian", "tiao", "tie", "ting", "tong", "tou", "tu", "tuan", "tui", "tun", "tuo", "wa", "wai",
    "wan", "wang", "wei", "wen", "weng", "wo", "wu", "xi", "xia", "xian", "xiang", "xiao", "xie",
    "xin", "xing", "xiong", "xiu", "xu", "xuan", "xue", "xun", "ya", "yan", "yang", "yao", "ye",
    "yi", "yin", "ying", "yo", "yong", "you", "yu", "yuan", "yue", "yun", "za", "zai", "zan",
    "zang", "zao", "ze", "zei", "zen", "zeng", "zha", "zhai", "zhan", "zhang", "zhao", "zhe",
    "zhen", "zheng", "zhi", "zhong", "zhou", "zhu", "zhua", "zhuai", "zhuan", "zhuang", "zhui",
    "zhun", "zhuo", "zi", "zong", "zou", "zu", "zuan", "zui", "zun", "zuo",
];

/// Longest syllable (zhuang), in letters.
const SYLLABLE_MAX: usize = 6;

/// Longest word that is taken apart, in letters.
const WORD_MAX: usize = 24;

/// Cost of a syllable that starts with a vowel inside a word, where spelling rules want an
/// apostrophe (`xi'an`): more than that of any number of syllables.
const BARE_VOWEL: u8 = 32;

/// Whether `word` is one syllable.
pub(super) fn is_syllable(word: &str) -> bool {
    SYLLABLES.binary_search(&word).is_ok()
}

/// Number of syllables that `word` is made of, if it is made of syllables.
pub(super) fn count(word: &str) -> Option<usize> {
    let mut out = Zeroizing::new(String::with_capacity(word.len() * 2));
    split(word, &mut out).then(|| out.split(' ').count())
}

/// Appends the syllables of `word` to `out`, separated by blanks; `false`, with `out` as it was, if
/// it is not made of syllables. Of several readings the one with the fewest syllables that start
/// with a vowel wins (GB/T 28039 asks for an apostrophe before those), then the one with the
/// fewest.
pub(super) fn split(word: &str, out: &mut String) -> bool {
    let length = word.len();
    if length == 0 || length > WORD_MAX || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return false;
    }
    // Cost of the best reading up to each letter, and where its last syllable starts.
    let mut best = [(u8::MAX, 0_usize); WORD_MAX + 1];
    if let Some(start) = best.first_mut() {
        *start = (0, 0);
    }
    for start in 0..length {
        let Some(&(cost, _)) = best.get(start).filter(|(cost, _)| *cost < u8::MAX) else {
            continue;
        };
        for end in start + 1..=length.min(start + SYLLABLE_MAX) {
            let Some(part) = word.get(start..end).filter(|part| is_syllable(part)) else {
                continue;
            };
            let bare = start > 0 && part.starts_with(['a', 'e', 'o']);
            let cost = cost.saturating_add(if bare { BARE_VOWEL + 1 } else { 1 });
            if let Some(known) = best.get_mut(end).filter(|(known, _)| cost < *known) {
                *known = (cost, start);
            }
        }
    }
    if best.get(length).is_none_or(|(cost, _)| *cost == u8::MAX) {
        return false;
    }
    // Back from the end; the starts come last first.
    let mut starts = [0_usize; WORD_MAX];
    let mut end = length;
    let mut syllables = 0;
    while end > 0 {
        let (Some(&(_, start)), Some(slot)) = (best.get(end), starts.get_mut(syllables)) else {
            return false;
        };
        *slot = start;
        end = start;
        syllables += 1;
    }
    let mut end_of = starts
        .iter()
        .take(syllables)
        .rev()
        .skip(1)
        .copied()
        .chain([length]);
    for start in starts.iter().take(syllables).rev() {
        let end = end_of.next().unwrap_or(length);
        if *start > 0 {
            out.push(' ');
        }
        out.push_str(word.get(*start..end).unwrap_or(""));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(SYLLABLES.is_sorted());
        assert!(SYLLABLES.len() > 390);
        assert!(SYLLABLES.iter().all(|s| s.len() <= SYLLABLE_MAX));
    }

    #[test]
    fn words_are_taken_apart_as_they_are_spelled() {
        for (word, syllables) in [
            ("sanfeng", "san feng"),
            ("zhang", "zhang"),
            ("xian", "xian"),
            ("nana", "na na"),
            ("fangan", "fan gan"),
            ("xiaoming", "xiao ming"),
            ("guangyuan", "guang yuan"),
            ("lvan", "lv an"),
            ("ouyang", "ou yang"),
        ] {
            let mut out = String::new();
            assert!(split(word, &mut out), "{word}");
            assert_eq!(out, syllables);
        }
        for word in ["smith", "", "chan7", "tsoi", "Zhang"] {
            let mut out = "a".to_owned();
            assert!(!split(word, &mut out), "{word}");
            assert_eq!(out, "a");
        }
        assert_eq!(count("xiaoming"), Some(2));
    }
}
