//! The page on one released table, in Chinese and English: the request, its cells as a heat map,
//! what protects them, and where they come from.

use askama::Template;
use linkage_core::disclosure::release::{Axis, Owners, ReleasedTable};

use super::data::{Cell, Dimension, TableView};
use super::picture::{DataTable, Picture};
use super::{Error, heatmap, number, page};
use crate::client::Extract;

#[derive(Template)]
#[template(path = "report/extract.html")]
struct Page<'a> {
    name: String,
    made: &'a str,
    version: &'static str,
    table: &'a TableView,
    picture: Option<Picture>,
    facts: Vec<(&'static str, String)>,
    methods: [String; 2],
    source: DataTable,
}

/// The page on a table of the project `project`, released at `made`.
///
/// # Errors
/// [`Error::Render`].
pub fn page(extract: &Extract, project: &str, made: &str) -> Result<String, Error> {
    let table = table_view(&extract.request.canonical(), &extract.table);
    let titles: Vec<&str> = extract
        .table
        .axes()
        .iter()
        .map(|axis| &*axis.name)
        .collect();
    Page {
        name: titles.join(" × "),
        made,
        version: env!("CARGO_PKG_VERSION"),
        picture: heatmap::picture("figure-1", &table),
        facts: page::protection(&table),
        methods: [chinese(&extract.table), extract.table.method().to_owned()],
        source: source(extract, project),
        table: &table,
    }
    .render()
    .map_err(Error::Render)
}

/// A released table as pictures take it: the last dimension across, the others down the side.
pub fn table_view(sql: &str, table: &ReleasedTable) -> TableView {
    let joined = |axes: &[Axis], part: fn(&Axis) -> &str| {
        let mut parts: Vec<&str> = axes.iter().map(part).collect();
        parts.dedup();
        parts.join(", ")
    };
    let (side, across) = table.side_and_across();
    let grid = table.grid();
    let cell = |cell: &Option<i64>| cell.map_or(Cell::BelowK, Cell::Value);
    TableView {
        sql: sql.to_owned(),
        measure: "count(*)".to_owned(),
        row_dimension: Dimension {
            owner: joined(side, |axis| &axis.owner),
            name: joined(side, |axis| &axis.name),
            labels: grid.rows.iter().map(|(label, _)| label.clone()).collect(),
        },
        column_dimension: across.map(|axis| Dimension {
            owner: axis.owner.clone(),
            name: axis.name.clone(),
            labels: axis.labels.clone(),
        }),
        cells: (grid.rows.iter())
            .map(|(_, cells)| cells.iter().map(cell).collect())
            .collect(),
        k: table.k().into(),
        shown_min: u64::try_from(table.shown_min()).unwrap_or(0),
        epsilon: Some(f64::from(table.epsilon_per_owner().thousandths()) / 1000.0),
        noise_sd: Some(table.noise_sd()),
        method_note: table.method().to_owned(),
        true_cells: None,
    }
}

/// The method in Chinese, as [`ReleasedTable::method`] says it in English.
fn chinese(table: &ReleasedTable) -> String {
    let who = match table.owners() {
        Owners::One => "数据方",
        Owners::Two => "两个数据方各自",
    };
    format!(
        "{who}在计数可读之前，对每个单元格加入参数为 ε = {} 的离散拉普拉斯噪声；噪声的标准差为 {:.2}。\
         加噪后的计数不小于 {}（k = {} 加三倍标准差）的单元格才显示，其余隐去。不给出合计，以免推出隐去的单元格。",
        table.epsilon_per_owner(),
        table.noise_sd(),
        table.shown_min(),
        table.k(),
    )
}

fn source(extract: &Extract, project: &str) -> DataTable {
    let mut table = DataTable::new(&["项 Item", "值 Value"]);
    let mut add = |name: &str, value: String| table.rows.push(vec![name.to_owned(), value]);
    add("项目 Project", project.to_owned());
    add("数据方 Owners", extract.request.parties().join(", "));
    add(
        "请求摘要 SHA-256 of the request",
        hex::encode(extract.request.digest()),
    );
    add(
        "请求名 Name in the owners' audit logs",
        extract.name.clone(),
    );
    let linked = match extract.table.owners() {
        Owners::One => "该数据方的全部记录，无论是否关联 all records of the owner, linked or not",
        Owners::Two => "两个数据方已关联的记录 records that are linked between the two owners",
    };
    add("计数对象 Counted", linked.to_owned());
    if extract.bytes_between_owners > 0 {
        add(
            "数据方之间的流量 Between the owners",
            number::bytes(extract.bytes_between_owners),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use linkage_core::disclosure::release::{NoisedTable, Policy};

    use super::*;

    #[test]
    fn dimensions_but_the_last_go_down_the_side() {
        let axis = |owner: &str, name: &str, labels: [&str; 2]| Axis {
            owner: owner.into(),
            name: name.into(),
            labels: labels.map(String::from).into(),
        };
        let axes = vec![
            axis("tax", "band", ["low", "high"]),
            axis("tax", "town", ["A", "B"]),
            axis("health", "ill", ["no", "yes"]),
        ];
        let policy = Policy {
            k: 10,
            epsilon_per_owner: "1".parse().unwrap(),
            owners: Owners::Two,
        };
        let table = NoisedTable::new(axes, vec![20, 3, 40, 50, 60, 70, 80, 90]).unwrap();
        let view = table_view("SELECT", &table.release(&policy));
        assert_eq!(view.row_dimension.owner, "tax");
        assert_eq!(view.row_dimension.name, "band, town");
        assert_eq!(view.row_dimension.labels[3], "high, B");
        assert_eq!(view.cells[0], [Cell::Value(20), Cell::BelowK]);
        assert_eq!(view.column_dimension.unwrap().labels, ["no", "yes"]);
    }
}
