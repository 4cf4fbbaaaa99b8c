//! Ministack, an AWS emulator: it implements AWS's protocols, runs Lambda functions as processes,
//! and can enforce IAM roles.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A child process that is killed when the guard is dropped.
pub struct ProcessGuard(pub Child);

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running ministack process, which is killed on drop.
pub struct Ministack {
    _process: ProcessGuard,
    /// The endpoint URL, for `AWS_ENDPOINT_URL`.
    pub url: String,
    /// The port on 127.0.0.1.
    pub port: u16,
}

impl Ministack {
    /// Starts ministack with a Python interpreter that has it installed, and waits until ministack
    /// accepts connections. If `auth` is set, ministack enforces IAM roles.
    ///
    /// Lambda functions inherit ministack's environment, so it contains only the variables that
    /// ministack needs.
    pub fn start(python: &OsStr, folder: &Path, auth: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        let log = folder.join("ministack.log");
        let file = File::create(&log).unwrap();
        let process = Command::new(python)
            .args(["-m", "ministack"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs([("HOME", folder), ("TMPDIR", folder)])
            .envs([("BIND_HOST", "127.0.0.1"), ("MINISTACK_HOST", "localhost"), ("AWS_ENDPOINT_URL", &url)])
            .envs([("GATEWAY_PORT", &*port.to_string()), ("IOT_MTLS_ENABLED", "0"), ("SFTP_ENABLED", "0")])
            .envs(auth.then_some(("AUTH", "true")))
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let ministack = Self { _process: ProcessGuard(process), url, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(100));
        }
        ministack
    }
}
