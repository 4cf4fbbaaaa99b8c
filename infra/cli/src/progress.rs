//! Shows the progress of long-running commands on the standard error: as a bar on a terminal,
//! otherwise as a line every few seconds.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The interval between lines if the standard error is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(3);
/// The shortest measurement from which a rate and the remaining time are shown. They would
/// fluctuate if they were shown earlier.
const MIN_MEASURED: Duration = Duration::from_secs(2);
/// The length of the bar in steps, for a resolution finer than one per cent.
const BAR_LENGTH: u64 = 1_000;

/// The progress of a stage, in items.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// The number of items done, if the total is unknown.
    Done(u64),
    /// The number of items done, and the total.
    DoneOf(u64, u64),
    /// The number of items left. New items may arrive, so the share that is done is unknown.
    Left(u64),
}

/// A measurement of the progress.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// The current stage, such as "Importing".
    stage: &'static str,
    /// The unit of the count, in the plural.
    unit: &'static str,
    count: Count,
    /// The share of the whole command that is done, from 0 to 1.
    share: Option<f64>,
}

impl Reading {
    pub(crate) fn new(stage: &'static str, unit: &'static str, count: Count) -> Self {
        let share = match count {
            Count::DoneOf(done, all) if all > 0 => Some(done as f64 / all as f64),
            Count::DoneOf(..) => Some(0.0),
            Count::Done(_) | Count::Left(_) => None,
        };
        Self { stage, unit, count, share }
    }

    /// Sets the share of the whole command that is done, if the count covers only one stage.
    pub(crate) fn with_share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }

    #[cfg(test)]
    pub(crate) fn share(&self) -> Option<f64> {
        self.share
    }

    fn amount(&self) -> u64 {
        match self.count {
            Count::Done(amount) | Count::DoneOf(amount, _) | Count::Left(amount) => amount,
        }
    }
}

/// A progress bar, or lines of progress. A bar that is dropped without [`Progress::finish`] is
/// cleared.
pub(crate) struct Progress {
    bar: ProgressBar,
    meter: RefCell<Meter>,
    last_line: Cell<Instant>,
    has_lines: Cell<bool>,
    has_share: Cell<bool>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {msg}"));
        Self {
            bar,
            meter: RefCell::new(Meter::new(Instant::now())),
            last_line: Cell::new(Instant::now()),
            has_lines: Cell::new(false),
            has_share: Cell::new(false),
        }
    }

    pub(crate) fn show(&self, reading: Reading) {
        let text = self.meter.borrow_mut().measure(reading, Instant::now());
        self.draw(&text);
    }

    /// Shows a state without a measurement, such as "waiting for a response". The bar does not
    /// move.
    pub(crate) fn show_state(&self, state: &str) {
        self.draw(state);
    }

    /// Prints a line of text above the bar.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Completes the bar, which stays on the screen at 100 %.
    pub(crate) fn finish(&self) {
        let meter = self.meter.borrow();
        let Some(summary) = meter.summary(Instant::now()).filter(|_| self.has_share.get()) else {
            self.bar.finish_and_clear();
            return;
        };
        if !self.bar.is_hidden() {
            self.bar.set_position(BAR_LENGTH);
            self.bar.finish_with_message(summary);
        } else if self.has_lines.get() {
            eprintln!("100% {summary}");
        }
    }

    fn draw(&self, text: &str) {
        let share = self.meter.borrow().share;
        if !self.bar.is_hidden() {
            if let Some(share) = share {
                if !self.has_share.replace(true) {
                    self.bar.set_style(style("{bar:30} {percent:>3}% {msg}"));
                    self.bar.set_length(BAR_LENGTH);
                }
                self.bar.set_position((share * BAR_LENGTH as f64) as u64);
            }
            self.bar.set_message(text.to_owned());
            return;
        }
        self.has_share.set(share.is_some());
        if self.last_line.get().elapsed() >= LINE_INTERVAL {
            self.last_line.set(Instant::now());
            self.has_lines.set(true);
            match share {
                Some(share) => eprintln!("{:>3}% {text}", percent(share)),
                None => eprintln!("{text}"),
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn percent(share: f64) -> u64 {
    (share * 100.0) as u64
}

/// Computes the displayed values. The share never decreases, although it is an estimate while the
/// total is unknown, and it stays below 1 until the command has finished.
struct Meter {
    started: Instant,
    share: Option<f64>,
    /// The time and value of the first share that was measured.
    first_share: Option<(Instant, f64)>,
    /// The current stage: its latest measurement, and the time and count from which its rate is
    /// computed.
    stage: Option<(Reading, Instant, u64)>,
}

impl Meter {
    fn new(started: Instant) -> Self {
        Self { started, share: None, first_share: None, stage: None }
    }

    /// Records a measurement and returns the line to display.
    fn measure(&mut self, reading: Reading, now: Instant) -> String {
        if let Some(share) = reading.share {
            let share = share.clamp(0.0, 0.999).max(self.share.unwrap_or_default());
            self.share = Some(share);
            self.first_share.get_or_insert((now, share));
        }
        let amount = reading.amount();
        let (since, first) = match &self.stage {
            // While the backlog grows, the rate is computed from its peak.
            Some((before, since, first)) if before.stage == reading.stage => match reading.count {
                Count::Left(left) if left > *first => (now, left),
                _ => (*since, *first),
            },
            _ => (now, amount),
        };
        self.stage = Some((reading, since, first));
        let seconds = now.duration_since(since).as_secs_f64();
        let rate = (seconds >= MIN_MEASURED.as_secs_f64()).then(|| amount.abs_diff(first) as f64 / seconds);

        let Reading { stage, unit, count, .. } = reading;
        let mut text = match count {
            Count::Done(done) => format!("{stage}: {} {unit}", HumanCount(done)),
            Count::DoneOf(done, all) => {
                format!("{stage}: {} of {} {unit}", HumanCount(done), HumanCount(all))
            }
            Count::Left(left) => format!("{stage}: {} {unit} left", HumanCount(left)),
        };
        if let Some(rate) = rate {
            text.push_str(&format!(", {} {unit}/s", HumanCount(rate.round() as u64)));
        }
        let left = match count {
            Count::Left(left) => {
                rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64(left as f64 / rate))
            }
            Count::Done(_) | Count::DoneOf(..) => self.time_left(now),
        };
        if let Some(left) = left {
            text.push_str(&format!(", about {} left", in_words(left)));
        }
        text
    }

    /// Estimates the remaining time of the command from its average speed.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        let (since, first) = self.first_share?;
        let (share, seconds) = (self.share?, now.duration_since(since).as_secs_f64());
        (share > first && seconds >= MIN_MEASURED.as_secs_f64())
            .then(|| Duration::from_secs_f64(seconds * (1.0 - share) / (share - first)))
    }

    /// The text that is shown next to 100 %.
    fn summary(&self, now: Instant) -> Option<String> {
        let (reading, ..) = self.stage?;
        let all = match reading.count {
            Count::DoneOf(_, all) => all,
            Count::Done(all) | Count::Left(all) => all,
        };
        let took = in_words(now.duration_since(self.started));
        Some(format!("{}: {} {} in {took}", reading.stage, HumanCount(all), reading.unit))
    }
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{} s", seconds.max(1)),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentage_never_decreases_while_estimates_vary() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let mut shown = Vec::new();
        for (second, share) in [0.11, 0.06, 0.48, 0.62, 0.57, 1.2, 0.3].into_iter().enumerate() {
            let reading = Reading::new("Importing", "rows", Count::Done(100 * second as u64));
            meter.measure(reading.with_share(share), start + Duration::from_secs(second as u64));
            shown.push(percent(meter.share.unwrap()));
        }
        assert_eq!(shown, [11, 11, 48, 62, 62, 99, 99], "and 100 % is for the end");
    }

    #[test]
    fn shows_rate_and_remaining_time() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let mut show = |stage, count, second| {
            meter.measure(Reading::new(stage, "rows", count), start + Duration::from_secs(second))
        };
        // Work done before the command began may be included in the first measurement.
        assert_eq!(show("Importing", Count::DoneOf(2_000, 12_000), 0), "Importing: 2,000 of 12,000 rows");
        assert_eq!(
            show("Importing", Count::DoneOf(7_000, 12_000), 5),
            "Importing: 7,000 of 12,000 rows, 1,000 rows/s, about 5 s left"
        );
        assert_eq!(show("Issuing", Count::Left(600), 6), "Issuing: 600 rows left");
        assert_eq!(show("Issuing", Count::Left(900), 7), "Issuing: 900 rows left");
        assert_eq!(
            show("Issuing", Count::Left(600), 10),
            "Issuing: 600 rows left, 100 rows/s, about 6 s left"
        );
    }

    #[test]
    fn summary_names_all_items() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.measure(Reading::new("Importing", "rows", Count::DoneOf(9_000, 10_000)), start);
        let end = start + Duration::from_secs(90);
        assert_eq!(meter.summary(end).unwrap(), "Importing: 10,000 rows in 2 min");
    }
}
