//! Revocation lists: signed static files, partitioned by the first bits of the hash.
//!
//! A verifier fetches the index and of each list the one partition that a certificate would be in. The partition's name
//! is all that the server learns: the first bits of a hash, the same for thousands of certificates.
//!
//! Each file is a COSE_Sign1 (ES256) of a CBOR map:
//!
//! | key | index | partition |
//! |---|---|---|
//! | 1 | issued at, Unix seconds | the same |
//! | 2 | array of lists: `[kid, kind, bits, count]` | its path, which it must be fetched from |
//! | 3 | | hashes of revoked certificates, 16 bytes each, sorted |
//! | 4 | | hashes of superseded ones, the same |

use bukti_domain::codes;
use bukti_hcert::{Checked, RevocationHashes, TrustedSigner, hex};
use ciborium::Value;
use coset::{CborSerializable, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable};
use jiff::Timestamp;

/// How many hashes a partition has at most on average: 8 KiB. With three kinds of lists a check stays under 50 KB.
const PARTITION: u64 = 512;
/// No list has more partitions than this many bits name, about a million.
const MOST_BITS: u8 = 20;

const ISSUED_AT: i64 = 1;
const LISTS: i64 = 2;
const PATH: i64 = 2;
const REVOKED: i64 = 3;
const SUPERSEDED: i64 = 4;

codes! {
    /// Which hash of a certificate a list names, see [`bukti_hcert::RevocationHashes`]. The codes are those of the eHealth
    /// Network's specification.
    HashKind {
        /// The UVCI's.
        Uci = "UCI",
        /// The country's and UVCI's.
        CountryCodeUci = "COUNTRYCODEUCI",
        /// The signature's.
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
    /// Why a certificate counts no more.
    RevokedReason {
        /// Revoked.
        Revoked = "revoked",
        /// A corrected certificate has taken its place.
        Superseded = "superseded",
    }
}

/// A revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

impl IndexedList {
    /// The path of the partition that has this number. It names the number of bits, so that the partitions of a list
    /// that has grown are other files than those that somebody may still have.
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
        let content = open(bytes, signers)?;
        Self::of(&content).ok_or(RevocationError::Damaged)
    }

    fn of(content: &Value) -> Option<Self> {
        let lists = entry(content, LISTS)?.as_array()?.iter().map(|list| {
            let [kid, kind, bits, count] = list.as_array()?.as_slice() else { return None };
            Some(IndexedList {
                kid: kid.as_bytes()?.clone(),
                kind: HashKind::of_code(kind.as_text()?)?,
                bits: u8::try_from(bits.as_integer()?).ok().filter(|bits| *bits <= MOST_BITS)?,
                count: u64::try_from(count.as_integer()?).ok()?,
            })
        });
        Some(Self { issued_at: issued_at(content)?, lists: lists.collect::<Option<_>>()? })
    }

    /// The paths of the partitions that a certificate would be in, were it revoked. None where no list is of its signer.
    pub fn partitions_for(&self, checked: &Checked) -> Vec<String> {
        let (Some(kid), Some(hashes)) = (&checked.kid, &checked.hashes) else { return Vec::new() };
        let lists = self.lists.iter().filter(|list| list.kid == *kid);
        lists.filter_map(|list| Some(list.path_of(&list.kind.of(hashes)?))).collect()
    }

    /// The paths of all partitions: to keep for when there is no net.
    pub fn all_partitions(&self) -> Vec<String> {
        let partitions = |list| {
            let list: &IndexedList = list;
            (0..1_u32 << list.bits).map(|number| list.path(number))
        };
        self.lists.iter().flat_map(partitions).collect()
    }

    /// About how many bytes all partitions are.
    pub fn total_bytes(&self) -> u64 {
        let bytes = |list: &IndexedList| list.count.saturating_mul(16).saturating_add(ENVELOPE << list.bits);
        self.lists.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

/// About how many bytes a partition has beside its hashes.
const ENVELOPE: u64 = 180;

/// Part of a list: the certificates whose hash begins with the same bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The path that it is for.
    pub path: String,
    /// When it was made.
    pub issued_at: Timestamp,
    revoked: Vec<u8>,
    superseded: Vec<u8>,
}

impl Partition {
    /// Reads a partition, where one of these signers signed it for this path.
    ///
    /// # Errors
    ///
    /// [`RevocationError`].
    pub fn read(path: &str, bytes: &[u8], signers: &[TrustedSigner]) -> Result<Self, RevocationError> {
        let content = open(bytes, signers)?;
        // One that is for another path was put into the place of the one that was asked for.
        Self::of(&content).filter(|partition| partition.path == path).ok_or(RevocationError::Damaged)
    }

    fn of(content: &Value) -> Option<Self> {
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

    /// Why the certificate counts no more; `None` where it is not on the list.
    pub fn reason(&self, checked: &Checked) -> Option<RevokedReason> {
        let hashes = checked.hashes.as_ref()?;
        // A hash of one kind is on lists of another by a chance of 1 in 2^128 only.
        let wanted: Vec<_> = HashKind::ALL.iter().filter_map(|kind| kind.of(hashes)).collect();
        let on = |list: &[u8]| list.chunks_exact(16).any(|hash| wanted.iter().any(|it| it == hash));
        if on(&self.revoked) {
            Some(RevokedReason::Revoked)
        } else {
            on(&self.superseded).then_some(RevokedReason::Superseded)
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

/// What a signed file holds, where one of these signers signed it.
fn open(bytes: &[u8], signers: &[TrustedSigner]) -> Result<Value, RevocationError> {
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

/// Signed with each file (COSE's external data), so that no file counts as a certificate and no certificate as a file.
const CONTEXT: &[u8] = b"bukti revocation list 1";

/// The index and all partitions, signed. Partitions that would be empty are there too, so that a missing one is a fault.
///
/// # Errors
///
/// Where signing fails.
#[cfg(not(target_arch = "wasm32"))]
pub async fn revocation_files(
    mut revoked: Vec<Revoked>,
    signer: &impl bukti_hcert::Signer,
    now: Timestamp,
) -> Result<Vec<PublicFile>, bukti_hcert::SignError> {
    let integer = |number: i64| Value::Integer(number.into());
    // Sorted, the certificates of one list and of one partition stand together.
    revoked.sort_unstable();
    revoked.dedup();
    let mut files = Vec::new();
    let mut lists = Vec::new();
    for on_list in revoked.chunk_by(|one, other| (one.kid, one.kind) == (other.kid, other.kind)) {
        let Some(first) = on_list.first() else { continue };
        let list = IndexedList {
            kid: first.kid.to_vec(),
            kind: first.kind,
            bits: bits_for(on_list.len() as u64),
            count: on_list.len() as u64,
        };
        let mut rest = on_list;
        for number in 0..1_u32 << list.bits {
            let split = rest.partition_point(|it| first_bits(&it.hash, list.bits) <= number);
            let (inside, after) = rest.split_at(split);
            rest = after;
            let path = list.path(number);
            let hashes = |reason| {
                let these = inside.iter().filter(|it| it.reason == reason);
                Value::Bytes(these.flat_map(|it| it.hash).collect())
            };
            let content = Value::Map(vec![
                (integer(ISSUED_AT), integer(now.as_second())),
                (integer(PATH), Value::Text(path.clone())),
                (integer(REVOKED), hashes(RevokedReason::Revoked)),
                (integer(SUPERSEDED), hashes(RevokedReason::Superseded)),
            ]);
            files.push(PublicFile { bytes: close(content, signer).await?, path });
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
    let bytes = close(index, signer).await?;
    files.push(PublicFile { path: RevocationIndex::PATH.to_owned(), bytes });
    Ok(files)
}

#[cfg(not(target_arch = "wasm32"))]
fn bits_for(count: u64) -> u8 {
    (0..MOST_BITS).find(|bits| count >> bits <= PARTITION).unwrap_or(MOST_BITS)
}

#[cfg(not(target_arch = "wasm32"))]
async fn close(content: Value, signer: &impl bukti_hcert::Signer) -> Result<Vec<u8>, bukti_hcert::SignError> {
    use bukti_hcert::SignError;

    let content = content.to_vec().map_err(|_| SignError::Failed)?;
    let message = bukti_hcert::cose_sign1(content, CONTEXT, signer).await?;
    message.to_tagged_vec().map_err(|_| SignError::Failed)
}
