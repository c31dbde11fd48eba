//! Tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A plain table: the first column is flush left, the others (numbers) flush right.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}
