//! The bucket: documents, their copies, evidence.

use std::time::Duration;

use bukti_records::Evidence;

use super::{Bucket, PRESIGNED_FOR, presigning};
use crate::{Aws, StoreError};

const PDF: &str = "application/pdf";

/// Keeps the certificates' PDFs and hands out short-lived addresses of them.
#[derive(Clone)]
pub struct Documents(Bucket);

impl Documents {
    /// Where documents lie in the bucket.
    pub const FOLDER: &str = "certificates/";
    /// How long an address is good, in seconds.
    pub const EXPIRES_IN: u32 = PRESIGNED_FOR.as_secs() as u32;

    /// The documents of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Keeps a PDF.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn keep(&self, key: &str, pdf: Vec<u8>) -> Result<(), StoreError> {
        self.0.put(key, PDF, pdf).await
    }

    /// Takes a PDF away.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.0.remove(key).await
    }

    /// An address at which a PDF can be fetched for five minutes, as a file of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where no credentials are to be had.
    pub async fn address(&self, key: &str, file_name: &str) -> Result<String, StoreError> {
        self.0.address(key, PDF, file_name).await
    }
}

/// Hands out what is printed when somebody asks for it. The bucket takes it away by itself.
#[derive(Clone)]
pub struct Copies(Bucket);

impl Copies {
    /// Where copies lie in the bucket.
    pub const FOLDER: &str = "copies/";
    /// How long they lie there at least.
    pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

    /// The copies of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// Keeps a copy under this name below [`FOLDER`](Self::FOLDER), and gives an address as
    /// [`Documents::address`] does.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn hand_out(&self, name: &str, copy: Vec<u8>, file_name: &str) -> Result<String, StoreError> {
        let key = format!("{}{name}", Self::FOLDER);
        self.0.put(&key, PDF, copy).await?;
        self.0.address(&key, PDF, file_name).await
    }
}

/// Hands out addresses at which evidence is put, and at which officers see it. The bucket takes it away by itself.
#[derive(Clone)]
pub struct EvidenceStore(Bucket);

impl EvidenceStore {
    /// How long evidence is kept.
    pub const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

    /// The evidence of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self(Bucket::new(aws))
    }

    /// An address at which this piece, of just this type and length, can be put for five minutes, once. All of it is signed:
    /// S3 takes nothing else, and nothing over what is there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where no credentials are to be had.
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

    /// An address at which this piece can be seen for five minutes; `None` where it was not put, or is not of its type.
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
        let begins = request.clone().range(format!("bytes=0-{}", SIGNATURE - 1));
        let begins = begins.send().await.map_err(StoreError::from_sdk)?.body.collect().await;
        let begins = begins.map_err(|_| StoreError::Unavailable("evidence breaks off".to_owned()))?;
        if !is_of_type(&evidence.content_type, &begins.into_bytes()) {
            return Ok(None);
        }
        let request = request
            .response_content_type(&evidence.content_type)
            // Never shown as a page of the site, whatever is in it.
            .response_content_disposition("attachment; filename=\"bukti-pendukung\"")
            .response_cache_control("private, no-store")
            .presigned(presigning()?)
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(Some(request.uri().to_owned()))
    }
}

/// The bytes at the beginning of a file that tell its type.
const SIGNATURE: usize = 12;

/// Whether a file that begins so is of this media type of evidence. Whoever puts it signs the type but not the bytes: an SVG or
/// a page would run scripts where an officer opens it.
fn is_of_type(content_type: &str, begins: &[u8]) -> bool {
    // Of the brands of HEIF (ISO/IEC 23008-12) those that phones write.
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
    fn evidence_is_known_by_its_first_bytes() {
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
