//! The embedded stack, for tasks that test or measure on it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Project;

/// What `bukti-local` prints when it is ready, before its address.
const READY: &str = "Bukti is running at ";
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Which of its programs.
#[derive(Clone, Copy)]
pub enum Build {
    /// As it is tested.
    Debug,
    /// As fast as it can be.
    Fast,
}

/// The embedded stack as a process, which ends with this value.
pub struct Stack {
    process: Child,
    /// Where it answers, without a slash at the end.
    pub url: String,
    /// What it has said.
    pub log: PathBuf,
}

impl Stack {
    /// Starts it, as it was built last, on a free port and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it cannot be started or does not get ready; the message has what it said.
    pub fn start(
        project: &Project,
        build: Build,
        data: &Path,
        site: Option<&Path>,
        log: &Path,
    ) -> Result<Self> {
        let folder = match build {
            Build::Debug => "debug",
            Build::Fast => "stack",
        };
        let mut command = project.command(project.target.join(folder).join("bukti-local"));
        command.args(["--port", "0", "--data"]).arg(data);
        if let Some(site) = site {
            command.arg("--site").arg(site);
        }
        let mut file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?);
        let process =
            command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut stack = Self { process, url: String::new(), log: log.to_owned() };
        let output = stack.process.stdout.take().context("bukti-local has no output")?;
        let (send, ready) = mpsc::channel();
        // Reads on after the ready line, since a full pipe would stop the stack.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once(READY) {
                    let url = url.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
                    let _ = send.send(url.to_owned());
                }
                let _ = writeln!(file, "{line}");
            }
        });
        // The sender goes away when the stack ends, so a stack that cannot start is noticed at once.
        stack.url = ready.recv_timeout(READY_LIMIT).with_context(|| {
            let log = fs::read_to_string(log).unwrap_or_default();
            format!("bukti-local did not print `{READY}…`. It said:\n{}\n", log.trim())
        })?;
        Ok(stack)
    }
}

impl Stack {
    /// The most memory that it has had so far, in megabytes.
    ///
    /// # Errors
    /// Where the machine does not tell.
    pub fn most_memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kb / 1024.0)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
