//! Feeds in the bucket, the parts into which they are divided, and their reports.
//!
//! ```text
//! intake/feeds/<job>[.csv …]          a feed
//! intake/feeds/.parts/<job>/00001     a part: a section of the feed's rows
//! intake/feeds/.kept/<job>/00001      a marker: all parts are stored; finalise this part's report
//! intake/reports/<job>/00001.csv      the row results of a part, possibly not final yet
//! intake/reports/<job>.csv            the row results of the whole feed
//! ```
//!
//! Each object below `intake/feeds/` triggers the intake, so that the parts of a feed are processed
//! concurrently.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::bucket::Bucket;
use crate::{Aws, StoreError};

/// The folders of parts and markers below [`Feeds::DROP`]. They cannot be confused with a job,
/// because the name of a job contains no dot.
const PARTS: &str = ".parts";
const KEPT: &str = ".kept";
/// The header line of a report.
const HEADER: &str = "line,event_id,outcome,reasons,duplicate_of\n";
const CSV: &str = "text/csv; charset=utf-8";
/// The minimum size of a part of a multipart upload. S3 requires at least 5 MiB for all parts but
/// the last.
const PIECE_SIZE: usize = 8 * 1024 * 1024;
/// The maximum number of objects that are written or deleted concurrently.
const CONCURRENT_CALLS: usize = 16;

/// An object below [`Feeds::DROP`], classified by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped<'a> {
    /// A feed, with its job id.
    Feed(&'a str),
    /// A part of a feed: its job id and its number, from 1.
    Part(&'a str, u32),
    /// A marker that all parts of the feed are stored: the job id, and the part whose report is to
    /// be finalised.
    Kept(&'a str, u32),
}

/// A feed whose content can be streamed.
pub struct Feed {
    /// The content, which has not been read yet.
    pub body: ByteStream,
    /// The length in bytes, before decompression.
    pub length: u64,
    /// The entity tag, which changes if another file replaces the feed.
    pub etag: String,
    /// When the feed was uploaded; `None` if S3 returned no valid time.
    pub received_at: Option<Timestamp>,
}

/// Reads feeds, and stores their parts and reports.
#[derive(Clone)]
pub struct Feeds(Bucket);

impl Feeds {
    /// The key prefix of feeds in the bucket.
    pub const DROP: &str = "intake/feeds/";

    /// Creates an instance that uses the deployment's private bucket.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Classifies the object with this key; `None` if the key has none of the formats above.
    pub fn dropped(key: &str) -> Option<Dropped<'_>> {
        let name = key.strip_prefix(Self::DROP)?;
        let mut steps = name.split('/');
        match (steps.next()?, steps.next(), steps.next(), steps.next()) {
            (name, None, None, None) => {
                let job = name.split('.').next().unwrap_or(name);
                (!job.is_empty()).then_some(Dropped::Feed(job))
            }
            (kind, Some(job), Some(part), None) if !job.is_empty() => match (kind, part.parse().ok()?) {
                (PARTS, part) => Some(Dropped::Part(job, part)),
                (KEPT, part) => Some(Dropped::Kept(job, part)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The key of the report of a whole job.
    pub fn report_key(job: &str) -> String {
        format!("intake/reports/{job}.csv")
    }

    fn part_key(job: &str, part: u32) -> String {
        format!("{}{PARTS}/{job}/{part:05}", Self::DROP)
    }

    fn kept_key(job: &str, part: u32) -> String {
        format!("{}{KEPT}/{job}/{part:05}", Self::DROP)
    }

    fn part_report_key(job: &str, part: u32) -> String {
        format!("intake/reports/{job}/{part:05}.csv")
    }

    /// Opens a feed; `None` if it does not exist, or was deleted after its import.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn open(&self, key: &str) -> Result<Option<Feed>, StoreError> {
        match self.0.client.get_object().bucket(&self.0.name).key(key).send().await {
            Ok(object) => {
                let length = object.content_length.and_then(|length| u64::try_from(length).ok());
                let (etag, length) = (object.e_tag.unwrap_or_default(), length.unwrap_or_default());
                let received_at = object.last_modified.and_then(|at| Timestamp::from_second(at.secs()).ok());
                Ok(Some(Feed { body: object.body, length, etag, received_at }))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(StoreError::from_sdk(error)),
        }
    }

    /// Reads a part of a feed; `None` if it does not exist, or was deleted after the import.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn part(&self, job: &str, part: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(&Self::part_key(job, part)).await
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(feed) = self.open(key).await? else { return Ok(None) };
        let bytes = feed.body.collect().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Some(bytes.to_vec()))
    }

    /// Stores a part of a feed, which triggers its import.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn keep_part(&self, job: &str, part: u32, rows: Vec<u8>) -> Result<(), StoreError> {
        self.0.put(&Self::part_key(job, part), "application/x-ndjson", rows).await
    }

    /// Writes one marker for each of these parts. Each marker triggers the final report of its
    /// part; write them only after all parts of the job are stored.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn write_stored_markers(
        &self,
        job: &str,
        parts: impl Iterator<Item = u32>,
    ) -> Result<(), StoreError> {
        let signs = parts.map(|part| async move {
            self.0.put(&Self::kept_key(job, part), "text/plain", Vec::new()).await
        });
        stream::iter(signs).buffer_unordered(CONCURRENT_CALLS).try_collect().await
    }

    /// Stores the row results of a part, as CSV lines without a header.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn keep_part_report(&self, job: &str, part: u32, report: String) -> Result<(), StoreError> {
        self.0.put(&Self::part_report_key(job, part), CSV, report.into_bytes()).await
    }

    /// Concatenates the reports of all parts into the report of the job, using a multipart upload.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn keep_report(&self, job: &str, parts: u32) -> Result<(), StoreError> {
        let key = Self::report_key(job);
        let mut piece = HEADER.as_bytes().to_vec();
        let mut upload = None;
        for part in 1..=parts {
            let report = self.read(&Self::part_report_key(job, part)).await?;
            piece.extend(report.ok_or(StoreError::Corrupt("a part's report is missing"))?);
            if piece.len() >= PIECE_SIZE {
                let upload = match &mut upload {
                    Some(upload) => upload,
                    none => none.insert(Upload::begin(&self.0, &key).await?),
                };
                upload.put(std::mem::take(&mut piece)).await?;
            }
        }
        match upload {
            None => self.0.put(&key, CSV, piece).await,
            Some(mut upload) => {
                if !piece.is_empty() {
                    upload.put(piece).await?;
                }
                upload.end().await
            }
        }
    }

    /// Stores the row results of a job that has no parts, as CSV lines without a header.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn keep_whole_report(&self, job: &str, report: &str) -> Result<(), StoreError> {
        self.0.put(&Self::report_key(job), CSV, [HEADER, report].concat().into_bytes()).await
    }

    /// Presigns a URL that downloads the report of a job, or of one of its parts, and is valid for
    /// five minutes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no AWS credentials are available.
    pub async fn report_url(&self, job: &str, part: Option<u32>) -> Result<String, StoreError> {
        let (key, name) = match part {
            None => (Self::report_key(job), format!("{job}.csv")),
            Some(part) => (Self::part_report_key(job, part), format!("{job}-{part:05}.csv")),
        };
        self.0.address(&key, CSV, &name).await
    }

    /// Deletes an imported feed, its parts, and their reports. Unlike the rows in the table, these
    /// are not encrypted with the sealing keys.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn remove(&self, source: &str, etag: &str, job: &str, parts: u32) -> Result<(), StoreError> {
        // The only part of a job is not stored separately.
        let separate = if parts > 1 { parts } else { 0 };
        let keys = (1..=separate)
            .flat_map(|part| [Self::part_key(job, part), Self::kept_key(job, part)])
            .chain((1..=parts).map(|part| Self::part_report_key(job, part)));
        let removed = keys.map(|key| async move { self.0.remove(&key).await });
        stream::iter(removed).buffer_unordered(CONCURRENT_CALLS).try_collect::<()>().await?;
        // Delete the feed last, so that a retry can continue if this attempt fails. Do not delete a
        // file that has replaced the feed.
        match self.0.client.head_object().bucket(&self.0.name).key(source).send().await {
            Ok(object) if object.e_tag.as_deref().unwrap_or_default() == etag => self.0.remove(source).await,
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(()),
            Err(error) => Err(StoreError::from_sdk(error)),
        }
    }
}

/// A multipart upload in progress.
struct Upload<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    id: String,
    pieces: Vec<CompletedPart>,
}

impl<'a> Upload<'a> {
    async fn begin(bucket: &'a Bucket, key: &'a str) -> Result<Self, StoreError> {
        let request = bucket.client.create_multipart_upload().bucket(&bucket.name).key(key).content_type(CSV);
        let begun = request.send().await.map_err(StoreError::from_sdk)?;
        let id = begun.upload_id.ok_or(StoreError::Corrupt("an upload without an id"))?;
        Ok(Self { bucket, key, id, pieces: Vec::new() })
    }

    async fn put(&mut self, piece: Vec<u8>) -> Result<(), StoreError> {
        let number =
            i32::try_from(self.pieces.len() + 1).map_err(|_| StoreError::Corrupt("too many pieces"))?;
        let client = &self.bucket.client;
        let request = client.upload_part().bucket(&self.bucket.name).key(self.key).upload_id(&self.id);
        let request = request.part_number(number).body(ByteStream::from(piece));
        let tag = request.send().await.map_err(StoreError::from_sdk)?.e_tag;
        self.pieces.push(CompletedPart::builder().part_number(number).set_e_tag(tag).build());
        Ok(())
    }

    async fn end(self) -> Result<(), StoreError> {
        let pieces = CompletedMultipartUpload::builder().set_parts(Some(self.pieces)).build();
        let client = &self.bucket.client;
        let request = client.complete_multipart_upload().bucket(&self.bucket.name).key(self.key);
        request.upload_id(self.id).multipart_upload(pieces).send().await.map_err(StoreError::from_sdk)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_decides_kind_of_object() {
        for (key, expected) in [
            ("intake/feeds/a.csv.gz", Some(Dropped::Feed("a"))),
            ("intake/feeds/a", Some(Dropped::Feed("a"))),
            (&*Feeds::part_key("a", 7), Some(Dropped::Part("a", 7))),
            (&*Feeds::kept_key("a", 123_456), Some(Dropped::Kept("a", 123_456))),
            ("intake/feeds/", None),
            ("intake/feeds/.csv", None),
            ("intake/feeds/a/b.csv", None),
            ("intake/feeds/.parts/a/x", None),
            ("intake/feeds/.other/a/1", None),
            ("intake/feeds/.parts//1", None),
            ("intake/reports/a.csv", None),
        ] {
            assert_eq!(Feeds::dropped(key), expected, "{key}");
        }
    }
}
