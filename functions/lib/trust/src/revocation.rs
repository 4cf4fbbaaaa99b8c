//! Revocation lists: signed static files, partitioned by the first bits of the hash.
//!
//! A verifier fetches the index, and from each list the one partition that can contain the
//! certificate. The server learns only the name of the partition, that is the first bits of a hash,
//! which thousands of certificates share.
//!
//! Each file is a COSE_Sign1 (ES256) of a CBOR map:
//!
//! | key | index | partition |
//! |---|---|---|
//! | 1 | issued at, Unix seconds | the same |
//! | 2 | array of lists: `[kid, kind, bits, count]` | the path that it must be fetched from |
//! | 3 | | sorted hashes of revoked certificates, 16 bytes each |
//! | 4 | | sorted hashes of superseded certificates, 16 bytes each |

use bukti_domain::codes;
use bukti_hcert::{Checked, RevocationHashes, TrustedSigner, hex};
use ciborium::Value;
use coset::{CborSerializable, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable};
use jiff::Timestamp;

/// The maximum average number of hashes in a partition, which is 8 KiB. With three kinds of lists,
/// a check then fetches less than 50 KB.
const PARTITION_HASHES: u64 = 512;
/// The maximum number of bits in the name of a partition: about a million partitions.
const MAX_BITS: u8 = 20;

const ISSUED_AT: i64 = 1;
const LISTS: i64 = 2;
const PATH: i64 = 2;
const REVOKED: i64 = 3;
const SUPERSEDED: i64 = 4;

codes! {
    /// The kind of hash that a list contains, see [`bukti_hcert::RevocationHashes`]. The codes are
    /// those of the eHealth Network's specification.
    HashKind {
        /// The hash of the UVCI.
        Uci = "UCI",
        /// The hash of country and UVCI.
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
    /// Why a certificate is on a revocation list.
    RevokedReason {
        /// It was revoked.
        Revoked = "revoked",
        /// A corrected certificate replaced it.
        Superseded = "superseded",
    }
}

/// An entry of a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revoked {
    /// The key id of its signer.
    pub kid: [u8; 8],
    /// The kind of hash.
    pub kind: HashKind,
    /// The hash.
    pub hash: [u8; 16],
    /// Why it is on the list.
    pub reason: RevokedReason,
}

/// A file for publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicFile {
    /// The path on the site, without a leading slash: `trust/revocation/index.cose`.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Why a file of a revocation list was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// The file cannot be parsed, or belongs to another path.
    #[error("the revocation list is damaged; fetch it again")]
    Damaged,
    /// No signer of the deployment signed the file.
    #[error("the revocation list is not signed by a signer that is trusted for it; update the trust list")]
    NotTrusted,
}

/// An entry of the index: the list of all revoked certificates of one signer, by one kind of hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedList {
    /// The signer's key id.
    pub kid: Vec<u8>,
    /// The kind of hash.
    pub kind: HashKind,
    /// The number of leading bits of the hash that select the partition.
    pub bits: u8,
    /// The number of certificates on the list.
    pub count: u64,
}

impl IndexedList {
    /// The path of a partition. It contains the number of bits, so that the partitions of a list
    /// that has grown have other paths than those in caches.
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

/// The index of all revocation lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationIndex {
    /// When the lists were published.
    pub issued_at: Timestamp,
    /// The lists.
    pub lists: Vec<IndexedList>,
}

impl RevocationIndex {
    /// The path at which it is published.
    pub const PATH: &str = "trust/revocation/index.cose";

    /// Parses the index, if one of these signers signed it.
    ///
    /// # Errors
    ///
    /// [`RevocationError`].
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

    /// The paths of the partitions that contain a certificate if it is revoked. Empty if its signer
    /// has no lists.
    pub fn partitions_for(&self, checked: &Checked) -> Vec<String> {
        let (Some(kid), Some(hashes)) = (&checked.kid, &checked.hashes) else { return Vec::new() };
        let lists = self.lists.iter().filter(|list| list.kid == *kid);
        lists.filter_map(|list| Some(list.path_of(&list.kind.of(hashes)?))).collect()
    }

    /// The paths of all partitions, for verifiers that keep them for offline use.
    pub fn all_partitions(&self) -> Vec<String> {
        let partitions = |list| {
            let list: &IndexedList = list;
            (0..1_u32 << list.bits).map(|number| list.path(number))
        };
        self.lists.iter().flat_map(partitions).collect()
    }

    /// The estimated size of all partitions.
    pub fn total_bytes(&self) -> u64 {
        let bytes = |list: &IndexedList| list.count.saturating_mul(16).saturating_add(ENVELOPE << list.bits);
        self.lists.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

/// The approximate size of a partition without hashes, in bytes.
const ENVELOPE: u64 = 180;

/// A part of a list: the certificates whose hashes start with the same bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The path that it was signed for.
    pub path: String,
    /// When it was published.
    pub issued_at: Timestamp,
    revoked: Vec<u8>,
    superseded: Vec<u8>,
}

impl Partition {
    /// Parses a partition, if one of these signers signed it for this path.
    ///
    /// # Errors
    ///
    /// [`RevocationError`].
    pub fn read(path: &str, bytes: &[u8], signers: &[TrustedSigner]) -> Result<Self, RevocationError> {
        let content = verified_content(bytes, signers)?;
        // The path is checked so that a server cannot substitute another partition, for example an
        // empty one.
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

    /// Why the certificate is on the list; `None` if it is not.
    pub fn reason(&self, checked: &Checked) -> Option<RevokedReason> {
        let hashes = checked.hashes.as_ref()?;
        // All kinds of hashes are compared: a collision between kinds has a probability of 2^-128.
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

/// The content of a signed file, if one of these signers signed it.
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

/// External data that is signed with each file, so that neither a list can pass for a certificate
/// nor a certificate for a list.
const CONTEXT: &[u8] = b"bukti revocation list 1";

/// Signs the index and all partitions. Empty partitions are included, so that a missing file is
/// always an error.
///
/// # Errors
///
/// The signer's error.
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
