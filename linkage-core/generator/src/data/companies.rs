//! Words of company names: brands, trades, forms. Lists and their order from frequent to rare are
//! the authors' estimate; shares are cited where a count stands behind them.

use std::sync::LazyLock;

use crate::stream::Weighted;

/// Characters of brands (字号), from frequent to rare.
const BRAND: &str = "鑫源盛达华泰恒丰兴隆金科创新诚信利顺安瑞通宏佳美联合众聚博天成海润鼎锦德嘉福康宝辉\
    祥裕亿腾飞龙凯旭升东方南中国粤深广粵港骏捷易益万千百汇富贵荣昌永久长久远大力强伟业展翔鸿运\
    智慧云星辰光明亮朗晨曦阳春花木林森绿蓝白红紫玉石晶钻银铜铁钢蜂鹏鹰凤麒麟虎马牛羊燕鹤\
    家居乐悦欣怡颐养生健正义仁和礼尚雅致品优卓越冠领先锋尖峰顶立志同道心意思想梦圆满缘\
    禾田园丽景湾江河湖洋洲岛岸桥港湖山川岭谷泉溪清澜波浪帆航舟船车轮驰骋奔跑速递达\
    一二三四五六七八九十双全多维度量子元素数字网络时代世纪未来今日明月乾坤宇宙环球寰际\
    尔迪斯克莱特诺威尼亚拓普艾欧比奥赛维伦卡罗曼格雷思琪娜莉茜";

/// Weight of the character at `rank`, counted from 0 (Zipf-Mandelbrot, offset 12).
fn rank_weight(rank: usize) -> u32 {
    (100_000 / (rank + 12)) as u32
}

/// Brand characters by weight; a character listed twice counts where it comes first.
pub(crate) static BRAND_CHARACTERS: LazyLock<Weighted<char>> = LazyLock::new(|| {
    let mut seen = std::collections::BTreeSet::new();
    let distinct = BRAND.chars().filter(move |c| seen.insert(*c));
    Weighted::new(distinct.enumerate().map(|(rank, c)| (c, rank_weight(rank))))
});

/// Characters per brand: 2 in 46 %, 3 in 33 %, 4 in 21 % of Guangdong names.
pub(crate) const BRAND_LENGTHS: [(usize, u32); 3] = [(2, 46), (3, 33), (4, 21)];

/// An industry section of GB/T 4754-2017.
pub(crate) struct Section {
    pub(crate) letter: &'static str,
    /// Share of legal units in 0.1 %: the national shares of 2018, adapted to Guangdong by
    /// assumption.
    pub(crate) units: u32,
    /// The same of individual businesses: an assumption.
    pub(crate) individuals: u32,
    /// Trade words; those in one group, parted by spaces, are used for the same trade.
    pub(crate) trades: &'static [&'static str],
    /// The same for individual businesses.
    pub(crate) small_trades: &'static [&'static str],
}

#[rustfmt::skip]
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        letter: "F", units: 320, individuals: 560,
        trades: &[
            "贸易 商贸 经贸", "进出口 进出口贸易", "电子商务 网络商务", "百货 日用百货", "建材 建筑材料", "五金 五金机电", "医药 药业", "食品 食品贸易",
            "服装贸易 服饰贸易", "化工 化工原料", "电器 电器销售", "汽车销售 汽车贸易", "珠宝 珠宝首饰", "茶业 茶叶", "酒业 酒类贸易", "水产品 水产贸易", "通讯器材 通信器材",
        ],
        small_trades: &["食品 副食", "服装 服饰", "日用百货 百货", "水果 果品", "五金 五金建材", "通讯器材 手机", "文具 文化用品", "粮油 粮油食品", "烟酒 名烟名酒", "化妆品 美妆", "鞋 鞋业", "窗帘 布艺", "母婴用品 孕婴用品"],
    },
    Section {
        letter: "C", units: 200, individuals: 70,
        trades: &[
            "电子科技 电子", "五金制品 五金", "塑料制品 塑胶制品", "家具 家私", "服装 制衣 服饰", "机械设备 机械", "电器 电器制造", "包装制品 包装材料", "印刷 彩印", "模具 精密模具",
            "陶瓷 陶瓷制品", "灯饰 照明", "玩具 玩具制品", "皮具 皮革制品", "纸品 纸制品", "化工 精细化工", "食品 食品饮料", "金属制品 金属材料", "光电科技 光电", "纺织 针织",
        ],
        small_trades: &["五金加工 五金制品", "制衣 服装加工", "家具 家私", "印刷 图文印刷", "食品加工 食品", "模具加工 模具"],
    },
    Section {
        letter: "L", units: 120, individuals: 25,
        trades: &["企业管理 企业管理咨询", "物业管理 物业服务", "商务服务 商务咨询", "广告 广告传媒", "投资 投资咨询", "人力资源 人力资源服务", "会展服务 会议展览", "供应链管理 供应链", "设备租赁 机械租赁", "旅行社 国际旅行社"],
        small_trades: &["广告 图文广告", "信息咨询 商务信息", "租赁 汽车租赁"],
    },
    Section {
        letter: "M", units: 65, individuals: 8,
        trades: &["科技 科技发展", "技术服务 技术开发", "工程设计 工程咨询", "检测技术 检测服务", "环保科技 环境科技", "生物科技 生物技术", "新能源科技 能源科技"],
        small_trades: &["设计 设计服务", "技术服务 技术咨询"],
    },
    Section {
        letter: "I", units: 55, individuals: 5,
        trades: &["信息科技 信息技术", "网络科技 网络技术", "软件 软件科技", "智能科技 智能技术", "数据服务 大数据科技", "文化传媒 文化传播"],
        small_trades: &["电脑 电脑科技", "网络服务 网络"],
    },
    Section {
        letter: "E", units: 45, individuals: 12,
        trades: &["建筑工程 建设工程", "装饰工程 装饰设计工程", "园林绿化 园林工程", "机电工程 机电设备安装", "消防工程 消防设备", "建筑劳务 劳务"],
        small_trades: &["装饰 装修", "水电安装 水电"],
    },
    Section { letter: "K", units: 35, individuals: 4, trades: &["房地产开发 置业", "房地产经纪 房地产中介", "地产 房地产"], small_trades: &["房地产中介 房产中介"] },
    Section { letter: "G", units: 30, individuals: 30, trades: &["物流 货运", "国际货运代理 国际物流", "运输 汽车运输", "仓储 仓储服务", "快递 速递"], small_trades: &["货运 运输", "搬运 搬家"] },
    Section { letter: "O", units: 25, individuals: 110, trades: &["汽车服务 汽车维修服务", "家政服务 家政", "清洁服务 保洁服务", "美容 美容美发"], small_trades: &["美容美发 理发", "汽车维修 汽修", "家电维修 电器维修", "洗衣 干洗", "美甲 美容"] },
    Section { letter: "H", units: 25, individuals: 150, trades: &["餐饮 餐饮管理", "酒店 酒店管理", "酒楼 饮食"], small_trades: &["餐饮 饮食", "小吃 美食", "茶饮 饮品", "快餐 早餐", "烧烤 烧腊", "肠粉 粥粉"] },
    Section { letter: "R", units: 20, individuals: 14, trades: &["文化 文化发展", "体育 体育文化", "影视 影视文化", "娱乐 文化娱乐"], small_trades: &["健身 体育", "网吧 网咖"] },
    Section { letter: "P", units: 20, individuals: 6, trades: &["教育 教育咨询", "培训 教育培训"], small_trades: &["艺术培训 培训", "托管 午托"] },
    Section { letter: "Q", units: 10, individuals: 4, trades: &["医疗 医疗服务", "门诊 门诊部"], small_trades: &["口腔 牙科", "诊所 门诊"] },
    Section { letter: "A", units: 30, individuals: 2, trades: &["农业 农业发展", "种植 果蔬种植", "养殖 水产养殖"], small_trades: &["种植 苗木", "养殖 水产"] },
];

/// Forms of legal units, with those that are written for them by mistake. Shares in 0.1 %:
/// 有限公司, 股份 and 有限责任公司 by their relation in Guangdong (66 : 0.9 : 0.35), the rest an
/// assumption.
#[rustfmt::skip]
pub(crate) const UNIT_FORMS: &[(&[&str], u32)] = &[
    (&["有限公司", "有限责任公司", "公司"], 905),
    (&["有限责任公司", "有限公司", "公司"], 5),
    (&["股份有限公司", "有限公司", "股份公司"], 12),
    (&["合伙企业（有限合伙）", "合伙企业", "中心（有限合伙）"], 18),
    (&["中心", "服务中心", "中心（普通合伙）"], 25),
    (&["经营部", "商行", "经销部"], 35),
];

/// Forms of factories.
pub(crate) const FACTORY_FORM: &[&str] = &["厂", "加工厂", "制造厂"];
/// Of 1 000 manufacturers, those that are 厂: it makes 8 % of all names.
pub(crate) const FACTORIES: u32 = 400;
/// Forms of cooperatives.
pub(crate) const COOPERATIVE_FORM: &[&str] = &["专业合作社", "农民专业合作社", "合作社"];

/// Forms of individual businesses: shares are an assumption.
#[rustfmt::skip]
pub(crate) const INDIVIDUAL_FORMS: &[(&[&str], u32)] = &[
    (&["店", "商店", "经营店"], 45),
    (&["商行", "经营部", "贸易行"], 18),
    (&["经营部", "商行", "经销部"], 15),
    (&["馆", "店", "屋"], 6),
    (&["档", "摊档", "店"], 6),
    (&["工作室", "店", "中心"], 6),
    (&["部", "服务部", "店"], 4),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_whole() {
        assert!(BRAND_CHARACTERS.items().len() > 250);
        let sum = |share: fn(&Section) -> u32| SECTIONS.iter().map(share).sum::<u32>();
        assert_eq!(sum(|section| section.units), 1_000);
        assert_eq!(sum(|section| section.individuals), 1_000);
        for section in SECTIONS {
            for group in section.trades.iter().chain(section.small_trades) {
                assert!(group.split(' ').count() > 1, "{group} cannot vary");
            }
        }
        let forms = UNIT_FORMS.iter().chain(INDIVIDUAL_FORMS);
        assert!(forms.into_iter().all(|(forms, _)| forms.len() > 1));
    }
}
