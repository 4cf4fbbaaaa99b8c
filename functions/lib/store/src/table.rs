//! The DynamoDB table: reads, queries, conditional writes and their errors.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod captcha;
pub(crate) mod cases;
pub(crate) mod certificates;
pub(crate) mod claims;
pub(crate) mod confirmations;
pub(crate) mod doses;
pub(crate) mod downloads;
pub(crate) mod jobs;
pub(crate) mod links;
pub(crate) mod officers;
pub(crate) mod otp;
pub(crate) mod rates;
pub(crate) mod restoring;
pub(crate) mod revocations;
pub(crate) mod senders;
pub(crate) mod series;
mod transaction;

use std::collections::HashMap;

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use bukti_records::{
    CaseRecord, CertificateRecord, ConfirmationRecord, Corrupt, DoseRecord, DownloadRecord, ItemKey,
    ItemKind, KeyRange, LinkRecord, OpenError, Partition,
};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The maximum number of attempts at a conditional write that conflicts with concurrent writes.
pub(crate) const MAX_RACES: usize = 50;

/// The maximum number of pages (1 MiB each) that one query reads.
const MAX_PAGES: usize = 50;

/// The condition of an optimistic lock. [`revision_value`] provides its value.
const AT_REVISION: &str = "revision = :revision";

/// An item of the table, by attribute name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The service did not respond, or rejected the request temporarily. Retry later.
    #[error("the store is unavailable; retry later: {0}")]
    Unavailable(String),
    /// The service rejected the request as invalid. A retry would fail too.
    #[error("the store rejected an invalid request: {0}")]
    Invalid(String),
    /// This version cannot read the format of a record, or a sealed field cannot be opened.
    #[error("a record cannot be read: {0}")]
    Corrupt(&'static str),
}

impl From<Corrupt> for StoreError {
    fn from(Corrupt(what): Corrupt) -> Self {
        Self::Corrupt(what)
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        Corrupt::from(error).into()
    }
}

impl StoreError {
    /// Whether a retry may succeed.
    pub fn retryable(&self) -> bool {
        match self {
            StoreError::Unavailable(_) => true,
            StoreError::Invalid(_) | StoreError::Corrupt(_) => false,
        }
    }

    /// Converts an SDK error. The error text contains error codes and request ids, but no values
    /// from the request.
    pub(crate) fn from_sdk<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        match error.as_service_error().and_then(|service| service.code()) {
            Some(code @ "ValidationException") => StoreError::Invalid(code.to_owned()),
            Some(code) => StoreError::Unavailable(code.to_owned()),
            None => StoreError::Unavailable(DisplayErrorContext(&error).to_string()),
        }
    }
}

/// The items that a query with a limit returned.
#[derive(Default)]
pub(crate) struct Capped {
    pub(crate) items: Vec<Item>,
    /// Whether the query matched more items than were read.
    pub(crate) more: bool,
}

/// The outcome of a conditional write.
pub(crate) enum Written {
    /// The item was written.
    Done,
    /// The condition did not hold; contains the stored item, if there is one.
    Refused(Option<Item>),
}

/// The deployment's DynamoDB table.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

pub(crate) fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn n(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Serialises a record to an item, and adds the attributes of its key.
pub(crate) fn to_item<T: Serialize>(at: &ItemKey, record: &T) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::to_item(record).map_err(|_| StoreError::Corrupt("a record cannot be written"))?;
    item.extend(key(at));
    Ok(item)
}

/// Serialises a value to an attribute.
pub(crate) fn to_value<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|_| StoreError::Corrupt("a value cannot be written"))
}

/// Deserialises a record from an item. `what` names the record in the error message.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item, what: &'static str) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|_| StoreError::Corrupt(what))
}

fn revision_value(revision: u32) -> [(&'static str, AttributeValue); 1] {
    [(":revision", n(revision))]
}

fn named(values: &[(&str, AttributeValue)]) -> Option<Item> {
    // DynamoDB rejects an empty map of values.
    let values: Item = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Some(values).filter(|values| !values.is_empty())
}

/// A record type with its own kind of item.
pub trait Stored: DeserializeOwned {
    /// The kind of these items.
    const KIND: ItemKind;

    /// Whether an item contains a record of this type.
    fn is_image(image: &serde_dynamo::Item) -> bool {
        kind_of(image) == Some(Self::KIND)
    }

    /// Deserialises a record from an image of the table's stream; `None` if the item is of another
    /// kind or cannot be read.
    fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        if Self::is_image(&image) { serde_dynamo::from_item(image).ok() } else { None }
    }
}

macro_rules! stored {
    ($($record:ty: $kind:ident,)*) => {
        $(impl Stored for $record {
            const KIND: ItemKind = ItemKind::$kind;
        })*
    };
}

stored! {
    CaseRecord: Case,
    CertificateRecord: Certificate,
    ConfirmationRecord: Confirmation,
    DoseRecord: Dose,
    DownloadRecord: Download,
    LinkRecord: Link,
}

/// The kind of an item from the table's stream or from a backup, by its key.
pub(crate) fn kind_of(image: &serde_dynamo::Item) -> Option<ItemKind> {
    let text = |name: &str| match image.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text.as_str()),
        _ => None,
    };
    ItemKind::of(text("pk")?, text("sk")?)
}

/// The kind of the item that a stream record is about.
pub(crate) fn kind_of_record(record: &EventRecord) -> Option<ItemKind> {
    kind_of(&record.change.keys)
}

/// The key attributes of an item.
pub(crate) fn key(at: &ItemKey) -> Item {
    Item::from([("pk".to_owned(), s(at.pk())), ("sk".to_owned(), s(at.sk()))])
}

impl Table {
    pub(crate) async fn get(&self, at: &ItemKey) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key(at)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(answer.item)
    }

    /// Reads the existing items with these keys, in no particular order. `attributes` selects
    /// attributes; `None` reads all of them.
    pub(crate) async fn get_all(
        &self,
        mut keys: Vec<Item>,
        attributes: Option<&str>,
    ) -> Result<Vec<Item>, StoreError> {
        /// The maximum number of keys in a BatchGetItem request.
        const MAX_KEYS: usize = 100;
        let mut found = Vec::with_capacity(keys.len());
        while !keys.is_empty() {
            let batch = keys.split_off(keys.len().saturating_sub(MAX_KEYS));
            let request = KeysAndAttributes::builder()
                .set_keys(Some(batch))
                .consistent_read(true)
                .set_projection_expression(attributes.map(str::to_owned))
                .build()
                .map_err(|_| StoreError::Corrupt("a batch of keys"))?;
            let request = self.client.batch_get_item().request_items(&self.name, request);
            let answer = request.send().await.map_err(StoreError::from_sdk)?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.name).unwrap_or_default());
            // Request the items again that did not fit into the response.
            let rest = answer.unprocessed_keys.unwrap_or_default().remove(&self.name);
            keys.extend(rest.map(|rest| rest.keys).unwrap_or_default());
        }
        Ok(found)
    }

    /// Puts an item unconditionally.
    pub(crate) async fn put(&self, item: Item) -> Result<(), StoreError> {
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        request.send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// Puts an item if the condition holds. `values` are the condition's values by placeholder
    /// (`:rev`).
    pub(crate) async fn put_if(
        &self,
        item: Item,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Written, StoreError> {
        use aws_sdk_dynamodb::operation::put_item::PutItemError;
        use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
        let mut request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(AllOld);
        for (name, value) in values {
            request = request.expression_attribute_values(*name, value.clone());
        }
        match request.send().await {
            Ok(_) => Ok(Written::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Written::Refused(refused.item.clone().filter(|item| !item.is_empty())))
                }
                _ => Err(StoreError::from_sdk(error)),
            },
        }
    }

    /// Replaces an item if the stored item is at this revision: an optimistic lock.
    pub(crate) async fn put_at(&self, revision: u32, item: Item) -> Result<Written, StoreError> {
        self.put_if(item, AT_REVISION, &revision_value(revision)).await
    }

    /// Updates an item if the condition holds. Returns the updated item, or `None` if the condition
    /// does not hold.
    pub(crate) async fn update_if(
        &self,
        at: &ItemKey,
        update: &str,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Option<Item>, StoreError> {
        use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key(at)))
            .update_expression(update)
            .condition_expression(condition)
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew);
        for (name, value) in values {
            request = request.expression_attribute_values(*name, value.clone());
        }
        match request.send().await {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(StoreError::from_sdk(error)),
            },
        }
    }

    /// Decrements the remaining attempts (`tries_left`) if there are any and the time in the
    /// attribute `ends` has not passed. Returns the updated item, or `None` if the attempt is not
    /// allowed.
    pub(crate) async fn count_down(
        &self,
        at: &ItemKey,
        ends: &str,
        now: Timestamp,
    ) -> Result<Option<Item>, StoreError> {
        let condition = format!("tries_left > :zero AND {ends} > :now");
        let values = [(":one", n(1)), (":zero", n(0)), (":now", n(now.as_second()))];
        self.update_if(at, "SET tries_left = tries_left - :one", &condition, &values).await
    }

    pub(crate) async fn delete(&self, at: &ItemKey) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key(at)))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// Reads all items of a partition, strongly consistent. Only for partitions whose size is
    /// bounded on write, or to which only admins or officers add items.
    pub(crate) async fn partition(&self, partition: &Partition) -> Result<Vec<Item>, StoreError> {
        let pages = self.items_of(partition).into_paginator().items().send();
        pages.try_collect().await.map_err(StoreError::from_sdk)
    }

    /// Reads the first `most` items of a partition, strongly consistent.
    pub(crate) async fn partition_first(
        &self,
        partition: &Partition,
        most: usize,
    ) -> Result<Capped, StoreError> {
        first_of(self.items_of(partition), most).await
    }

    fn items_of(&self, Partition { pk, begins }: &Partition) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query.expression_attribute_values(":pk", s(pk));
        if begins.is_empty() {
            return query.key_condition_expression("pk = :pk");
        }
        query
            .key_condition_expression("pk = :pk AND begins_with(sk, :begins)")
            .expression_attribute_values(":begins", s(*begins))
    }

    /// Reads the first `most` items of a partition whose sort keys are greater than `after`.
    pub(crate) async fn partition_after(
        &self,
        partition: &Partition,
        after: &str,
        most: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", s(&partition.pk))
            .expression_attribute_values(":after", s(after))
            .limit(i32::try_from(most).unwrap_or(i32::MAX));
        Ok(request.send().await.map_err(StoreError::from_sdk)?.items.unwrap_or_default())
    }

    /// Reads the first `most` items of an index whose hash key has this value.
    pub(crate) async fn query_first(
        &self,
        index: &str,
        (key, value): (&str, &str),
        most: i32,
    ) -> Result<Vec<Item>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":value", s(value))
            .limit(most);
        let answer = request.send().await.map_err(StoreError::from_sdk)?;
        Ok(answer.items.unwrap_or_default())
    }

    /// A query for the items of an index whose hash key has this value and whose partition key in
    /// the table is in this range.
    pub(crate) fn query(
        &self,
        index: &str,
        (key, value): (&str, &str),
        range: KeyRange,
    ) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .key_condition_expression("#key = :value AND pk BETWEEN :first AND :last")
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":value", s(value))
            .expression_attribute_values(":first", s(range.first()))
            .expression_attribute_values(":last", s(range.last()))
    }
}

/// Reads the first `most` items of a query.
pub(crate) async fn first_of(query: QueryFluentBuilder, most: usize) -> Result<Capped, StoreError> {
    // Request one more item, to find out whether there are more.
    let page = i32::try_from(most).unwrap_or(i32::MAX).saturating_add(1);
    let mut pages = query.limit(page).into_paginator().items().send();
    let mut found = Capped::default();
    while let Some(item) = pages.next().await {
        let item = item.map_err(StoreError::from_sdk)?;
        if found.items.len() == most {
            found.more = true;
            break;
        }
        found.items.push(item);
    }
    Ok(found)
}

/// The `most` items of a query with the lowest ranks, sorted by rank. Items without a rank are
/// ignored. Reads at most [`MAX_PAGES`] pages, and holds about twice as many items as it returns.
pub(crate) async fn least_of<R: Ord>(
    query: QueryFluentBuilder,
    most: usize,
    rank: impl Fn(&Item) -> Option<R>,
) -> Result<Capped, StoreError> {
    let mut pages = query.into_paginator().send();
    let (mut ranked, mut more): (Vec<(R, Item)>, bool) = (Vec::new(), false);
    let mut read = 0;
    while let Some(page) = pages.next().await {
        if read == MAX_PAGES {
            more = true;
            break;
        }
        read += 1;
        let items = page.map_err(StoreError::from_sdk)?.items.unwrap_or_default();
        ranked.extend(items.into_iter().filter_map(|item| Some((rank(&item)?, item))));
        ranked.sort_by(|(one, _), (other, _)| one.cmp(other));
        more |= ranked.len() > most;
        ranked.truncate(most);
    }
    Ok(Capped { items: ranked.into_iter().map(|(_, item)| item).collect(), more })
}
