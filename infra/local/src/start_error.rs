//! The error of a stack that cannot start.

use std::path::PathBuf;

/// Why a stack cannot start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use, or may not be used.
    #[error(
        "cannot listen on port {port} ({reason}): stop the program that uses it, or choose another with --port {other}"
    )]
    Port {
        /// The port that was requested.
        port: u16,
        /// The error of the system.
        reason: String,
        /// A port to suggest.
        other: u16,
    },
    /// The data folder cannot be created or written.
    #[error("cannot write to {} ({reason}): choose another folder with --data DIR", folder.display())]
    Unwritable {
        /// The folder, or the file in it.
        folder: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// Another stack has locked the data folder.
    #[error(
        "another Bukti uses the data in {}: stop it, or choose another folder with --data DIR",
        folder.display()
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder of the site does not exist.
    #[error("there is no site in {} ({reason}): build it with `cargo xtask site`, or omit --site", folder.display())]
    NoSite {
        /// The folder that was requested.
        folder: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// Any other error.
    #[error("Bukti cannot start: {0:#}")]
    Other(anyhow::Error),
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
