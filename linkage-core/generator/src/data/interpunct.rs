//! Parts of names that are written with an interpunct: Uyghur and Kazakh names in characters, own
//! name before the father's. Written down by the authors, all equally likely.

/// Names of men, which are also fathers' names.
#[rustfmt::skip]
pub(crate) const MALE: &[&str] = &[
    "买买提", "阿卜杜拉", "阿不都热合曼", "艾合买提", "玉素甫", "吐尔逊", "艾力", "库尔班", "依明", "阿迪力", "帕尔哈提", "热合曼",
    "亚森", "肉孜", "托合提", "克里木", "努尔买买提", "伊力哈木", "艾尼瓦尔", "赛买提", "卡德尔", "吾买尔", "阿不力孜", "巴吐尔",
    "木拉提", "叶尔肯", "哈力克", "居马", "艾山", "吐鲁洪",
];

/// Names of women.
#[rustfmt::skip]
pub(crate) const FEMALE: &[&str] = &[
    "阿依古丽", "古丽娜尔", "帕提古丽", "热依汗", "阿米娜", "祖丽皮亚", "迪丽努尔", "古丽米热", "麦尔哈巴", "再娜甫", "玛依努尔",
    "哈丽旦", "茹仙古丽", "阿孜古丽", "萨黛提", "努尔古丽", "海丽其", "布威海丽且", "夏依旦", "加米拉",
];
