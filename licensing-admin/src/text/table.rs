//! Columns of text: as wide as their widest cell, two blanks apart, legible without colour.

use std::fmt::Write;

use super::words::printable;

/// A table under construction.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    right: bool,
}

impl Table {
    /// A table with these titles; a title that begins with `>` makes a column of numbers, aligned to the right.
    pub fn new(titles: &[&'static str]) -> Table {
        let columns = titles.iter().map(|title| match title.strip_prefix('>') {
            Some(title) => Column { title, right: true },
            None => Column { title, right: false },
        });
        Table { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row; cells are made printable here.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell).into_owned()).collect());
    }

    /// Whether no row was added.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table, every line ended.
    pub fn render(&self) -> String {
        let width = |place: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count());
            cells.chain(self.columns.get(place).map(|column| column.title.len())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        let titles: Vec<&str> = self.columns.iter().map(|column| column.title).collect();
        self.line(&mut out, &widths, titles);
        for row in &self.rows {
            self.line(&mut out, &widths, row.iter().map(String::as_str).collect());
        }
        out
    }

    fn line(&self, out: &mut String, widths: &[usize], cells: Vec<&str>) {
        let mut line = String::new();
        for ((column, width), cell) in self.columns.iter().zip(widths).zip(cells) {
            let separator = if line.is_empty() { "" } else { "  " };
            let _ = match column.right {
                true => write!(line, "{separator}{cell:>width$}"),
                false => write!(line, "{separator}{cell:<width$}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", ">SEATS", "NOTE"]);
        table.row(["f1", "10", ""].map(String::from));
        table.row(["a longer name", "3", "x"].map(String::from));
        assert_eq!(
            table.render(),
            "NAME           SEATS  NOTE\nf1                10\na longer name      3  x\n"
        );
    }
}
