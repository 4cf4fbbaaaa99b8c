//! The intake converges: its results do not depend on the order of the rows, on repeated rows, on
//! how the rows are split into files, or on interruptions of jobs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bukti_domain::FeedRow;
use bukti_local::Handlers;
use bukti_store::Doses;
use bukti_tests::{TestApp, csv, dose, fhir_bundle, ndjson, read_report};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The rows of several events, grouped by event in chronological order. `case` makes the event ids
/// and NIKs unique.
fn rows(case: usize) -> Vec<FeedRow> {
    // Each event concerns a different person, since events that report the same dose are
    // duplicates.
    let serial = |event: &str| event.bytes().fold(0, |hash, byte| (hash * 31 + u32::from(byte)) % 9973);
    let row = |event: &str, hour: u32| FeedRow {
        sent_at: format!("2021-02-01T{hour:02}:00:00+07:00"),
        nik: format!("{:06}240189{:04}", 317_101 + case, serial(event)),
        ..dose(&format!("{case}-{event}"))
    };
    let retracted = |event, hour| FeedRow { status: "entered-in-error".into(), ..row(event, hour) };
    let bare_retraction = |event, hour| FeedRow {
        event_id: row(event, hour).event_id,
        sent_at: row(event, hour).sent_at,
        status: "batal".into(),
        ..FeedRow::default()
    };
    let incomplete = |event, hour| FeedRow { batch: String::new(), ..row(event, hour) };
    let phone = |event, hour, no_hp: &str| FeedRow { no_hp: no_hp.into(), ..row(event, hour) };
    let held = |event, hour| FeedRow { tanggal_lahir: "1990-01-24".into(), ..row(event, hour) };
    let rejected = |event, hour| FeedRow { nik: "31710124".into(), ..row(event, hour) };
    vec![
        row("once", 1),
        incomplete("completed", 1),
        row("completed", 2),
        row("reached later", 1),
        phone("reached later", 2, "0813 1111 2222"),
        phone("unreachable later", 1, "0813 1111 2222"),
        phone("unreachable later", 2, ""),
        rejected("rejected, then right", 1),
        row("rejected, then right", 2),
        row("right, then rejected", 1),
        rejected("right, then rejected", 2),
        rejected("rejected", 1),
        held("held, then right", 1),
        row("held, then right", 2),
        row("right, then held", 1),
        held("right, then held", 2),
        incomplete("there and back", 1),
        row("there and back", 2),
        incomplete("there and back", 3),
        row("said again later", 1),
        row("said again later", 2),
        row("retracted", 1),
        retracted("retracted", 2),
        incomplete("retracted without a person", 1),
        row("retracted without a person", 2),
        bare_retraction("retracted without a person", 3),
        row("retracted, then right", 1),
        bare_retraction("retracted, then right", 2),
        row("retracted, then right", 3),
        rejected("rejected, then retracted", 1),
        bare_retraction("rejected, then retracted", 2),
        bare_retraction("only retracted", 1),
        retracted("only retracted", 2),
    ]
}

/// The stored state of the events, without the parts that `case` makes unique.
fn state(app: &TestApp, case: usize) -> Vec<String> {
    let mut events: Vec<String> = rows(case).into_iter().map(|row| row.event_id).collect();
    events.dedup();
    let records = app.with_aws(async |aws| {
        let doses = Doses::new(&aws);
        let mut records = Vec::new();
        for event in events {
            let record = doses.of_event(&aws.keys.event(&event)).await.unwrap().unwrap();
            let row = record.open(&aws.keys).unwrap();
            let event_id = event.split_once('-').unwrap().1.into();
            let nik = row.nik.get(6..).unwrap_or_default().into();
            let row = FeedRow { event_id, nik, ..row };
            records.push((row, record));
        }
        records
    });
    records
        .into_iter()
        .map(|(row, record)| {
            let versions = record.history.versions().iter();
            let history: Vec<_> =
                versions.map(|it| (it.sent_at, it.verdict, it.reasons.clone(), it.phone.clone())).collect();
            let certificate = record.certificate_id.is_some();
            // If several rows have the same content, the table keeps the one that arrived first, so
            // the timestamp varies.
            let content = serde_json::to_string(&FeedRow { sent_at: String::new(), ..row }).unwrap();
            format!(
                "{content} {:?} {:?} {certificate} {:?} {history:?}",
                record.verdict, record.reasons, record.phone
            )
        })
        .collect()
}

#[test]
fn shuffled_repeated_and_split_rows_converge() {
    let app = TestApp::start();
    app.upload_feed("0.csv", csv(&rows(0)));
    let expected = state(&app, 0);
    let cases = AtomicUsize::new(0);
    // The order of the rows, the repeated rows, the splits into files, and the file that is
    // uploaded again.
    let count = rows(0).len();
    let strategy = (
        Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
        prop::collection::vec(0..count, 0..8),
        prop::collection::vec(0..count, 0..4),
        any::<prop::sample::Index>(),
    );
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&strategy, |(mut order, repeated, mut splits, again)| {
        let case = cases.fetch_add(1, Ordering::Relaxed) + 1;
        let all = rows(case);
        order.extend(repeated);
        splits.extend([0, order.len()]);
        splits.sort_unstable();
        let parts = splits.windows(2).filter(|ends| ends[0] < ends[1]);
        let parts: Vec<Vec<FeedRow>> =
            parts.map(|ends| order[ends[0]..ends[1]].iter().map(|at| all[*at].clone()).collect()).collect();
        let mut files: Vec<(String, Vec<u8>)> = parts
            .iter()
            .enumerate()
            .map(|(at, rows)| {
                let file = [csv, ndjson, fhir_bundle][at % 3](rows);
                (format!("{case}-{at}"), file)
            })
            .collect();
        let repeated_file = again.get(&files).1.clone();
        app.upload_feeds(std::mem::take(&mut files));
        app.upload_feed(&format!("{case}-again"), repeated_file);
        for (actual, expected) in state(&app, case).iter().zip(&expected) {
            prop_assert_eq!(actual, expected);
        }
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn interrupted_job_reports_the_same_results() {
    let interrupted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&interrupted);
    let app = TestApp::start_with_handlers(move |aws| {
        let mut handlers = Handlers::bukti(aws);
        let intake = Arc::clone(&handlers.intake);
        // The first two deliveries of each object time out, each at a different point.
        let attempts: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
        handlers.intake = Arc::new(move |event| {
            let key = event.records[0].s3.object.key.clone().unwrap();
            let mut attempts = attempts.lock().unwrap();
            let objects = attempts.len() as u64;
            let attempt = attempts.entry(key).or_default();
            *attempt += 1;
            let limit = match *attempt {
                1 => Duration::from_millis(2 + 5 * objects),
                2 => Duration::from_millis(40 + 50 * objects),
                _ => Duration::from_secs(600),
            };
            let (run, count) = (intake(event), Arc::clone(&count));
            Box::pin(async move {
                tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                    Err("interrupted".to_owned())
                })
            })
        });
        handlers
    });
    let mut rows: Vec<FeedRow> = (0..6500).map(|at| dose(&format!("F{at}"))).collect();
    rows.iter_mut().for_each(|row| row.batch.clear());
    // Rows in the last part that correct or repeat rows in every part.
    let corrected = |at: usize| FeedRow {
        sent_at: "2021-02-01T08:00:00+07:00".into(),
        vaksin: String::new(),
        ..rows[at].clone()
    };
    let corrections: Vec<FeedRow> = (0..6500).step_by(100).map(corrected).collect();
    let repetitions: Vec<FeedRow> = (1..6500).step_by(100).map(|at| rows[at].clone()).collect();
    rows.extend(corrections);
    rows.extend(repetitions);
    app.upload_feed("large.csv", csv(&rows));

    let interruptions = interrupted.load(Ordering::Relaxed);
    assert!(interruptions >= 10, "interrupted {interruptions} times");
    let report = read_report(&app.data.path().join("bucket/bukti-documents/intake/reports/large.csv"));
    assert_eq!(report.len(), rows.len());
    for (line, (outcome, reasons)) in report {
        let expected = match line - 2 {
            at if at >= 6565 => ("duplicate", "batch_missing"),
            at if at >= 6500 => ("incomplete", "vaccine_missing;batch_missing"),
            at if at % 100 == 0 => ("superseded", "batch_missing"),
            _ => ("incomplete", "batch_missing"),
        };
        assert_eq!((&*outcome, &*reasons), expected, "line {line}");
    }
    let job = app.job("large").unwrap();
    let totals: Vec<(&str, u64)> = job.totals.iter().map(|(outcome, count)| (&**outcome, *count)).collect();
    assert_eq!(totals, [("duplicate", 65), ("incomplete", 6500), ("superseded", 65)]);
}

#[test]
fn import_reports_dead_letters() {
    let app = TestApp::start_with_handlers(|aws| {
        let mut handlers = Handlers::bukti(aws);
        let intake = Arc::clone(&handlers.intake);
        handlers.intake = Arc::new(move |event| {
            let key = event.records[0].s3.object.key.clone().unwrap();
            if key.contains("/.parts/") {
                Box::pin(async { Err("injected failure".to_owned()) })
            } else {
                intake(event)
            }
        });
        handlers
    });
    let file = app.data.path().join("large.ndjson");
    let rows: Vec<FeedRow> =
        (0..2001).map(|at| FeedRow { event_id: at.to_string(), ..FeedRow::default() }).collect();
    std::fs::write(&file, ndjson(&rows)).unwrap();
    let output = app.bukti(&["import", file.to_str().unwrap()]);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("dead letters") && output.stderr.contains("imported again"),
        "{}",
        output.stderr
    );
}
