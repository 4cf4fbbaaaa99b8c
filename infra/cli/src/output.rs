//! Formats the output of the commands: colours, times, and the examples in the help.

use std::io::Write;

use clap::builder::StyledStr;
use clap::builder::styling::{AnsiColor, Style, Styles};
use jiff::Timestamp;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const UNCERTAIN: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Writes to the standard output, without colours if it is not a terminal or if `NO_COLOR` is set.
/// Errors are ignored, because a reader such as `head` may have closed the pipe.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Applies a style to a text that is written with [`print`].
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Formats a time as RFC 3339, without fractions of a second.
pub(crate) fn to_seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// Formats the UTC date of a time, as `YYYY-MM-DD`.
pub(crate) fn to_day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// Formats the section "Examples" of a command's help.
pub(crate) fn examples(commands: &[&str]) -> StyledStr {
    let styles = Styles::styled();
    let mut text = format!("{0}Examples:{0:#}", styles.get_header());
    for command in commands {
        text.push_str("\n  ");
        text.push_str(command);
    }
    StyledStr::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_fractions_of_a_second() {
        let time: Timestamp = "2026-11-23T09:00:00.987654321Z".parse().unwrap();
        assert_eq!(to_seconds(time), "2026-11-23T09:00:00Z");
        assert_eq!(to_day(time), "2026-11-23");
    }
}
