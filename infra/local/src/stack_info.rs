//! The addresses, names and keys of a stack.

use std::path::PathBuf;

use serde::Serialize;

/// The addresses, names and keys of a stack's services. `/_stack.json` serves them to programs on
/// this machine, without the keys.
#[derive(Clone, Serialize)]
pub struct StackInfo {
    /// The address of all services.
    pub endpoint: String,
    /// The table.
    pub table: String,
    /// The private bucket.
    pub bucket: String,
    /// The bucket of the public trust and revocation lists.
    pub public_bucket: String,
    /// The file of the secrets. Only its owner can read it.
    pub secrets: PathBuf,
    /// The file of the root that certifies signers.
    pub root: PathBuf,
    /// The region that signatures of calls name.
    pub region: String,
    /// The JSON file of the keys below, with fields of the same names. Only its owner can read it.
    pub access_keys: PathBuf,
    /// The access key id; a new one on each start.
    #[serde(skip)]
    pub access_key: String,
    /// The secret access key; a new one on each start.
    #[serde(skip)]
    pub secret_key: String,
}
