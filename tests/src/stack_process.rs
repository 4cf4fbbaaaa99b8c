//! The embedded stack as a separate process, for tests that kill it or set its options.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{call, program};

/// A running `bukti-local` process, which is killed with SIGKILL on drop.
pub struct StackProcess {
    process: Child,
    /// The stack's base URL.
    pub url: String,
}

impl StackProcess {
    /// Starts the stack with this data folder and these command-line options.
    pub fn start(data: &Path, options: &[&OsStr]) -> Self {
        Self::start_with_command(data, |command| {
            command.args(options);
        })
    }

    /// Starts the stack with this data folder. `change` modifies the command, for example its
    /// environment variables.
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

    /// Waits until the backlog is empty. Panics after 300 s.
    pub fn wait_until_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while self.backlog() != 0 {
            assert!(Instant::now() < deadline, "the stack is still busy after 300 s");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The number of feeds and stream records that have not been processed yet.
    pub fn backlog(&self) -> u64 {
        call(&self.url, "GET", "/_stack.json", None, None).body["backlog"].as_u64().unwrap()
    }
}

impl Drop for StackProcess {
    fn drop(&mut self) {
        // `kill` sends SIGKILL, so the process cannot flush data or shut down cleanly.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
