//! Year, month and day out of a spelled date.

use super::Parts;
use crate::record::Finding;

/// Reads `year month day` with separators between, in ASCII digits or Chinese numerals.
pub(super) fn parts(text: &str) -> Result<Parts, Finding> {
    let mut scanner = Scanner { rest: text };
    let year = scanner.number().ok_or(Finding::BadDate)?;
    let closed = scanner.separator(&['年', '-', '/', '.']);
    if scanner.rest.is_empty() {
        return Err(year_only(&year));
    }
    let leap = scanner.skip(&['闰']);
    let month = scanner
        .number()
        .filter(|_| closed)
        .ok_or(Finding::BadDate)?;
    let closed = scanner.separator(&['月', '-', '/', '.']);
    if scanner.rest.is_empty() {
        return Err(year_only(&year));
    }
    let day = scanner
        .number()
        .filter(|_| closed)
        .ok_or(Finding::BadDate)?;
    scanner.skip(&['日', '号']);
    // What may follow is the time of day.
    if !(scanner.rest.is_empty() || scanner.rest.starts_with([' ', 't'])) {
        return Err(Finding::BadDate);
    }
    Ok(Parts {
        year: year.value,
        year_digits: year.digits,
        month: month.value,
        leap,
        day: day.value,
    })
}

fn year_only(year: &Number) -> Finding {
    if year.digits == 4 {
        Finding::YearOnly
    } else {
        Finding::BadDate
    }
}

struct Number {
    value: u32,
    digits: u32,
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn skip(&mut self, chars: &[char]) -> bool {
        let skipped = self.rest.strip_prefix(chars);
        self.rest = skipped.unwrap_or(self.rest);
        skipped.is_some()
    }

    /// One of `chars` with blanks around it, or a blank alone.
    fn separator(&mut self, chars: &[char]) -> bool {
        let blank = self.skip(&[' ']);
        let mark = self.skip(chars);
        self.skip(&[' ']);
        blank || mark
    }

    fn number(&mut self) -> Option<Number> {
        let ascii = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let length = match ascii {
            0 => self
                .rest
                .find(|c| !is_numeral(c))
                .unwrap_or(self.rest.len()),
            _ => ascii,
        };
        let (text, rest) = self.rest.split_at_checked(length)?;
        let number = if ascii > 0 {
            arabic(text)
        } else {
            chinese(text)
        };
        if number.is_some() {
            self.rest = rest;
        }
        number
    }
}

fn arabic(text: &str) -> Option<Number> {
    let value = text.parse().ok()?;
    let digits = u32::try_from(text.len()).ok()?;
    (digits <= 4).then_some(Number { value, digits })
}

fn digit(c: char) -> Option<u32> {
    "〇一二三四五六七八九"
        .chars()
        .position(|numeral| numeral == c)
        .or(match c {
            '零' | '○' => Some(0),
            // 正月 is the first month, 元年 a first year.
            '正' | '元' => Some(1),
            '两' => Some(2),
            _ => None,
        })
        .and_then(|place| u32::try_from(place).ok())
}

/// Tens that stand before a digit or alone.
fn tens(c: char) -> Option<u32> {
    match c {
        '十' => Some(10),
        '廿' => Some(20),
        '卅' => Some(30),
        _ => None,
    }
}

fn is_numeral(c: char) -> bool {
    digit(c).is_some() || tens(c).is_some() || matches!(c, '初' | '冬' | '腊')
}

/// Reads a positional number (一九八五), one up to 39 (十二, 三十一, 廿一), a lunisolar day (初五) or
/// month (冬月, 腊月).
fn chinese(text: &str) -> Option<Number> {
    let mut digits = 0;
    let mut value = 0_u32;
    let mut multiplied = false;
    for c in text.chars() {
        match (digit(c), tens(c)) {
            (Some(digit), _) if multiplied => value += digit,
            (Some(digit), _) => value = value.checked_mul(10)?.checked_add(digit)?,
            // 三十: the digit before counts the tens.
            (None, Some(10)) => {
                value = value.max(1) * 10;
                multiplied = true;
            }
            (None, Some(tens)) => {
                value = tens;
                multiplied = true;
            }
            (None, None) if digits == 0 => {
                value = match c {
                    '冬' => 11,
                    '腊' => 12,
                    _ => 0,
                }
            }
            (None, None) => return None,
        }
        digits += 1;
    }
    let fits = (1..=4).contains(&digits) && (!multiplied || value <= 39);
    fits.then_some(Number { value, digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_numerals() {
        for (text, value) in [
            ("一九八五", 1985),
            ("二〇〇一", 2001),
            ("二零零一", 2001),
            ("三", 3),
            ("十", 10),
            ("十二", 12),
            ("二十", 20),
            ("二十一", 21),
            ("三十一", 31),
            ("廿五", 25),
            ("卅", 30),
            ("初五", 5),
            ("初十", 10),
            ("腊", 12),
            ("正", 1),
        ] {
            assert_eq!(chinese(text).unwrap().value, value, "{text}");
        }
        assert!(chinese("").is_none());
        assert!(chinese("九十九").is_none());
        assert!(chinese("一九八五一").is_none());
    }
}
