//! Fixed-window rate limits.

use jiff::{SignedDuration, Timestamp};

/// A fixed-window rate limit. The first window began at the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The name of the limit, which is part of the key of its counters.
    pub name: &'static str,
    /// The length of each window.
    pub window: SignedDuration,
    /// The maximum count per window.
    pub most: u32,
}

impl Rate {
    /// The number of the window that contains this time, and when the window ends.
    pub fn window_at(&self, now: Timestamp) -> (i64, Timestamp) {
        let length = self.window.as_secs().max(1);
        let window = now.as_second().div_euclid(length);
        let ends = window.saturating_add(1).saturating_mul(length);
        (window, Timestamp::from_second(ends).unwrap_or(Timestamp::MAX))
    }

    /// The number of seconds, at least one, until the next window begins.
    pub fn wait(&self, now: Timestamp) -> u32 {
        let (_, ends) = self.window_at(now);
        u32::try_from((ends.as_second() - now.as_second()).max(1)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_ends_where_next_begins() {
        let rate = Rate { name: "test", window: SignedDuration::from_hours(1), most: 1 };
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(rate.window_at(at(3_599)), (0, at(3_600)));
        assert_eq!(rate.window_at(at(3_600)), (1, at(7_200)));
        assert_eq!(rate.window_at(at(-1)), (-1, at(0)));
    }
}
