//! Finds an embedded stack.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::fetch;

const NO_STACK: &str = "another program answers there";

/// The self-description of an embedded stack, served at `/_stack.json`.
#[derive(Deserialize)]
pub(super) struct StackInfo {
    pub(super) endpoint: String,
    pub(super) table: String,
    pub(super) bucket: String,
    pub(super) public_bucket: String,
    pub(super) secrets: PathBuf,
    pub(super) root: PathBuf,
    pub(super) region: String,
    pub(super) access_keys: PathBuf,
    pub(super) backlog: u64,
}

/// Reads the address in `.bukti/endpoint` in this folder or in the nearest parent that has the
/// file. A running stack writes this file to its data folder.
pub(super) fn announced_endpoint(folder: &Path) -> Option<String> {
    let files = folder.ancestors().map(|folder| folder.join(".bukti/endpoint"));
    let read = |file: PathBuf| std::fs::read_to_string(file).ok();
    files.filter_map(read).map(|endpoint| endpoint.trim().to_owned()).find(|endpoint| !endpoint.is_empty())
}

/// Fetches the description of the stack at this address.
pub(super) async fn stack_info(endpoint: &str) -> Result<StackInfo> {
    let address = format!("{}/_stack.json", endpoint.trim_end_matches('/'));
    let answer = fetch::get_local(&address).await?.context(NO_STACK)?;
    let info: StackInfo = serde_json::from_slice(&answer).context(NO_STACK)?;
    if port(&info.endpoint) != port(endpoint) {
        bail!("the stack there states the address {}: use that", info.endpoint);
    }
    Ok(info)
}

/// Returns the port of an address. An embedded stack listens only on loopback, so the port
/// identifies it.
fn port(endpoint: &str) -> Option<u16> {
    let endpoint: http::Uri = endpoint.parse().ok()?;
    endpoint.authority().map(|authority| authority.port_u16().unwrap_or(80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_endpoint_in_nearest_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(folder.path().join(".bukti")).unwrap();
        std::fs::write(folder.path().join(".bukti/endpoint"), "http://127.0.0.1:1234\n").unwrap();
        assert_eq!(announced_endpoint(&deep).as_deref(), Some("http://127.0.0.1:1234"));
    }
}
