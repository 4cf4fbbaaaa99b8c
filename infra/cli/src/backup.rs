//! `bukti backup` and `bukti restore`: save all records and documents of a deployment to a folder,
//! and restore them.
//!
//! ```text
//! FOLDER/table.json.gz         one item per line, as in DynamoDB exports to S3:
//!                              {"Item": {"pk": {"S": "…"}, …}}
//! FOLDER/documents/KEY.sealed  the PDF certificates, each sealed with its bucket key as
//!                              associated data
//! ```
//!
//! Personal fields stay sealed as they are in the table, and documents are sealed with the same
//! key. The backup is useless without the deployment's secrets, which are stored elsewhere.

mod create;
mod files;
mod restore;

pub(crate) use self::create::{BackupOptions, backup};
pub(crate) use self::restore::{RestoreOptions, restore};

/// The number of documents, or batches of items, that are transferred concurrently.
const CONCURRENCY: usize = 8;

/// The error context for failed reads of the table.
const TABLE_UNREADABLE: &str = "cannot read the table";
