//! The dictionaries of company names. Parsed once.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use super::suffix::Suffixes;
use crate::normalise::address::prefix::Prefixes;
use crate::normalise::address::region;
use crate::pack;

/// A form of organisation.
pub(super) struct Form {
    /// What it counts as: `有限`, `股份`, `店` and so on.
    pub(super) class: &'static str,
    /// Its canonical spelling.
    pub(super) text: &'static str,
}

/// Forms by spelling.
pub(super) static FORMS: LazyLock<Suffixes<Form>> = LazyLock::new(|| {
    Suffixes::new(pack::COMPANY_FORMS.lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let spelling = cells.next()?.to_owned();
        let (class, text) = (cells.next()?, cells.next()?);
        Some((spelling, Form { class, text }))
    }))
});

/// Words for trades.
pub(super) static TRADES: LazyLock<Suffixes<()>> = LazyLock::new(|| {
    let words = pack::COMPANY_TRADES
        .lines()
        .filter(|line| !line.starts_with('#'));
    Suffixes::new(words.map(|word| (word.to_owned(), ())))
});

/// Towns whose names are written without ending, with the code of their city or district.
pub(super) static TOWNS: LazyLock<Prefixes<Vec<u32>>> = LazyLock::new(|| {
    let mut names: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for line in pack::TOWNS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        if let Some(code) = words.next().and_then(|code| code.parse().ok()) {
            for name in words {
                names.entry(name).or_default().push(code);
            }
        }
    }
    Prefixes::new(
        names
            .into_iter()
            .map(|(name, codes)| (name.to_owned(), codes)),
    )
});

/// What the list of regions calls groups of them (110100 市辖区, 110200 县, 659000
/// 自治区直辖县级行政区划): no place has such a name.
fn is_group(name: &str) -> bool {
    matches!(name, "市辖区" | "县" | "市") || name.contains("直辖")
}

/// Provinces and cities by full and short name, for names that end in one (环球国际航运青岛有限公司).
pub(super) static PLACES: LazyLock<Suffixes<u32>> = LazyLock::new(|| {
    let large = pack::regions()
        .iter()
        .filter(|region| region.current && region.code % 100 == 0 && !is_group(region.name));
    Suffixes::new(large.flat_map(|region| {
        let short = region::short_name(region.name).unwrap_or(region.name);
        [
            (region.name.to_owned(), region.code),
            (short.to_owned(), region.code),
        ]
    }))
});

/// Short names of districts that brands use as often: they count as a region only with their ending
/// or within their city.
pub(super) static BRAND_LIKE: LazyLock<HashSet<&str>> =
    LazyLock::new(|| BRAND_LIKE_TEXT.split_whitespace().collect());

const BRAND_LIKE_TEXT: &str = "东方 平安 和平 新华 新兴 永安 长乐 金山 宝山 南山 白云 兴隆 长安 永丰 永兴 \
永和 泰和 太和 新丰 兴安 长丰 江山 龙泉 昌平 大兴 大丰 永新 永康 永泰 安吉 广德 兴国 兴业 富源 富民 富顺 富阳 \
德兴 德安 德化 万年 万载 东山 东海 东光 东明 东源 东台 新乐 新安 新泰 新民 新星 新建 新和 双流 海安 海丰 海兴 海城 \
万全 宝丰 宝应 华安 华容 华亭 建德 建安 天长 天门 丰顺 华宁 瑞金 瑞安 瑞昌 瑞丽 金华 金昌 金城 金凤 金平 金寨 恒山 \
长城 长春 长江 天山 天峨 华龙 龙华 龙安 龙江 龙门 东港 东风 东兴 东昌 东升 西湖 西林 新城 新区 新邱 新荣 安康 安宁 \
安达 安义 安泽 广丰 广安 广汉 广宁 广平 兴文 兴宁 兴和 兴平 兴仁 兴义 祥云 吉利 吉安 吉祥 福安 福鼎 福清 福山 福海 永昌 \
永福 永顺 永盛 永春 永吉 永嘉 永靖 永清 永城 永胜 永平 永德 宁海 大通 大同 大方 大华 美兰 明光 明山 顺义 顺昌 顺城 顺德县 \
正安 正宁 正阳 正定 富川 富宁 富蕴 富县 华阴 华州 华坪 华蓥 红旗 红桥 红星 文成 文昌 文安 友谊 友好 向阳 前进 曙光 光明 \
光山 光泽 胜利 合作 合水 铁东 铁西 站前 城中 中原 中江 江南 江北 江海 江东 河东 河西 河口 海港 海南 海州 海东 云龙 云岩 \
龙湖 龙亭 龙城 龙文 龙马潭 凤凰 凤山 麒麟 五华 盘龙 银海 青山 青云谱 青秀 昌乐 昌江 昌吉 隆安 隆化 隆昌 隆回 阳光 阳新 \
万盛 万源 万宁 德惠 德清 德昌 德江 宝兴 宝清 宝安县 嘉禾 嘉善 嘉鱼 嘉祥 嘉兴 泰兴 泰安 泰顺 泰来 泰宁 诚信 隆德 丰泽 丰满 丰润 \
康平 康乐 康定 康保 双江 双峰 双鸭山 天宁 天心 天元 天桥 九龙 九江 三江 三元 三明 三台 四方 五峰 五台 五莲 六合 七星 七里河 八宿 岳阳楼";
