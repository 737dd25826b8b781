//! Spellings of names in Hong Kong documents.
//!
//! The government's spelling follows the Cantonese reading loosely and differs between people;
//! these are common choices, written down by the authors.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Surname characters.
const SURNAMES: &str = "陈CHAN 李LEE 黄WONG 张CHEUNG 刘LAU 林LAM 王WONG 吴NG 梁LEUNG 杨YEUNG 何HO 周CHOW 郑CHENG \
    罗LAW 曾TSANG 叶YIP 谢TSE 邓TANG 蔡CHOI 徐TSUI 朱CHU 钟CHUNG 彭PANG 卢LO 潘POON 冯FUNG 许HUI 廖LIU 黎LAI \
    苏SO 赵CHIU 谭TAM 邱YAU 胡WU 莫MOK 郭KWOK 肖SIU 唐TONG 欧AU 江KONG 余YU 邹CHAU 孙SUEN 马MA 韩HON 曹TSO \
    方FONG 宋SUNG 范FAN 沈SHUM 袁YUEN 关KWAN 麦MAK 吕LUI 杜TO 侯HAU 姚YIU 戴TAI 石SHEK 伍NG 区AU 翁YUNG 任YAM";

/// Given-name characters of men, and of both.
const MALE: &str = "伟WAI 明MING 强KEUNG 华WAH 文MAN 杰KIT 国KWOK 志CHI 家KA 嘉KA 俊CHUN 健KIN 荣WING 永WING 德TAK \
    光KWONG 辉FAI 雄HUNG 成SHING 安ON 平PING 大TAI 子TSZ 浩HO 轩HIN 朗LONG 天TIN 乐LOK 宏WANG 达TAT 福FUK 生SANG \
    炳PING 昌CHEONG 超CHIU 威WAI 龙LUNG 泽CHAK 启KAI 祥CHEUNG 耀YIU 锦KAM 培PUI 树SHU 振CHUN 恒HANG 铭MING 信SHUN";

/// Given-name characters of women.
const FEMALE: &str = "英YING 玲LING 美MEI 丽LAI 芳FONG 慧WAI 敏MAN 婷TING 欣YAN 怡YEE 诗SZE 颖WING 雯MAN 珊SHAN 燕YIN \
    萍PING 凤FUNG 兰LAN 娟KUEN 淑SHUK 惠WAI 宝PO 小SIU 思SZE 心SUM 晴CHING 琳LAM 嘉KA 家KA 咏WING 佩PUI 秀SAU \
    雅NGA 静CHING 洁KIT 芷CHI 晓HIU 凯HOI 翠CHUI 月YUET 少SIU 倩SIN 爱OI 群KWAN 君KWAN 容YUNG 雪SUET 韵WAN";

fn entries(table: &'static str) -> impl Iterator<Item = (char, &'static str)> {
    table.split_whitespace().filter_map(|entry| {
        let character = entry.chars().next()?;
        Some((character, entry.get(character.len_utf8()..)?))
    })
}

static SPELLINGS: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
    let tables = [SURNAMES, MALE, FEMALE];
    tables.into_iter().flat_map(entries).collect()
});

static GIVEN: LazyLock<[Vec<char>; 2]> =
    LazyLock::new(|| [FEMALE, MALE].map(|table| entries(table).map(|entry| entry.0).collect()));

/// Characters of given names.
pub(crate) fn given(male: bool) -> &'static [char] {
    let [female, male_names] = &*GIVEN;
    if male { male_names } else { female }
}

/// The spelling of a character.
pub(crate) fn spelling(of: char) -> Option<&'static str> {
    SPELLINGS.get(&of).copied()
}
