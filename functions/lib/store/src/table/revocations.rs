//! Certificates that count no more, for the public lists.

use std::collections::HashMap;

use bukti_hcert::hex;
use bukti_trust::{HashKind, Revoked, RevokedReason};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::table::{Item, Table, from_item, s};
use crate::{Aws, StoreError};

/// Partitions that are read at the same time.
const AT_ONCE: usize = 8;

/// A certificate that counts no more. Neither the person nor why an admin revoked it.
#[derive(Serialize, Deserialize)]
pub(crate) struct RevocationRecord {
    pub(crate) kid: ByteArray<8>,
    pub(crate) kind: HashKind,
    pub(crate) digest: ByteArray<16>,
    pub(crate) reason: RevokedReason,
    pub(crate) revoked_at: Timestamp,
    /// When the certificate ends, in Unix seconds: an expired one need not be listed.
    pub(crate) expires_at: i64,
}

impl RevocationRecord {
    /// The partition by the first byte of the hash: 256, so that neither writing nor reading many goes to one place.
    pub(crate) fn partition(&self) -> String {
        partition(self.digest[0])
    }
}

fn partition(first: u8) -> String {
    format!("R#{}", hex(&[first]))
}

/// Reads what is revoked.
#[derive(Clone)]
pub struct Revocations {
    table: Table,
}

impl Revocations {
    /// The revocations of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// All certificates that are revoked and have not ended. A million are about 30 MB.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn all(&self, now: Timestamp) -> Result<Vec<Revoked>, StoreError> {
        let partitions = stream::iter(0..=u8::MAX).map(|first| self.of_partition(first, now));
        partitions.buffer_unordered(AT_ONCE).try_concat().await
    }

    async fn of_partition(&self, first: u8, now: Timestamp) -> Result<Vec<Revoked>, StoreError> {
        let mut found = Vec::new();
        let mut from: Option<HashMap<_, _>> = None;
        loop {
            // Page by page, since an item takes many times the memory of what is kept of it.
            let request = self.table.client.query().table_name(&self.table.name).consistent_read(true);
            let request = request.key_condition_expression("pk = :pk");
            let request = request.expression_attribute_values(":pk", s(partition(first)));
            let page =
                request.set_exclusive_start_key(from.take()).send().await.map_err(StoreError::from_sdk)?;
            for item in page.items.unwrap_or_default() {
                found.extend(revoked(item, now)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
    }
}

fn revoked(item: Item, now: Timestamp) -> Result<Option<Revoked>, StoreError> {
    let record: RevocationRecord = from_item(item, "revocation")?;
    // The table's TTL takes ended ones away within days.
    Ok((record.expires_at > now.as_second()).then_some(Revoked {
        kid: record.kid.into_array(),
        kind: record.kind,
        hash: record.digest.into_array(),
        reason: record.reason,
    }))
}
