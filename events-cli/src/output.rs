//! Prints what commands have found: tables for people, JSON for programs.

use crate::exit::Exit;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use time::{OffsetDateTime, macros::format_description};

/// The outcome of a command as an exit code. Whoever reads only the first lines (`| head`) is no error.
pub(crate) fn quietly_closed(outcome: anyhow::Result<Exit>) -> ExitCode {
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("outbox: {}", sentence(&error));
            Exit::Failed.into()
        }
    }
}

/// An error and its causes, each once.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Prints a line.
pub(crate) fn line(text: impl AsRef<str>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", text.as_ref())
}

/// Prints a document of JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(line(serde_json::to_string_pretty(value)?)?)
}

/// Prints a row of JSON.
pub(crate) fn json_row(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(line(serde_json::to_string(value)?)?)
}

/// Whether a person reads it.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Rows in columns. Cells cannot break out of their line: what comes from payloads and errors is somebody else's text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, numbers to the right.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.head.len();
        let is_number = |column: usize| {
            let digits = |cell: &str| {
                cell == "-"
                    || cell.starts_with(|c: char| c.is_ascii_digit()) && cell.chars().all(|c| c.is_ascii_digit() || ",.+".contains(c))
            };
            !self.rows.is_empty() && self.rows.iter().all(|row| digits(&row[column]))
        };
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| width_of(&row[column]));
            cells.chain([self.head[column].len()]).max().unwrap_or(0)
        };
        let shape: Vec<(usize, bool)> = (0..columns).map(|column| (width(column), is_number(column))).collect();
        let write = |cells: Vec<&str>| {
            let mut text = String::new();
            for ((cell, (width, number)), column) in cells.iter().zip(&shape).zip(0..) {
                let fill = " ".repeat(width.saturating_sub(width_of(cell)));
                let (before, after) = if *number { (&*fill, "") } else { ("", &*fill) };
                text.push_str(before);
                text.push_str(cell);
                if column + 1 < columns {
                    text.push_str(after);
                    text.push_str("  ");
                }
            }
            text.trim_end().to_owned()
        };
        let head = write(self.head.clone());
        std::iter::once(head).chain(self.rows.iter().map(|row| write(row.iter().map(String::as_str).collect()))).collect()
    }

    /// Prints the rows, or says that there are none.
    pub(crate) fn print_or(&self, none: &str) -> io::Result<()> {
        if self.is_empty() { line(none) } else { self.lines().into_iter().try_for_each(line) }
    }
}

/// Chinese characters take two columns of a terminal.
fn width_of(text: &str) -> usize {
    text.chars().map(|c| if matches!(c as u32, 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff) { 2 } else { 1 }).sum()
}

/// Text that cannot move the cursor or colour the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The beginning of a text, with a mark if there is more.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that was counted to a limit: `10,000+` if it was reached.
pub(crate) fn counted(number: u64, limit: u64) -> String {
    if number >= limit && limit > 0 { format!("{}+", grouped(number)) } else { grouped(number) }
}

/// `3 d 4 h`, `12 min`, `250 ms`: two units at most.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => format!("{} ms", duration.as_millis()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A time for people, in UTC.
pub(crate) fn moment(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    time.to_offset(time::UtcOffset::UTC).format(format).map_or_else(|_| time.to_string(), |text| format!("{text}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_columns_and_nobody_s_text_leaves_its_cell() {
        let mut table = Table::new(&["target", "due"]);
        table.row(["出票".to_owned(), "1,200".to_owned()]);
        table.row(["a\u{1b}[31mb\nc".to_owned(), "7".to_owned()]);
        assert_eq!(table.lines(), ["target       due", "出票       1,200", "a [31mb c      7"]);
    }

    #[test]
    fn numbers_and_spans_are_for_people() {
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((counted(9, 10), counted(10, 10)), ("9".into(), "10+".into()));
        let spans = [0, 59, 61, 3_700, 90_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["0 ms", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!(short("出票失败了", 3), "出票…");
    }

    #[test]
    fn an_error_says_each_cause_once() {
        let error = anyhow::anyhow!("no route").context("connecting failed: no route").context("the database `a`");
        assert_eq!(sentence(&error), "the database `a`: connecting failed: no route");
    }
}
