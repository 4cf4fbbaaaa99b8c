//! Revocation lists: signed static files, partitioned by the leading bits of the certificates'
//! hashes.
//!
//! A verifier fetches the index and, for each list of the signer, the one partition that can
//! contain the certificate. The server learns only the name of that partition, which is the leading
//! bits of a hash; thousands of certificates share them.
//!
//! Each file is a COSE_Sign1 message (ES256) with a CBOR map as its payload. Times are in seconds
//! since the Unix epoch.
//!
//! | key | index | partition |
//! |---|---|---|
//! | 1 | publication time | publication time |
//! | 2 | array of lists: `[kid, kind, bits, count]` | the path that the file must be fetched from |
//! | 3 | | sorted hashes of revoked certificates, 16 bytes each |
//! | 4 | | sorted hashes of superseded certificates, 16 bytes each |

use bukti_domain::codes;
use bukti_hcert::{Checked, RevocationHashes, TrustedSigner, hex};
use ciborium::Value;
use coset::{CborSerializable, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable};
use jiff::Timestamp;

/// The maximum average number of hashes in a partition; they take 8 KiB. With lists of all three
/// kinds, a check fetches less than 50 KB.
const PARTITION_HASHES: u64 = 512;
/// The maximum number of bits that select a partition. A list then has about a million partitions.
const MAX_BITS: u8 = 20;

const ISSUED_AT: i64 = 1;
const LISTS: i64 = 2;
const PATH: i64 = 2;
const REVOKED: i64 = 3;
const SUPERSEDED: i64 = 4;

codes! {
    /// The kind of hash that a list contains; see [`bukti_hcert::RevocationHashes`]. The eHealth
    /// Network's specification defines the codes.
    HashKind {
        /// The hash of the UVCI.
        Uci = "UCI",
        /// The hash of the country of issuance and the UVCI.
        CountryCodeUci = "COUNTRYCODEUCI",
        /// The hash of the signature.
        Signature = "SIGNATURE",
    }
}

impl HashKind {
    fn of(self, hashes: &RevocationHashes) -> Option<[u8; 16]> {
        match self {
            Self::Uci => hashes.uci,
            Self::CountryCodeUci => hashes.country_code_uci,
            Self::Signature => Some(hashes.signature),
        }
    }
}

codes! {
    /// The reason a certificate is on a revocation list.
    RevokedReason {
        /// The certificate was revoked and must not be accepted.
        Revoked = "revoked",
        /// A newer certificate of the same dose replaced it.
        Superseded = "superseded",
    }
}

/// An entry in a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revoked {
    /// The key id of the signer that signed the certificate.
    pub kid: [u8; 8],
    /// Which of the certificate's hashes the entry contains.
    pub kind: HashKind,
    /// The first 16 bytes of the hash.
    pub hash: [u8; 16],
    /// The reason for the entry.
    pub reason: RevokedReason,
}

/// A file to be published on the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicFile {
    /// The path on the site without a leading slash, such as `trust/revocation/index.cose`.
    pub path: String,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// The reason a file of a revocation list was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// The file cannot be parsed, or was signed for another path.
    #[error("the revocation list is damaged; fetch it again")]
    Damaged,
    /// The file was not signed by any of the trusted signers.
    #[error("the revocation list is not signed by a signer that is trusted for it; update the trust list")]
    NotTrusted,
}

/// An entry in the index. It describes the list of one signer's revoked certificates, identified by
/// one kind of hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedList {
    /// The signer's key id.
    pub kid: Vec<u8>,
    /// Which of the certificate's hashes the list contains.
    pub kind: HashKind,
    /// The number of leading bits of the hash that select the partition.
    pub bits: u8,
    /// The number of entries in the list.
    pub count: u64,
}

impl IndexedList {
    /// The path of a partition. It contains the number of bits, so that a partition of a list that
    /// has grown never has the path of a cached partition with fewer bits.
    fn path(&self, number: u32) -> String {
        let kid = hex(&self.kid);
        let (kind, bits) = (self.kind.code(), self.bits);
        format!("trust/revocation/{kid}/{kind}/{bits}/{number:05x}.cose")
    }

    fn path_of(&self, hash: &[u8; 16]) -> String {
        self.path(first_bits(hash, self.bits))
    }
}

fn first_bits(hash: &[u8; 16], bits: u8) -> u32 {
    let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    first.checked_shr(32 - u32::from(bits)).unwrap_or(0)
}

/// The index of all revocation lists, from which a verifier learns which partitions to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationIndex {
    /// When the index was published.
    pub issued_at: Timestamp,
    /// The lists, one for each signer and kind of hash that has entries.
    pub lists: Vec<IndexedList>,
}

impl RevocationIndex {
    /// The path at which the index is published.
    pub const PATH: &str = "trust/revocation/index.cose";

    /// Parses the index, and verifies that one of these signers signed it.
    ///
    /// # Errors
    ///
    /// [`RevocationError`] if the file cannot be parsed, or if its signature is not valid.
    pub fn read(bytes: &[u8], signers: &[TrustedSigner]) -> Result<Self, RevocationError> {
        let content = verified_content(bytes, signers)?;
        Self::from_content(&content).ok_or(RevocationError::Damaged)
    }

    fn from_content(content: &Value) -> Option<Self> {
        let lists = entry(content, LISTS)?.as_array()?.iter().map(|list| {
            let [kid, kind, bits, count] = list.as_array()?.as_slice() else { return None };
            Some(IndexedList {
                kid: kid.as_bytes()?.clone(),
                kind: HashKind::from_code(kind.as_text()?)?,
                bits: u8::try_from(bits.as_integer()?).ok().filter(|bits| *bits <= MAX_BITS)?,
                count: u64::try_from(count.as_integer()?).ok()?,
            })
        });
        Some(Self { issued_at: issued_at(content)?, lists: lists.collect::<Option<_>>()? })
    }

    /// Returns the paths of the partitions to search for a certificate, one for each list of its
    /// signer. Empty if the signer has no lists.
    pub fn partitions_for(&self, checked: &Checked) -> Vec<String> {
        let (Some(kid), Some(hashes)) = (&checked.kid, &checked.hashes) else { return Vec::new() };
        let lists = self.lists.iter().filter(|list| list.kid == *kid);
        lists.filter_map(|list| Some(list.path_of(&list.kind.of(hashes)?))).collect()
    }

    /// Returns the paths of all partitions, for verifiers that download them for offline use.
    pub fn all_partitions(&self) -> Vec<String> {
        let partitions = |list| {
            let list: &IndexedList = list;
            (0..1_u32 << list.bits).map(|number| list.path(number))
        };
        self.lists.iter().flat_map(partitions).collect()
    }

    /// The estimated total size of all partitions, in bytes.
    pub fn total_bytes(&self) -> u64 {
        let bytes = |list: &IndexedList| list.count.saturating_mul(16).saturating_add(ENVELOPE << list.bits);
        self.lists.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

/// The approximate size of a partition without hashes, in bytes.
const ENVELOPE: u64 = 180;

/// One file of a list, with the certificates whose hashes start with the same bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The path that the partition was signed for.
    pub path: String,
    /// When the partition was published.
    pub issued_at: Timestamp,
    revoked: Vec<u8>,
    superseded: Vec<u8>,
}

impl Partition {
    /// Parses a partition, and verifies that one of these signers signed it for this path.
    ///
    /// # Errors
    ///
    /// [`RevocationError`] if the file cannot be parsed, or if its signature is not valid.
    pub fn read(path: &str, bytes: &[u8], signers: &[TrustedSigner]) -> Result<Self, RevocationError> {
        let content = verified_content(bytes, signers)?;
        // The path check prevents a server from substituting another partition, such as an empty
        // one.
        Self::from_content(&content)
            .filter(|partition| partition.path == path)
            .ok_or(RevocationError::Damaged)
    }

    fn from_content(content: &Value) -> Option<Self> {
        let hashes = |key| {
            let bytes = entry(content, key)?.as_bytes()?;
            (bytes.len() % 16 == 0).then(|| bytes.clone())
        };
        Some(Self {
            path: entry(content, PATH)?.as_text()?.to_owned(),
            issued_at: issued_at(content)?,
            revoked: hashes(REVOKED)?,
            superseded: hashes(SUPERSEDED)?,
        })
    }

    /// Returns the reason the certificate is in this partition; `None` if it is not.
    pub fn reason(&self, checked: &Checked) -> Option<RevokedReason> {
        let hashes = checked.hashes.as_ref()?;
        // All kinds of hashes are compared, since a collision between kinds has a probability of
        // only 2^-128.
        let wanted: Vec<_> = HashKind::ALL.iter().filter_map(|kind| kind.of(hashes)).collect();
        let contains = |list: &[u8]| list.chunks_exact(16).any(|hash| wanted.iter().any(|it| it == hash));
        if contains(&self.revoked) {
            Some(RevokedReason::Revoked)
        } else {
            contains(&self.superseded).then_some(RevokedReason::Superseded)
        }
    }
}

fn entry(content: &Value, key: i64) -> Option<&Value> {
    let entries = content.as_map()?;
    entries.iter().find(|(known, _)| *known == Value::Integer(key.into())).map(|(_, value)| value)
}

fn issued_at(content: &Value) -> Option<Timestamp> {
    Timestamp::new(i64::try_from(entry(content, ISSUED_AT)?.as_integer()?).ok()?, 0).ok()
}

/// Returns the content of a signed file after verifying that one of these signers signed it.
fn verified_content(bytes: &[u8], signers: &[TrustedSigner]) -> Result<Value, RevocationError> {
    let message = CoseSign1::from_tagged_slice(bytes).map_err(|_| RevocationError::Damaged)?;
    let header = &message.protected.header;
    let Some(RegisteredLabelWithPrivate::Assigned(algorithm)) = &header.alg else {
        return Err(RevocationError::Damaged);
    };
    let signed = message.tbs_data(CONTEXT);
    let trusted = signers.iter().any(|signer| {
        signer.kid == header.key_id && signer.verifies(*algorithm as i64, &signed, &message.signature)
    });
    if !trusted {
        return Err(RevocationError::NotTrusted);
    }
    let payload = message.payload.ok_or(RevocationError::Damaged)?;
    Value::from_slice(&payload).map_err(|_| RevocationError::Damaged)
}

/// External data that each signature covers, so that a list cannot pass for a certificate, nor a
/// certificate for a list.
const CONTEXT: &[u8] = b"bukti revocation list 1";

/// Builds and signs the index and all partitions. Empty partitions are included, so that a missing
/// file is always an error.
///
/// # Errors
///
/// The signer's error; a retry may succeed.
#[cfg(not(target_arch = "wasm32"))]
pub async fn revocation_files(
    mut revoked: Vec<Revoked>,
    signer: &impl bukti_hcert::Signer,
    now: Timestamp,
) -> Result<Vec<PublicFile>, bukti_hcert::SignError> {
    let integer = |number: i64| Value::Integer(number.into());
    // Sorting groups the certificates by list and by partition.
    revoked.sort_unstable();
    revoked.dedup();
    let mut files = Vec::new();
    let mut lists = Vec::new();
    for on_list in revoked.chunk_by(|one, other| (one.kid, one.kind) == (other.kid, other.kind)) {
        let Some(first) = on_list.first() else { continue };
        let list = IndexedList {
            kid: first.kid.to_vec(),
            kind: first.kind,
            bits: bits_for_count(on_list.len() as u64),
            count: on_list.len() as u64,
        };
        let mut rest = on_list;
        for number in 0..1_u32 << list.bits {
            let split = rest.partition_point(|it| first_bits(&it.hash, list.bits) <= number);
            let (in_partition, after) = rest.split_at(split);
            rest = after;
            let path = list.path(number);
            let hashes = |reason| {
                let matching = in_partition.iter().filter(|it| it.reason == reason);
                Value::Bytes(matching.flat_map(|it| it.hash).collect())
            };
            let content = Value::Map(vec![
                (integer(ISSUED_AT), integer(now.as_second())),
                (integer(PATH), Value::Text(path.clone())),
                (integer(REVOKED), hashes(RevokedReason::Revoked)),
                (integer(SUPERSEDED), hashes(RevokedReason::Superseded)),
            ]);
            files.push(PublicFile { bytes: signed(content, signer).await?, path });
        }
        lists.push(Value::Array(vec![
            Value::Bytes(list.kid),
            Value::Text(list.kind.code().to_owned()),
            Value::Integer(list.bits.into()),
            Value::Integer(list.count.into()),
        ]));
    }
    let index = Value::Map(vec![
        (integer(ISSUED_AT), integer(now.as_second())),
        (integer(LISTS), Value::Array(lists)),
    ]);
    let bytes = signed(index, signer).await?;
    files.push(PublicFile { path: RevocationIndex::PATH.to_owned(), bytes });
    Ok(files)
}

#[cfg(not(target_arch = "wasm32"))]
fn bits_for_count(count: u64) -> u8 {
    (0..MAX_BITS).find(|bits| count >> bits <= PARTITION_HASHES).unwrap_or(MAX_BITS)
}

#[cfg(not(target_arch = "wasm32"))]
async fn signed(
    content: Value,
    signer: &impl bukti_hcert::Signer,
) -> Result<Vec<u8>, bukti_hcert::SignError> {
    use bukti_hcert::SignError;

    let content = content.to_vec().map_err(|_| SignError::Failed)?;
    let message = bukti_hcert::cose_sign1(content, CONTEXT, signer).await?;
    message.to_tagged_vec().map_err(|_| SignError::Failed)
}
