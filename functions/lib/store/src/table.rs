//! The one table: keys, errors, and what conditional writes come back with.

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

/// How often a write is tried again when another came between.
pub(crate) const RACES: usize = 50;

/// The most pages (1 MiB each) that one query for an answer reads.
const MOST_PAGES: usize = 50;

/// The condition of an optimistic lock; its value is [`revision_value`].
const AT_REVISION: &str = "revision = :revision";

/// An item of the table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The service did not answer, or refused for now: worth another try.
    #[error("the store did not answer: {0}")]
    Unavailable(String),
    /// The service says that the request itself is invalid: it would be again.
    #[error("the store refused an invalid request: {0}")]
    Invalid(String),
    /// A record is not of the form that this version writes, or its sealed part does not open.
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
    /// Whether the same call may go through later.
    pub fn retryable(&self) -> bool {
        match self {
            StoreError::Unavailable(_) => true,
            StoreError::Invalid(_) | StoreError::Corrupt(_) => false,
        }
    }

    /// An error of the SDK. What it says holds codes and request ids, never the values that were
    /// sent.
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

/// The items of a query that has a cap.
#[derive(Default)]
pub(crate) struct Capped {
    pub(crate) items: Vec<Item>,
    /// Whether there are more than these.
    pub(crate) more: bool,
}

/// What a conditional write came to.
pub(crate) enum Written {
    /// It was written.
    Done,
    /// The condition did not hold; the item as it is, where there is one.
    Refused(Option<Item>),
}

/// The table.
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

/// A record as an item, its key with it.
pub(crate) fn to_item<T: Serialize>(at: &ItemKey, record: &T) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::to_item(record).map_err(|_| StoreError::Corrupt("a record cannot be written"))?;
    item.extend(key(at));
    Ok(item)
}

/// A value as an attribute.
pub(crate) fn to_value<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|_| StoreError::Corrupt("a value cannot be written"))
}

/// A record of an item.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item, what: &'static str) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|_| StoreError::Corrupt(what))
}

fn revision_value(revision: u32) -> [(&'static str, AttributeValue); 1] {
    [(":revision", n(revision))]
}

fn named(values: &[(&str, AttributeValue)]) -> Option<Item> {
    // DynamoDB takes no empty map.
    let values: Item = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Some(values).filter(|values| !values.is_empty())
}

/// A record that is an item of its own kind.
pub trait Stored: DeserializeOwned {
    /// What its item is.
    const KIND: ItemKind;

    /// Whether an item is such a record.
    fn is_image(image: &serde_dynamo::Item) -> bool {
        kind_of(image) == Some(Self::KIND)
    }

    /// A record from an item of the table's stream; `None` where the item is of another kind.
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

/// What an item of the table's stream, or of a backup, is.
pub(crate) fn kind_of(image: &serde_dynamo::Item) -> Option<ItemKind> {
    let text = |name: &str| match image.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text.as_str()),
        _ => None,
    };
    ItemKind::of(text("pk")?, text("sk")?)
}

/// What the item is that a record of the table's stream is about.
pub(crate) fn kind_of_record(record: &EventRecord) -> Option<ItemKind> {
    kind_of(&record.change.keys)
}

/// The key of an item.
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

    /// Those of these items that there are, in no order; of each all attributes or only some.
    pub(crate) async fn get_all(
        &self,
        mut keys: Vec<Item>,
        attributes: Option<&str>,
    ) -> Result<Vec<Item>, StoreError> {
        /// What a call may ask for.
        const AT_ONCE: usize = 100;
        let mut found = Vec::with_capacity(keys.len());
        while !keys.is_empty() {
            let asked = keys.split_off(keys.len().saturating_sub(AT_ONCE));
            let request = KeysAndAttributes::builder()
                .set_keys(Some(asked))
                .consistent_read(true)
                .set_projection_expression(attributes.map(str::to_owned))
                .build()
                .map_err(|_| StoreError::Corrupt("a batch of keys"))?;
            let request = self.client.batch_get_item().request_items(&self.name, request);
            let answer = request.send().await.map_err(StoreError::from_sdk)?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.name).unwrap_or_default());
            // What did not fit into one answer is asked for again.
            let rest = answer.unprocessed_keys.unwrap_or_default().remove(&self.name);
            keys.extend(rest.map(|rest| rest.keys).unwrap_or_default());
        }
        Ok(found)
    }

    /// Puts an item, whatever was there.
    pub(crate) async fn put(&self, item: Item) -> Result<(), StoreError> {
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        request.send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// Puts an item where the condition holds. Values of the condition come by name (`:rev`).
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

    /// Replaces an item if it is at this revision: an optimistic lock.
    pub(crate) async fn put_at(&self, revision: u32, item: Item) -> Result<Written, StoreError> {
        self.put_if(item, AT_REVISION, &revision_value(revision)).await
    }

    /// Updates an item where the condition holds; the item as it is afterwards, `None` where the
    /// condition does not hold.
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

    /// Counts a try down, where one is left and the time in the attribute `ends` is not over; the
    /// item as it is then.
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

    /// All items of a partition, as they are now. Only where they are bounded when they are
    /// written, or where nobody but an admin or an officer adds them.
    pub(crate) async fn partition(&self, partition: &Partition) -> Result<Vec<Item>, StoreError> {
        let pages = self.items_of(partition).into_paginator().items().send();
        pages.try_collect().await.map_err(StoreError::from_sdk)
    }

    /// The first items of a partition, as they are now: at most `most`.
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

    /// At most so many items of a partition whose sort key is greater than this, in order.
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

    /// The first items of an index whose hash key has this value, so many at most.
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

    /// A query of the items of an index whose hash key has this value, and whose partition key in
    /// the table lies in this range.
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

/// The first items of a query: at most `most`.
pub(crate) async fn first_of(query: QueryFluentBuilder, most: usize) -> Result<Capped, StoreError> {
    // One more tells that there are more.
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

/// Of the items of a query, those with the least ranks: at most `most`, in the order of their
/// ranks. An item without a rank is none of them. The query reads at most [`MOST_PAGES`], and holds
/// about twice as many items as it gives.
pub(crate) async fn least_of<R: Ord>(
    query: QueryFluentBuilder,
    most: usize,
    rank: impl Fn(&Item) -> Option<R>,
) -> Result<Capped, StoreError> {
    let mut pages = query.into_paginator().send();
    let (mut ranked, mut more): (Vec<(R, Item)>, bool) = (Vec::new(), false);
    let mut read = 0;
    while let Some(page) = pages.next().await {
        if read == MOST_PAGES {
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
