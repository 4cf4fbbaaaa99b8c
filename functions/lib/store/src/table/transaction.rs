//! Transactions: the parts that they consist of, and their execution.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update};
use bukti_records::ItemKey;

use super::{AT_REVISION, Item, MAX_RACES, StoreError, Table, key, named, revision_value};

const INCOMPLETE: StoreError = StoreError::Corrupt("part of a transaction");

impl Table {
    /// Part of a transaction: puts an item if the condition holds.
    pub(crate) fn putting(
        &self,
        item: Item,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).condition_expression(condition);
        let put = put.set_expression_attribute_values(named(values)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| INCOMPLETE)?).build())
    }

    /// Part of a transaction: deletes an item, if it exists.
    pub(crate) fn deleting(&self, at: &ItemKey) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key(at))).build();
        Ok(TransactWriteItem::builder().delete(delete.map_err(|_| INCOMPLETE)?).build())
    }

    /// Part of a transaction: deletes an item if it is at this revision.
    pub(crate) fn deleting_at(&self, revision: u32, at: &ItemKey) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key(at)));
        let delete = delete.condition_expression(AT_REVISION);
        let delete = delete.set_expression_attribute_values(named(&revision_value(revision))).build();
        Ok(TransactWriteItem::builder().delete(delete.map_err(|_| INCOMPLETE)?).build())
    }

    /// Part of a transaction: replaces an item if it is at this revision.
    pub(crate) fn putting_at(&self, revision: u32, item: Item) -> Result<TransactWriteItem, StoreError> {
        self.putting(item, AT_REVISION, &revision_value(revision))
    }

    /// Part of a transaction: requires that an item is at this revision, without changing it.
    pub(crate) fn checking_at(&self, revision: u32, at: &ItemKey) -> Result<TransactWriteItem, StoreError> {
        self.checking(at, AT_REVISION, &revision_value(revision))
    }

    /// Part of a transaction: updates an item if the condition holds.
    pub(crate) fn updating(
        &self,
        at: &ItemKey,
        update: &str,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<TransactWriteItem, StoreError> {
        let item = Update::builder().table_name(&self.name).set_key(Some(key(at)));
        let item = item.update_expression(update).condition_expression(condition);
        let item = item.set_expression_attribute_values(named(values)).build();
        Ok(TransactWriteItem::builder().update(item.map_err(|_| INCOMPLETE)?).build())
    }

    /// Part of a transaction: requires that a condition on an item holds, without changing it.
    pub(crate) fn checking(
        &self,
        at: &ItemKey,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder().table_name(&self.name).set_key(Some(key(at)));
        let check = check.condition_expression(condition);
        let check = check.set_expression_attribute_values(named(values)).build();
        Ok(TransactWriteItem::builder().condition_check(check.map_err(|_| INCOMPLETE)?).build())
    }

    /// Executes a transaction; `false` if a condition does not hold. Retries after a conflict with
    /// a concurrent transaction.
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
        for race in 0..MAX_RACES {
            let request = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let Err(error) = request.send().await else { return Ok(true) };
            let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
                error.as_service_error()
            else {
                return Err(StoreError::from_sdk(error));
            };
            let codes = canceled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            let codes: Vec<&str> = codes.collect();
            if codes.contains(&"ConditionalCheckFailed") {
                return Ok(false);
            }
            if codes.contains(&"ValidationError") {
                return Err(StoreError::Invalid("ValidationError".to_owned()));
            }
            if !codes.contains(&"TransactionConflict") {
                return Err(StoreError::from_sdk(error));
            }
            // A conflicting transaction ends within milliseconds.
            tokio::time::sleep(Duration::from_millis(2 * race as u64)).await;
        }
        Err(StoreError::Unavailable("TransactionConflict".to_owned()))
    }
}
