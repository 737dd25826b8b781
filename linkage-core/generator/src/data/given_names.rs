//! Given-name characters by sex and birth cohort.
//!
//! Each string lists the characters of a cohort from frequent to rare. The order is
//! the authors' estimate of Chinese naming fashion, not a count; the weights are a law over the
//! rank.

use std::sync::LazyLock;

use crate::population::Sex;
use crate::stream::Weighted;

/// Characters of one cohort.
struct Cohort {
    /// First birth year that no longer belongs to it.
    until: i16,
    /// One-character names, in units of 0.01 %.
    single: u32,
    male: &'static str,
    female: &'static str,
}

const COHORTS: [Cohort; 5] = [
    Cohort {
        until: 1960,
        single: 600,
        male: "国明建华德文志荣海金平永春生林玉成忠光祥福贵清庆富根长发良才天兴水木土炳锦添耀培汉兆\
               松柏泉财汝佳伟强军武学义仁信昌炎煌坤灿桂达权康宏家振世子少景尧镜树崇启运有亚仲伯洪润\
               佑祖绍延寿堂满池胜",
        female: "英秀兰玉珍凤芳桂梅荣丽清金美月娥莲香花翠琼春珠爱惠云彩霞娇妹好连群银素淑瑞芝少细带\
                 有招娣杏菊仙顺转妙容婵贞静琴华红燕萍巧彬桃雪柳润喜枝叶芬媛兴合欢宝巾钗绣环木水",
    },
    Cohort {
        until: 1980,
        single: 1_800,
        male: "伟建国明志强军平华文海东勇杰辉林波锋斌刚健武彬雄光荣新永生春成德胜福祥忠勤庆兵卫红民\
               少俊锦权康标添耀木鹏飞龙涛峰松柏小晓旭亮凯伦汉润坚毅劲泽金火桂汝灿焕炳洪清振富贵发\
               财广向前进学友南北江河",
        female: "丽芳英燕玲秀萍红霞兰梅艳敏静娟琴云珍凤美惠华玉莲香琼琳群娥珠少月春娇清爱妹金彩小翠\
                 晓文君卫建洁雪容宁慧颖平婵虹瑜珊璇琪蓉芬青素淑菊瑞巧绮冰意好银笑转东海笔桂花",
    },
    Cohort {
        until: 2000,
        single: 1_900,
        male: "伟杰俊志明文辉强健勇鹏飞龙波涛斌峰浩锋宇超嘉家豪凯毅威亮建海林东华冠炜荣泽鸿恒坤聪晓\
               智展钊铭钧铿耀焕灿彬彪雄光伦润权政桦添栋权鑫磊旭昊翔阳帆航晨子梓景柏松枫淼钦镇振国\
               永维弘宏达贤楷榕浚渊漫滨源",
        female: "婷丽敏晓静燕玲芳霞莹颖雪梅艳红嘉慧琳琪欣怡思美惠玉洁君文佩佳诗雯倩珊娜媚绮韵琼萍淑\
                 娟妍咏仪雅芬蓉虹瑜璇璐薇蔓菲菁蕾茵莎莉彤紫钰銮清春秋冬晴云月舒婉婵媛秀英华冰洋桃\
                 柔楚少小海",
    },
    Cohort {
        until: 2015,
        single: 700,
        male: "俊浩宇子杰嘉轩梓豪泽铭文博涛睿昊天翔凯诚志鑫恒锐权家明晨阳航帆鹏飞龙海智源佳思哲瀚霖\
               炜烨煜熙熠卓越冠钧楷楠栋桐柏枫森林峰岳川江洋润淳渊鸿鹤麟骏驰乐远达逸瑞祺祥禧皓晖朗\
               景曦旭昕昱轶卿奕辰",
        female: "欣怡子嘉梓思雨诗佳涵琪雅静婷慧颖莹敏晓洁彤琳雯雪芷若晴语嫣紫萱钰璇瑶瑜珊珺琦瑾瑞乐\
                 心悦怀恩可儿妍妮婧媛娴娜宁安依依伊芸芮苑茵茹菲菁蓓蕾薇曼柔淇淑清滢漫潼澜冰冉卉楚楠\
                 桐枝果甜",
    },
    Cohort {
        until: i16::MAX,
        single: 700,
        male: "梓宇轩浩奕辰泽睿俊子铭沐博文昊然皓嘉一诺宸晨霖佑乐天逸煜熙烨恒景承允言锦程知远行舟瑞祺\
               骏驰凯旋航翊翔彦哲思齐明杰瀚海洋洲川岳峻岩森林木楠柏松墨书砚修远亦非凡予安谦诚信栩桓\
               屹驭麒麟",
        female: "梓涵一诺依欣怡奕诗雨汐语桐沐若芷晴悦可馨妍婧心彤雅琪子玥瑶琳萱熙汐颜苒苏糖芊芸茉莉\
                 萌宁安然静好清浅歆昕昭晞曦月星辰云舒画锦书知夏念初以沫希禾米朵果甜妙淇漾潼溪澜艺伊\
                 佳思婉玉璟珞珂瑾",
    },
];

/// Weight of the character at `rank`, counted from 0 (Zipf-Mandelbrot with offset 15: flat enough
/// that no character exceeds about 3 % of its cohort).
fn rank_weight(rank: usize) -> u32 {
    (100_000 / (rank + 15)) as u32
}

/// A cohort's share of one-character names and its tables for men and women.
struct Tables {
    until: i16,
    single: u32,
    male: Weighted<char>,
    female: Weighted<char>,
}

static TABLES: LazyLock<[Tables; COHORTS.len()]> = LazyLock::new(|| {
    let table = |text: &'static str| {
        Weighted::new(
            text.chars()
                .enumerate()
                .map(|(rank, c)| (c, rank_weight(rank))),
        )
    };
    COHORTS.each_ref().map(|cohort| Tables {
        until: cohort.until,
        single: cohort.single,
        male: table(cohort.male),
        female: table(cohort.female),
    })
});

/// The characters for a sex and birth year, and the share of one-character names in 0.01 %.
pub(crate) fn characters(sex: Sex, birth_year: i16) -> (&'static Weighted<char>, u32) {
    let [earlier @ .., latest] = &*TABLES;
    let cohort = earlier
        .iter()
        .find(|cohort| birth_year < cohort.until)
        .unwrap_or(latest);
    let table = if sex == Sex::Male {
        &cohort.male
    } else {
        &cohort.female
    };
    (table, cohort.single)
}

/// Every character that occurs in any cohort, repeated as often as it occurs.
pub(crate) fn all_characters() -> impl Iterator<Item = char> {
    COHORTS
        .iter()
        .flat_map(|cohort| cohort.male.chars().chain(cohort.female.chars()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn at_least_250_distinct_characters() {
        let distinct: HashSet<_> = all_characters().collect();
        assert!(distinct.len() >= 250, "{}", distinct.len());
        assert!(
            distinct
                .iter()
                .all(|c| ('\u{4E00}'..='\u{9FFF}').contains(c))
        );
    }
}
