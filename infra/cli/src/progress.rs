//! How far a command is.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(3);

/// A bar on a terminal, a line every few seconds elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
    last_line: Cell<Option<Instant>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}% {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, last_line: Cell::new(Some(Instant::now())) }
    }

    pub(crate) fn show(&self, done: u64, all: u64, message: &str) {
        if std::io::stderr().is_terminal() {
            self.bar.set_length(all.max(1));
            self.bar.set_position(done.min(all));
            self.bar.set_message(message.to_owned());
        } else if self.last_line.get().is_none_or(|last| last.elapsed() >= LINES) {
            self.last_line.set(Some(Instant::now()));
            let percent = done.saturating_mul(100).checked_div(all).unwrap_or(0);
            eprintln!("{percent:>3}% {message}");
        }
    }

    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
