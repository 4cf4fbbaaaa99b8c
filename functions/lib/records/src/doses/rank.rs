//! Which doses an answer has, where there are more than it can have.

use jiff::Timestamp;

use super::DoseRecord;

/// Where a dose comes among those of a person or a phone, least first: those that count before
/// those that are held, rejected or retracted, of each those of the phone that asks, then what was
/// recorded first, which no later row of a stranger goes before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(bool, bool, u8, Timestamp, String);

impl Rank {
    /// The rank of the dose of this event's key, from attributes of its record: thousands may be
    /// ranked, and histories and rows are read only of those that are kept.
    pub fn new(
        event: &str,
        verdict: &str,
        is_duplicate: bool,
        is_of_asking_phone: bool,
        first_received_at: Timestamp,
    ) -> Self {
        let state = match verdict {
            "complete" if !is_duplicate => 0,
            "incomplete" => 1,
            "complete" => 2,
            "held" => 3,
            "retracted" => 4,
            _ => 5,
        };
        Self(state > 1, !is_of_asking_phone, state, first_received_at, event.to_owned())
    }
}

impl DoseRecord {
    /// When the first row came that counted.
    pub fn first_received_at(&self) -> Timestamp {
        self.first_received_at.unwrap_or(self.received_at)
    }
}
