//! Confirmed identities: data of a person that rightly contradict their NIK, confirmed by two officers.
//!
//! Granting a case of data corrected by law writes the confirmation and the case in one transaction.
//! Its size does not depend on how many doses are held: each of those follows by an idempotent
//! conditional write.
//!
//! - `issue` receives the confirmation from the table's stream and applies it to all held doses of the
//!   person. The stream retries until that has succeeded.
//! - Intake reads the confirmations before it keeps a held row. Where a confirmation is written between
//!   this read and the write of the dose, `issue` finds it: it reads the confirmations again for each
//!   held dose that the stream brings.
//!
//! Who proposed and who approved it is in the case and in the audit.

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

    /// The digests of all identity data of a person that are confirmed, as they are now.
    pub(crate) async fn covered(&self, person: &PersonKey) -> Result<Vec<String>, StoreError> {
        let items = self.table.partition(&Partition::confirmations(person)).await?;
        let mut covered = Vec::new();
        for item in items {
            covered.extend(from_item::<ConfirmationRecord>(item, "confirmation")?.covered);
        }
        Ok(covered)
    }

    /// Part of a transaction: writes the confirmation that a case is granted by.
    pub(crate) fn writing(
        &self,
        record: &ConfirmationRecord,
        case: &CaseKey,
    ) -> Result<TransactWriteItem, StoreError> {
        let item = to_item(&ItemKey::confirmation(&record.pk, case), record)?;
        self.table.putting(item, "attribute_not_exists(pk)", &[])
    }
}
