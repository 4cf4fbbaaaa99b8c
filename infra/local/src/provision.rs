//! Provisioning: creates the table and the buckets through API calls, as the template does on AWS.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
    StreamSpecification, StreamViewType, TableDescription, TimeToLiveSpecification, TimeToLiveStatus,
};

use bukti_store::Endpoint;

use crate::stack_info::StackInfo;

/// Creates the table and the buckets of a stack.
pub(crate) struct Provisioner<'a> {
    info: &'a StackInfo,
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
}

impl<'a> Provisioner<'a> {
    pub(crate) async fn new(info: &'a StackInfo) -> Self {
        let credentials = (&*info.access_key, &*info.secret_key);
        let (dynamodb, s3) =
            Endpoint { url: &info.endpoint, region: &info.region, credentials }.clients().await;
        Self { info, dynamodb, s3 }
    }

    /// Creates the table if it does not exist, and updates a table created by an earlier version.
    pub(crate) async fn create_missing_table(&self) -> Result<()> {
        let name = &self.info.table;
        match self.dynamodb.describe_table().table_name(name).send().await {
            Ok(answer) => {
                self.add_missing_index(answer.table).await.context("cannot create an index of the table")?
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                self.create_table().await.context("cannot create the table")?;
            }
            Err(error) => return Err(error).context("cannot read the description of the table"),
        }
        // This is checked separately, because an earlier start may have been interrupted between
        // the two calls.
        let expiry = self.dynamodb.describe_time_to_live().table_name(name).send().await?;
        let status = expiry.time_to_live_description.and_then(|expiry| expiry.time_to_live_status);
        if !matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
            let specification =
                TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build()?;
            let request = self.dynamodb.update_time_to_live().table_name(name);
            request.time_to_live_specification(specification).send().await?;
        }
        Ok(())
    }

    /// Adds the index that tables created by earlier versions lack.
    async fn add_missing_index(&self, table: Option<TableDescription>) -> Result<()> {
        let indexes = table.and_then(|table| table.global_secondary_indexes).unwrap_or_default();
        if indexes.iter().any(|index| index.index_name() == Some("by_alike")) {
            return Ok(());
        }
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name("by_alike")
            .key_schema(key("alike", KeyType::Hash)?)
            .key_schema(key("pk", KeyType::Range)?)
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
            .build()?;
        let update = self.dynamodb.update_table().table_name(&self.info.table);
        let update =
            update.attribute_definitions(attribute("pk")?).attribute_definitions(attribute("alike")?);
        let update = update
            .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(create).build());
        update.send().await?;
        Ok(())
    }

    async fn create_table(&self) -> Result<()> {
        let index = |name: &str, hash: &str, projection: ProjectionType| -> Result<_> {
            Ok(GlobalSecondaryIndex::builder()
                .index_name(name)
                .key_schema(key(hash, KeyType::Hash)?)
                .key_schema(key("pk", KeyType::Range)?)
                .projection(Projection::builder().projection_type(projection).build())
                .build()?)
        };
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::NewAndOldImages)
            .build()?;
        self.dynamodb
            .create_table()
            .table_name(&self.info.table)
            .attribute_definitions(attribute("pk")?)
            .attribute_definitions(attribute("sk")?)
            .attribute_definitions(attribute("person")?)
            .attribute_definitions(attribute("phone")?)
            .attribute_definitions(attribute("alike")?)
            .key_schema(key("pk", KeyType::Hash)?)
            .key_schema(key("sk", KeyType::Range)?)
            .billing_mode(BillingMode::PayPerRequest)
            .global_secondary_indexes(index("by_person", "person", ProjectionType::All)?)
            .global_secondary_indexes(index("by_phone", "phone", ProjectionType::All)?)
            .global_secondary_indexes(index("by_alike", "alike", ProjectionType::KeysOnly)?)
            .stream_specification(stream)
            .send()
            .await?;
        Ok(())
    }

    /// Creates the buckets that do not exist.
    pub(crate) async fn create_missing_buckets(&self) -> Result<()> {
        for name in [&self.info.bucket, &self.info.public_bucket] {
            if self.s3.head_bucket().bucket(name).send().await.is_err() {
                self.s3.create_bucket().bucket(name).send().await.context("cannot create a bucket")?;
            }
        }
        Ok(())
    }

    /// Lists the keys and sizes of feeds that have not been imported yet.
    pub(crate) async fn pending_feeds(&self) -> Result<Vec<(String, u64)>> {
        let mut pages = self
            .s3
            .list_objects_v2()
            .bucket(&self.info.bucket)
            .prefix(bukti_store::Feeds::DROP)
            .into_paginator()
            .send();
        let mut feeds = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.context("cannot list the feeds")?.contents.unwrap_or_default() {
                let size = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                feeds.extend(object.key.map(|key| (key, size)));
            }
        }
        Ok(feeds)
    }
}

fn attribute(name: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}
