//! Certificates' PDFs, printed copies, and evidence in the bucket.

use std::time::Duration;

use bukti_records::Evidence;

use super::{Bucket, PRESIGNED_FOR, presigning};
use crate::{Aws, StoreError};

const PDF: &str = "application/pdf";

/// Stores the certificates' PDFs, and creates short-lived URLs for them.
#[derive(Clone)]
pub struct Documents(Bucket);

impl Documents {
    /// The prefix of documents in the bucket.
    pub const FOLDER: &str = "certificates/";
    /// How long a URL is valid, in seconds.
    pub const EXPIRES_IN: u32 = PRESIGNED_FOR.as_secs() as u32;

    /// The documents of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Stores a PDF.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn keep(&self, key: &str, pdf: Vec<u8>) -> Result<(), StoreError> {
        self.0.put(key, PDF, pdf).await
    }

    /// Deletes a PDF.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.0.remove(key).await
    }

    /// A URL from which a PDF can be downloaded for five minutes, with this file name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no credentials are available.
    pub async fn address(&self, key: &str, file_name: &str) -> Result<String, StoreError> {
        self.0.address(key, PDF, file_name).await
    }
}

/// Stores PDFs that are printed on request. The bucket's life cycle deletes them.
#[derive(Clone)]
pub struct Copies(Bucket);

impl Copies {
    /// The prefix of copies in the bucket.
    pub const FOLDER: &str = "copies/";
    /// The minimum time before copies are deleted.
    pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

    /// The copies of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Stores a copy under this name below [`FOLDER`](Self::FOLDER), and returns a URL like
    /// [`Documents::address`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
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

/// Creates URLs at which evidence is uploaded and viewed. The bucket's life cycle deletes it.
#[derive(Clone)]
pub struct EvidenceStore(Bucket);

impl EvidenceStore {
    /// How long evidence is stored.
    pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

    /// The evidence of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// A URL at which this piece of evidence can be uploaded for five minutes. Key, type and length
    /// are signed, so S3 rejects other content types and lengths, and does not overwrite an
    /// existing object.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no credentials are available.
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

    /// A URL at which this piece can be viewed for five minutes; `None` if it was not uploaded, or
    /// is not of its declared type.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
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
            // Always a download, so that the browser never renders the content.
            .response_content_disposition("attachment; filename=\"bukti-pendukung\"")
            .response_cache_control("private, no-store")
            .presigned(presigning()?)
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(Some(request.uri().to_owned()))
    }
}

/// The number of bytes at the beginning of a file that identify its type.
const SIGNATURE: usize = 12;

/// Whether a file with these first bytes has this media type of evidence. The upload URL fixes the
/// type but not the content: an SVG or an HTML page would run scripts when an officer opens it.
fn is_of_type(content_type: &str, begins: &[u8]) -> bool {
    // The brands of HEIF (ISO/IEC 23008-12) that phones write.
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
