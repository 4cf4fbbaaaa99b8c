//! A feed whose stack is killed (SIGKILL) at random moments, and started again each time, while an officer looks people up.

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

use crate::{books, people, request};

/// How long a life may bring no SMS before it ends all the same: an SMS whose sender died waits for 20 s.
const PATIENCE: Duration = Duration::from_secs(40);
const OFFICER: &str = "0811-0000-0001";

#[test]
fn nothing_is_lost_when_killed_at_random_moments() {
    let rows = request("BUKTI_CHAOS_ROWS", 600);
    let kills = usize::try_from(request("BUKTI_CHAOS_KILLS", 2)).unwrap();
    let seed = request("BUKTI_CHAOS_SEED", 1);
    let folder = tempfile::TempDir::new().unwrap();
    let (feed, expected) = generate_feed(folder.path(), people(rows), seed);
    let sms = expected.iter().filter(|row| row.first_dose_sms && row.outcome == "issued").count();

    let mut app = TestApp::start();
    let first_day = today();
    let officer = app.log_in_officer(OFFICER, "Rina", "officer");
    let mut audited = Audited::default();

    // The deaths are spread over the SMS, so that none comes when all is done.
    let mut random = StdRng::seed_from_u64(seed);
    let mut moments: Vec<usize> = (0..kills).map(|_| random.random_range(0..sms * 9 / 10)).collect();
    moments.sort_unstable();
    let (began, mut twice, mut deaths) = (Instant::now(), 0, 0);
    let mut job = None;
    app.restart_after(|data| {
        for (life, moment) in moments.into_iter().enumerate() {
            let running = StackProcess::start(data, &[]);
            // What was dropped goes on by itself.
            let mut importing = job.is_none().then(|| importing(&running.url, &feed));
            if let Some((_, dropped)) = &importing {
                job.clone_from(dropped);
            }
            let looking = looking(&running.url, &officer, &expected, life);
            let born = Instant::now();
            while lines(&data.join("outbox.jsonl")) < moment && born.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..100)));
            // The officer's own SMS is the first.
            deaths += u32::from(lines(&data.join("outbox.jsonl")) <= sms);
            twice += deduplicated_sms(&running.url);
            drop(running);
            audited.add(looking.join().unwrap());
            if let Some((import, _)) = &mut importing {
                let _ = import.kill();
                let _ = import.wait();
            }
        }
    });

    let report = folder.path().join("report.csv");
    app.bukti_ok(&["report", &job.unwrap(), "--report", report.to_str().unwrap()]);
    app.wait_until_idle();
    twice += deduplicated_sms(app.url());
    assert_report(&read_report(&report), &expected);
    let mut messages = app.messages();
    messages.retain(|message| message.to != "+6281100000001");
    assert_sms(&messages, &expected);
    let books = books::balanced(&app.with_aws(async |aws| aws), app.data.path(), &expected);
    let audit = app.bukti_ok(&["audit", "export", "--from", &first_day]);
    println!(
        "{} rows, seed {seed}: {deaths} of {kills} deaths while there was something to do, {:.0} s; {} certificates, {} superseded; \
         {sms} SMS; SMS that were sent again after a death: {twice}; documents that nobody names: {}; {}",
        expected.len(),
        began.elapsed().as_secs_f64(),
        books.good,
        books.superseded,
        books.left_over,
        audited.complete(&audit)
    );
    assert!(deaths > 0, "it never died at work");
    // One at most is between the SMS service's answer and the record of it when a process dies.
    assert!(twice <= kills as u64, "{twice} SMS were sent again");
}

/// What an officer looked for, by the reason that was given, each a different one.
#[derive(Default)]
struct Audited {
    /// Looks that were answered, with how many people each showed.
    answered: BTreeMap<String, usize>,
    /// Looks in whose midst the stack died.
    cut_off: BTreeSet<String>,
}

impl Audited {
    fn add(&mut self, more: Self) {
        self.answered.extend(more.answered);
        self.cut_off.extend(more.cut_off);
    }

    /// The audit has each look that was answered, once, with everybody who was shown, and none that nobody asked for. Gives a line
    /// about it.
    fn complete(&self, exported: &str) -> String {
        let mut found: BTreeMap<String, (u32, usize)> = BTreeMap::new();
        let mut csv = csv::Reader::from_reader(exported.as_bytes());
        for entry in csv.records().map(|entry| entry.unwrap()) {
            let (searches, shown) = found.entry(entry[6].to_owned()).or_default();
            match &entry[3] {
                "searched" => *searches += 1,
                "looked_at" => *shown += 1,
                // The login.
                _ => assert!(!entry[6].starts_with("life"), "{entry:?}"),
            }
        }
        found.retain(|look, _| look.starts_with("life"));
        for (look, people) in &self.answered {
            assert_eq!(found.remove(look), Some((1, *people)), "{look} in the audit: searches, people shown");
        }
        let begun = found.len();
        for (look, (searches, _)) in found {
            assert!(self.cut_off.contains(&look) && searches <= 1, "{look} is in the audit {searches} times");
        }
        let shown: usize = self.answered.values().sum();
        assert!(shown > 0, "nobody was shown to the officer");
        let looks = self.answered.len();
        format!(
            "{looks} looks of an officer at {shown} people, all on record, and {begun} in whose midst it died"
        )
    }
}

/// An officer who looks up one person after the other until the stack dies.
fn looking(url: &str, cookie: &str, expected: &[ExpectedRow], life: usize) -> JoinHandle<Audited> {
    let (url, cookie) = (url.to_owned(), cookie.to_owned());
    let phones: Vec<_> =
        expected.iter().map(|row| row.phone.clone()).filter(|phone| !phone.is_empty()).collect();
    std::thread::spawn(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut looks = Audited::default();
        for (at, phone) in phones.iter().cycle().enumerate() {
            let why = format!("life {life}, look {at}");
            let request = json!({"phone": phone, "why": why}).to_string();
            let sent = agent
                .post(format!("{url}/api/helpdesk/people"))
                .header("content-type", "application/json")
                .header("origin", &url)
                .header("cookie", &cookie)
                .send(request);
            // An answer counts once all of it is there.
            let shown = sent.and_then(|mut answer| Ok((answer.status(), answer.body_mut().read_to_vec()?)));
            let Ok((status, body)) = shown else {
                looks.cut_off.insert(why);
                break;
            };
            assert_eq!(status, 200, "an officer looks someone up");
            let body: Value = serde_json::from_slice(&body).unwrap();
            looks.answered.insert(why, body["people"].as_array().unwrap().len());
            std::thread::sleep(Duration::from_millis(50));
        }
        looks
    })
}

/// An import, and the name of its job once the file is dropped.
fn importing(url: &str, feed: &Path) -> (Child, Option<String>) {
    let mut import = Command::new(program("bukti"));
    import.args(["import", "--endpoint", url]).arg(feed);
    let mut import = import.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(import.stderr.take().unwrap()).lines().map_while(Result::ok);
    let job = output.find_map(|line| Some(line.split_once(" is job ")?.1.trim_end_matches('.').to_owned()));
    // Whatever it says further is of no interest, but must find a reader.
    std::thread::spawn(move || output.for_each(drop));
    (import, job)
}

fn lines(file: &Path) -> usize {
    fs::read(file).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}
