//! Event function `publish`: publishes trust lists and revocation lists as public static files.
//!
//! ```text
//! own signers ──────────┐
//! imported signers ─────┼──► did.json, signers.json, partitions ──► index ──► delete old partitions
//! revoked certificates ─┘
//! ```
//!
//! All files are written each time, even if nothing has changed, since verifiers reject lists that
//! are too old. The index is written after the partitions that it names. Partitions that the new
//! index does not name are deleted after an hour, since a verifier may still have the previous
//! index.

use std::collections::HashSet;

use bukti_hcert::SignError;
use bukti_store::{
    Aws, DocumentSigners, Issuers, PublicFiles, Publishing, Revocations, Settings, Signers, SigningError,
    StoreError,
};
use bukti_trust::{PublicFile, RevocationIndex, SignerList, did_document, revocation_files};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

/// The path prefix of the revocation lists in the bucket.
const LISTS: &str = "trust/revocation/";
/// The number of files that are written concurrently.
const WRITERS: usize = 16;
/// How long a partition is kept after the publication of the last index that names it.
const OLD_PARTITIONS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// An error that prevented the publication of all or some files.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A request to the table or the bucket failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no active signer for the lists.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A list could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A list could not be serialised as JSON.
    #[error("cannot serialise a list: {0}")]
    Json(#[from] serde_json::Error),
}

/// A summary of what was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The number of signers of this deployment.
    pub own_signers: usize,
    /// The number of imported signers.
    pub other_signers: usize,
    /// The number of revoked and superseded certificates.
    pub revoked: usize,
    /// The number of files that were written.
    pub files: usize,
    /// The time of publication, as stated in the lists.
    pub issued_at: Timestamp,
}

/// The event function `publish`, with its clients.
#[derive(Clone)]
pub struct Publish {
    aws: Aws,
    host: String,
    signers: Signers,
    issuers: Issuers,
    revocations: Revocations,
    signing: DocumentSigners,
    publishing: Publishing,
    files: PublicFiles,
}

impl Publish {
    /// Creates the function with the settings and clients of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            host: host(&aws.settings),
            signers: Signers::new(aws),
            issuers: Issuers::new(aws),
            revocations: Revocations::new(aws),
            signing: DocumentSigners::new(aws),
            publishing: Publishing::new(aws),
            files: PublicFiles::new(aws),
        }
    }

    /// Publishes the current lists. A lease makes concurrent calls run one after the other.
    ///
    /// # Errors
    ///
    /// [`PublishError`]. Retrying is safe, and the files that were published earlier stay
    /// consistent.
    pub async fn publish(&self) -> Result<Published, PublishError> {
        self.aws.refresh_secrets().await;
        // The time is read while the lease is held, so that later lists always have a later time.
        self.publishing.with_lease(async { self.publish_now(Timestamp::now()).await }).await?
    }

    async fn publish_now(&self, now: Timestamp) -> Result<Published, PublishError> {
        let own = self.signers.register().await?.listed();
        let others: Vec<_> = self.issuers.all().await?.into_iter().map(|issuer| issuer.signer).collect();
        // Certificates that are revoked after this read are published by the next call.
        let revoked = self.revocations.all(now).await?;
        // Drops the cached signer, since the register may have changed.
        self.signing.forget();
        let signer = self.signing.active().await?;

        let mut published = Published {
            own_signers: own.len(),
            other_signers: others.len(),
            revoked: revoked.len(),
            files: 0,
            issued_at: now,
        };
        let did = serde_json::to_vec_pretty(&did_document(&self.host, &own))?;
        let list = SignerList { issued_at: now, signers: own.into_iter().chain(others).collect() };
        let mut files = vec![
            PublicFile { path: "trust/did.json".to_owned(), bytes: did },
            PublicFile { path: "trust/signers.json".to_owned(), bytes: serde_json::to_vec_pretty(&list)? },
        ];
        files.extend(revocation_files(revoked, &*signer, now).await?);
        published.files = files.len();
        let named: HashSet<String> = files.iter().map(|file| file.path.clone()).collect();

        let (index, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.path == RevocationIndex::PATH);
        self.write(others).await?;
        self.write(index).await?;
        for path in self.files.written_before(LISTS, now - OLD_PARTITIONS_KEPT_FOR).await? {
            if !named.contains(&path) {
                self.files.remove(&path).await?;
            }
        }
        tracing::info!(
            revoked = published.revoked,
            files = published.files,
            "trust and revocation lists published"
        );
        Ok(published)
    }

    async fn write(&self, files: Vec<PublicFile>) -> Result<(), StoreError> {
        let writes =
            stream::iter(files).map(|file| async move { self.files.put(&file.path, file.bytes).await });
        writes.buffer_unordered(WRITERS).try_collect().await
    }
}

/// The host and port of the site, for the `did:web` id of the deployment.
fn host(settings: &Settings) -> String {
    let address = settings.site_url.split_once("://").map_or(&*settings.site_url, |(_, rest)| rest);
    address.split('/').next().unwrap_or(address).to_owned()
}
