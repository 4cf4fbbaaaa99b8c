//! The error of a stack that fails to start.

use std::path::PathBuf;

/// The reason why a stack cannot start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use, or the process is not allowed to use it.
    #[error(
        "cannot listen on port {port} ({reason}): stop the program that uses it, or choose another with --port {other}"
    )]
    Port {
        /// The requested port.
        port: u16,
        /// The error message of the operating system.
        reason: String,
        /// Another port, which the message suggests.
        other: u16,
    },
    /// The data folder, or a file in it, cannot be created or written.
    #[error("cannot write to {} ({reason}): choose another folder with --data DIR", folder.display())]
    Unwritable {
        /// The data folder, or the file in it.
        folder: PathBuf,
        /// The error message of the operating system.
        reason: String,
    },
    /// Another stack has locked the data folder.
    #[error(
        "another Bukti uses the data in {}: stop it, or choose another folder with --data DIR",
        folder.display()
    )]
    Locked {
        /// The locked data folder.
        folder: PathBuf,
    },
    /// The folder of the site does not exist.
    #[error("there is no site in {} ({reason}): build it with `cargo xtask site`, or omit --site", folder.display())]
    NoSite {
        /// The requested folder.
        folder: PathBuf,
        /// The error message of the operating system.
        reason: String,
    },
    /// Any other error, with its causes.
    #[error("Bukti cannot start: {0:#}")]
    Other(anyhow::Error),
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
