//! Characters that are mistaken for each other in names: by sound, by shape, by script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pinyin::ToPinyin;

use super::companies::BRAND_CHARACTERS;
use super::given_names::all_characters;
use super::surnames::SURNAMES;

/// Simplified and traditional forms, and common variants, in turn; written by hand for characters
/// of the name tables, not taken from a published table.
const TRADITIONAL: &str = "陈陳黄黃张張刘劉吴吳杨楊郑鄭罗羅叶葉谢謝邓鄧钟鍾卢盧赖賴冯馮许許苏蘇赵趙谭譚温溫\
    莫莫郭郭肖蕭欧歐邹鄒孙孫马馬韩韓蒋蔣关關麦麥韦韋吕呂龙龍庄莊万萬伍伍区區陆陸贺賀龚龔严嚴钱錢汤湯顾顧\
    阮阮岑岑简簡纪紀单單凤鳳兰蘭国國华華东東伟偉强強军軍杰傑辉輝荣榮庆慶贵貴长長发發兴興锦錦汉漢财財义義\
    权權宏宏桥橋胜勝坚堅刚剛飞飛鹏鵬涛濤峰峯丽麗红紅艳豔静靜云雲爱愛惠惠连連银銀顺順转轉贞貞鸿鴻聪聰\
    铭銘钧鈞铿鏗焕煥灿燦栋棟鑫鑫旭旭阳陽维維贤賢泽澤润潤渊淵滨濱颖穎莹瑩诗詩韵韻莲蓮宝寶绣繡环環\
    达達运運启啟寿壽满滿树樹镜鏡绍紹远遠骏駿驰馳诚誠谦謙书書麟麟岚嵐玮瑋琼瓊晓曉妆妝蔷薔薇薇蓝藍霭靄\
    钰鈺锐銳凯凱烨燁浅淺语語诺諾怀懷乐樂广廣贸貿电電业業团團实實机機车車饰飾装裝设設备備术術划劃销銷务務\
    际際货貨会會经經进進产產购購儿兒艺藝厂廠个個计計询詢检檢测測环環数數据據软軟网網络絡传傳媒媒药藥医醫\
    亿億万萬丰豐龙龍盛盛联聯合合众眾创創创創织織纸紙头頭药藥农農动動资資员員师師场場坛壇济濟测測银銀";

/// Groups that differ by a stroke or share their frame; any member may be read as any other.
/// Written by hand, not taken from a published table.
const LOOK_ALIKE: &str = "陈阵 李季 黄寅 张弦 刘刈 林材 王玉 吴昊 梁粱 杨扬 何向 周固 郑邓 罗萝 曾会 叶汁 谢榭 \
    蔡察 徐除 朱未 钟钏 彭澎 卢户 赖籁 潘播 冯玛 许讦 廖寥 黎藜 苏办 邱丘 温湿 胡明 莫英 高亭 郭敦 肖尚 唐塘 欧殴 \
    江汪 余佘 马乌 韩朝 范苑 沈沉 袁哀 古右 关美 丁于 田由 侯候 龙尤 石右 万方 夏复 伍任 程徎 丽两 国困 明朋 建健 \
    华毕 德徳 文丈 志忘 荣茉 海诲 金全 平半 永水 春舂 生主 成戍 忠患 光先 祥详 福副 贵责 清情 庆厌 富冨 根很 长张 \
    发友 良艮 才寸 天夫 兴兵 木本 土士 炳柄 锦绵 添忝 耀曜 培陪 汉汊 兆北 松忪 泉帛 财材 汝女 佳住 伟纬 强疆 军车 \
    武斌 学字 义叉 仁仕 信倍 昌冒 炎焱 坤神 灿仙 桂挂 达送 权杈 康廉 宏宠 家冢 振赈 世丗 少小 景影 英莫 秀季 兰三 \
    珍诊 凤风 芳苦 梅海 美羔 月用 娥峨 莲连 香杳 花华 翠萃 琼凉 珠株 爱受 惠恵 云去 彩菜 霞雾 娇桥 妹姝 好妤 群郡 \
    银根 素索 淑椒 瑞端 芝乏 燕蒸 玲铃 萍苹 红江 艳绝 敏敝 静净 娟捐 琴瑟 琳淋 杰木 辉挥 波泼 锋峰 斌赋 刚钢 彬杉 \
    雄碓 新亲 胜性 勤勒 兵乒 民氏 俊悛 标柄 鹏鹂 飞气 涛俦 小少 旭旮 亮高 凯剀 浩洁 宇宁 超起 嘉喜 豪毫 毅毁 威咸 \
    婷停 莹萤 颖颍 雪雷 琪淇 欣掀 怡冶 思恩 洁浩 诗待 倩情 珊姗 雅稚 梓样 轩轨 泽择 铭铬 睿督 翔羽 晨辰 阳阴 航舫 \
    子于 奕弈 涵函 若苦 依衣 诺若 悦悅 心必 可司 安宏 宁宇 知和 予矛 言信 沐休 博搏 然燃 一二 语话 彤丹 萱宣 瑶遥 \
    钰钮 晴睛 紫索 舒舍 博傅 哲晢 昕听 熙煕 瀚翰 森林 楠喃 柏拍 枫讽 磊垒";

/// Readings of surnames that differ from the default reading of crate `pinyin`.
const SURNAME_READINGS: &[(char, &str)] = &[
    ('曾', "zeng"),
    ('单', "shan"),
    ('仇', "qiu"),
    ('区', "ou"),
    ('解', "xie"),
    ('翟', "zhai"),
    ('查', "zha"),
    ('冼', "xian"),
    ('覃', "qin"),
    ('任', "ren"),
    ('华', "hua"),
    ('宁', "ning"),
    ('葛', "ge"),
    ('盖', "ge"),
    ('缪', "miao"),
    ('燕', "yan"),
    ('应', "ying"),
];

/// What each character may be mistaken for.
pub(crate) struct Confusions {
    readings: BTreeMap<String, Vec<char>>,
    folded: BTreeMap<String, Vec<char>>,
    shapes: BTreeMap<char, Vec<char>>,
    scripts: BTreeMap<char, char>,
}

/// Built once from the tables above and the name tables: a wrong character is one that people's
/// names do contain, which is what an input method offers first.
pub(crate) static CONFUSIONS: LazyLock<Confusions> = LazyLock::new(|| {
    let surnames = SURNAMES.items().iter().flat_map(|surname| surname.chars());
    Confusions::new(all_characters().chain(surnames).collect())
});

/// The same among characters of brands.
pub(crate) static BRAND_CONFUSIONS: LazyLock<Confusions> =
    LazyLock::new(|| Confusions::new(BRAND_CHARACTERS.items().iter().copied().collect()));

impl Confusions {
    fn new(characters: BTreeSet<char>) -> Self {
        let mut readings: BTreeMap<String, Vec<char>> = BTreeMap::new();
        let mut folded: BTreeMap<String, Vec<char>> = BTreeMap::new();
        for character in characters {
            let Some(reading) = given_reading(character) else {
                continue;
            };
            folded.entry(fold(reading)).or_default().push(character);
            readings
                .entry(reading.to_owned())
                .or_default()
                .push(character);
        }
        let mut shapes: BTreeMap<char, Vec<char>> = BTreeMap::new();
        for group in LOOK_ALIKE.split_whitespace() {
            for of in group.chars() {
                let others = group.chars().filter(|&other| other != of);
                shapes.entry(of).or_default().extend(others);
            }
        }
        let mut scripts = BTreeMap::new();
        let mut forms = TRADITIONAL.chars().filter(|c| !c.is_whitespace());
        while let (Some(simplified), Some(traditional)) = (forms.next(), forms.next()) {
            if simplified != traditional {
                scripts.insert(simplified, traditional);
            }
        }
        Self {
            readings,
            folded,
            shapes,
            scripts,
        }
    }

    /// Others with the same reading, tones aside.
    pub(crate) fn homophones(&self, of: char, surname: bool) -> Vec<char> {
        let found = reading(of, surname).and_then(|reading| self.readings.get(reading));
        others(found, of)
    }

    /// Others that sound the same to speakers who merge zh/z, n/l and -ng/-n, but not homophones.
    pub(crate) fn near(&self, of: char, surname: bool) -> Vec<char> {
        let Some(exact) = reading(of, surname) else {
            return Vec::new();
        };
        let mut found = others(self.folded.get(&fold(exact)), of);
        found.retain(|&other| given_reading(other) != Some(exact));
        found
    }

    /// Others whose typed letters begin alike: the neighbours of a mistyped syllable.
    pub(crate) fn mistyped(&self, of: char, surname: bool) -> Vec<char> {
        let Some(exact) = reading(of, surname) else {
            return Vec::new();
        };
        let stem = exact.get(..exact.len() - 1).unwrap_or_default();
        let alike = self.readings.iter().filter(|(other, _)| {
            other.as_str() != exact
                && other.starts_with(stem)
                && other.len().abs_diff(exact.len()) <= 1
        });
        alike
            .flat_map(|(_, characters)| characters.iter().copied())
            .collect()
    }

    /// Others of similar shape.
    pub(crate) fn look_alikes(&self, of: char) -> Vec<char> {
        others(self.shapes.get(&of), of)
    }

    /// The traditional or variant form.
    pub(crate) fn traditional(&self, of: char) -> Option<char> {
        self.scripts.get(&of).copied()
    }
}

/// The toneless reading as crate `pinyin` spells it, surnames by their own table.
pub(crate) fn reading(of: char, surname: bool) -> Option<&'static str> {
    let special = SURNAME_READINGS
        .iter()
        .find(|entry| surname && entry.0 == of);
    special.map(|entry| entry.1).or_else(|| given_reading(of))
}

fn given_reading(of: char) -> Option<&'static str> {
    of.to_pinyin().map(|reading| reading.plain())
}

/// Merges zh/z, ch/c, sh/s, n/l and -ang/-an, -eng/-en, -ing/-in, as southern speakers do.
fn fold(reading: &str) -> String {
    let mut folded = reading.to_owned();
    for (long, short) in [("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l")] {
        if let Some(rest) = reading.strip_prefix(long) {
            folded = format!("{short}{rest}");
        }
    }
    let nasal = ["ang", "eng", "ing"]
        .iter()
        .any(|ending| folded.ends_with(ending));
    if nasal {
        folded.pop();
    }
    folded
}

fn others(found: Option<&Vec<char>>, of: char) -> Vec<char> {
    found
        .into_iter()
        .flatten()
        .copied()
        .filter(|&other| other != of)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_shapes_and_scripts() {
        assert!(CONFUSIONS.homophones('伟', false).contains(&'炜'));
        assert!(!CONFUSIONS.homophones('伟', false).contains(&'伟'));
        assert!(CONFUSIONS.near('林', false).contains(&'玲'));
        assert!(!CONFUSIONS.near('林', false).contains(&'琳'));
        assert!(CONFUSIONS.look_alikes('土').contains(&'士'));
        assert_eq!(CONFUSIONS.traditional('陈'), Some('陳'));
        assert_eq!(CONFUSIONS.traditional('林'), None);
        assert_eq!(reading('曾', true), Some("zeng"));
        assert_eq!(fold("zhang"), "zan");
        assert_eq!(fold("ning"), "lin");
    }

    #[test]
    fn most_name_characters_have_homophones() {
        let all: BTreeSet<char> = all_characters().collect();
        let with = all
            .iter()
            .filter(|&&c| !CONFUSIONS.homophones(c, false).is_empty())
            .count();
        assert!(with * 10 > all.len() * 8, "{with} of {}", all.len());
    }
}
