//! Why a stack does not start.

use std::path::PathBuf;

/// Why a stack does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something else listens there.
    #[error(
        "port {port} cannot be used ({reason}): end what listens there, or take another with --port {other}"
    )]
    Port {
        /// The port.
        port: u16,
        /// The system's word.
        reason: String,
        /// Another one to try.
        other: u16,
    },
    /// The data folder cannot be made or written.
    #[error("cannot write to {} ({reason}): take another folder with --data DIR", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// Another stack holds the data folder.
    #[error(
        "another Bukti runs with the data in {}: end that one, or take another folder with --data DIR",
        folder.display()
    )]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// The site's folder is not there.
    #[error("there is no site in {} ({reason}): build it with `cargo xtask site`, or leave --site out", folder.display())]
    NoSite {
        /// The folder.
        folder: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// Anything else.
    #[error("Bukti cannot start: {0:#}")]
    Other(anyhow::Error),
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
