//! The embedded stack as a separate process, for tests that kill it or set its options.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{call, program};

/// A running `bukti-local`, killed when it is dropped.
pub struct StackProcess {
    process: Child,
    /// Its base URL.
    pub url: String,
}

impl StackProcess {
    /// Starts the stack with its data in this folder.
    pub fn start(data: &Path, options: &[&OsStr]) -> Self {
        Self::start_with_command(data, |command| {
            command.args(options);
        })
    }

    /// Starts the stack with a changed command, such as other environment variables.
    pub fn start_with_command(data: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(program("bukti-local"));
        command.args(["--port", "0", "--data"]).arg(data).stdout(Stdio::piped());
        change(&mut command);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Bukti is running at ").unwrap().to_owned();
        Self { process, url }
    }

    /// Waits until the backlog is empty.
    pub fn wait_until_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while self.backlog() != 0 {
            assert!(Instant::now() < deadline, "the stack is still busy after 300 s");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The number of feeds and stream records that wait to be processed.
    pub fn backlog(&self) -> u64 {
        call(&self.url, "GET", "/_stack.json", None, None).body["backlog"].as_u64().unwrap()
    }
}

impl Drop for StackProcess {
    fn drop(&mut self) {
        // SIGKILL, so that the process cannot flush or shut down in order.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
