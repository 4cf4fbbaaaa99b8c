//! Changes that corrections make to a dose.

use bukti_domain::{Correction, FeedRow, PhoneNumber};
use serde::{Deserialize, Serialize};

use super::CaseFile;
use crate::EventKey;

/// The change that a correction makes. A proposal stores the change instead of the resulting row,
/// so that it does not undo other corrections of the dose that are granted in the meantime.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Corrects one value of a recorded dose.
    Correct {
        /// The key of the dose's event.
        event: EventKey,
        /// Which value is corrected.
        correction: Correction,
        /// The correct value, as entered.
        right: String,
        /// The dose's values when the change was proposed, see [`Correction::basis`].
        basis: Vec<String>,
    },
    /// Adds a missing dose with this row.
    Make(Box<FeedRow>),
}

impl Change {
    /// A correction of one value of the dose with this row; `None` if the new value is invalid.
    pub fn correcting(event: &EventKey, correction: Correction, row: &FeedRow, right: &str) -> Option<Self> {
        correction.corrected(row, right)?;
        Some(Self::Correct {
            event: event.clone(),
            correction,
            right: right.to_owned(),
            basis: correction.basis(row).map(str::to_owned).to_vec(),
        })
    }

    /// The key of the event whose dose is corrected; `None` if a missing dose is added.
    pub fn event(&self) -> Option<&EventKey> {
        match self {
            Change::Correct { event, .. } => Some(event),
            Change::Make(_) => None,
        }
    }

    /// Whether a supervisor other than the proposer has to approve the change, because it changes
    /// the person that a certificate is for, or sets a phone other than the phone that opened the
    /// case, which was verified with a one-time code.
    pub fn needs_approval(&self, file: &CaseFile) -> bool {
        match self {
            Change::Correct { correction: Correction::Phone, right, .. } => {
                PhoneNumber::parse(right).is_none_or(|right| Some(right) != file.phone())
            }
            Change::Correct { correction, .. } => correction.needs_approval(),
            Change::Make(_) => true,
        }
    }

    /// The dose's row after the change; `None` if the change cannot be applied to `row`.
    pub fn applied(&self, row: Option<&FeedRow>) -> Option<FeedRow> {
        match self {
            Change::Correct { correction, right, .. } => correction.corrected(row?, right),
            Change::Make(row) => Some((**row).clone()),
        }
    }

    /// Whether the dose was changed after the proposal, so that the change must not be applied.
    pub(super) fn is_stale(&self, row: Option<&FeedRow>) -> bool {
        match (self, row) {
            (Change::Correct { correction, basis, .. }, Some(row)) => *basis != correction.basis(row),
            (Change::Correct { .. }, None) => true,
            (Change::Make(_), row) => row.is_some(),
        }
    }
}
