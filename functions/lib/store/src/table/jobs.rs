//! Import jobs: the progress and results of importing a feed from the bucket or a request over
//! HTTP.
//!
//! The transaction that marks a part as stored or reported also updates the counters of the job, so
//! that a part is not counted twice if its event is delivered twice.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_records::{FeedProblem, ItemKey, JobRecord, PartRecord, Partition};

use crate::table::{Table, Written, from_item, n, s, to_item};
use crate::{Aws, StoreError};

/// Stores and reads import jobs.
#[derive(Clone)]
pub struct Jobs {
    table: Table,
}

impl Jobs {
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Creates an instance that uses the table with this name. For the command line, which has no
    /// access to the secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// The job with this id; `None` if the id is unknown.
    pub async fn get(&self, job: &str) -> Result<Option<JobRecord>, StoreError> {
        self.table.get(&ItemKey::job(job)).await?.map(|item| from_item(item, "job")).transpose()
    }

    /// Creates a job unless it exists. Returns the stored record.
    pub async fn begin(&self, job: &str, record: JobRecord) -> Result<JobRecord, StoreError> {
        let item = to_item(&ItemKey::job(job), &record)?;
        match self.table.put_if(item, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => Ok(record),
            Written::Refused(Some(item)) => from_item(item, "job"),
            Written::Refused(None) => Err(StoreError::Corrupt("job")),
        }
    }

    /// Records how much of the file has been read.
    pub async fn cut(&self, job: &str, record: &JobRecord) -> Result<(), StoreError> {
        let values = [
            (":parts", n(record.parts_cut)),
            (":rows", n(record.rows)),
            (":bytes", n(record.bytes_done)),
            (":now", s(record.updated_at.to_string())),
        ];
        let update = "SET parts_cut = :parts, rows_read = :rows, bytes_done = :bytes, updated_at = :now";
        self.update(job, update, &values).await
    }

    /// Records that the file has been read to its end, with the number of its parts and the defect
    /// of the file, if any.
    pub async fn cut_ended(
        &self,
        job: &str,
        parts: u32,
        rows: u64,
        problem: Option<&FeedProblem>,
    ) -> Result<(), StoreError> {
        let mut values = vec![(":parts", n(parts)), (":rows", n(rows))];
        let mut update =
            "SET parts_all = :parts, parts_cut = :parts, rows_read = :rows, bytes_done = bytes_total"
                .to_owned();
        if let Some(problem) = problem {
            let problem = serde_dynamo::to_attribute_value(problem);
            values
                .push((":problem", problem.map_err(|_| StoreError::Corrupt("a problem cannot be written"))?));
            update.push_str(", problem = :problem");
        }
        self.update(job, &update, &values).await
    }

    async fn update(
        &self,
        job: &str,
        update: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<(), StoreError> {
        self.table.update_if(&ItemKey::job(job), update, "attribute_exists(pk)", values).await?;
        Ok(())
    }

    /// Records that the rows of a part are stored. Idempotent.
    pub async fn part_kept(&self, job: &str, part: u32, record: &PartRecord) -> Result<(), StoreError> {
        let update = "ADD parts_kept :one, rows_kept :rows, parts_reported :reported";
        let values = [(":one", n(1)), (":rows", n(record.rows)), (":reported", n(u8::from(record.reported)))];
        let items = vec![
            self.table.putting(
                to_item(&ItemKey::part(job, part), record)?,
                "attribute_not_exists(pk)",
                &[],
            )?,
            self.table.updating(&ItemKey::job(job), update, "attribute_exists(pk)", &values)?,
        ];
        self.table.transact(items).await?;
        Ok(())
    }

    /// Records that the row results of a part are final. Idempotent.
    pub async fn part_reported(&self, job: &str, part: u32, record: &PartRecord) -> Result<(), StoreError> {
        let item = to_item(&ItemKey::part(job, part), record)?;
        let items = vec![
            self.table.putting(item, "reported = :no", &[(":no", AttributeValue::Bool(false))])?,
            self.table.updating(
                &ItemKey::job(job),
                "ADD parts_reported :one",
                "attribute_exists(pk)",
                &[(":one", n(1))],
            )?,
        ];
        self.table.transact(items).await?;
        Ok(())
    }

    /// The stored parts of a job, by part number.
    pub async fn parts(&self, job: &str) -> Result<BTreeMap<u32, PartRecord>, StoreError> {
        let mut parts = BTreeMap::new();
        for item in self.table.partition(&Partition::parts(job)).await? {
            let number = item.get("sk").and_then(|sk| ItemKey::part_number(sk.as_s().ok()?));
            parts.insert(number.ok_or(StoreError::Corrupt("part"))?, from_item(item, "part")?);
        }
        Ok(parts)
    }

    /// Records the end of a job. Needs no condition, because concurrent callers write identical
    /// records.
    pub async fn end(&self, job: &str, record: &JobRecord) -> Result<(), StoreError> {
        self.table.put(to_item(&ItemKey::job(job), record)?).await
    }
}
