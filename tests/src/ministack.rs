//! Ministack, an emulator of an AWS account: it speaks AWS's protocols, runs Lambda functions as
//! processes, and can enforce roles.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A child process that is killed when it is dropped.
pub struct ProcessGuard(pub Child);

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running ministack.
pub struct Ministack {
    _process: ProcessGuard,
    /// Its endpoint, for `AWS_ENDPOINT_URL`.
    pub url: String,
    /// Its port.
    pub port: u16,
}

impl Ministack {
    /// Starts ministack with a Python that has it installed, and waits until it accepts
    /// connections. `auth`: whether it enforces roles.
    ///
    /// Functions inherit its environment, so it gets only what it needs.
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
