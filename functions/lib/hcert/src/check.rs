//! From QR text to what it says and whether that holds: the same steps on servers, the command line and in the browser.
//!
//! ```text
//! "HC1:…" ─prefix─► base45 ─► zlib ─► COSE_Sign1 ─► CWT claims (CBOR) ─► payload (schema)
//!                                          └─► signature ─► not_expired ─► key_usage
//! ```

use std::io::Read;

use ciborium::Value;
use coset::{AsCborValue, CoseSign1, RegisteredLabelWithPrivate, iana};
use flate2::read::ZlibDecoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Content, Kind, TrustedSigner, cbor, dcc, icvp};

/// Claims of a CWT (RFC 8392) and the one of HCERT.
pub(crate) const ISSUER: i64 = 1;
pub(crate) const EXPIRES_AT: i64 = 4;
pub(crate) const ISSUED_AT: i64 = 6;
pub(crate) const HCERT: i64 = -260;

/// What each step found, in the order in which they are taken; `None` after the first that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// The text begins with `HC1:`.
    pub prefix: Option<bool>,
    /// What follows is base45 (RFC 9285).
    pub base45: Option<bool>,
    /// Its bytes are one whole zlib stream (RFC 1950).
    pub zlib: Option<bool>,
    /// Inflated, they are a COSE_Sign1 (RFC 9052).
    pub cose: Option<bool>,
    /// Its payload is a CWT (RFC 8392) with the HCERT claim, which holds a map.
    pub cbor: Option<bool>,
    /// The claim holds a payload of a known kind, as its schema has it.
    pub schema: Option<bool>,
    /// The signature is of a trusted signer whose certificate was valid at `iat`.
    pub signature: Option<bool>,
    /// The time is not before `iat`, before `exp`, and not after the signer's certificate.
    pub not_expired: Option<bool>,
    /// The signer may sign certificates of this kind.
    pub key_usage: Option<bool>,
}

/// Why the signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureFault {
    /// No trusted signer has this key id, or none whose certificate was valid at `iat`.
    SignerUnknown,
    /// A trusted signer has this key id but did not sign this.
    Wrong,
}

/// Where the time is, seen from the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Before `iat`.
    Before,
    /// Within.
    Within,
    /// At or after `exp`, or after the signer's certificate.
    After,
}

/// What identifies a certificate in revocation lists, 16 bytes each: the kinds of the eHealth Network's revocation
/// lists (DCC Revocation, 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationHashes {
    /// SHA-256 of the UVCI; `None` where the payload has none.
    pub uci: Option<[u8; 16]>,
    /// SHA-256 of the country of issuance (alpha-2) and the UVCI.
    pub country_code_uci: Option<[u8; 16]>,
    /// SHA-256 of the signature; of ES256 of its first half, `r`, alone.
    pub signature: [u8; 16],
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Step by step.
    pub steps: Steps,
    /// The payload, also where it is not as the schema has it.
    pub payload: Option<serde_json::Value>,
    /// What the payload says.
    pub content: Option<Content>,
    /// The issuer's country, claim `iss`.
    pub issuer: Option<String>,
    /// Claim `iat`.
    pub issued_at: Option<Timestamp>,
    /// Claim `exp`.
    pub expires_at: Option<Timestamp>,
    /// The key id, by which the signer is found.
    pub kid: Option<Vec<u8>>,
    /// Why [`Steps::signature`] failed.
    pub signature_fault: Option<SignatureFault>,
    /// Where the time is, once the signature holds.
    pub timing: Option<Timing>,
    /// The place of the signer among those that were given, once the signature holds.
    pub signer: Option<usize>,
    /// For revocation lists, once the message is read.
    pub hashes: Option<RevocationHashes>,
}

/// The longest text that is looked at, in bytes. The largest QR holds 4296 characters.
const LONGEST_TEXT: usize = 16 * 1024;
/// The most bytes that a text may inflate to. Real ones have 300 to 1000.
const LONGEST_MESSAGE: u64 = 64 * 1024;

/// Tags of a COSE_Sign1 and of a CWT around it.
const COSE_SIGN1_TAG: u64 = 18;
const CWT_TAG: u64 = 61;

/// Reads a QR text and checks it against the signers that are trusted, at a time. White space around the text does not
/// count. Never panics, and takes no more than a few hundred kilobytes whatever the text is.
pub fn check(text: &str, signers: &[TrustedSigner], at: Timestamp) -> Checked {
    let mut checked = Checked::default();
    // Each step ends the rest where it fails.
    let _ = steps(&mut checked, text.trim(), signers, at);
    checked
}

/// Notes what a step found, and ends the steps where that is nothing.
fn found<T>(step: &mut Option<bool>, what: Option<T>) -> Option<T> {
    *step = Some(what.is_some());
    what
}

fn holds(step: &mut Option<bool>, what: bool) -> Option<()> {
    found(step, what.then_some(()))
}

fn steps(checked: &mut Checked, text: &str, signers: &[TrustedSigner], at: Timestamp) -> Option<()> {
    let steps = &mut checked.steps;
    let encoded = found(&mut steps.prefix, text.strip_prefix("HC1:"))?;
    let short = Some(encoded).filter(|encoded| encoded.len() <= LONGEST_TEXT);
    let compressed = found(&mut steps.base45, short.and_then(|encoded| base45::decode(encoded).ok()))?;
    let message = found(&mut steps.zlib, inflate(&compressed))?;
    let message = found(&mut steps.cose, Message::read(&message))?;
    checked.kid.clone_from(&message.kid);

    let claims = found(&mut steps.cbor, Claims::read(&message.payload))?;
    checked.hashes = Some(RevocationHashes { uci: None, country_code_uci: None, signature: message.hash() });
    checked.issuer = claims.issuer;
    checked.issued_at = claims.issued_at;
    checked.expires_at = claims.expires_at;

    let content = match claims.kind {
        Some(dcc::CLAIM) => dcc::content(&claims.payload),
        Some(icvp::CLAIM) => icvp::content(&claims.payload),
        _ => None,
    };
    checked.payload = Some(claims.payload);
    let content = found(&mut steps.schema, content)?;
    if let (Some(hashes), Some(uci)) = (&mut checked.hashes, &content.certificate_id) {
        hashes.uci = Some(hash16(&[uci.as_bytes()]));
        // The country of issuance: the issuer's in the claims, the vaccination's where there is none.
        let country = checked.issuer.as_ref().or(content.country.as_ref());
        hashes.country_code_uci = country.map(|country| hash16(&[country.as_bytes(), uci.as_bytes()]));
    }
    let kind = content.kind;
    checked.content = Some(content);

    // `iat` and `exp` must lie within the validity of the signer's certificate (Electronic Health Certificates, volume 1,
    // 3.3): who took an ended signer's key must not sign, and nobody before their time. Several signers may share a key id:
    // each is tried.
    let issued_at = checked.issued_at.unwrap_or(at);
    let with_kid =
        |signer: &&TrustedSigner| message.kid.as_ref() == Some(&signer.kid) && signer.is_valid_at(issued_at);
    let known = signers.iter().any(|signer| with_kid(&signer));
    let signer = signers.iter().position(|signer| {
        with_kid(&signer) && signer.verifies(message.algorithm, &message.signed, &message.signature)
    });
    if signer.is_none() {
        checked.signature_fault =
            Some(if known { SignatureFault::Wrong } else { SignatureFault::SignerUnknown });
    }
    let signer = found(&mut steps.signature, signer)?;
    checked.signer = Some(signer);

    let timing = if checked.issued_at.is_some_and(|issued| at < issued) {
        Timing::Before
    } else if checked.expires_at.is_some_and(|expires| at >= expires)
        || signers.get(signer)?.not_after.is_some_and(|end| at > end)
    {
        Timing::After
    } else {
        Timing::Within
    };
    checked.timing = Some(timing);
    holds(&mut steps.not_expired, timing == Timing::Within)?;

    let usages = signers.get(signer)?.usages;
    let may = match kind {
        Kind::Vaccination | Kind::Icvp => usages.vaccination,
        Kind::Test => usages.test,
        Kind::Recovery => usages.recovery,
    };
    holds(&mut steps.key_usage, may)
}

/// One whole zlib stream: nothing missing, nothing after it, its checksum right.
fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut zlib = ZlibDecoder::new(compressed);
    let mut message = Vec::new();
    let read = zlib.by_ref().take(LONGEST_MESSAGE + 1).read_to_end(&mut message).ok()?;
    let whole = read as u64 <= LONGEST_MESSAGE && zlib.total_in() == compressed.len() as u64;
    whole.then_some(message)
}

/// A COSE_Sign1 that is read, its signature not yet checked.
struct Message {
    algorithm: i64,
    kid: Option<Vec<u8>>,
    payload: Vec<u8>,
    /// What the signature is of.
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Message {
    /// Issuers write the tag of a COSE_Sign1, none, or that of a CWT around it, and put algorithm and key id into either
    /// header; the protected one counts where both have it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut value = cbor::read(bytes)?;
        for tag in [CWT_TAG, COSE_SIGN1_TAG] {
            value = match value {
                Value::Tag(found, inner) if found == tag => *inner,
                other => other,
            };
        }
        let message = CoseSign1::from_cbor_value(value).ok()?;
        let (protected, unprotected) = (&message.protected.header, &message.unprotected);
        let algorithm = match protected.alg.as_ref().or(unprotected.alg.as_ref())? {
            RegisteredLabelWithPrivate::Assigned(algorithm) => *algorithm as i64,
            _ => return None,
        };
        let kid = [&protected.key_id, &unprotected.key_id].into_iter().find(|kid| !kid.is_empty()).cloned();
        let signed = message.tbs_data(&[]);
        Some(Self { algorithm, kid, payload: message.payload?, signed, signature: message.signature })
    }

    fn hash(&self) -> [u8; 16] {
        if self.algorithm == iana::Algorithm::ES256 as i64 {
            signature_hash(&self.signature)
        } else {
            hash16(&[&self.signature])
        }
    }
}

/// The claims of a CWT that count here.
struct Claims {
    issuer: Option<String>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// Which kind of payload the claim `hcert` holds; `None` where it is not known here.
    kind: Option<i64>,
    /// That payload, or else all of the claim.
    payload: serde_json::Value,
}

impl Claims {
    fn read(bytes: &[u8]) -> Option<Self> {
        let claims = cbor::read(bytes)?;
        let hcert = cbor::claim(&claims, HCERT).filter(|hcert| hcert.is_map())?;
        let kind = [dcc::CLAIM, icvp::CLAIM].into_iter().find(|kind| cbor::claim(hcert, *kind).is_some());
        let payload = kind.map_or(Some(hcert), |kind| cbor::claim(hcert, kind).filter(|it| it.is_map()))?;
        let issuer = match cbor::claim(&claims, ISSUER) {
            None => None,
            Some(issuer) => Some(issuer.as_text()?.to_owned()),
        };
        // A time that is there must be one: a certificate with an unreadable end must not count for ever.
        let time = |key| match cbor::claim(&claims, key) {
            None => Some(None),
            Some(Value::Integer(seconds)) => Timestamp::new(i64::try_from(*seconds).ok()?, 0).ok().map(Some),
            // Some issuers write a float.
            Some(Value::Float(seconds)) if seconds.is_finite() => {
                Timestamp::new(*seconds as i64, 0).ok().map(Some)
            }
            Some(_) => None,
        };
        Some(Self {
            issuer,
            issued_at: time(ISSUED_AT)?,
            expires_at: time(EXPIRES_AT)?,
            kind,
            payload: cbor::to_json(payload)?,
        })
    }
}

fn hash16(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest.finalize()[..16]);
    hash
}

/// The hash of an ES256 signature for revocation lists: of `r`, its first half, alone, since of one `r` there are two
/// signatures that hold.
pub(crate) fn signature_hash(signature: &[u8]) -> [u8; 16] {
    hash16(&[&signature[..signature.len() / 2]])
}
