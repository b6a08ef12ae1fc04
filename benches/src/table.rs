//! Tables in Markdown whose columns also line up where nobody renders it.

/// A table; columns after the first `left` are aligned to the right.
pub(crate) fn markdown<const N: usize>(head: [&str; N], rows: &[[String; N]], left: usize) -> String {
    let head = head.map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| if column < left { format!("{cell:width$}") } else { format!("{cell:>width$}") });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule: [String; N] = std::array::from_fn(|column| {
        if column < left { "-".repeat(widths[column]) } else { format!("{}:", "-".repeat(widths[column].saturating_sub(1))) }
    });
    let mut table = line(&head) + &line(&rule);
    rows.iter().for_each(|row| table.push_str(&line(row)));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        let table = markdown(["a", "figure"], &[row(["long name", "1"]), row(["b", "22"])], 1);
        assert_eq!(table, "| a         | figure |\n| --------- | -----: |\n| long name |      1 |\n| b         |     22 |\n");
    }
}
