//! An emulated AWS account, ministack: AWS's protocols, Lambda functions as processes, roles that are enforced.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A process that ends with the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The account as a process.
pub struct Ministack {
    _process: Process,
    /// Where it answers, for `AWS_ENDPOINT_URL`.
    pub url: String,
    /// Its port.
    pub port: u16,
}

impl Ministack {
    /// Starts it with the Python that has it, and waits until it answers. Functions inherit its environment, so that is
    /// empty. `auth`: whether roles are enforced.
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
        let stack = Self { _process: Process(process), url, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(100));
        }
        stack
    }
}
