//! The history of a vaccination event: its rows, regardless of the order in which they arrive.
//!
//! Senders repeat and correct events, and a later file may arrive before an earlier one. A
//! [`History`] is ordered by the time of sending, so that the same set of rows always results in
//! the same state:
//!
//! ```text
//!   sent_at ──────────────────────────────────────────────►
//!   t1 batch missing      t2 complete        t3 rejected
//!   superseded            current ◄───────   rejected
//!   (batch_missing)       (issued)           (its own reasons)
//! ```
//!
//! The current row is the latest one that is not rejected. A rejected row supersedes nothing. If
//! the current row is a retraction, the event is shown with the data of the latest row that reports
//! a vaccination ([`History::shown`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{HeldIdentity, Outcome, Reason, Verdict};

/// The maximum number of rows in a history. Items of the table have a size limit, and no event
/// needs more corrections. Rejected rows are dropped first, then the oldest rows, but never the
/// current row or the row that is shown.
const MAX_VERSIONS: usize = 32;

/// A row of an event, reduced to keyed digests and a verdict. It contains no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The time of sending.
    pub sent_at: Timestamp,
    /// Keyed digest of the row's content.
    pub digest: String,
    /// The verdict on the row by itself. Once the row's identity data are confirmed, the verdict
    /// disregards the contradiction.
    pub verdict: Verdict,
    /// The reasons for the verdict.
    pub reasons: Vec<Reason>,
    /// For a row that contradicts its NIK, the verdict that it gets once its identity data are
    /// confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldIdentity>,
    /// Keyed hash of the phone number; `None` if the row has no valid one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The position from which the row was first imported. It distinguishes the original from its
    /// repetitions.
    pub origin: Origin,
}

/// The position of a row: its job and line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The id of the job.
    pub job: String,
    /// The line in the job's file, counted from 1.
    pub line: u64,
}

impl Version {
    /// The sort key: the time of sending, with retractions last. Senders stamp whole files with a
    /// single time. Among rows with the same time, the retraction must prevail, so that no
    /// erroneous certificate stays valid.
    fn order(&self) -> (Timestamp, bool, &str) {
        (self.sent_at, self.verdict == Verdict::Retracted, &self.digest)
    }

    /// Whether the row is held only because its sender had used up its daily quota of doses for the
    /// person.
    fn is_over_quota(&self) -> bool {
        self.reasons == [Reason::TooManyDoses]
    }
}

/// The rows of an event, in the order of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(Vec<Version>);

impl History {
    /// Adds a row. Returns whether the history changed.
    pub fn add(&mut self, version: Version) -> bool {
        match self.0.binary_search_by(|known| known.order().cmp(&version.order())) {
            // A repetition that is no longer rejected, for example because its vaccine was added to
            // the catalogue.
            Ok(at) if self.0[at].verdict == Verdict::Rejected && version.verdict != Verdict::Rejected => {
                self.0[at] = version;
                true
            }
            // A repetition, on another day or by a hub, of a row that was held because of its
            // sender's quota.
            Ok(at) if self.0[at].is_over_quota() && !version.is_over_quota() => {
                self.0[at] = version;
                true
            }
            // A repetition of a held row. Either its data have been confirmed since, or the row was
            // stored before held rows included a digest of their identity data.
            Ok(at)
                if self.0[at].verdict == Verdict::Held
                    && version.held.is_some()
                    && (version.verdict != Verdict::Held || self.0[at].held.is_none()) =>
            {
                let known = &mut self.0[at];
                (known.verdict, known.reasons, known.held) = (version.verdict, version.reasons, version.held);
                true
            }
            Ok(at) => {
                // Lines of a job are imported concurrently. The line with the lowest number is the
                // original, whichever line is imported first.
                let known = &mut self.0[at].origin;
                let earlier = known.job == version.origin.job && version.origin.line < known.line;
                if earlier {
                    known.line = version.origin.line;
                }
                earlier
            }
            Err(at) => {
                self.0.insert(at, version);
                self.version_to_drop().is_none_or(|dropped| {
                    self.0.remove(dropped);
                    dropped != at
                })
            }
        }
    }

    /// The row to drop if there are more than [`MAX_VERSIONS`]. A dropped row would never become
    /// the current one, whichever rows follow, so the result does not depend on the order of
    /// arrival.
    fn version_to_drop(&self) -> Option<usize> {
        let kept = [self.current(), self.shown()].map(|kept| kept.map(Version::order));
        let all = self.0.iter().enumerate().filter(|_| self.0.len() > MAX_VERSIONS);
        let dropped = all
            .filter(|(_, version)| !kept.contains(&Some(version.order())))
            .min_by_key(|(at, version)| (version.verdict != Verdict::Rejected, *at));
        dropped.map(|(at, _)| at)
    }

    /// Applies confirmations of identity data. `digests` are the keyed digests of the identity data
    /// that the confirmations cover. Each held row with one of these digests gets its verdict
    /// without the contradiction. Returns whether the history changed.
    ///
    /// This does not confirm rows that are added later. The import must apply confirmations to
    /// those rows; the history is then the same regardless of which comes first.
    pub fn confirm(&mut self, digests: &[String]) -> bool {
        let mut has_changed = false;
        for version in self.0.iter_mut().filter(|version| version.verdict == Verdict::Held) {
            if let Some(held) = version.held.as_ref().filter(|held| digests.contains(&held.digest)) {
                (version.verdict, version.reasons) = (held.verdict, held.reasons.clone());
                has_changed = true;
            }
        }
        has_changed
    }

    /// All stored rows, in the order of sending.
    pub fn versions(&self) -> &[Version] {
        &self.0
    }

    /// The current row: the latest row that is not rejected, or the latest row if all are rejected.
    /// Among consecutive repetitions, the first is the current row.
    pub fn current(&self) -> Option<&Version> {
        self.effective().last().or(self.0.last())
    }

    /// The row whose data describe the dose. This is the current row, unless it is a retraction,
    /// which may lack the person's data. In that case it is the latest row that reports the
    /// vaccination, preferably one that is not rejected. If there is no other row, it is the
    /// retraction itself.
    pub fn shown(&self) -> Option<&Version> {
        let current = self.current()?;
        if current.verdict != Verdict::Retracted {
            return Some(current);
        }
        let latest = |is: fn(Verdict) -> bool| self.0.iter().rfind(|version| is(version.verdict));
        latest(|verdict| !matches!(verdict, Verdict::Retracted | Verdict::Rejected))
            .or_else(|| latest(|verdict| verdict == Verdict::Rejected))
            .or(Some(current))
    }

    /// The rows that are not rejected, in the order of sending, without consecutive repetitions.
    fn effective(&self) -> impl DoubleEndedIterator<Item = &Version> {
        let mut effective: Vec<&Version> = Vec::with_capacity(self.0.len());
        for version in self.0.iter().filter(|version| version.verdict != Verdict::Rejected) {
            match effective.last_mut() {
                Some(last) if last.digest == version.digest => {
                    // A repetition replaces a row that exceeded its sender's quota.
                    if last.is_over_quota() {
                        *last = version;
                    }
                }
                _ => effective.push(version),
            }
        }
        effective.into_iter()
    }

    /// Returns the result and reasons to report for a row, which is identified by its time of
    /// sending, its digest, and the position from which it was imported.
    ///
    /// The result depends only on the set of rows, not on their order or on interruptions of the
    /// job. A row that is no longer in the history was dropped because the history was full, and
    /// counts as superseded.
    pub fn report(&self, sent_at: Timestamp, digest: &str, origin: &Origin) -> (Outcome, Vec<Reason>) {
        let is_reported = |known: &&Version| (known.sent_at, &*known.digest) == (sent_at, digest);
        let Some(version) = self.0.iter().rev().find(is_reported) else {
            return (Outcome::Superseded, Vec::new());
        };
        let reasons = version.reasons.clone();
        if version.origin != *origin {
            return (Outcome::Duplicate, reasons);
        }
        if version.verdict == Verdict::Rejected {
            let is_replaced = self.effective().last().is_some_and(|last| last.order() > version.order());
            let outcome = if is_replaced { Outcome::Superseded } else { Outcome::Rejected };
            return (outcome, reasons);
        }
        let effective: Vec<&Version> = self.effective().collect();
        let Some(at) = effective.iter().position(|known| known.order() == version.order()) else {
            // The row repeats the preceding one.
            return (Outcome::Duplicate, reasons);
        };
        if at + 1 < effective.len() {
            return (Outcome::Superseded, reasons);
        }
        let mut reasons = reasons;
        if version.verdict == Verdict::Complete && Self::has_new_phone(&effective) {
            reasons.push(Reason::PhoneCorrected);
        }
        (version.verdict.outcome(), reasons)
    }

    /// Whether the last row has a valid phone number that differs from the previous valid one.
    fn has_new_phone(effective: &[&Version]) -> bool {
        let Some((last, earlier)) = effective.split_last() else { return false };
        let before = earlier.iter().rev().find_map(|version| version.phone.as_ref());
        matches!((&last.phone, before), (Some(now), Some(before)) if now != before)
    }
}

#[cfg(test)]
mod tests;
