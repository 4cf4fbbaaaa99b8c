//! A feed whose stack is killed (SIGKILL) at random moments, and started again each time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bukti_aws::{Aws, Settings};
use bukti_tests::expected::{assert_report, assert_sms, made};
use bukti_tests::running::Running;
use bukti_tests::{call, outbox, program, read_report, repeated};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::{asked, books, people};

/// How long a life may bring no SMS before it ends all the same: an SMS whose sender died waits for 20 s.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn killed_at_random_moments() {
    let rows = asked("BUKTI_CHAOS_ROWS", 300);
    let kills = usize::try_from(asked("BUKTI_CHAOS_KILLS", 2)).unwrap();
    let seed = asked("BUKTI_CHAOS_SEED", 1);
    let folder = tempfile::TempDir::new().unwrap();
    let (feed, expected) = made(folder.path(), people(rows), seed);
    let data = folder.path().join("stack");
    let sms = expected.iter().filter(|row| row.first_dose_sms && row.outcome == "issued").count();

    // The deaths are spread over the SMS, so that none comes when all is done.
    let mut random = StdRng::seed_from_u64(seed);
    let mut moments: Vec<usize> = (0..kills).map(|_| random.random_range(0..sms * 9 / 10)).collect();
    moments.sort_unstable();
    let (began, mut twice, mut deaths) = (Instant::now(), 0, 0);
    let mut job = None;
    for moment in moments {
        let running = Running::start(&data, &[]);
        // What was dropped goes on by itself.
        let mut importing = job.is_none().then(|| importing(&running.url, &feed));
        if let Some((_, dropped)) = &importing {
            job.clone_from(dropped);
        }
        let born = Instant::now();
        while lines(&data.join("outbox.jsonl")) < moment && born.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..500)));
        if running.backlog() > 0 {
            deaths += 1;
        }
        twice += repeated(&running.url);
        drop(running);
        if let Some((import, _)) = &mut importing {
            let _ = import.kill();
            let _ = import.wait();
        }
    }

    let running = Running::start(&data, &[]);
    let report = folder.path().join("report.csv");
    let reported = Command::new(program("bukti"))
        .args(["report", &job.unwrap(), "--endpoint", &running.url, "--report"])
        .arg(&report)
        .output()
        .unwrap();
    assert!(reported.status.success(), "{}", String::from_utf8_lossy(&reported.stderr));
    running.settle();
    twice += repeated(&running.url);
    assert_report(&read_report(&report), &expected);
    assert_sms(&outbox(&running.url), &expected);
    let books = books::balanced(&aws(&running.url), &data, &expected);
    println!(
        "{} rows, seed {seed}: {deaths} of {kills} deaths while there was something to do, {:.0} s; {} certificates, {} superseded; \
         {sms} SMS; SMS that were sent again after a death: {twice}; documents that nobody names: {}",
        expected.len(),
        began.elapsed().as_secs_f64(),
        books.good,
        books.superseded,
        books.left_over
    );
    assert!(deaths > 0, "it never died at work");
    // One at most is between the SMS service's answer and the record of it when a process dies.
    assert!(twice <= kills as u64, "{twice} SMS were sent again");
}

/// An import, and the name of its job once the file is dropped.
fn importing(url: &str, feed: &Path) -> (Child, Option<String>) {
    let mut import = Command::new(program("bukti"));
    import.args(["import", "--endpoint", url]).arg(feed);
    let mut import = import.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(import.stderr.take().unwrap()).lines().map_while(Result::ok);
    let job = said.find_map(|line| Some(line.split_once(" is job ")?.1.trim_end_matches('.').to_owned()));
    // Whatever it says further is of no interest, but must find a reader.
    std::thread::spawn(move || said.for_each(drop));
    (import, job)
}

fn lines(file: &Path) -> usize {
    fs::read(file).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

/// The table of a stack that runs by itself.
fn aws(url: &str) -> Aws {
    let info = call(url, "GET", "/_stack.json", None, None).body;
    let text = |name: &str| info[name].as_str().unwrap().to_owned();
    let settings = Settings::local(url, &text("access_key"), &text("secret_key"), text("secrets").into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Aws::connect(settings)).unwrap()
}
