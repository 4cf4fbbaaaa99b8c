//! The S3 buckets: PDFs and printed copies, feeds, evidence, and published files.

pub(crate) mod documents;
pub(crate) mod feeds;
pub(crate) mod publishing;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;

use crate::{Aws, StoreError};

/// How long a presigned URL is valid.
pub(crate) const PRESIGNED_FOR: Duration = Duration::from_secs(5 * 60);

/// The deployment's private bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Bucket {
    pub(crate) fn new(aws: &Aws) -> Self {
        Self { client: aws.s3.clone(), name: aws.settings.bucket.clone() }
    }

    pub(crate) async fn put(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), StoreError> {
        let request = self.client.put_object().bucket(&self.name).key(key).content_type(content_type);
        request.body(ByteStream::from(body)).send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }

    pub(crate) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        request.send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// Presigns a URL that downloads an object with the given media type and file name, see
    /// [`Documents::address`](crate::Documents::address).
    pub(crate) async fn address(
        &self,
        key: &str,
        content_type: &str,
        file_name: &str,
    ) -> Result<String, StoreError> {
        let request = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .response_content_type(content_type)
            .response_content_disposition(format!("attachment; filename=\"{file_name}\""))
            .response_cache_control("private, no-store")
            .presigned(presigning()?)
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(request.uri().to_owned())
    }
}

pub(crate) fn presigning() -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(PRESIGNED_FOR).map_err(|_| StoreError::Corrupt("a presigned URL"))
}
