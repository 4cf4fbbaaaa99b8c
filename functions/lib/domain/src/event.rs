//! The rows of one vaccination event, in whatever order they come.
//!
//! A sender may say an event again, correct it later, and files may overtake each other. [`History`] is what has been
//! said, ordered by when it was sent, so that the same set of rows gives the same state in any order:
//!
//! ```text
//!   sent_at ──────────────────────────────────────────────►
//!   t1 batch missing      t2 complete        t3 rejected
//!   superseded            current ◄───────   rejected
//!   (batch_missing)       (issued)           (its own reasons)
//! ```
//!
//! The latest row that is not rejected is the current one. A rejected row replaces nothing. Where the current row is a
//! retraction, the data to show are those of the latest row before it that reports a vaccination ([`History::shown`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{HeldIdentity, Outcome, Reason, Verdict};

/// How many versions of one event are kept: an event that is corrected more often is a fault at its
/// sender, and an item of the table has a size limit. Rejected ones go first, then the oldest;
/// never what counts or is shown.
const MOST_VERSIONS: usize = 32;

/// One row of an event, without anything personal: digests are keyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// When the row was sent.
    pub sent_at: Timestamp,
    /// Keyed digest of what the row says.
    pub digest: String,
    /// What it is by itself; of a row whose identity data are confirmed, what it is with that.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Of a row that contradicts its NIK: what it becomes once its identity data are confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldIdentity>,
    /// Keyed hash of its phone number, where that is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where the row stood when it was first taken in, by which a repetition is told from the first.
    pub origin: Origin,
}

/// A line of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The job.
    pub job: String,
    /// The line of its file, from 1.
    pub line: u64,
}

impl Version {
    /// By when it was sent. Senders stamp whole files with one time: of rows of the same time a
    /// retraction counts, since a certificate of an error must not stay valid.
    fn order(&self) -> (Timestamp, bool, &str) {
        (self.sent_at, self.verdict == Verdict::Retracted, &self.digest)
    }

    /// Whether the row is held for nothing but that its sender reported too many doses of its
    /// person that day.
    fn is_over_allowance(&self) -> bool {
        self.reasons == [Reason::TooManyDoses]
    }
}

/// All that has been said of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(Vec<Version>);

impl History {
    /// Adds a row. `false` where it was known: then nothing has changed.
    pub fn add(&mut self, version: Version) -> bool {
        match self.0.binary_search_by(|known| known.order().cmp(&version.order())) {
            // The same row said again is no longer rejected: its vaccine has come into the catalogue since.
            Ok(at) if self.0[at].verdict == Verdict::Rejected && version.verdict != Verdict::Rejected => {
                self.0[at] = version;
                true
            }
            // Held over its sender's quota, and sent again on another day or by a hub.
            Ok(at) if self.0[at].is_over_allowance() && !version.is_over_allowance() => {
                self.0[at] = version;
                true
            }
            // A held row said again whose data are confirmed meanwhile, or that was kept before held rows had a digest.
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
                // Lines of a job are taken in side by side: whichever comes first, the first line is the original.
                let known = &mut self.0[at].origin;
                let earlier = known.job == version.origin.job && version.origin.line < known.line;
                if earlier {
                    known.line = version.origin.line;
                }
                earlier
            }
            Err(at) => {
                self.0.insert(at, version);
                self.least_needed().is_none_or(|least| {
                    self.0.remove(least);
                    least != at
                })
            }
        }
    }

    /// Where there are too many rows, the one that goes. What goes never counts later, whichever
    /// rows come: so what is kept does not depend on their order.
    fn least_needed(&self) -> Option<usize> {
        let kept = [self.current(), self.shown()].map(|kept| kept.map(Version::order));
        let all = self.0.iter().enumerate().filter(|_| self.0.len() > MOST_VERSIONS);
        let least = all
            .filter(|(_, version)| !kept.contains(&Some(version.order())))
            .min_by_key(|(at, version)| (version.verdict != Verdict::Rejected, *at));
        least.map(|(at, _)| at)
    }

    /// Applies confirmations of identity data, given by the keyed digests that they cover: each held row with one of these
    /// counts from now on as the rest of it says. `false` where nothing has changed.
    ///
    /// A row that comes later is not confirmed by this, so that intake applies confirmations to it again; whichever
    /// comes first, the history is the same then.
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

    /// All rows that are kept, by when they were sent.
    pub fn versions(&self) -> &[Version] {
        &self.0
    }

    /// The row that counts: the latest that is not rejected, else the latest. Where the same was said again later, the
    /// first time counts.
    pub fn current(&self) -> Option<&Version> {
        self.kept().last().or(self.0.last())
    }

    /// The row whose data describe the dose: the one that counts; but where that is a retraction, which may say nothing
    /// of the person, the latest row that reports the vaccination, preferably one that is not rejected. The retraction
    /// itself only where nothing else is known.
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

    /// The rows that could count, in order, repetitions left out.
    fn kept(&self) -> impl DoubleEndedIterator<Item = &Version> {
        let mut kept: Vec<&Version> = Vec::with_capacity(self.0.len());
        for version in self.0.iter().filter(|version| version.verdict != Verdict::Rejected) {
            match kept.last_mut() {
                Some(last) if last.digest == version.digest => {
                    // A row that was over its sender's allowance counts where it is said again.
                    if last.is_over_allowance() {
                        *last = version;
                    }
                }
                _ => kept.push(version),
            }
        }
        kept.into_iter()
    }

    /// What a report says of the row with this time and digest that stood at `origin`.
    ///
    /// A function of the set of rows alone, whatever the order they came in and however often the job was interrupted.
    /// Unknown rows (older than all that is kept of an event corrected very often) are superseded.
    pub fn report(&self, sent_at: Timestamp, digest: &str, origin: &Origin) -> (Outcome, Vec<Reason>) {
        let is_asked = |known: &&Version| (known.sent_at, &*known.digest) == (sent_at, digest);
        let Some(version) = self.0.iter().rev().find(is_asked) else {
            return (Outcome::Superseded, Vec::new());
        };
        let reasons = version.reasons.clone();
        if version.origin != *origin {
            return (Outcome::Duplicate, reasons);
        }
        if version.verdict == Verdict::Rejected {
            let replaced = self.kept().last().is_some_and(|last| last.order() > version.order());
            let outcome = if replaced { Outcome::Superseded } else { Outcome::Rejected };
            return (outcome, reasons);
        }
        let kept: Vec<&Version> = self.kept().collect();
        let Some(at) = kept.iter().position(|known| known.order() == version.order()) else {
            // Left out of the kept ones: the same as the row before it.
            return (Outcome::Duplicate, reasons);
        };
        if at + 1 < kept.len() {
            return (Outcome::Superseded, reasons);
        }
        let mut reasons = reasons;
        if version.verdict == Verdict::Complete && Self::phone_corrected(&kept) {
            reasons.push(Reason::PhoneCorrected);
        }
        (version.verdict.outcome(), reasons)
    }

    /// Whether the last of these has another usable phone than the one used before it.
    fn phone_corrected(kept: &[&Version]) -> bool {
        let Some((last, earlier)) = kept.split_last() else { return false };
        let before = earlier.iter().rev().find_map(|version| version.phone.as_ref());
        matches!((&last.phone, before), (Some(now), Some(before)) if now != before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(sent_at: i64, digest: &str, verdict: Verdict, phone: Option<&str>) -> Version {
        Version {
            sent_at: Timestamp::from_second(sent_at).unwrap(),
            digest: digest.to_owned(),
            verdict,
            reasons: match verdict {
                Verdict::Complete => vec![],
                Verdict::Incomplete => vec![Reason::BatchMissing],
                Verdict::Held => vec![Reason::NikSexMismatch],
                Verdict::Rejected => vec![Reason::NikMalformed],
                Verdict::Retracted => vec![],
            },
            held: None,
            phone: phone.map(str::to_owned),
            origin: Origin { job: "job".to_owned(), line: sent_at.unsigned_abs() },
        }
    }

    fn reports(versions: &[Version]) -> Vec<(Outcome, Vec<Reason>)> {
        let mut history = History::default();
        for version in versions {
            history.add(version.clone());
        }
        versions.iter().map(|v| history.report(v.sent_at, &v.digest, &v.origin)).collect()
    }

    #[test]
    fn retraction_counts_among_rows_of_one_time() {
        for (row, retraction) in [("a", "b"), ("b", "a")] {
            let row = version(1, row, Verdict::Complete, None);
            let retraction = version(1, retraction, Verdict::Retracted, None);
            for rows in [[&row, &retraction], [&retraction, &row]] {
                let mut history = History::default();
                rows.into_iter().for_each(|version| assert!(history.add(version.clone())));
                assert_eq!(history.current(), Some(&retraction));
            }
            let later = version(2, "c", Verdict::Complete, None);
            let mut history = History::default();
            [&retraction, &later, &row].into_iter().for_each(|version| assert!(history.add(version.clone())));
            assert_eq!(history.current(), Some(&later));
        }
    }

    #[test]
    fn a_row_over_its_senders_allowance_counts_where_it_is_said_again() {
        let mut over = version(1, "a", Verdict::Held, None);
        over.reasons = vec![Reason::TooManyDoses];
        for sent_at in [1, 2] {
            let mut history = History::default();
            assert!(history.add(over.clone()));
            assert!(!history.add(over.clone()), "on the same day it stays held");
            assert!(history.add(version(sent_at, "a", Verdict::Complete, None)));
            assert_eq!(history.current().map(|it| it.verdict), Some(Verdict::Complete));
            assert!(!history.add(over.clone()), "and it is not held again");
            assert_eq!(history.current().map(|it| it.verdict), Some(Verdict::Complete));
        }
    }

    #[test]
    fn a_retraction_counts_until_a_later_row_says_the_event_again() {
        let retraction = version(2, "r", Verdict::Retracted, None);
        let rows = [version(1, "a", Verdict::Complete, Some("p")), retraction];
        assert_eq!(reports(&rows), [(Outcome::Superseded, vec![]), (Outcome::Retracted, vec![])]);
        let [first, retraction] = rows;
        let again = [first, retraction, version(3, "a", Verdict::Complete, Some("p"))];
        let expected = [Outcome::Superseded, Outcome::Superseded, Outcome::Issued];
        let outcomes: Vec<Outcome> = reports(&again).into_iter().map(|(outcome, _)| outcome).collect();
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn a_completed_row_supersedes_the_incomplete_one() {
        let rows =
            [version(1, "a", Verdict::Incomplete, Some("p")), version(2, "b", Verdict::Complete, Some("p"))];
        let expected = vec![(Outcome::Superseded, vec![Reason::BatchMissing]), (Outcome::Issued, vec![])];
        assert_eq!(reports(&rows), expected);
    }

    #[test]
    fn a_corrected_phone_is_said() {
        let rows =
            [version(1, "a", Verdict::Complete, Some("p")), version(2, "b", Verdict::Complete, Some("q"))];
        let expected = vec![(Outcome::Superseded, vec![]), (Outcome::Issued, vec![Reason::PhoneCorrected])];
        assert_eq!(reports(&rows), expected);
    }

    #[test]
    fn a_rejected_row_replaces_nothing() {
        let rows = [version(1, "a", Verdict::Complete, None), version(2, "b", Verdict::Rejected, None)];
        let expected = vec![(Outcome::Issued, vec![]), (Outcome::Rejected, vec![Reason::NikMalformed])];
        assert_eq!(reports(&rows), expected);
    }

    #[test]
    fn of_two_equal_lines_the_second_is_the_duplicate_whichever_is_taken_in_first() {
        let line = |line| Version {
            origin: Origin { job: "job".to_owned(), line },
            ..version(1, "a", Verdict::Complete, None)
        };
        for lines in [[2, 3], [3, 2]] {
            let mut history = History::default();
            for at in lines {
                history.add(line(at));
            }
            let outcome = |at| history.report(line(at).sent_at, "a", &line(at).origin).0;
            assert_eq!([outcome(2), outcome(3)], [Outcome::Issued, Outcome::Duplicate]);
        }
    }

    #[test]
    fn retraction_counts_by_the_time_it_was_sent() {
        let complete = |at, digest| version(at, digest, Verdict::Complete, Some("p"));
        let retraction = |at| version(at, "r", Verdict::Retracted, None);
        let outcomes = |rows: &[Version]| -> Vec<Outcome> {
            reports(rows).into_iter().map(|(outcome, _)| outcome).collect()
        };
        use Outcome::{Duplicate, Issued, Retracted, Superseded};
        assert_eq!(outcomes(&[complete(1, "a"), retraction(2)]), [Superseded, Retracted]);
        assert_eq!(outcomes(&[retraction(2), complete(1, "a")]), [Retracted, Superseded]);
        // The same content sent again afterwards reports the dose anew.
        let again = [complete(1, "a"), retraction(2), complete(3, "a")];
        assert_eq!(outcomes(&again), [Superseded, Superseded, Issued]);
        assert_eq!(outcomes(&[complete(3, "a"), retraction(2)]), [Issued, Superseded]);
        assert_eq!(
            outcomes(&[retraction(2), version(5, "r", Verdict::Retracted, None)]),
            [Retracted, Duplicate]
        );
        let rejected = [complete(1, "a"), retraction(2), version(3, "x", Verdict::Rejected, None)];
        assert_eq!(outcomes(&rejected), [Superseded, Retracted, Outcome::Rejected]);
    }

    #[test]
    fn retraction_shows_the_latest_report() {
        let shown = |rows: &[(i64, &str, Verdict)]| {
            let mut history = History::default();
            for (at, digest, verdict) in rows {
                history.add(version(*at, digest, *verdict, None));
            }
            history.shown().unwrap().digest.clone()
        };
        use Verdict::{Complete, Held, Rejected, Retracted};
        assert_eq!(shown(&[(1, "a", Complete), (2, "b", Held), (3, "r", Retracted)]), "b");
        assert_eq!(shown(&[(3, "r", Retracted), (2, "b", Held), (1, "a", Complete)]), "b");
        assert_eq!(shown(&[(1, "a", Complete), (2, "x", Rejected), (3, "r", Retracted)]), "a");
        assert_eq!(shown(&[(1, "x", Rejected), (3, "r", Retracted)]), "x");
        assert_eq!(shown(&[(3, "r", Retracted), (4, "s", Retracted)]), "s");
        assert_eq!(shown(&[(3, "r", Retracted), (4, "a", Complete)]), "a");
    }

    #[test]
    fn the_same_said_again_is_a_duplicate() {
        let first = version(1, "a", Verdict::Complete, None);
        let mut again = version(1, "a", Verdict::Complete, None);
        again.origin.line = 9;
        let later = version(3, "a", Verdict::Complete, None);
        let expected =
            vec![(Outcome::Issued, vec![]), (Outcome::Duplicate, vec![]), (Outcome::Duplicate, vec![])];
        assert_eq!(reports(&[first, again, later]), expected);
    }

    #[test]
    fn a_rejected_row_counts_once_it_is_said_again_and_not_rejected_any_more() {
        let mut history = History::default();
        let rejected = version(1, "a", Verdict::Rejected, None);
        let mut again = version(1, "a", Verdict::Complete, None);
        again.origin.job = "later".to_owned();
        assert!(history.add(rejected.clone()));
        assert!(history.add(again.clone()));
        let outcome = |history: &History, of: &Version| history.report(of.sent_at, &of.digest, &of.origin).0;
        assert_eq!(outcome(&history, &again), Outcome::Issued);
        assert!(!history.add(rejected), "what was good once is not rejected later");
        assert_eq!(outcome(&history, &again), Outcome::Issued);
    }

    /// A row that is held, and once these data are confirmed is complete but for a phone.
    fn held(sent_at: i64, digest: &str, data: &str) -> Version {
        let held = HeldIdentity {
            digest: data.to_owned(),
            verdict: Verdict::Complete,
            reasons: vec![Reason::PhoneMissing],
        };
        Version { held: Some(held), ..version(sent_at, digest, Verdict::Held, None) }
    }

    #[test]
    fn confirmation_issues_rows_with_confirmed_data_only() {
        let (confirmed, other) = (held(1, "a", "data"), held(2, "b", "other data"));
        let mut history = History::default();
        history.add(confirmed.clone());
        assert!(!history.confirm(&["other data".to_owned()]));
        assert!(history.confirm(&["data".to_owned()]));
        assert!(!history.confirm(&["data".to_owned()]), "applied twice, it changes nothing");
        let report = |history: &History, of: &Version| history.report(of.sent_at, &of.digest, &of.origin);
        assert_eq!(report(&history, &confirmed), (Outcome::Issued, vec![Reason::PhoneMissing]));
        assert!(!history.add(confirmed.clone()), "the same row again is not held again");
        assert_eq!(report(&history, &confirmed), (Outcome::Issued, vec![Reason::PhoneMissing]));
        history.add(other.clone());
        assert_eq!(report(&history, &other), (Outcome::Held, vec![Reason::NikSexMismatch]));
    }

    #[test]
    fn confirmation_keeps_rejected_and_incomplete_rows_as_they_are() {
        let rows = [version(1, "a", Verdict::Rejected, None), version(2, "b", Verdict::Incomplete, None)];
        let mut history = History::default();
        for row in &rows {
            history.add(row.clone());
        }
        assert!(!history.confirm(&["data".to_owned()]));
        assert_eq!(history.versions(), rows);
    }

    #[test]
    fn row_from_before_digests_gets_its_digest() {
        let new = held(1, "a", "data");
        let mut history = History::default();
        history.add(Version { held: None, ..new.clone() });
        assert!(history.add(new.clone()));
        assert_eq!(history.versions(), [new]);
    }

    proptest! {
        #[test]
        fn confirmation_and_rows_commute(
            rows in prop::collection::vec((0i64..6, 0usize..4), 1..8),
            at in 0usize..8,
        ) {
            // Rows with two sets of identity data, and complete ones, by what they say.
            let row = |sent_at: i64, which: usize| match which {
                0 => held(sent_at, "0", "data"),
                1 => held(sent_at, "1", "other data"),
                2 => held(sent_at, "2", "data"),
                _ => version(sent_at, "3", Verdict::Complete, None),
            };
            let digests = ["data".to_owned()];
            let (mut once, mut each) = (History::default(), History::default());
            for (index, &(sent_at, which)) in rows.iter().enumerate() {
                once.add(row(sent_at, which));
                each.add(row(sent_at, which));
                if index >= at {
                    each.confirm(&digests);
                }
            }
            once.confirm(&digests);
            each.confirm(&digests);
            prop_assert_eq!(once, each);
        }

        #[test]
        fn the_order_of_arrival_never_matters(
            rows in prop::collection::vec((0i64..6, 0usize..4, 0usize..5, 0usize..3), 1..8),
            seed in any::<u64>(),
        ) {
            let verdicts = [
                Verdict::Complete,
                Verdict::Incomplete,
                Verdict::Held,
                Verdict::Rejected,
                Verdict::Retracted,
            ];
            let mut versions: Vec<Version> = rows
                .iter()
                // What a row says decides what it is: the digest names verdict and phone.
                .map(|&(at, _, verdict, phone)| {
                    let phone = ["p", "q"].get(phone).copied();
                    version(at, &format!("{verdict}{phone:?}"), verdicts[verdict], phone)
                })
                .collect();
            versions.dedup_by(|a, b| a.order() == b.order());
            let forward = reports(&versions);
            let mut shuffled: Vec<usize> = (0..versions.len()).collect();
            let mut state = seed | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                shuffled.swap(at, (state >> 33) as usize % (at + 1));
            }
            let moved: Vec<Version> = shuffled.iter().map(|&at| versions[at].clone()).collect();
            let moved = reports(&moved);
            for (to, &from) in shuffled.iter().enumerate() {
                prop_assert_eq!(&moved[to], &forward[from]);
            }
        }

        #[test]
        fn many_rows_drop_neither_what_counts_nor_what_is_shown(
            rows in prop::collection::btree_map(0i64..200, (0usize..8, 0usize..3), 33..80)
                .prop_map(|rows| rows.into_iter().collect::<Vec<_>>())
                .prop_shuffle(),
        ) {
            let row = |&(at, (verdict, digest)): &(i64, (usize, usize))| {
                let verdict = match verdict {
                    0 => Verdict::Complete,
                    1 => Verdict::Held,
                    2 => Verdict::Retracted,
                    _ => Verdict::Rejected,
                };
                version(at, &format!("{verdict:?}{digest}"), verdict, None)
            };
            let mut kept = History::default();
            for version in rows.iter().map(row) {
                let before = kept.clone();
                prop_assert_eq!(kept.add(version), kept != before);
            }
            prop_assert_eq!(kept.0.len(), MOST_VERSIONS);
            let mut all: Vec<Version> = rows.iter().map(row).collect();
            all.sort_by(|one, other| one.order().cmp(&other.order()));
            let all = History(all);
            let said = |version: Option<&Version>| version.map(|version| version.digest.clone());
            prop_assert_eq!(said(kept.current()), said(all.current()));
            prop_assert_eq!(said(kept.shown()), said(all.shown()));
        }

        #[test]
        fn at_most_one_row_counts(rows in prop::collection::vec((0i64..40, 0usize..3), 1..60)) {
            let mut history = History::default();
            for (at, digest) in rows {
                history.add(version(at, &digest.to_string(), Verdict::Complete, None));
            }
            prop_assert!(history.0.len() <= MOST_VERSIONS);
            let issued = history.0.iter().filter(|v| history.report(v.sent_at, &v.digest, &v.origin).0 == Outcome::Issued);
            prop_assert_eq!(issued.count(), 1);
        }
    }
}
