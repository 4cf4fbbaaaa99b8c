//! Rate limits with a minimum interval and a daily maximum, applied to a stored count.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The length of the window for `per_day`. A window begins with its first request.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A minimum interval between requests, and a maximum per day.
pub(crate) struct Limit {
    /// The minimum interval between two requests.
    pub(crate) pause: SignedDuration,
    /// The maximum number of requests per window of one day.
    pub(crate) per_day: u32,
}

/// The count of requests, stored in the record of the latest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// When the latest request was sent, in milliseconds since the Unix epoch; the optimistic lock
    /// of the next write.
    pub sent_at: i64,
    /// When the current window began, in seconds since the Unix epoch.
    pub day_began: i64,
    /// The number of requests in the current window.
    pub sent: u32,
}

impl Limit {
    /// Adds one request at `now` to the count. If this exceeds the limit, returns when the next
    /// request is allowed.
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
    fn limits_requests_per_interval_and_day() {
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
