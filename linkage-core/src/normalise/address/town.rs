//! Towns and subdistricts (镇, 乡, 街道), the level below a district, or below the city in Dongguan and
//! Zhongshan.

/// Towns of Dongguan and Zhongshan: their names are written without ending (虎门 for 虎门镇) and the
/// cities have no districts. `*` marks subdistricts. Source: the cities' administrative divisions
/// as published by their governments.
const TOWNS: [(u32, &str); 2] = [
    (
        441_900,
        "莞城* 南城* 东城* 万江* 石碣 石龙 茶山 石排 企石 横沥 桥头 谢岗 东坑 常平 寮步 大朗 黄江 清溪 塘厦 \
         凤岗 长安 虎门 厚街 沙田 道滘 洪梅 麻涌 中堂 高埗 樟木头 大岭山 望牛墩",
    ),
    (
        442_000,
        "石岐* 东区* 西区* 南区* 五桂山* 中山港* 民众* 南朗* 黄圃 南头 东凤 阜沙 小榄 东升 古镇 横栏 三角 港口 \
         大涌 沙溪 三乡 板芙 神湾 坦洲",
    ),
];

/// Endings of a town's name with the form they are unified to, longest first.
const ENDINGS: [(&str, &str); 7] = [
    ("街道办事处", "街道"),
    ("街道办", "街道"),
    ("镇人民政府", "镇"),
    ("街道", "街道"),
    ("办事处", "街道"),
    ("镇", "镇"),
    ("乡", "乡"),
];

/// Longest name of a town without ending, in characters.
const LENGTH_MAX: usize = 5;

/// What follows a syllable 镇, 乡 or 街道 that belongs to a road or a village.
const NOT_BEHIND: &[char] = &[
    '路', '街', '道', '巷', '村', '里', '大', '中', '东', '西', '南', '北',
];

/// A town at the start of a text.
pub(in crate::normalise) struct Town<'a> {
    /// Name without ending.
    pub(in crate::normalise) name: &'a str,
    /// The ending: 镇, 乡 or 街道.
    pub(in crate::normalise) ending: &'static str,
    /// The text behind it.
    pub(in crate::normalise) rest: &'a str,
}

/// A town of Dongguan or Zhongshan (`city` is its code) by name, with or without ending.
pub(in crate::normalise) fn known(city: u32, text: &str) -> Option<Town<'_>> {
    let (_, names) = TOWNS.iter().find(|(code, _)| *code == city)?;
    let (name, subdistrict) = names
        .split_whitespace()
        .map(|name| match name.strip_suffix('*') {
            Some(name) => (name, true),
            None => (name, false),
        })
        .find(|(name, _)| text.starts_with(name))?;
    let (name, rest) = text.split_at_checked(name.len())?;
    let (rest, ending) = match cut_ending(rest) {
        Some((rest, ending)) => (rest, ending),
        None if is_road_ahead(rest) => return None,
        // 东区 and 南区 end like the names of districts anywhere.
        None => (rest, if subdistrict { "街道" } else { "镇" }),
    };
    Some(Town { name, ending, rest })
}

/// Any town written with its ending.
pub(in crate::normalise) fn any(text: &str) -> Option<Town<'_>> {
    for (count, (at, c)) in text.char_indices().enumerate().take(LENGTH_MAX + 1) {
        if !is_han(c) {
            return None;
        }
        let (name, behind) = text.split_at_checked(at)?;
        if count > 0
            && let Some((rest, ending)) = cut_ending(behind)
        {
            // 古镇镇: the name itself ends like an ending.
            if count == 1 && cut_ending(rest).is_some() {
                continue;
            }
            return (!rest.starts_with(NOT_BEHIND) || count > 1 && !is_road_ahead(rest))
                .then_some(Town { name, ending, rest });
        }
    }
    None
}

/// Whether the text goes on as the name of a road or village does behind its first word (路, 北路,
/// 大道, 三村), so that what lies before is that word.
pub(in crate::normalise) fn is_road_ahead(text: &str) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        Some('路' | '街' | '道' | '巷' | '村' | '里' | '桥' | '站') => true,
        Some('大' | '东' | '西' | '南' | '北' | '中' | '一' | '二' | '三' | '四' | '五' | '六') =>
        {
            matches!(chars.next(), Some('路' | '街' | '道' | '巷' | '村'))
        }
        _ => false,
    }
}

fn cut_ending(text: &str) -> Option<(&str, &'static str)> {
    ENDINGS
        .iter()
        .find_map(|(ending, plain)| Some((text.strip_prefix(ending)?, *plain)))
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}')
}
