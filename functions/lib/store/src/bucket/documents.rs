//! Certificate PDFs, printed copies, and evidence in the bucket.

use std::time::Duration;

use bukti_records::Evidence;

use super::{Bucket, PRESIGNED_FOR, presigning};
use crate::{Aws, StoreError};

const PDF: &str = "application/pdf";

/// Stores certificate PDFs, and creates short-lived download URLs for them.
#[derive(Clone)]
pub struct Documents(Bucket);

impl Documents {
    /// The key prefix of certificate PDFs in the bucket.
    pub const FOLDER: &str = "certificates/";
    /// How long a download URL is valid, in seconds.
    pub const EXPIRES_IN: u32 = PRESIGNED_FOR.as_secs() as u32;

    /// Creates an instance that uses the deployment's private bucket.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Stores a PDF under the given key, and overwrites an existing object.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn keep(&self, key: &str, pdf: Vec<u8>) -> Result<(), StoreError> {
        self.0.put(key, PDF, pdf).await
    }

    /// Deletes a PDF. Succeeds if the PDF does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.0.remove(key).await
    }

    /// Presigns a URL that downloads the PDF under the given file name and is valid for five
    /// minutes. Does not check whether the PDF exists.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no AWS credentials are available.
    pub async fn address(&self, key: &str, file_name: &str) -> Result<String, StoreError> {
        self.0.address(key, PDF, file_name).await
    }
}

/// Stores PDFs that are generated on request. A lifecycle rule of the bucket deletes them.
#[derive(Clone)]
pub struct Copies(Bucket);

impl Copies {
    /// The key prefix of copies in the bucket.
    pub const FOLDER: &str = "copies/";
    /// The minimum time before the lifecycle rule deletes a copy.
    pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

    /// Creates an instance that uses the deployment's private bucket.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Stores a copy as `name` below [`FOLDER`](Self::FOLDER), and presigns its download URL, like
    /// [`Documents::address`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn store_and_presign(
        &self,
        name: &str,
        copy: Vec<u8>,
        file_name: &str,
    ) -> Result<String, StoreError> {
        let key = format!("{}{name}", Self::FOLDER);
        self.0.put(&key, PDF, copy).await?;
        self.0.address(&key, PDF, file_name).await
    }
}

/// Creates upload and download URLs for evidence. A lifecycle rule of the bucket deletes the
/// evidence.
#[derive(Clone)]
pub struct EvidenceStore(Bucket);

impl EvidenceStore {
    /// How long evidence is stored before the lifecycle rule deletes it.
    pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

    /// Creates an instance that uses the deployment's private bucket.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Presigns a URL that uploads this file and is valid for five minutes. The key, media type and
    /// length are signed: S3 rejects other media types and lengths, and does not overwrite an
    /// existing object.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no AWS credentials are available.
    pub async fn slot(&self, evidence: &Evidence) -> Result<String, StoreError> {
        let request = self
            .0
            .client
            .put_object()
            .bucket(&self.0.name)
            .key(&evidence.key)
            .content_type(&evidence.content_type)
            .content_length(i64::try_from(evidence.bytes).unwrap_or(i64::MAX))
            .if_none_match("*")
            .presigned(presigning()?)
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(request.uri().to_owned())
    }

    /// Presigns a URL that downloads this file and is valid for five minutes; `None` if the file
    /// was not uploaded, or its content does not match its declared media type.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if S3 cannot be reached or returns an error.
    pub async fn address(&self, evidence: &Evidence) -> Result<Option<String>, StoreError> {
        match self.0.client.head_object().bucket(&self.0.name).key(&evidence.key).send().await {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                return Ok(None);
            }
            Err(error) => return Err(StoreError::from_sdk(error)),
        }
        let request = self.0.client.get_object().bucket(&self.0.name).key(&evidence.key);
        let first_bytes = request.clone().range(format!("bytes=0-{}", SIGNATURE - 1));
        let first_bytes = first_bytes.send().await.map_err(StoreError::from_sdk)?.body.collect().await;
        let first_bytes = first_bytes.map_err(|_| {
            StoreError::Unavailable("the download of the evidence was interrupted".to_owned())
        })?;
        if !is_of_type(&evidence.content_type, &first_bytes.into_bytes()) {
            return Ok(None);
        }
        let request = request
            .response_content_type(&evidence.content_type)
            // Force a download, so that the browser never renders the content.
            .response_content_disposition("attachment; filename=\"bukti-pendukung\"")
            .response_cache_control("private, no-store")
            .presigned(presigning()?)
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(Some(request.uri().to_owned()))
    }
}

/// The number of bytes at the beginning of a file that suffice to identify its media type.
const SIGNATURE: usize = 12;

/// Whether a file that begins with these bytes has the given media type. The upload URL fixes only
/// the declared type: an uploaded SVG or HTML page would run scripts when an officer opens it.
fn is_of_type(content_type: &str, begins: &[u8]) -> bool {
    // The HEIF brands (ISO/IEC 23008-12) that phones write.
    const BRANDS: [&[u8]; 7] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"];
    match content_type {
        "image/jpeg" => begins.starts_with(b"\xff\xd8\xff"),
        "image/png" => begins.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/heic" => {
            begins.get(4..8) == Some(b"ftyp")
                && begins.get(8..12).is_some_and(|brand| BRANDS.contains(&brand))
        }
        "application/pdf" => begins.starts_with(b"%PDF-"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_identify_type_of_evidence() {
        let files: [(&str, &[u8]); 4] = [
            ("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
            ("image/png", b"\x89PNG\r\n\x1a\n"),
            ("image/heic", b"\x00\x00\x00\x18ftypheic"),
            ("application/pdf", b"%PDF-1.7"),
        ];
        for (content_type, _) in bukti_domain::EVIDENCE_TYPES {
            for (of, begins) in files {
                assert_eq!(is_of_type(content_type, begins), content_type == of, "{content_type} {of}");
            }
            for begins in [&b""[..], b"<svg xmlns=", b"<!doctype ht", b"\x00\x00\x00\x18ftypmp42"] {
                assert!(!is_of_type(content_type, begins), "{content_type} {begins:?}");
            }
        }
    }
}
