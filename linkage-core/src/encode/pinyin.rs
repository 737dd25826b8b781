//! Sounds that southern speakers and typists mix up.

use zeroize::Zeroizing;

/// Appends `syllable` with the retroflex initials zh, ch, sh made plain, initial n made l, and the
/// finals -ang, -eng, -ing made -an, -en, -in: the confusions of southern Mandarin and of the
/// "fuzzy" settings of every pinyin input method.
pub(super) fn fold_syllable(syllable: &str, out: &mut Zeroizing<Vec<u8>>) {
    let bytes = syllable.as_bytes();
    let (initial, rest): (&[u8], &[u8]) = match bytes {
        [b'z', b'h', rest @ ..] => (b"z", rest),
        [b'c', b'h', rest @ ..] => (b"c", rest),
        [b's', b'h', rest @ ..] => (b"s", rest),
        // `n` and `ng` alone are syllables of their own.
        [b'n', b'a' | b'e' | b'i' | b'o' | b'u' | b'v', ..] => {
            (b"l", bytes.get(1..).unwrap_or(b""))
        }
        _ => (b"", bytes),
    };
    let rest = match rest {
        [head @ .., b'g'] if matches!(head, [.., b'a' | b'e' | b'i', b'n']) => head,
        _ => rest,
    };
    out.extend_from_slice(initial);
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(syllable: &str) -> String {
        let mut out = Zeroizing::new(Vec::new());
        fold_syllable(syllable, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn confused_sounds_fall_together_and_others_stay_apart() {
        for (a, b) in [
            ("zhang", "zan"),
            ("chen", "cheng"),
            ("shi", "si"),
            ("ning", "lin"),
            ("nv", "lv"),
            ("guang", "guan"),
            ("niang", "lian"),
        ] {
            assert_eq!(folded(a), folded(b), "{a} {b}");
        }
        for (a, b) in [("zong", "zon"), ("hu", "fu"), ("zhi", "chi"), ("an", "en")] {
            assert_ne!(folded(a), folded(b), "{a} {b}");
        }
        assert_eq!(folded("ng"), "ng");
        assert_eq!(folded("n"), "n");
        assert_eq!(folded("欧"), "欧");
    }

    #[test]
    fn folding_is_idempotent() {
        for initial in ["", "b", "zh", "ch", "sh", "n", "l", "z", "r"] {
            for last in ["a", "ang", "iang", "eng", "ing", "ong", "i", "v"] {
                let once = folded(&format!("{initial}{last}"));
                assert_eq!(folded(&once), once);
            }
        }
    }
}
