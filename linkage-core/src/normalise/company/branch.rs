//! The branch behind a name (深圳分公司, 第二分店).

/// Branches that never stand alone: what lies before is the name of the whole.
const DEPENDENT: [&str; 16] = [
    "分公司",
    "支公司",
    "分店",
    "支行",
    "分行",
    "分理处",
    "分厂",
    "分校",
    "校区",
    "分院",
    "分局",
    "分所",
    "分社",
    "分会",
    "分中心",
    "分场",
];

/// Ends of the name of the whole, after which a branch begins.
const HEADS: [&str; 26] = [
    "银行",
    "信用社",
    "联社",
    "医院",
    "大学",
    "学院",
    "学校",
    "幼儿园",
    "事务所",
    "旅行社",
    "超级市场",
    "超市",
    "大药房",
    "药房",
    "药店",
    "餐厅",
    "酒楼",
    "酒家",
    "酒店",
    "商店",
    "商场",
    "百货",
    "中心",
    "厂",
    "店",
    "局",
];

/// Where the branch begins; the length of the text if there is none.
pub(super) fn start(text: &str) -> usize {
    // Whatever follows the first 公司 is its branch, unless the words before are themselves the
    // name of a trade (公司 at the start).
    if let Some(at) = text.find("公司") {
        let end = at + "公司".len();
        let split = text
            .get(..at)
            .is_some_and(|head| head.chars().nth(1).is_some());
        let dependent = text
            .get(..at)
            .is_some_and(|head| head.ends_with(['分', '支']));
        if split && !dependent && end < text.len() {
            return end;
        }
    }
    let Some(ending) = DEPENDENT.iter().find(|ending| text.ends_with(**ending)) else {
        return text.len();
    };
    let body = text.get(..text.len() - ending.len()).unwrap_or_default();
    HEADS
        .iter()
        .filter_map(|head| Some(body.rfind(head)? + head.len()))
        // A head at the very front is the brand's.
        .filter(|&end| end > "汉".len() * 2)
        .max()
        .unwrap_or_else(|| numbered(body).unwrap_or(text.len()))
}

/// Where 第N begins at the end of a text.
fn numbered(body: &str) -> Option<usize> {
    let at = body.rfind('第')?;
    (at > 0 && body.get(at..)?.chars().count() <= 4).then_some(at)
}
