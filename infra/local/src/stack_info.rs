//! The addresses, resource names and access keys of a stack.

use std::path::PathBuf;

use serde::Serialize;

/// The addresses, resource names and access keys of a stack's services. `/_stack.json` serves them
/// to programs on this machine, without the access keys.
#[derive(Clone, Serialize)]
pub struct StackInfo {
    /// The URL of all services.
    pub endpoint: String,
    /// The name of the table.
    pub table: String,
    /// The name of the private bucket.
    pub bucket: String,
    /// The name of the bucket with the public trust and revocation lists.
    pub public_bucket: String,
    /// The file with the functions' secrets. Only its owner can read it.
    pub secrets: PathBuf,
    /// The file with the root, which certifies signers.
    pub root: PathBuf,
    /// The region for which clients sign their calls.
    pub region: String,
    /// The JSON file with the access keys below, under the same field names. Only its owner can
    /// read it.
    pub access_keys: PathBuf,
    /// The access key id. Each start generates a new one.
    #[serde(skip)]
    pub access_key: String,
    /// The secret access key. Each start generates a new one.
    #[serde(skip)]
    pub secret_key: String,
}
