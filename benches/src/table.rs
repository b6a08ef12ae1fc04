//! The verdicts as a Markdown table.

use crate::verdict::Verdict;

const HEAD: [&str; 6] = ["case", "floor", "ours", "ratio", "target", "verdict"];

/// A table whose columns also line up where nobody renders Markdown.
pub(crate) fn markdown(verdicts: &[Verdict]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(verdicts.iter().map(|verdict| {
        [
            verdict.case.clone(),
            verdict.floor.clone(),
            verdict.ours.clone(),
            verdict.ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}")),
            verdict.target.text(),
            verdict.word().into(),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let mut table = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            table.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    table
}
