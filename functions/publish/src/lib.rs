//! Event function `publish`: trust and revocation lists as static files that anybody may fetch.
//!
//! ```text
//! register of signers ──┐
//! other issuers ────────┼──► did.json, signers.json, partitions ──► index ──► partitions that no index names removed
//! revoked certificates ─┘
//! ```
//!
//! Everything is written anew each time, also where nothing has changed: a verifier judges lists by their age. The index
//! comes after the partitions that it names. An old partition stays for an hour, since a verifier may still hold the index
//! that named it.

use std::collections::HashSet;

use bukti_hcert::SignError;
use bukti_store::{
    Aws, DocumentSigners, Issuers, PublicFiles, Publishing, Revocations, Settings, Signers, SigningError,
    StoreError,
};
use bukti_trust::{PublicFile, RevocationIndex, SignerList, did_document, revocation_files};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

/// Where revocation lists are.
const LISTS: &str = "trust/revocation/";
/// Files that are written at the same time.
const WRITERS: usize = 16;
/// How long a partition stays after the last index that named it.
const OLD_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Why nothing, or not all, was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Table or bucket did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no signer to sign the lists.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A list could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A file could not be written as JSON.
    #[error("a list cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Signers of this deployment.
    pub own_signers: usize,
    /// Signers of other issuers.
    pub other_signers: usize,
    /// Revoked and superseded certificates.
    pub revoked: usize,
    /// Files.
    pub files: usize,
    /// The time that stands in them.
    pub issued_at: Timestamp,
}

/// The function with what it may do.
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
    /// The function of a deployment.
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

    /// Publishes what is known now, when it is its turn.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; it can be tried again, and what was published before stays whole.
    pub async fn publish(&self) -> Result<Published, PublishError> {
        self.aws.keep_up().await;
        // The time is that of the turn, too: later lists say a later one.
        self.publishing.in_turn(async { self.publish_now(Timestamp::now()).await }).await?
    }

    async fn publish_now(&self, now: Timestamp) -> Result<Published, PublishError> {
        let own = self.signers.register().await?.listed();
        let others: Vec<_> = self.issuers.all().await?.into_iter().map(|issuer| issuer.signer).collect();
        let revoked = self.revocations.all(now).await?;
        // What is revoked since is read with the next turn.
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
        for path in self.files.written_before(LISTS, now - OLD_AFTER).await? {
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

/// Host and port of the site, as they stand in its `did:web` address.
fn host(settings: &Settings) -> String {
    let address = settings.site_url.split_once("://").map_or(&*settings.site_url, |(_, rest)| rest);
    address.split('/').next().unwrap_or(address).to_owned()
}
