//! How often something may be asked for, decided by what was counted.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What `per_day` counts in, from the first on.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How often something may be asked for.
pub(crate) struct Limit {
    /// How long after one the next may come.
    pub(crate) pause: SignedDuration,
    /// How many may come in a day.
    pub(crate) per_day: u32,
}

/// How often it was asked for: a part of the record that is written for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// When the last one was sent, Unix milliseconds: the condition of the next.
    pub sent_at: i64,
    /// Since when `sent` counts, Unix seconds.
    pub day_began: i64,
    /// How many were sent since then.
    pub sent: u32,
}

impl Limit {
    /// The count with one more; where there is no room, when there will be.
    pub(crate) fn one_more(&self, known: Option<Count>, now: Timestamp) -> Result<Count, Timestamp> {
        let mut count = Count { sent_at: now.as_millisecond(), day_began: now.as_second(), sent: 1 };
        if let Some(known) = known {
            let next = Timestamp::from_millisecond(known.sent_at).unwrap_or(now) + self.pause;
            if next > now {
                return Err(next);
            }
            let ends = Timestamp::from_second(known.day_began).unwrap_or(now) + DAY;
            if ends > now {
                if known.sent >= self.per_day {
                    return Err(ends);
                }
                (count.day_began, count.sent) = (known.day_began, known.sent + 1);
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { pause: SignedDuration::from_mins(5), per_day: 3 };

    fn at(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours) + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn the_next_waits_for_the_pause_and_the_fourth_for_the_day() {
        let first = LIMIT.one_more(None, at(0, 0)).unwrap();
        assert_eq!(LIMIT.one_more(Some(first), at(0, 4)), Err(at(0, 5)));
        let second = LIMIT.one_more(Some(first), at(0, 5)).unwrap();
        let third = LIMIT.one_more(Some(second), at(23, 0)).unwrap();
        assert_eq!((third.sent, third.day_began), (3, first.day_began));
        assert_eq!(LIMIT.one_more(Some(third), at(23, 59)), Err(at(24, 0)));
        let next_day = LIMIT.one_more(Some(third), at(24, 0)).unwrap();
        assert_eq!((next_day.sent, next_day.day_began), (1, at(24, 0).as_second()));
    }
}
