//! Jobs of the intake: how far a dropped feed is.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Table, from_item, to_item};
use crate::{Aws, StoreError};

const SK: &str = "JOB";

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Under way.
    #[default]
    Running,
    /// The whole file was taken in.
    Done,
    /// The file as such is bad. What was whole of it was taken in.
    Failed,
}

/// What is wrong with a file as such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedProblem {
    /// A stable code: `not_utf8`, `header_wrong`, `broken_off`, `row_too_long`, `empty`; of packed files `compression_broken`,
    /// `compressed_too_much`; of FHIR `json_malformed`, `not_a_bundle`, `bundle_too_large`.
    pub code: String,
    /// The line of the file, from 1.
    pub line: u64,
    /// What it is about, in English, without data of persons.
    pub detail: String,
}

/// A job as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Where it stands.
    pub state: JobState,
    /// Bytes of the file.
    pub bytes_total: u64,
    /// Bytes whose rows are kept.
    pub bytes_done: u64,
    /// Rows that are kept or reported back.
    pub rows: u64,
    /// Rows by outcome, once it is done.
    pub totals: BTreeMap<String, u64>,
    /// What is wrong with the file as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<FeedProblem>,
    /// Where the report is in the bucket, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When it was last written.
    #[serde(default)]
    pub updated_at: Timestamp,
}

/// Keeps and reads jobs.
#[derive(Clone)]
pub struct Jobs {
    table: Table,
}

impl Jobs {
    /// The jobs of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// The jobs of a table, for the command line, which has no secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// Keeps how far a job is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn keep(&self, job: &str, record: &JobRecord) -> Result<(), StoreError> {
        self.table.put(to_item(&format!("J#{job}"), SK, record)?).await
    }

    /// The job of this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn get(&self, job: &str) -> Result<Option<JobRecord>, StoreError> {
        self.table.get(&format!("J#{job}"), SK).await?.map(|item| from_item(item, "job")).transpose()
    }
}
