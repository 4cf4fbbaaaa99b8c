//! Confirmations by two officers that a person's identity data are correct although they contradict
//! the NIK.
//!
//! When a case about data that are correct by law is granted, the confirmation and the case are
//! written in one transaction. The size of this transaction does not depend on the number of held
//! doses. Each held dose is updated afterwards by an idempotent conditional write:
//!
//! - `issue` receives the confirmation from the table's stream and applies it to all held doses of
//!   the person. The stream retries until this succeeds.
//! - The intake reads the confirmations before it stores a held row. If a confirmation is written
//!   between this read and the write of the dose, `issue` applies it, because it reads the
//!   confirmations for each held dose that the stream delivers.
//!
//! The case and the audit log record who proposed the confirmation and who approved it.

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_records::{CaseKey, ConfirmationRecord, ItemKey, Partition, PersonKey};

use crate::table::{Table, from_item, to_item};
use crate::{Aws, StoreError};

/// Reads and writes confirmations.
#[derive(Clone)]
pub(crate) struct Confirmations {
    table: Table,
}

impl Confirmations {
    pub(crate) fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// The digests of all confirmed identity data of a person. Strongly consistent.
    pub(crate) async fn covered(&self, person: &PersonKey) -> Result<Vec<String>, StoreError> {
        let items = self.table.partition(&Partition::confirmations(person)).await?;
        let mut covered = Vec::new();
        for item in items {
            covered.extend(from_item::<ConfirmationRecord>(item, "confirmation")?.covered);
        }
        Ok(covered)
    }

    /// Part of a transaction: writes the confirmation that results from granting a case.
    pub(crate) fn writing(
        &self,
        record: &ConfirmationRecord,
        case: &CaseKey,
    ) -> Result<TransactWriteItem, StoreError> {
        let item = to_item(&ItemKey::confirmation(&record.pk, case), record)?;
        self.table.putting(item, "attribute_not_exists(pk)", &[])
    }
}
