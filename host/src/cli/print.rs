//! What commands print on stdout: tables, spans of time, colours, questions.
//!
//! It uses colours only on a terminal, and never if `NO_COLOR` is set.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _, stderr, stdin, stdout};
use std::time::{SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use kroger_core::text::{cleaned, is_clean};
use serde::Serialize;

use super::exit::usage;

/// What a cell is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    /// It may need attention soon.
    Soon,
    Bad,
    Faint,
    Heading,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Soon => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Faint => Style::new().dimmed(),
            Self::Heading => Style::new().bold(),
        }
    }
}

/// Whether tones are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Colours,
    Plain,
}

impl Palette {
    pub(super) fn of_stdout() -> Self {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stdout().is_terminal() && !is_unwanted && !is_dumb { Self::Colours } else { Self::Plain }
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if self == Self::Plain || tone == Tone::Plain || text.trim().is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }
}

/// A text and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: printable(text.as_ref()), tone }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// `rows` below `headings`, in columns two blanks apart.
pub(super) fn table<const N: usize>(palette: Palette, headings: [&str; N], rows: &[[Cell; N]]) -> String {
    let headings = headings.map(|heading| Cell::new(Tone::Heading, heading));
    let all = || std::iter::once(&headings).chain(rows);
    let width = |column: usize| all().map(|row| row[column].text.chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    all().map(|row| line(palette, row, &widths)).collect()
}

fn line(palette: Palette, row: &[Cell], widths: &[usize]) -> String {
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    let mut line = String::new();
    for (index, (cell, width)) in row.iter().zip(widths).enumerate().take(last + 1) {
        line.push_str(&palette.paint(cell.tone, &cell.text));
        if index < last {
            let gap = width + 2 - cell.text.chars().count();
            line.extend(std::iter::repeat_n(' ', gap));
        }
    }
    line.push('\n');
    line
}

/// The two largest units of `seconds`: `24m 53s`, `3d 4h`.
pub(super) fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let Some(first) = units.iter().position(|(unit, _)| seconds >= *unit) else { return "0s".to_owned() };
    let (unit, name) = units[first];
    let whole = format!("{}{name}", seconds / unit);
    let rest = units.get(first + 1).map(|(unit, name)| (seconds % units[first].0 / unit, name));
    match rest {
        Some((count, name)) if count > 0 => format!("{whole} {count}{name}"),
        _ => whole,
    }
}

/// `part` of `whole` as a bar of `width` characters. Only nothing is an empty bar, and only all of
/// it is a full one.
pub(super) fn bar(part: u64, whole: u64, width: usize) -> String {
    let cells = width as u64;
    let filled = match part.min(whole) {
        0 => 0,
        part if part == whole => cells,
        part => (part * cells / whole.max(1)).clamp(1, cells.saturating_sub(1)),
    };
    (0..cells).map(|cell| if cell < filled { '█' } else { '░' }).collect()
}

/// Cleans a text of others, which must not drive the terminal: a user id, a name in a file.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 10_000;

    cleaned(text, LONGEST)
}

/// `value` as JSON for programs, with line breaks. Hidden characters are escaped: a person may look too.
pub(super) fn json(value: &impl Serialize) -> Result<String> {
    let pretty = serde_json::to_string_pretty(value)?;
    let mut text = String::with_capacity(pretty.len() + 1);
    for c in pretty.chars() {
        if matches!(c, '\n' | ' ') || is_clean(c.encode_utf8(&mut [0; 4])) {
            text.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(text, "\\u{unit:04x}"))?;
        }
    }
    text.push('\n');
    Ok(text)
}

/// A user id, cut short to fit into a table.
pub(super) fn short(user: &str) -> Cow<'_, str> {
    const MOST: usize = 32;

    match user.char_indices().nth(MOST) {
        Some(_) => user.chars().take(MOST - 1).chain(['…']).collect(),
        None => user.into(),
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Writes `text` on stdout. A reader that closes the pipe early is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Writes `text` on stdout, and does not wait for a reader: a server must stop even if nobody reads it.
pub(super) fn print_aside(text: String) {
    let printing = move || print(&text).unwrap_or_else(|error| tracing::warn!(%error, "stdout cannot be written"));
    if let Err(error) = std::thread::Builder::new().name("stdout".to_owned()).spawn(printing) {
        tracing::warn!(%error, "stdout cannot be written");
    }
}

/// Logs each of `sentences` as a warning.
pub(super) fn warn(sentences: &[String]) {
    for sentence in sentences {
        tracing::warn!("{}", printable(sentence));
    }
}

/// Asks the person at the terminal. If there is no terminal, fails with `otherwise`, which names the
/// option that answers instead.
pub(super) fn confirm(question: &str, otherwise: &str) -> Result<bool> {
    if !stdin().is_terminal() {
        return Err(usage(format!("{question} There is no terminal to answer at: {otherwise}.")));
    }
    // Not on stdout, which may be a file.
    write!(stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_no_line_ends_in_blanks() {
        let rows = [["a".into(), "bc".into()], ["long one".into(), "".into()]];

        let text = table(Palette::Plain, ["X", "Y"], &rows);

        assert_eq!(text, "X         Y\na         bc\nlong one\n");
    }

    #[test]
    fn colour_changes_no_column_and_is_absent_where_it_is_unwanted() {
        let rows = [[Cell::new(Tone::Bad, "a"), "b".into()]];

        let plain = table(Palette::Plain, ["X", "Y"], &rows);
        let coloured = table(Palette::Colours, ["X", "Y"], &rows);

        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains("\u{1b}[31ma\u{1b}[0m  b"), "{coloured:?}");
    }

    #[test]
    fn a_user_id_cannot_drive_the_terminal() {
        assert_eq!(Cell::from("b\u{1b}[2Job\n").text, "b[2Job");
    }

    #[test]
    fn a_name_of_any_length_leaves_room_for_the_other_columns() {
        assert_eq!(short(&"é".repeat(32)), "é".repeat(32));
        assert_eq!(short(&"é".repeat(256)), format!("{}…", "é".repeat(31)));
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (1_493, "24m 53s"),
            (3_600, "1h"),
            (3_661, "1h 1m"),
            (90_000, "1d 1h"),
            (86_400 * 400, "400d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_bar_is_empty_or_full_only_where_nothing_or_all_is_left() {
        assert_eq!(bar(0, 1_800, 4), "░░░░");
        assert_eq!(bar(1, 1_800, 4), "█░░░");
        assert_eq!(bar(900, 1_800, 4), "██░░");
        assert_eq!(bar(1_799, 1_800, 4), "███░");
        assert_eq!(bar(1_800, 1_800, 4), "████");
        assert_eq!(bar(9_999, 1_800, 4), "████");
        assert_eq!(bar(5, 0, 4), "░░░░");
    }
}
