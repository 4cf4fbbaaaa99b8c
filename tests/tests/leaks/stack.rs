//! The embedded stack as a separate process. Its log is stored so that it can be searched.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bukti_tests::caller::Caller;
use bukti_tests::program;
use serde_json::Value;
use tempfile::TempDir;

/// A running `bukti-local` process, which is killed on drop.
pub struct Stack {
    process: Child,
    pub url: String,
    pub data: PathBuf,
    pub log: PathBuf,
    pub caller: Caller,
    _folder: TempDir,
}

impl Stack {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (data, log) = (folder.path().join("data"), folder.path().join("log"));
        let file = File::create(&log).unwrap();
        let mut process = Command::new(program("bukti-local"))
            .args(["--port", "0", "--data"])
            .arg(&data)
            .env("RUST_LOG", "warn,bukti=trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Bukti is running at ").unwrap().to_owned();
        let caller = Caller::new(&url, &data);
        Self { process, url, data, log, caller, _folder: folder }
    }

    /// Fetches the JSON at a path of the stack.
    pub fn json(&self, path: &str) -> Value {
        self.caller.call("GET", path, None, b"").json()
    }

    pub fn wait_until_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(600);
        while self.json("/_stack.json")["backlog"] != 0 {
            assert!(Instant::now() < deadline, "the stack is still busy after 600 s");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
