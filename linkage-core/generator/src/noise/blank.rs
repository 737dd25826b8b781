//! What clerks enter for want of a value, less what is shaped like a real number.

use crate::errors::Kind;
use crate::stream::Stream;

pub(crate) const BIRTH_DATES: [&str; 2] = ["1900-01-01", "9999-12-31"];
pub(crate) const ID_NUMBERS: [&str; 4] = ["000000000000000000", "111111111111111111", "无", "不详"];
pub(crate) const PHONES: [&str; 3] = ["00000000000", "11111111111", "无"];
pub(crate) const ADDRESSES: [&str; 3] = ["不详", "无", "同上"];
pub(crate) const CODES: [&str; 3] = ["000000000000000000", "无", "-"];
pub(crate) const PEOPLE: [&str; 3] = ["无", "不详", "暂无"];

/// Nothing, or one time in ten something that stands for nothing.
pub(crate) fn blank(stream: &mut Stream, placeholders: &[&'static str]) -> (&'static str, Kind) {
    if stream.chance(1_000) {
        return (stream.pick(placeholders), Kind::Placeholder);
    }
    ("", Kind::Missing)
}
