//! Where a stack is found.

use std::path::PathBuf;

use serde::Serialize;

/// Where a stack's services are, and with which keys. `/_stack.json` tells it to programs on this
/// machine, without the keys.
#[derive(Clone, Serialize)]
pub struct StackInfo {
    /// The address of everything.
    pub endpoint: String,
    /// The table.
    pub table: String,
    /// The bucket.
    pub bucket: String,
    /// The bucket of what is public.
    pub public_bucket: String,
    /// The file of the secrets. Who may read it is the system's to say.
    pub secrets: PathBuf,
    /// The file of the root, by which signers are certified.
    pub root: PathBuf,
    /// The region to sign for.
    pub region: String,
    /// The file of the keys, with the fields `access_key` and `secret_key`. Only its owner can read
    /// it.
    pub access_keys: PathBuf,
    /// The access key, new with each start.
    #[serde(skip)]
    pub access_key: String,
    /// The secret key, new with each start.
    #[serde(skip)]
    pub secret_key: String,
}
