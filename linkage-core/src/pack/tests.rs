use super::*;

fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

#[test]
fn names_fold_character_by_character() {
    for (written, expected) in [
        ("錢鍾書", "钱钟书"),
        ("鍾楚紅", "钟楚红"),
        ("閆峯", "闫峰"),
        ("張三豐", "张三丰"),
        ("蕭", "萧"),
        ("於", "於"),
        ("傑昇喆堃甯龑煒溫栢羣", "杰升哲坤宁䶮炜温柏群"),
    ] {
        assert_eq!(folded(written), expected, "{written}");
    }
}
