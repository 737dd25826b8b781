//! Surnames with Guangdong-like weights.

use std::sync::LazyLock;

use crate::stream::Weighted;

/// Shares in units of 0.01 %: 99 981 legal representatives of Guangdong enterprises.
pub(crate) const MEASURED: &[(&str, u32)] = &[
    ("陈", 860),
    ("李", 640),
    ("黄", 550),
    ("张", 480),
    ("刘", 410),
    ("林", 320),
    ("王", 320),
    ("吴", 280),
    ("梁", 280),
    ("杨", 240),
    ("何", 200),
    ("周", 200),
    ("郑", 170),
    ("罗", 160),
    ("曾", 140),
    ("叶", 140),
    ("谢", 140),
    ("邓", 130),
    ("蔡", 120),
];

/// The rest by rank group: (relative weight of each, surnames). The order is the
/// authors' estimate of Cantonese, Hakka and Teochew frequency, not a count; only the total, what
/// [`MEASURED`] leaves over, is exact.
const ESTIMATED: &[(u32, &str)] = &[
    (110, "徐朱钟彭卢赖潘冯许廖黎"),
    (85, "苏赵谭邱温胡莫高郭肖唐欧"),
    (60, "江余邹孙马韩曹蒋方宋范沈袁"),
    (45, "古关丁麦韦吕凌魏杜田侯龙庄姚戴石万"),
    (32, "丘夏刁蓝甘伍熊程董傅柯詹洪翁池冼区招"),
    (22, "任陆姜汪秦金贺龚向文易严史孔白崔康毛"),
    (15, "覃施陶邵武钱段汤尹孟顾薛雷阮农岑简游尤纪"),
    (9, "常倪殷鲁牛俞华葛章成聂单翟路樊骆管宁柳闫付"),
    (6, "植全佘敖连卓曲辛司卜郝祝左涂柴齐庞伦容霍郁利官"),
    (3, "仇查解盖缪应燕尚鲍车项童巫幸伏危芦桂席祁宗柏晏瞿"),
];

/// Compound surnames, same units as [`ESTIMATED`]: national counts of the Ministry of Public
/// Security's name report of 2020 where it gives one; 司徒 raised, its home is Kaiping.
const COMPOUND: &[(&str, u32)] = &[
    ("欧阳", 13),
    ("司徒", 3),
    ("上官", 1),
    ("皇甫", 1),
    ("令狐", 1),
    ("诸葛", 1),
    ("司马", 1),
    ("申屠", 1),
    ("夏侯", 1),
    ("慕容", 1),
    ("尉迟", 1),
    ("长孙", 1),
    ("端木", 1),
    ("公孙", 1),
];

/// All surnames with their weights; [`MEASURED`] keeps its exact shares.
pub(crate) static SURNAMES: LazyLock<Weighted<&'static str>> = LazyLock::new(|| {
    let singles = ESTIMATED.iter().flat_map(|&(weight, group)| {
        let starts = group.char_indices().map(|(start, _)| start);
        starts.filter_map(move |start| Some((single(group, start)?, weight)))
    });
    let estimated: Vec<_> = singles.chain(COMPOUND.iter().copied()).collect();
    let left: u32 = 10_000 - MEASURED.iter().map(|entry| entry.1).sum::<u32>();
    let sum: u32 = estimated.iter().map(|entry| entry.1).sum();
    // Multiplied out instead of divided, so that nothing is lost to rounding.
    let measured = MEASURED
        .iter()
        .map(|&(surname, share)| (surname, share * sum));
    Weighted::new(measured.chain(estimated.into_iter().map(|(s, weight)| (s, weight * left))))
});

fn single(group: &'static str, start: usize) -> Option<&'static str> {
    let tail = group.get(start..)?;
    let end = tail.chars().next()?.len_utf8();
    tail.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn at_least_150_distinct_surnames() {
        let distinct: HashSet<_> = SURNAMES.items().iter().collect();
        assert!(distinct.len() >= 150, "{}", distinct.len());
        assert_eq!(
            distinct.len(),
            SURNAMES.items().len(),
            "a surname is listed twice"
        );
    }
}
