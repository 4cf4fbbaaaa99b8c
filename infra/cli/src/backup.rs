//! `bukti backup` and `bukti restore`: all records and documents of a deployment in a folder.
//!
//! ```text
//! FOLDER/table.json.gz        one item per line, as in DynamoDB's exports to S3: {"Item": {"pk": {"S": "…"}, …}}
//! FOLDER/documents/KEY.sealed the PDFs of the certificates, each sealed with its key in the bucket as associated data
//! ```
//!
//! Personal fields are sealed as in the table, and documents with the same key. A backup is useless
//! without the secrets, which are stored elsewhere.

mod create;
mod files;
mod restore;

pub(crate) use self::create::{BackupOptions, backup};
pub(crate) use self::restore::{RestoreOptions, restore};

/// Documents, or batches of items, that are transferred concurrently.
const CONCURRENCY: usize = 8;

/// The error context of a failed scan.
const TABLE_UNREADABLE: &str = "cannot read the table";
