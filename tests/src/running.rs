//! The stack as a program of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{call, program};

/// The program of the stack, killed when it is dropped.
pub struct Running {
    process: Child,
    /// Where it answers.
    pub url: String,
}

impl Running {
    /// Starts it with its data in this folder.
    pub fn start(data: &Path, options: &[&OsStr]) -> Self {
        Self::start_by(data, |command| {
            command.args(options);
        })
    }

    /// Starts it otherwise than usual.
    pub fn start_by(data: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(program("bukti-local"));
        command.args(["--port", "0", "--data"]).arg(data).stdout(Stdio::piped());
        change(&mut command);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Bukti is running at ").unwrap().to_owned();
        Self { process, url }
    }

    /// Waits until everything is worked off.
    pub fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while self.backlog() != 0 {
            assert!(Instant::now() < deadline, "the stack does not come to rest");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How much is still to do.
    pub fn backlog(&self) -> u64 {
        call(&self.url, "GET", "/_stack.json", None, None).body["backlog"].as_u64().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: nothing is written, nothing is ended in order.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
