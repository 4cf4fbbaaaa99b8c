//! Selects the doses for a response that cannot contain all of them.

use jiff::Timestamp;

use super::DoseRecord;

/// The rank of a dose among the doses of a person or a phone; lower ranks come first. Complete and
/// incomplete doses that are not duplicates precede all others. In each of these two groups, the
/// doses of the requesting phone come first. Remaining ties are decided by the verdict, then by the
/// time of recording. So rows that a stranger adds later cannot displace a person's own doses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(bool, bool, u8, Timestamp, String);

impl Rank {
    /// The rank of the dose with this event key, from attributes of its record. Thousands of doses
    /// may have to be ranked, so histories and rows are read only for the selected ones.
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
    /// When the first row that counted was received.
    pub fn first_received_at(&self) -> Timestamp {
        self.first_received_at.unwrap_or(self.received_at)
    }
}
