//! Road, numbers, building, floor and room: what follows the town.

use zeroize::Zeroizing;

use super::numeral;

/// What a number numbers, with the mark it has in a component and its canonical ending.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// 号: the house on the road.
    House,
    /// 栋, 幢, 座, 号楼: the building.
    Building,
    /// 单元, 梯: the stairs.
    Unit,
    /// 楼, 层: the floor.
    Floor,
    /// 室, 房, 铺, 档: the room, shop or stall.
    Room,
    /// 之一: the part of a house number.
    Part,
}

/// Endings of numbers, those that begin like others first.
const ENDINGS: [(&str, Mark); 35] = [
    ("号商铺", Mark::Room),
    ("号铺位", Mark::Room),
    ("号档口", Mark::Room),
    ("号大院", Mark::House),
    ("号单元", Mark::Unit),
    ("号楼", Mark::Building),
    ("号栋", Mark::Building),
    ("号幢", Mark::Building),
    ("号座", Mark::Building),
    ("号铺", Mark::Room),
    ("号档", Mark::Room),
    ("号房", Mark::Room),
    ("号室", Mark::Room),
    ("号卡", Mark::Room),
    ("号院", Mark::House),
    ("号", Mark::House),
    ("栋", Mark::Building),
    ("幢", Mark::Building),
    ("座", Mark::Building),
    ("单元", Mark::Unit),
    ("梯", Mark::Unit),
    ("楼层", Mark::Floor),
    ("层楼", Mark::Floor),
    ("楼", Mark::Floor),
    ("层", Mark::Floor),
    ("商铺", Mark::Room),
    ("铺位", Mark::Room),
    ("档口", Mark::Room),
    ("房间", Mark::Room),
    ("房号", Mark::Room),
    ("室", Mark::Room),
    ("房", Mark::Room),
    ("铺", Mark::Room),
    ("档", Mark::Room),
    ("卡", Mark::Room),
];

/// The first characters of the endings.
const ENDING_HEADS: [char; 14] = [
    '号', '栋', '幢', '座', '单', '梯', '楼', '层', '商', '铺', '档', '房', '室', '卡',
];

/// Words for the ground floor. In Guangdong 首层 is the first floor.
const GROUND_FLOOR: [&str; 3] = ["首层", "首楼", "底层"];

/// Words before a floor's number that put it below ground.
const BELOW_GROUND: [&str; 2] = ["负", "地下"];

/// Words before a number that say nothing.
const IDLE: [&str; 3] = ["自编号", "自编", "第"];

/// What a number stands before that is part of a name.
const ROAD_ENDINGS: [char; 14] = [
    '路', '街', '巷', '道', '弄', '横', '里', '村', '队', '组', '社', '区', '期', '坊',
];

/// What was read from the tail of an address.
#[derive(Default)]
pub(super) struct Tail {
    /// Canonical text.
    pub(super) text: Zeroizing<String>,
    /// Road or village, without numbers.
    pub(super) road: Zeroizing<String>,
    /// Numbers with their marks, in order, a blank behind each.
    numbers: Zeroizing<String>,
    /// Whether the canonical text may be read otherwise: other scripts, lists, or words that
    /// belong to numbers stand where canonical digits may run into them.
    pub(super) unsettled: bool,
    last: Option<Mark>,
    house_seen: bool,
    building_seen: bool,
}

/// A number at the start of a text.
struct Found<'a> {
    /// Its first part.
    value: Zeroizing<String>,
    /// Further parts: of `33、35号` the second.
    more: Vec<Zeroizing<String>>,
    /// What it numbers, if it says so.
    mark: Option<Mark>,
    rest: &'a str,
}

/// Reads the rest of an address without punctuation.
pub(super) fn parse(plain: &str) -> Tail {
    let mut tail = Tail::default();
    for text in [&mut tail.text, &mut tail.road, &mut tail.numbers] {
        text.reserve(plain.len() + 8);
    }
    let mut rest = plain;
    while let Some(first) = rest.chars().next() {
        let number = may_start_number(first).then(|| number(rest)).flatten();
        if let Some(found) = number
            && tail.take(&found)
        {
            rest = found.rest;
            continue;
        }
        rest = tail.take_text(rest);
    }
    tail
}

impl Found<'_> {
    fn values(&self) -> impl Iterator<Item = &Zeroizing<String>> {
        std::iter::once(&self.value).chain(&self.more)
    }
}

impl Tail {
    /// Numbers with their marks, in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &str> {
        self.numbers.split_terminator(' ')
    }

    /// Adds a number; false if it is part of a name.
    fn take(&mut self, found: &Found<'_>) -> bool {
        self.unsettled |= found.values().any(|value| value.contains('-'));
        self.unsettled |= !found.more.is_empty();
        if let Some(mark) = found.mark {
            for value in found.values() {
                self.add(mark, value);
            }
            return true;
        }
        let at_end = found.rest.is_empty();
        let behind_road = self
            .text
            .ends_with(['路', '街', '道', '巷', '弄', '里', '村']);
        if !(at_end || self.last.is_some() || behind_road) {
            return false;
        }
        for value in found.values() {
            let house = !self.house_seen && (behind_road || at_end && self.last.is_none());
            let mark = if house { Mark::House } else { Mark::Room };
            self.add(mark, value);
        }
        true
    }

    /// Adds a value. One of several parts names the building (or house) first and the room last.
    fn add(&mut self, mark: Mark, value: &str) {
        let room_like = matches!(mark, Mark::Room);
        let Some((head, room)) = value.rsplit_once('-').filter(|_| room_like) else {
            return self.push(mark, value);
        };
        // 201-203房 are several rooms of one floor.
        if head.len() >= 3 && head.len() == room.len() {
            return self.push(mark, value);
        }
        for part in head.split('-') {
            let mark = if self.building_seen {
                Mark::Unit
            } else {
                Mark::Building
            };
            self.push(mark, part);
        }
        self.push(Mark::Room, room);
    }

    fn push(&mut self, mark: Mark, value: &str) {
        let (sign, before, behind) = match mark {
            Mark::House => ('#', "", "号"),
            Mark::Building => ('b', "", "栋"),
            Mark::Unit => ('u', "", "单元"),
            Mark::Floor => ('f', "", "楼"),
            Mark::Room => ('r', "", "室"),
            Mark::Part => ('z', "之", "号"),
        };
        self.text.push_str(before);
        match value.strip_prefix('-') {
            Some(depth) => {
                self.text.push('负');
                self.text.push_str(depth);
            }
            None => self.text.push_str(value),
        }
        self.text.push_str(behind);
        let more = value.len() + 2;
        if self.numbers.capacity() - self.numbers.len() < more {
            // Room is made by moving, so that no copy is left behind unwiped.
            let mut larger = String::with_capacity(2 * (self.numbers.len() + more));
            larger.push_str(&self.numbers);
            self.numbers = Zeroizing::new(larger);
        }
        self.numbers.push(sign);
        self.numbers.push_str(value);
        self.numbers.push(' ');
        self.last = Some(mark);
        self.house_seen |= mark == Mark::House;
        self.building_seen |= mark == Mark::Building;
    }

    /// Adds text up to where a number may start, at least one character or one run of digits.
    fn take_text<'a>(&mut self, text: &'a str) -> &'a str {
        let end = text_end(text);
        let (piece, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let start = self.text.len();
        self.unsettled |= piece.contains(|c: char| !super::is_han(c) || is_number_word(c))
            || self.last.is_some() && piece.starts_with(ENDING_HEADS);
        match road_number(piece, rest) {
            Some(number) => numeral::write(number, &mut self.text),
            None => self
                .text
                .extend(piece.chars().filter(|&c| c != '、' && c != '-')),
        }
        if self.numbers.is_empty()
            && let Some(added) = self.text.get(start..)
        {
            self.road.push_str(added);
        }
        if self.text.len() > start {
            self.last = None;
        }
        rest
    }
}

/// Where the text ends that cannot be part of a number: behind the run of digits or the character
/// that it starts with and what follows without any.
fn text_end(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else {
        return 0;
    };
    let run = first.is_ascii_alphanumeric();
    for (at, c) in chars {
        let same_run = run && (c.is_ascii_alphanumeric() || c == '-');
        if !same_run && (run || may_start_number(c)) {
            return at;
        }
    }
    text.len()
}

/// The number of a road written in digits (`新洲11街`), which is part of its name and becomes Chinese
/// there. Larger ones are those of highways.
fn road_number(piece: &str, rest: &str) -> Option<u32> {
    let number = piece
        .parse()
        .ok()
        .filter(|number| (1..100).contains(number))?;
    rest.starts_with([
        '路', '街', '巷', '道', '弄', '横', '里', '村', '队', '组', '社', '区', '期', '坊',
    ])
    .then_some(number)
}

/// Whether a number, or a word that may stand before one, starts with `c`.
fn may_start_number(c: char) -> bool {
    c.is_ascii_alphanumeric() || numeral::is_numeral(c) || is_number_word(c)
}

/// Whether a word starts with `c` that stands before numbers.
fn is_number_word(c: char) -> bool {
    matches!(c, '之' | '首' | '底' | '负' | '地' | '自' | '第')
}

/// The number at the start of `text`.
fn number(text: &str) -> Option<Found<'_>> {
    for word in GROUND_FLOOR {
        if let Some(rest) = text.strip_prefix(word) {
            return Some(Found {
                value: Zeroizing::new("1".to_owned()),
                more: vec![],
                mark: Some(Mark::Floor),
                rest,
            });
        }
    }
    if let Some(part) = text.strip_prefix('之') {
        return part_number(part);
    }
    for word in BELOW_GROUND {
        if let Some(rest) = text.strip_prefix(word) {
            let mut found = marked(rest)?;
            if found.mark != Some(Mark::Floor) {
                return None;
            }
            for value in std::iter::once(&mut found.value).chain(&mut found.more) {
                value.insert(0, '-');
            }
            return Some(found);
        }
    }
    for word in IDLE {
        if let Some(rest) = text.strip_prefix(word) {
            // 第 counts other things as well (第三工业区), so its number must say what it numbers.
            return marked(rest).filter(|found| found.mark.is_some() || word != "第");
        }
    }
    marked(text)
}

/// The number of 之N, with or without 号.
fn part_number(text: &str) -> Option<Found<'_>> {
    let mut found = counted(text, true)?;
    if !matches!(found.mark, None | Some(Mark::House)) {
        return Some(found);
    }
    if found.values().any(|value| value.contains('-')) {
        return None;
    }
    found.mark = Some(Mark::Part);
    Some(found)
}

/// A list of numbers and what they number. Numerals count as a number only with an ending that
/// says so.
fn marked(text: &str) -> Option<Found<'_>> {
    counted(text, false)
}

/// A list of numbers and what they number; with `bare`, also numerals without an ending.
fn counted(text: &str, bare: bool) -> Option<Found<'_>> {
    let (mut value, mut rest, mut digits) = one(text)?;
    let mut more = vec![];
    while let Some((next, behind, in_digits)) = rest.strip_prefix('、').and_then(one) {
        more.push(next);
        digits &= in_digits;
        rest = behind;
    }
    let mut values = std::iter::once(&value).chain(&more);
    let letters = !values.any(|value| value.bytes().any(|c| c.is_ascii_digit()));
    let ending = rest
        .starts_with(ENDING_HEADS)
        .then(|| {
            ENDINGS
                .iter()
                .find_map(|(ending, mark)| Some((rest.strip_prefix(ending)?, *mark)))
        })
        .flatten();
    let (rest, mut mark) = match ending {
        Some((rest, mark)) => (rest, Some(mark)),
        None => (rest, None),
    };
    let unnamed = mark.is_none() && (!digits && !bare || rest.starts_with(ROAD_ENDINGS));
    if unnamed || letters && !matches!(mark, Some(Mark::Building | Mark::Unit)) {
        return None;
    }
    for value in std::iter::once(&mut value).chain(&mut more) {
        floor_letters(value, &mut mark);
    }
    Some(Found {
        value,
        more,
        mark,
        rest,
    })
}

/// `2f` is a floor; `b1` is one below ground.
fn floor_letters(value: &mut Zeroizing<String>, mark: &mut Option<Mark>) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if let Some(floor) = value.strip_suffix('f').filter(|rest| digits(rest))
        && matches!(mark, None | Some(Mark::Floor))
    {
        *value = Zeroizing::new(floor.to_owned());
        *mark = Some(Mark::Floor);
    } else if let Some(depth) = value.strip_prefix('b').filter(|rest| digits(rest))
        && *mark == Some(Mark::Floor)
    {
        *value = Zeroizing::new(format!("-{depth}"));
    }
}

/// One number: a run of letters and digits, with hyphens, or Chinese numerals; without leading
/// zeros. With it the text behind and whether it was written in digits.
fn one(text: &str) -> Option<(Zeroizing<String>, &str, bool)> {
    let first = text.chars().next()?;
    if first.is_ascii_alphanumeric() {
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(text.len());
        let (run, rest) = text.split_at_checked(end)?;
        let mut value = Zeroizing::new(String::with_capacity(run.len()));
        for part in run.split('-').filter(|part| !part.is_empty()) {
            if !value.is_empty() {
                value.push('-');
            }
            let plain = part.trim_start_matches('0');
            value.push_str(if plain.is_empty() { "0" } else { plain });
        }
        return Some((value, rest, true));
    }
    let mut run = [' '; 10];
    let mut length = 0;
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        if !numeral::is_numeral(c) {
            end = at;
            break;
        }
        *run.get_mut(length)? = c;
        length += 1;
    }
    let number = numeral::value(run.get(..length)?)?;
    let value = Zeroizing::new(number.to_string());
    let rest = text.get(end..)?;
    // 三-五层
    if let Some((next, rest, false)) = rest.strip_prefix('-').and_then(one) {
        let range = Zeroizing::new(format!("{}-{}", *value, *next));
        return Some((range, rest, false));
    }
    Some((value, rest, false))
}
