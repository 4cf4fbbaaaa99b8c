//! Kill test: while an officer searches for people, the stack is killed with SIGKILL at random
//! moments during an import, and restarted each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bukti_tests::expected::{ExpectedRow, assert_report, assert_sms, generate_feed};
use bukti_tests::stack_process::StackProcess;
use bukti_tests::{TestApp, deduplicated_sms, program, read_report, today};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::{consistency, env_number, people_for_rows};

/// The maximum time to wait until the number of sent SMS reaches the kill point. If the worker that
/// sends an SMS is killed, the SMS is retried only after the worker's lease expires, 20 s later.
const STALL_LIMIT: Duration = Duration::from_secs(40);
const OFFICER: &str = "0811-0000-0001";

#[test]
fn nothing_is_lost_when_killed_at_random_moments() {
    let rows = env_number("BUKTI_CHAOS_ROWS", 600);
    let kills = usize::try_from(env_number("BUKTI_CHAOS_KILLS", 2)).unwrap();
    let seed = env_number("BUKTI_CHAOS_SEED", 1);
    let folder = tempfile::TempDir::new().unwrap();
    let (feed, expected) = generate_feed(folder.path(), people_for_rows(rows), seed);
    let sms = expected.iter().filter(|row| row.first_dose_sms && row.outcome == "issued").count();

    let mut app = TestApp::start();
    let first_day = today();
    let officer = app.log_in_officer(OFFICER, "Rina", "officer");
    let mut searches = Searches::default();

    // Each kill point is a number of sent SMS below the total, so that the import is still
    // unfinished.
    let mut random = StdRng::seed_from_u64(seed);
    let mut kill_points: Vec<usize> = (0..kills).map(|_| random.random_range(0..sms * 9 / 10)).collect();
    kill_points.sort_unstable();
    let (began, mut resent, mut kills_under_load) = (Instant::now(), 0, 0);
    let mut job = None;
    app.restart_after(|data| {
        for (run, kill_point) in kill_points.into_iter().enumerate() {
            let stack = StackProcess::start(data, &[]);
            // Once the file is uploaded, the stack continues the job without the client.
            let mut import = job.is_none().then(|| start_import(&stack.url, &feed));
            if let Some((_, started)) = &import {
                job.clone_from(started);
            }
            let search_thread = start_searches(&stack.url, &officer, &expected, run);
            let started = Instant::now();
            while count_lines(&data.join("outbox.jsonl")) < kill_point && started.elapsed() < STALL_LIMIT {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..100)));
            // The outbox also contains the SMS for the officer's log-in.
            kills_under_load += u32::from(count_lines(&data.join("outbox.jsonl")) <= sms);
            resent += deduplicated_sms(&stack.url);
            drop(stack);
            searches.add(search_thread.join().unwrap());
            if let Some((import, _)) = &mut import {
                let _ = import.kill();
                let _ = import.wait();
            }
        }
    });

    let report = folder.path().join("report.csv");
    app.bukti_ok(&["report", &job.unwrap(), "--report", report.to_str().unwrap()]);
    app.wait_until_idle();
    resent += deduplicated_sms(app.url());
    assert_report(&read_report(&report), &expected);
    let mut messages = app.messages();
    messages.retain(|message| message.to != "+6281100000001");
    assert_sms(&messages, &expected);
    let summary = consistency::check(&app.with_aws(async |aws| aws), app.data.path(), &expected);
    let audit = app.bukti_ok(&["audit", "export", "--from", &first_day]);
    println!(
        "{} rows, seed {seed}: {kills_under_load} of {kills} kills under load, {:.0} s; {} certificates, {} superseded; \
         {sms} SMS; duplicate SMS after kills: {resent}; orphaned documents: {}; {}",
        expected.len(),
        began.elapsed().as_secs_f64(),
        summary.valid,
        summary.superseded,
        summary.orphaned_documents,
        searches.check_audit(&audit)
    );
    assert!(kills_under_load > 0, "no kill was under load");
    // Each kill can cause at most one duplicate: an SMS that was sent but not yet recorded as sent.
    assert!(resent <= kills as u64, "{resent} SMS were sent again");
}

/// An officer's searches, keyed by the reason for the search, which is unique.
#[derive(Default)]
struct Searches {
    /// Searches that got a response, with the number of people in the response.
    completed: BTreeMap<String, usize>,
    /// Searches during which the stack was killed.
    interrupted: BTreeSet<String>,
}

impl Searches {
    fn add(&mut self, more: Self) {
        self.completed.extend(more.completed);
        self.interrupted.extend(more.interrupted);
    }

    /// Asserts that the audit log contains each completed search once, with every person in its
    /// response, and no search that was not made. Returns a summary.
    fn check_audit(&self, exported: &str) -> String {
        let mut found: BTreeMap<String, (u32, usize)> = BTreeMap::new();
        let mut csv = csv::Reader::from_reader(exported.as_bytes());
        for entry in csv.records().map(|entry| entry.unwrap()) {
            let (searches, shown) = found.entry(entry[6].to_owned()).or_default();
            match &entry[3] {
                "searched" => *searches += 1,
                "looked_at" => *shown += 1,
                // These entries are about the log-in.
                _ => assert!(!entry[6].starts_with("run"), "{entry:?}"),
            }
        }
        found.retain(|reason, _| reason.starts_with("run"));
        for (reason, people) in &self.completed {
            assert_eq!(
                found.remove(reason),
                Some((1, *people)),
                "{reason}: searches and people in the audit"
            );
        }
        let interrupted = found.len();
        for (reason, (searches, _)) in found {
            let is_expected = self.interrupted.contains(&reason) && searches <= 1;
            assert!(is_expected, "{reason} is in the audit {searches} times");
        }
        let shown: usize = self.completed.values().sum();
        assert!(shown > 0, "no search found anybody");
        let completed = self.completed.len();
        format!("audited searches: {completed} that showed {shown} people, and {interrupted} interrupted")
    }
}

/// Starts a thread in which an officer searches for one person after another until the stack is
/// killed.
fn start_searches(url: &str, cookie: &str, expected: &[ExpectedRow], run: usize) -> JoinHandle<Searches> {
    let (url, cookie) = (url.to_owned(), cookie.to_owned());
    let phones: Vec<_> =
        expected.iter().map(|row| row.phone.clone()).filter(|phone| !phone.is_empty()).collect();
    std::thread::spawn(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut searches = Searches::default();
        for (at, phone) in phones.iter().cycle().enumerate() {
            let why = format!("run {run}, search {at}");
            let request = json!({"phone": phone, "why": why}).to_string();
            let sent = agent
                .post(format!("{url}/api/helpdesk/people"))
                .header("content-type", "application/json")
                .header("origin", &url)
                .header("cookie", &cookie)
                .send(request);
            // A search is completed only when the whole body of the response has arrived.
            let response =
                sent.and_then(|mut response| Ok((response.status(), response.body_mut().read_to_vec()?)));
            let Ok((status, body)) = response else {
                searches.interrupted.insert(why);
                break;
            };
            assert_eq!(status, 200, "a search failed");
            let body: Value = serde_json::from_slice(&body).unwrap();
            searches.completed.insert(why, body["people"].as_array().unwrap().len());
            std::thread::sleep(Duration::from_millis(50));
        }
        searches
    })
}

/// Starts an import and waits until the file has been uploaded. Returns the process and the job's
/// id; the id is `None` if the upload failed.
fn start_import(url: &str, feed: &Path) -> (Child, Option<String>) {
    let mut import = Command::new(program("bukti"));
    import.args(["import", "--endpoint", url]).arg(feed);
    let mut import = import.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(import.stderr.take().unwrap()).lines().map_while(Result::ok);
    let job = lines.find_map(|line| Some(line.split_once(" is job ")?.1.trim_end_matches('.').to_owned()));
    // Drain the pipe, since the process would block if the pipe were full.
    std::thread::spawn(move || lines.for_each(drop));
    (import, job)
}

fn count_lines(file: &Path) -> usize {
    fs::read(file).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}
