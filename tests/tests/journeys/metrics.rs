//! Metrics and traces: the counters of each stage, and the log lines of one dose.

use std::collections::BTreeMap;
use std::fs::{self, File};

use bukti_domain::FeedRow;
use bukti_tests::stack_process::StackProcess;
use bukti_tests::{TestApp, csv, dose, dose_for, import};
use bukti_wire::HolderRoute;
use serde_json::json;

/// Fetches the counters and gauges from `/_metrics`.
fn metrics(app: &TestApp) -> BTreeMap<String, f64> {
    let raw = app.caller().call("GET", "/_metrics", None, b"");
    assert_eq!(
        (raw.status, raw.header("content-type").unwrap().starts_with("text/plain; version=0.0.4")),
        (200, true)
    );
    let text = String::from_utf8(raw.body).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[test]
fn metrics_count_each_step() {
    let app = TestApp::start();
    let incomplete = FeedRow { batch: String::new(), ..dose("E2") };
    app.import(&[dose("E1"), incomplete]);
    let corrected = FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), batch: "B2".into(), ..dose("E1") };
    app.import(&[corrected]);
    app.status("Iwan Ibrahim Purnomo", "3171012401896246");
    let token = app.messages()[0].token().unwrap();
    for birth_date in ["1989-01-25", "1989-01-24"] {
        app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": birth_date}));
    }
    app.wait_until_idle();
    let metrics = metrics(&app);
    for (name, value) in [
        ("bukti_rows_total{outcome=\"issued\"}", 2.0),
        ("bukti_rows_total{outcome=\"incomplete\"}", 1.0),
        ("bukti_certificates_total{state=\"issued\"}", 2.0),
        ("bukti_certificates_total{state=\"superseded\"}", 1.0),
        ("bukti_sms_total{result=\"accepted\"}", 1.0),
        ("bukti_looks_total{diagnosis=\"certificate_issued\"}", 1.0),
        ("bukti_looks_total{diagnosis=\"dose_incomplete\"}", 1.0),
        ("bukti_links_total{answer=\"birth_date_wrong\"}", 1.0),
        ("bukti_links_total{answer=\"opened\"}", 1.0),
        ("bukti_problems_total{code=\"birth_date_wrong\"}", 1.0),
        ("bukti_requests_total{function=\"holder\"}", 2.0),
        ("bukti_backlog", 0.0),
        ("bukti_dead_letters", 0.0),
    ] {
        assert_eq!(metrics.get(name), Some(&value), "{name} of {metrics:?}");
    }
    assert!(metrics["bukti_request_seconds_total{function=\"holder\"}"] > 0.0);
    let page = app.caller().call("GET", "/_flow", None, b"");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("<h2>Issued</h2>\n<p class=\"all\">2</p>"), "{page}");
    assert!(page.contains("<div><dt>birth date wrong</dt><dd>1</dd></div>"), "{page}");
}

#[test]
fn trace_connects_row_certificate_and_sms() {
    let folder = tempfile::tempdir().unwrap();
    let (log, feed) = (folder.path().join("log"), folder.path().join("feed.csv"));
    let running = StackProcess::start_with_command(&folder.path().join("data"), |command| {
        command.env("RUST_LOG", "way=info").stderr(File::create(&log).unwrap());
    });
    let other = FeedRow { no_hp: "0821-0669-0744".into(), ..dose_for(2, "E2") };
    fs::write(&feed, csv(&[dose("E1"), other])).unwrap();
    assert!(import(&running.url, &feed).0.status.success());
    running.wait_until_idle();
    let mut traces: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let (text, trace) = line.split_once("trace=\"").unwrap();
        let trace = trace.split('"').next().unwrap();
        let step = text.split_once("way: ").unwrap().1.trim();
        traces.entry(trace.to_owned()).or_default().push(step.to_owned());
    }
    assert_eq!(traces.len(), 2, "{traces:?}");
    for (trace, steps) in traces {
        assert_eq!(trace.len(), 12);
        assert_eq!(steps, ["a row was kept", "a certificate was issued", "an SMS with a link is sent"]);
    }
}
