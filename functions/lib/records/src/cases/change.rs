//! The change to a dose that a correction makes.

use bukti_domain::{Correction, FeedRow, PhoneNumber};
use serde::{Deserialize, Serialize};

use super::CaseFile;
use crate::EventKey;

/// The change that a correction makes. A proposal stores it instead of the resulting row, so that
/// corrections of the same dose that are granted before it are not undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Corrects one value of a recorded dose.
    Correct {
        /// The key of its event.
        event: EventKey,
        /// The value to correct.
        correction: Correction,
        /// The right value, as entered.
        right: String,
        /// The dose's values at the time of the proposal, see [`Correction::basis`].
        basis: Vec<String>,
    },
    /// Adds a missing dose with this row.
    Make(Box<FeedRow>),
}

impl Change {
    /// Corrects a value of the dose with this row. `None` if the new value is invalid.
    pub fn correcting(event: &EventKey, correction: Correction, row: &FeedRow, right: &str) -> Option<Self> {
        correction.corrected(row, right)?;
        Some(Self::Correct {
            event: event.clone(),
            correction,
            right: right.to_owned(),
            basis: correction.basis(row).map(str::to_owned).to_vec(),
        })
    }

    /// The key of the event whose dose is corrected; `None` for a missing dose.
    pub fn event(&self) -> Option<&EventKey> {
        match self {
            Change::Correct { event, .. } => Some(event),
            Change::Make(_) => None,
        }
    }

    /// Whether a supervisor other than the proposer has to approve it: it changes whom a
    /// certificate is for, or moves it to another phone than the one that opened the case, which
    /// was verified by a one-time code.
    pub fn needs_approval(&self, file: &CaseFile) -> bool {
        match self {
            Change::Correct { correction: Correction::Phone, right, .. } => {
                PhoneNumber::parse(right).is_none_or(|right| Some(right) != file.phone())
            }
            Change::Correct { correction, .. } => correction.needs_approval(),
            Change::Make(_) => true,
        }
    }

    /// The row that results from applying the change to the dose's current row.
    pub fn applied(&self, row: Option<&FeedRow>) -> Option<FeedRow> {
        match self {
            Change::Correct { correction, right, .. } => correction.corrected(row?, right),
            Change::Make(row) => Some((**row).clone()),
        }
    }

    /// Whether the dose has changed since the proposal, so that the change must not be applied.
    pub(super) fn is_stale(&self, row: Option<&FeedRow>) -> bool {
        match (self, row) {
            (Change::Correct { correction, basis, .. }, Some(row)) => *basis != correction.basis(row),
            (Change::Correct { .. }, None) => true,
            (Change::Make(_), row) => row.is_some(),
        }
    }
}
