//! Revoked and superseded certificates, read for the public revocation lists.

use std::collections::HashMap;

use bukti_records::{Partition, RevocationRecord};
use bukti_trust::Revoked;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::table::{Table, from_item, s};
use crate::{Aws, StoreError};

/// The number of partitions that are read concurrently.
const CONCURRENT_QUERIES: usize = 8;

/// Reads the revocations that the public lists contain.
#[derive(Clone)]
pub struct Revocations {
    table: Table,
}

impl Revocations {
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// All revoked or superseded certificates that have not expired. A million of them take about
    /// 30 MB of memory.
    pub async fn all(&self, now: Timestamp) -> Result<Vec<Revoked>, StoreError> {
        let partitions = stream::iter(0..=u8::MAX).map(|first| self.of_partition(first, now));
        partitions.buffer_unordered(CONCURRENT_QUERIES).try_concat().await
    }

    async fn of_partition(&self, first: u8, now: Timestamp) -> Result<Vec<Revoked>, StoreError> {
        let mut found = Vec::new();
        let mut from: Option<HashMap<_, _>> = None;
        loop {
            // Read page by page, because an item takes many times the memory of its list entry.
            let request = self.table.client.query().table_name(&self.table.name).consistent_read(true);
            let request = request.key_condition_expression("pk = :pk");
            let request = request.expression_attribute_values(":pk", s(Partition::revocations(first).pk));
            let page =
                request.set_exclusive_start_key(from.take()).send().await.map_err(StoreError::from_sdk)?;
            for item in page.items.unwrap_or_default() {
                let record: RevocationRecord = from_item(item, "revocation")?;
                // Expired items remain until the table's TTL deletes them, which can take days.
                found.extend(record.listed(now));
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
    }
}
