//! The public bucket of trust lists and revocation lists, and the lease that a writer needs.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bukti_records::{ItemKey, ItemKind, Token};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::table::{Table, Written, kind_of_record, n, s, to_item};
use crate::{Aws, StoreError};

/// The duration of the lease, unless its holder renews it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often the holder renews the lease.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);
/// The interval between two attempts to acquire the lease.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How long to wait for the lease before giving up.
const WAIT_TIMEOUT: Duration = Duration::from_secs(180);

/// Whether this stream record changes data that the published files contain.
pub fn concerns_publishing(record: &EventRecord) -> bool {
    matches!(
        kind_of_record(record),
        Some(ItemKind::Signer | ItemKind::ActiveSigner | ItemKind::Issuer | ItemKind::Revocation)
    )
}

#[derive(Serialize)]
struct Lease {
    holder: String,
    /// Seconds since the Unix epoch.
    held_until: i64,
}

/// The lease that lets only one process publish at a time.
///
/// A process reads the data to be published while it holds the lease. So the last writer has read
/// all earlier changes, and a slow writer does not overwrite newer lists.
#[derive(Clone)]
pub struct Publishing {
    table: Table,
}

impl Publishing {
    /// Creates an instance that uses the lease in the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Runs `work` while holding the lease.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the lease cannot be acquired within three minutes; any
    /// [`StoreError`] of the table.
    pub async fn with_lease<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let holder = Token::generate().ok_or(StoreError::Corrupt("no randomness"))?;
        let holder = holder.secret();
        self.take(holder).await?;
        let done = tokio::select! {
            done = work => done,
            never = self.renew(holder) => match never {},
        };
        // Release the lease, so that the next process does not have to wait until it expires.
        let mine = [(":me", s(holder)), (":now", n(0))];
        let freed =
            self.table.update_if(&ItemKey::lease(), "SET held_until = :now", "holder = :me", &mine).await;
        if let Err(error) = freed {
            tracing::warn!(%error, "the lease for publishing was not released; it expires within 30 seconds");
        }
        Ok(done)
    }

    async fn take(&self, holder: &str) -> Result<(), StoreError> {
        let begun = Instant::now();
        loop {
            let now = Timestamp::now();
            let lease = Lease { holder: holder.to_owned(), held_until: (now + LEASE).as_second() };
            let free = "attribute_not_exists(pk) OR held_until < :now";
            let now = [(":now", n(now.as_second()))];
            if let Written::Done = self.table.put_if(to_item(&ItemKey::lease(), &lease)?, free, &now).await? {
                return Ok(());
            }
            if begun.elapsed() > WAIT_TIMEOUT {
                return Err(StoreError::Unavailable(
                    "the lease for publishing stays taken; retry later".to_owned(),
                ));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn renew(&self, holder: &str) -> Infallible {
        let lease = ItemKey::lease();
        loop {
            tokio::time::sleep(RENEWAL_INTERVAL).await;
            let until = n((Timestamp::now() + LEASE).as_second());
            let values = [(":me", s(holder)), (":until", until)];
            let renewed = self.table.update_if(&lease, "SET held_until = :until", "holder = :me", &values);
            if let Err(error) = renewed.await {
                tracing::warn!(%error, "the lease for publishing was not renewed");
            }
        }
    }
}

/// The public bucket of trust lists and revocation lists.
#[derive(Clone)]
pub struct PublicFiles {
    client: Client,
    bucket: String,
}

impl PublicFiles {
    /// The `Cache-Control` header of every file: clients may cache it for five minutes.
    pub const CACHE_CONTROL: &str = "public, max-age=300";

    /// Creates an instance that uses the deployment's public bucket.
    pub fn new(aws: &Aws) -> Self {
        Self::of_bucket(aws.s3.clone(), &aws.settings.public_bucket)
    }

    /// Creates an instance that uses the public bucket with this name. For the command line, which
    /// has no access to the secrets.
    pub fn of_bucket(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// The media type of a public file, derived from its name.
    pub fn content_type(path: &str) -> &'static str {
        match path.rsplit('/').next() {
            Some("did.json") => "application/did+json",
            Some(name) if name.ends_with(".json") => "application/json",
            Some(name) if name.ends_with(".cose") => "application/cose",
            _ => "application/octet-stream",
        }
    }

    /// Writes a file, and replaces an existing one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let request = self.client.put_object().bucket(&self.bucket).key(path);
        let request = request.content_type(Self::content_type(path)).cache_control(Self::CACHE_CONTROL);
        request.body(ByteStream::from(bytes)).send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }

    /// Reads a file; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.client.get_object().bucket(&self.bucket).key(path).send().await {
            Ok(object) => {
                let body = object.body.collect().await;
                let body = body.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                Ok(Some(body.to_vec()))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(StoreError::from_sdk(error)),
        }
    }

    /// The paths of all files below `prefix` that were last written before `time`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn written_before(&self, prefix: &str, time: Timestamp) -> Result<Vec<String>, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut paths = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.map_err(StoreError::from_sdk)?.contents.unwrap_or_default() {
                let old = object.last_modified.is_some_and(|written| written.secs() < time.as_second());
                paths.extend(object.key.filter(|_| old));
            }
        }
        Ok(paths)
    }

    /// Deletes a file. Succeeds if the file does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn remove(&self, path: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(path);
        request.send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }
}
