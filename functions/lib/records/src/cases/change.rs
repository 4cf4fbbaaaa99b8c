//! The change that a correction makes.

use bukti_domain::{Correction, FeedRow, PhoneNumber};
use serde::{Deserialize, Serialize};

use super::CaseFile;
use crate::EventKey;

/// The change that a correction makes. A proposal stores it instead of the resulting row, so that
/// corrections of the same dose that are granted before it are not undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// One value of a dose that is there.
    Correct {
        /// The key of its event.
        event: EventKey,
        /// Which value.
        correction: Correction,
        /// The right value, as it was written.
        right: String,
        /// What the dose said when this was asked for, see [`Correction::basis`].
        basis: Vec<String>,
    },
    /// A missing dose, with this row.
    Make(Box<FeedRow>),
}

impl Change {
    /// The change of a dose that says this. `None` where the value cannot be right.
    pub fn correcting(event: &EventKey, correction: Correction, row: &FeedRow, right: &str) -> Option<Self> {
        correction.corrected(row, right)?;
        Some(Self::Correct {
            event: event.clone(),
            correction,
            right: right.to_owned(),
            basis: correction.basis(row).map(str::to_owned).to_vec(),
        })
    }

    /// The key of the event whose dose is corrected; none where one is made.
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

    /// Whether the dose is no longer what it was when this was asked for.
    pub(super) fn is_overtaken(&self, row: Option<&FeedRow>) -> bool {
        match (self, row) {
            (Change::Correct { correction, basis, .. }, Some(row)) => *basis != correction.basis(row),
            (Change::Correct { .. }, None) => true,
            (Change::Make(_), row) => row.is_some(),
        }
    }
}
