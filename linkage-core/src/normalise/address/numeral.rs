//! Chinese numerals.

/// Longest run of numerals that is read as a number.
const LENGTH_MAX: usize = 8;

/// Whether `c` is a Chinese numeral.
pub(super) fn is_numeral(c: char) -> bool {
    digit(c).is_some() || unit(c).is_some()
}

/// The number that a run of numerals means: positional (二〇一 is 201) if it has no units, else
/// multiplicative (二百零一, 廿五).
pub(super) fn value(run: &[char]) -> Option<u32> {
    if run.is_empty() || run.len() > LENGTH_MAX {
        return None;
    }
    if run.iter().all(|&c| unit(c).is_none()) {
        return run.iter().try_fold(0, |sum, &c| Some(sum * 10 + digit(c)?));
    }
    let mut total = 0;
    let mut pending = None;
    for &c in run {
        match (digit(c), unit(c)) {
            (Some(0), _) => pending = None,
            (Some(digit), _) => pending = Some(digit),
            (_, Some(unit @ (20 | 30))) => total += unit,
            (_, Some(unit)) => total += pending.take().unwrap_or(1) * unit,
            _ => return None,
        }
    }
    Some(total + pending.unwrap_or_default())
}

/// A number up to 99 in Chinese numerals (十一).
pub(super) fn write(number: u32, out: &mut String) {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let digit = |n: u32| DIGITS.get((n % 10) as usize).copied().unwrap_or_default();
    if number >= 20 {
        out.push_str(digit(number / 10));
    }
    if number >= 10 {
        out.push('十');
    }
    out.push_str(digit(number));
}

fn digit(c: char) -> Option<u32> {
    Some(match c {
        '〇' | '零' | '○' => 0,
        '一' | '壹' => 1,
        '二' | '贰' | '两' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

fn unit(c: char) -> Option<u32> {
    Some(match c {
        '十' | '拾' => 10,
        '廿' => 20,
        '卅' => 30,
        '百' | '佰' => 100,
        '千' | '仟' => 1000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positional_and_multiplicative_numerals() {
        for (text, number) in [
            ("二〇一", 201),
            ("二百零一", 201),
            ("十二", 12),
            ("三十三", 33),
            ("廿五", 25),
            ("卅", 30),
            ("壹佰贰拾叁", 123),
            ("一千二百零五", 1205),
            ("三", 3),
        ] {
            let chars: Vec<char> = text.chars().collect();
            assert_eq!(value(&chars), Some(number), "{text}");
        }
        assert_eq!(value(&[]), None);
    }

    #[test]
    fn numbers_up_to_99_are_read_as_written() {
        for number in 1..100 {
            let mut text = String::new();
            write(number, &mut text);
            assert_eq!(value(&text.chars().collect::<Vec<_>>()), Some(number));
        }
    }
}
