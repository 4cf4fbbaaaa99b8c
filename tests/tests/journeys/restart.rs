//! Killed in the middle, started again: the same end state.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bukti_tests::{call, import, outbox, program, sample_feed};

use crate::feed::{assert_sms, documents_in, expected, repeated};

/// The program of the stack, killed when it is dropped.
pub struct Running {
    process: Child,
    pub url: String,
}

impl Running {
    pub fn start(data: &Path, options: &[&OsStr]) -> Self {
        let mut process = Command::new(program("bukti-local"))
            .args(["--port", "0", "--data"])
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Bukti is running at ").unwrap().to_owned();
        Self { process, url }
    }

    pub fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while call(&self.url, "GET", "/_stack.json", None, None).body["backlog"] != 0 {
            assert!(Instant::now() < deadline, "the stack does not come to rest");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: nothing is written, nothing is ended in order.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn killed_in_the_middle_of_an_import() {
    let Some(folder) = sample_feed() else { return };
    let data = tempfile::TempDir::new().unwrap();
    let feed = data.path().join("feed.csv");
    std::fs::copy(folder.join("doses-1.csv"), &feed).unwrap();
    let stack = data.path().join("stack");

    let kills = [1500, 4000];
    for after in kills {
        let running = Running::start(&stack, &[]);
        let mut importing = Command::new(program("bukti"))
            .args(["import", "--endpoint", &running.url])
            .arg(&feed)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after));
        drop(running);
        let _ = importing.kill();
        let _ = importing.wait();
    }

    let running = Running::start(&stack, &[]);
    let (output, report) = import(&running.url, &feed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    running.settle();
    let expected = expected(&folder);
    assert_eq!(report.len(), expected.len());
    let issued = expected.iter().filter(|row| row.outcome == "issued").count();
    let documents = documents_in(&stack);
    // A document whose record was not written before the end is made again: it may be there twice, never not at all.
    assert!((issued..issued + 40).contains(&documents), "{documents} of {issued}");
    assert_sms(&outbox(&running.url), &expected);
    // Where the process died between the SMS service's answer and the record of it, the same SMS was sent again.
    let repeated = repeated(&running.url);
    println!("sent again: {repeated} after {} kills", kills.len());
    assert!(repeated <= kills.len() as u64, "one at most is under way when a process dies");
}
