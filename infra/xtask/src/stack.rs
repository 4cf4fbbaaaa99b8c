//! Starts the embedded stack for tasks that test or measure it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Project;

/// The text that `bukti-local` prints before its address once it is ready.
const READY_PREFIX: &str = "Bukti is running at ";
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// The cargo profile that the program was built with.
#[derive(Clone, Copy)]
pub enum Build {
    /// The profile for tests.
    Debug,
    /// The profile `stack`, which is optimised for speed.
    Fast,
}

/// A process of the embedded stack. It is killed when this value is dropped.
pub struct Stack {
    process: Child,
    /// The address of the stack, without a trailing slash.
    pub url: String,
    /// The path of the log file with the stack's output.
    pub log: PathBuf,
}

impl Stack {
    /// Starts the most recently built program on a free port, and waits until it is ready.
    ///
    /// # Errors
    /// If the stack cannot be started or does not become ready. The message includes its output.
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
        let output = stack.process.stdout.take().context("the stack has no stdout")?;
        let (send, ready) = mpsc::channel();
        // Reading continues after the address, because a full pipe would block the stack.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once(READY_PREFIX) {
                    let url = url.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
                    let _ = send.send(url.to_owned());
                }
                let _ = writeln!(file, "{line}");
            }
        });
        // The sender is dropped when the stack exits, so a failed start is reported at once.
        stack.url = ready.recv_timeout(READY_TIMEOUT).with_context(|| {
            let log = fs::read_to_string(log).unwrap_or_default();
            format!(
                "bukti-local did not print `{READY_PREFIX}…` within a minute. Its output:\n{}\n",
                log.trim()
            )
        })?;
        Ok(stack)
    }
}

impl Stack {
    /// Returns the peak resident memory, in megabytes.
    ///
    /// # Errors
    /// If `/proc` does not provide it.
    pub fn peak_memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("/proc has no VmHWM for the stack")?;
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
