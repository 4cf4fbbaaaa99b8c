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
fn retraction_counts_among_rows_of_same_time() {
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
fn row_over_quota_counts_when_repeated() {
    let mut over = version(1, "a", Verdict::Held, None);
    over.reasons = vec![Reason::TooManyDoses];
    for sent_at in [1, 2] {
        let mut history = History::default();
        assert!(history.add(over.clone()));
        assert!(!history.add(over.clone()), "a repetition on the same day must stay held");
        assert!(history.add(version(sent_at, "a", Verdict::Complete, None)));
        assert_eq!(history.current().map(|it| it.verdict), Some(Verdict::Complete));
        assert!(!history.add(over.clone()), "an accepted row must not be held again");
        assert_eq!(history.current().map(|it| it.verdict), Some(Verdict::Complete));
    }
}

#[test]
fn retraction_counts_until_later_row_reports_event() {
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
fn complete_row_supersedes_incomplete_one() {
    let rows =
        [version(1, "a", Verdict::Incomplete, Some("p")), version(2, "b", Verdict::Complete, Some("p"))];
    let expected = vec![(Outcome::Superseded, vec![Reason::BatchMissing]), (Outcome::Issued, vec![])];
    assert_eq!(reports(&rows), expected);
}

#[test]
fn reports_corrected_phone() {
    let rows = [version(1, "a", Verdict::Complete, Some("p")), version(2, "b", Verdict::Complete, Some("q"))];
    let expected = vec![(Outcome::Superseded, vec![]), (Outcome::Issued, vec![Reason::PhoneCorrected])];
    assert_eq!(reports(&rows), expected);
}

#[test]
fn rejected_row_supersedes_nothing() {
    let rows = [version(1, "a", Verdict::Complete, None), version(2, "b", Verdict::Rejected, None)];
    let expected = vec![(Outcome::Issued, vec![]), (Outcome::Rejected, vec![Reason::NikMalformed])];
    assert_eq!(reports(&rows), expected);
}

#[test]
fn second_of_equal_lines_is_duplicate_in_any_order() {
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
fn retraction_counts_by_time_of_sending() {
    let complete = |at, digest| version(at, digest, Verdict::Complete, Some("p"));
    let retraction = |at| version(at, "r", Verdict::Retracted, None);
    let outcomes = |rows: &[Version]| -> Vec<Outcome> {
        reports(rows).into_iter().map(|(outcome, _)| outcome).collect()
    };
    use Outcome::{Duplicate, Issued, Retracted, Superseded};
    assert_eq!(outcomes(&[complete(1, "a"), retraction(2)]), [Superseded, Retracted]);
    assert_eq!(outcomes(&[retraction(2), complete(1, "a")]), [Retracted, Superseded]);
    // A row with the same content, sent after the retraction, reports the dose again.
    let again = [complete(1, "a"), retraction(2), complete(3, "a")];
    assert_eq!(outcomes(&again), [Superseded, Superseded, Issued]);
    assert_eq!(outcomes(&[complete(3, "a"), retraction(2)]), [Issued, Superseded]);
    assert_eq!(outcomes(&[retraction(2), version(5, "r", Verdict::Retracted, None)]), [Retracted, Duplicate]);
    let rejected = [complete(1, "a"), retraction(2), version(3, "x", Verdict::Rejected, None)];
    assert_eq!(outcomes(&rejected), [Superseded, Retracted, Outcome::Rejected]);
}

#[test]
fn retraction_shows_latest_row_with_data() {
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
fn repetition_is_duplicate() {
    let first = version(1, "a", Verdict::Complete, None);
    let mut again = version(1, "a", Verdict::Complete, None);
    again.origin.line = 9;
    let later = version(3, "a", Verdict::Complete, None);
    let expected =
        vec![(Outcome::Issued, vec![]), (Outcome::Duplicate, vec![]), (Outcome::Duplicate, vec![])];
    assert_eq!(reports(&[first, again, later]), expected);
}

#[test]
fn rejected_row_counts_when_repetition_is_accepted() {
    let mut history = History::default();
    let rejected = version(1, "a", Verdict::Rejected, None);
    let mut again = version(1, "a", Verdict::Complete, None);
    again.origin.job = "later".to_owned();
    assert!(history.add(rejected.clone()));
    assert!(history.add(again.clone()));
    let outcome = |history: &History, of: &Version| history.report(of.sent_at, &of.digest, &of.origin).0;
    assert_eq!(outcome(&history, &again), Outcome::Issued);
    assert!(!history.add(rejected), "an accepted row must not become rejected");
    assert_eq!(outcome(&history, &again), Outcome::Issued);
}

/// A held row that becomes complete, without a phone number, once these data are confirmed.
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
    assert!(!history.confirm(&["data".to_owned()]), "a confirmation must be idempotent");
    let report = |history: &History, of: &Version| history.report(of.sent_at, &of.digest, &of.origin);
    assert_eq!(report(&history, &confirmed), (Outcome::Issued, vec![Reason::PhoneMissing]));
    assert!(!history.add(confirmed.clone()), "a confirmed row must not be held again");
    assert_eq!(report(&history, &confirmed), (Outcome::Issued, vec![Reason::PhoneMissing]));
    history.add(other.clone());
    assert_eq!(report(&history, &other), (Outcome::Held, vec![Reason::NikSexMismatch]));
}

#[test]
fn confirmation_does_not_change_rejected_and_incomplete_rows() {
    let rows = [version(1, "a", Verdict::Rejected, None), version(2, "b", Verdict::Incomplete, None)];
    let mut history = History::default();
    for row in &rows {
        history.add(row.clone());
    }
    assert!(!history.confirm(&["data".to_owned()]));
    assert_eq!(history.versions(), rows);
}

#[test]
fn held_row_without_digest_gets_it_from_repetition() {
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
        // Held rows with two sets of identity data, and complete rows.
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
    fn results_do_not_depend_on_order_of_arrival(
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
            // The content determines verdict and phone, so the digest is derived from them.
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
        let reordered: Vec<Version> = shuffled.iter().map(|&at| versions[at].clone()).collect();
        let reordered = reports(&reordered);
        for (to, &from) in shuffled.iter().enumerate() {
            prop_assert_eq!(&reordered[to], &forward[from]);
        }
    }

    #[test]
    fn never_drops_current_or_shown_row(
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
        prop_assert_eq!(kept.0.len(), MAX_VERSIONS);
        let mut all: Vec<Version> = rows.iter().map(row).collect();
        all.sort_by(|one, other| one.order().cmp(&other.order()));
        let all = History(all);
        let digest = |version: Option<&Version>| version.map(|version| version.digest.clone());
        prop_assert_eq!(digest(kept.current()), digest(all.current()));
        prop_assert_eq!(digest(kept.shown()), digest(all.shown()));
    }

    #[test]
    fn one_row_is_issued_among_too_many(rows in prop::collection::vec((0i64..40, 0usize..3), 1..60)) {
        let mut history = History::default();
        for (at, digest) in rows {
            history.add(version(at, &digest.to_string(), Verdict::Complete, None));
        }
        prop_assert!(history.0.len() <= MAX_VERSIONS);
        let issued = history.0.iter().filter(|v| history.report(v.sent_at, &v.digest, &v.origin).0 == Outcome::Issued);
        prop_assert_eq!(issued.count(), 1);
    }
}
