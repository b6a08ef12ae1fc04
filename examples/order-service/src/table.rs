//! A table for the terminal: sections of names and numbers.

use std::fmt::Write;

/// Lines of a name and some numbers.
#[derive(Default)]
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    pub(crate) fn head(&mut self, name: &str, columns: &[&str]) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(name, columns.iter().map(|column| (*column).to_owned()));
    }

    pub(crate) fn row(&mut self, name: &str, cells: &[String]) {
        self.line(&format!("  {name}"), cells.iter().cloned());
    }

    fn line(&mut self, name: &str, cells: impl Iterator<Item = String>) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "\n{name:<30}");
        for cell in cells {
            let _ = write!(self.0, "{cell:>12}");
        }
    }
}

/// `2155` is `2,155`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 21, 830, 2_155, 1_000_000].map(count), ["0", "21", "830", "2,155", "1,000,000"]);
    }
}
