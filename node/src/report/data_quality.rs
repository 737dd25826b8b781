//! The page on a source's quality before it is encoded, in Chinese and English.
//!
//! It is made to be shown to others, so counts from 1 to 4 are shown as `< 5`: below five, the
//! record behind a count can often be told (the usual smallest cell of official tables).

use std::fs::File;
use std::io::Write;

use askama::Template;
use linkage_core::normalise::FieldCounts;
use linkage_core::record::Finding;

use super::Error;
use super::count::COUNT_MIN;
use super::number;
use super::picture::{DataTable, LegendEntry, Picture};
use super::svg::{Anchor, Drawing, at, fit};
use crate::dataset::check::{Check, Concern, FieldCheck, KeyCheck, Repeats, Script};

/// Height of one bar with its label above, in pixels.
const ROW: f64 = 42.0;

/// Room for a label and its font size, in pixels, as in the bars of runs.
const LABEL: (f64, f64) = (210.0, 13.0);

#[derive(Template)]
#[template(path = "report/quality.html")]
struct Page<'a> {
    name: &'a str,
    version: &'static str,
    format: String,
    headlines: [Headline; 4],
    concerns: Vec<(String, String)>,
    picture: Picture,
    findings: DataTable,
    scripts: DataTable,
    values: DataTable,
    keys: DataTable,
    rejected: DataTable,
}

struct Headline {
    label: &'static str,
    figure: String,
    alarm: bool,
}

/// Writes the page on the source called `name`.
///
/// # Errors
/// [`Error::Render`]; [`Error::Io`] with an empty path when `file` cannot be written.
pub fn write(mut file: File, name: &str, check: &Check) -> Result<(), Error> {
    let page = page(name, check).map_err(Error::Render)?;
    file.write_all(page.as_bytes()).map_err(|source| Error::Io {
        path: std::path::PathBuf::new(),
        source,
    })
}

fn page(name: &str, check: &Check) -> Result<String, askama::Error> {
    let rejected: u64 = check.rejected.values().sum();
    let headline = |label, count, alarm| Headline {
        label,
        figure: shown(count),
        alarm,
    };
    let concerns = check.concerns.iter();
    Page {
        name,
        version: env!("CARGO_PKG_VERSION"),
        format: format!("{}, {}", check.format.name, check.format.encoding.name()),
        headlines: [
            headline("可用记录 Usable records", check.rows, false),
            headline("不可用的行 Rejected rows", rejected, rejected > 0),
            headline("无令牌 Without token", check.without_token, false),
            Headline {
                label: "待查事项 Concerns",
                figure: check.concerns.len().to_string(),
                alarm: !check.concerns.is_empty(),
            },
        ],
        concerns: concerns.map(|c| (chinese(c), c.advice())).collect(),
        picture: states(check),
        findings: findings(check),
        scripts: scripts(check),
        values: values(check),
        keys: keys(check),
        rejected: rejects(check),
    }
    .render()
}

/// A count as it may be shown.
fn shown(count: u64) -> String {
    if (1..COUNT_MIN).contains(&count) {
        format!("< {COUNT_MIN}")
    } else {
        number::count(count)
    }
}

/// A share in percent, never rounded up to a hundred.
fn share(part: u64, whole: u64) -> String {
    if part < whole && part as f64 / whole as f64 > 0.995 {
        return "99 %".to_owned();
    }
    number::percent(part as f64, whole as f64)
}

/// An estimated or exact count.
fn about(count: u64, estimated: bool) -> String {
    let count = shown(count);
    if estimated {
        format!("≈ {count}")
    } else {
        count
    }
}

fn chinese(concern: &Concern) -> String {
    match concern {
        Concern::SexMap { field } => {
            format!("字段“{field}”与身份证号码第 17 位不符：编码前请更正方案中的代码对照")
        }
        Concern::Frequent { field } => {
            format!("字段“{field}”有出现次数异常多的值：请在方案中登记为占位值")
        }
        Concern::NewYear { field } => {
            format!("字段“{field}”的 1 月 1 日过多，可能是缺省值：请查明日期来源")
        }
        Concern::NoKey { rule } => format!("没有任何记录具备键“{rule}”：请检查方案中的列"),
    }
}

/// What the states of values are drawn as: class, label, count.
fn parts(counts: &FieldCounts) -> [(&'static str, &'static str, u64); 5] {
    let doubtful = counts.suspect + counts.conflict;
    let empty = counts.missing + counts.placeholder;
    [
        ("state valid", "有效 valid", counts.valid),
        ("state repaired", "已修复 repaired", counts.repaired),
        ("state doubtful", "存疑 doubtful", doubtful),
        ("state invalid", "无效 invalid", counts.invalid),
        ("state empty", "空缺 missing", empty),
    ]
}

fn states(check: &Check) -> Picture {
    let mut drawing = Drawing::new(check.fields.len() as f64 * ROW);
    let mut data = DataTable::new(&[
        "字段 Field",
        "有效 Valid",
        "已修复 Repaired",
        "可疑 Suspect",
        "矛盾 Conflict",
        "无效 Invalid",
        "占位 Placeholder",
        "缺失 Missing",
    ]);
    let rows = check.rows.max(1) as f64;
    for (index, field) in check.fields.iter().enumerate() {
        let (y, counts) = (index as f64 * ROW, &field.counts);
        let label = fit(&field.name, LABEL.0, LABEL.1);
        drawing.text("label", Anchor::Start, at(0.0, y + 14.0), 0.0, &label);
        let usable = share(counts.usable(), check.rows);
        drawing.text("value", Anchor::End, at(100.0, y + 14.0), 0.0, &usable);
        drawing.rect("track", at(0.0, y + 22.0), (100.0, 10.0), "");
        let mut x = 0.0;
        for (class, name, count) in parts(counts) {
            // A count that is not shown is not drawn to scale either.
            let drawn = if count == 0 { 0 } else { count.max(COUNT_MIN) };
            let width = (100.0 * drawn as f64 / rows).min(100.0 - x);
            if width > 0.0 {
                let tip = format!("{name}: {}", shown(count));
                drawing.rect(class, at(x, y + 22.0), (width, 10.0), &tip);
            }
            x += width;
        }
        let numbers = [
            counts.valid,
            counts.repaired,
            counts.suspect,
            counts.conflict,
            counts.invalid,
            counts.placeholder,
            counts.missing,
        ];
        let mut row = vec![field.name.clone()];
        row.extend(numbers.map(shown));
        data.rows.push(row);
    }
    let worst = check
        .fields
        .iter()
        .min_by_key(|field| field.counts.usable());
    let finding = worst.map_or_else(String::new, |field| {
        let share = share(field.counts.usable(), check.rows);
        format!("可用值最少的字段 Least usable: {}, {share}", field.name)
    });
    let legend = parts(&FieldCounts::default())
        .map(|(class, name, _)| LegendEntry::new(class, name))
        .into();
    Picture {
        kind: "states",
        note: "每个字段的值的状态；右侧为可用比例 States of each field’s values; on the right the \
               share that can be used."
            .to_owned(),
        legend,
        padding: [4, 0, 4, 0],
        width_min: 0,
        width_max: 0,
        drawing: drawing.finish("figure-1", &finding, "Bars of states, one per field."),
        finding,
        data,
    }
}

/// The name of a finding in the data, as in the JSON form.
fn word(finding: Finding) -> String {
    match serde_json::to_value(finding) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn findings(check: &Check) -> DataTable {
    let mut table = DataTable::new(&["字段 Field", "发现 Finding", "记录 Records"]);
    for field in &check.fields {
        let findings = field.counts.findings.iter();
        let rows = findings
            .map(|(finding, count)| vec![field.name.clone(), word(*finding), shown(*count)]);
        table.rows.extend(rows);
    }
    table
}

fn scripts(check: &Check) -> DataTable {
    let mut table = DataTable::new(&[
        "字段 Field",
        "汉字 Han",
        "拉丁 Latin",
        "数字 Digits",
        "混合 Mixed",
        "假名谚文 Kana, hangul",
        "不可读 Unreadable",
        "其他 Other",
    ]);
    table.rows.extend(check.fields.iter().map(|field| {
        let count = |script| field.scripts.get(&script).copied().unwrap_or(0);
        let mut row = vec![field.name.clone()];
        row.extend(Script::ALL.map(|script| shown(count(script))));
        row
    }));
    table
}

fn values(check: &Check) -> DataTable {
    let mut table = DataTable::new(&[
        "字段 Field",
        "不同值 Different values",
        "过频值 Too frequent values",
        "涉及记录 Their records",
        "其他 Other",
    ]);
    table.rows.extend(check.fields.iter().map(|field| {
        vec![
            field.name.clone(),
            about(field.values, field.values_estimated),
            shown(field.frequent.values),
            shown(field.frequent.records),
            special(field),
        ]
    }));
    table
}

/// What only fields of one kind have.
fn special(field: &FieldCheck) -> String {
    let new_year = field.new_year.map(|count| {
        let share = share(count, field.counts.usable());
        match count {
            1..COUNT_MIN => format!("1 月 1 日 first of January: {}", shown(count)),
            _ => format!("1 月 1 日 first of January: {} ({share})", shown(count)),
        }
    });
    let shared = field.shared_numbers.map(
        |Repeats {
             repeated_values,
             estimated,
             ..
         }| {
            let count = about(repeated_values, estimated);
            format!("超过 6 条记录共用的号码 numbers of more than 6 records: {count}")
        },
    );
    let sex = field.sex.map(|sex| match sex.compared {
        0..COUNT_MIN => "无身份证号码可比对 no numbers to compare with".to_owned(),
        compared => {
            let share = share(sex.agreeing, compared);
            format!("与身份证号码一致 agrees with resident numbers: {share}")
        }
    });
    let parts: Vec<String> = [new_year, shared, sex].into_iter().flatten().collect();
    parts.join("; ")
}

fn keys(check: &Check) -> DataTable {
    let mut table = DataTable::new(&[
        "键 Key",
        "用途 Use",
        "具备 Records",
        "比例 Share",
        "与本源他条相同 Same as another’s here",
    ]);
    let row = |key: &KeyCheck, what: &str| {
        let repeats = key.repeats.map_or_else(
            || number::ABSENT.to_owned(),
            |repeats| about(repeats.repeated_records, repeats.estimated),
        );
        let part = match key.records {
            1..COUNT_MIN => number::ABSENT.to_owned(),
            records => share(records, check.rows),
        };
        vec![
            key.name.clone(),
            what.to_owned(),
            shown(key.records),
            part,
            repeats,
        ]
    };
    let link = check.link_keys.iter().map(|key| row(key, "链接 link"));
    let block = check.block_keys.iter().map(|key| row(key, "分块 block"));
    table.rows.extend(link.chain(block));
    table
}

fn rejects(check: &Check) -> DataTable {
    let mut table = DataTable::new(&["原因 Reason", "行 Rows"]);
    let rejected = check.rejected.iter();
    table
        .rows
        .extend(rejected.map(|(reason, count)| vec![(*reason).to_owned(), shown(*count)]));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_is_all() {
        assert_eq!(
            [share(999, 1000), share(7, 7), share(1, 2)],
            ["99 %", "100 %", "50 %"]
        );
    }

    #[test]
    fn small_counts_are_not_shown() {
        assert_eq!(
            [0, 1, 4, 5, 1234].map(shown),
            ["0", "< 5", "< 5", "5", "1,234"]
        );
        assert_eq!(about(3, true), "≈ < 5");
    }
}
