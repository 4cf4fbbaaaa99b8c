//! Decodes and verifies the text of a QR code. Servers, the command line and the browser share this
//! code.
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

/// The keys of the claims: the registered CWT claims (RFC 8392) and `hcert`.
pub(crate) const ISSUER: i64 = 1;
pub(crate) const EXPIRES_AT: i64 = 4;
pub(crate) const ISSUED_AT: i64 = 6;
pub(crate) const HCERT: i64 = -260;

/// The result of each step, in order. `None` if the step did not run because an earlier one failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// The text starts with `HC1:`, the prefix of a health certificate.
    pub prefix: Option<bool>,
    /// The text after the prefix is valid base45 (RFC 9285).
    pub base45: Option<bool>,
    /// The decoded bytes are exactly one complete zlib stream (RFC 1950).
    pub zlib: Option<bool>,
    /// The decompressed bytes are a COSE_Sign1 message (RFC 9052).
    pub cose: Option<bool>,
    /// The payload is a CWT (RFC 8392) with a map in the `hcert` claim.
    pub cbor: Option<bool>,
    /// The `hcert` claim contains a payload of a known kind, and the payload conforms to its
    /// schema.
    pub schema: Option<bool>,
    /// A trusted signer whose certificate was valid at `iat` made the signature.
    pub signature: Option<bool>,
    /// At the time of the check, the certificate is valid (from `iat` until before `exp`), and the
    /// signer's certificate has not expired.
    pub not_expired: Option<bool>,
    /// The signer's certificate allows it to sign certificates of this kind.
    pub key_usage: Option<bool>,
}

/// Why the signature was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureFault {
    /// No trusted signer with this key id had a valid certificate at `iat`.
    SignerUnknown,
    /// A trusted signer has this key id, but the signature does not match its key.
    Wrong,
}

/// Whether the check takes place before, within or after the certificate's validity period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Before `iat`.
    Before,
    /// From `iat` until before `exp`.
    Within,
    /// At or after `exp`, or after the signer's certificate expired.
    After,
}

/// The hashes that identify a certificate in revocation lists, truncated to 16 bytes. The eHealth
/// Network defines the three kinds (DCC Revocation, 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationHashes {
    /// SHA-256 of the UVCI; `None` if the payload does not contain a UVCI.
    pub uci: Option<[u8; 16]>,
    /// SHA-256 of the country of issuance (ISO 3166-1 alpha-2) followed by the UVCI.
    pub country_code_uci: Option<[u8; 16]>,
    /// SHA-256 of the signature. For ES256, only the first half of the signature (`r`) is hashed.
    pub signature: [u8; 16],
}

/// The result of [`check`]: the decoded data, as far as decoding succeeded, and the result of each
/// step.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Which steps passed.
    pub steps: Steps,
    /// The payload as JSON, even if it does not conform to its schema.
    pub payload: Option<serde_json::Value>,
    /// The interpreted payload, if it conforms to its schema.
    pub content: Option<Content>,
    /// The issuer's country (claim `iss`).
    pub issuer: Option<String>,
    /// The time of issue (claim `iat`).
    pub issued_at: Option<Timestamp>,
    /// The time of expiry (claim `exp`).
    pub expires_at: Option<Timestamp>,
    /// The signer's key id as stated in the message, whether or not the signer is trusted.
    pub kid: Option<Vec<u8>>,
    /// Why [`Steps::signature`] failed; `None` if the step passed or did not run.
    pub signature_fault: Option<SignatureFault>,
    /// Whether the certificate is not yet valid, valid or expired; `None` unless the signature is
    /// valid.
    pub timing: Option<Timing>,
    /// The index of the signer in the list passed to [`check`]; `None` unless the signature is
    /// valid.
    pub signer: Option<usize>,
    /// The hashes for revocation lists; `None` unless the step `cbor` passed.
    pub hashes: Option<RevocationHashes>,
}

/// The maximum length of the text, in bytes. The largest QR code holds 4296 characters.
const MAX_TEXT: usize = 16 * 1024;
/// The maximum size of the decompressed message, in bytes; it stops decompression bombs. Real
/// messages are 300 to 1000 bytes long.
const MAX_MESSAGE: u64 = 64 * 1024;

/// The CBOR tags of a COSE_Sign1 message and of a CWT, which may wrap it.
const COSE_SIGN1_TAG: u64 = 18;
const CWT_TAG: u64 = 61;

/// Decodes the text of a QR code and verifies it against the trusted signers, as of the time `at`.
/// Ignores leading and trailing white space. Never panics, and uses at most a few hundred kilobytes
/// of memory for any input.
pub fn check(text: &str, signers: &[TrustedSigner], at: Timestamp) -> Checked {
    let mut checked = Checked::default();
    // `None` only means that a step failed. `checked` records which one.
    let _ = run_steps(&mut checked, text.trim(), signers, at);
    checked
}

/// Records whether a step passed, and returns `value`, so that `?` can end the check.
fn record<T>(step: &mut Option<bool>, value: Option<T>) -> Option<T> {
    *step = Some(value.is_some());
    value
}

fn record_flag(step: &mut Option<bool>, passed: bool) -> Option<()> {
    record(step, passed.then_some(()))
}

fn run_steps(checked: &mut Checked, text: &str, signers: &[TrustedSigner], at: Timestamp) -> Option<()> {
    let steps = &mut checked.steps;
    let encoded = record(&mut steps.prefix, text.strip_prefix("HC1:"))?;
    let short = Some(encoded).filter(|encoded| encoded.len() <= MAX_TEXT);
    let compressed = record(&mut steps.base45, short.and_then(|encoded| base45::decode(encoded).ok()))?;
    let message = record(&mut steps.zlib, inflate(&compressed))?;
    let message = record(&mut steps.cose, Message::read(&message))?;
    checked.kid.clone_from(&message.kid);

    let claims = record(&mut steps.cbor, Claims::read(&message.payload))?;
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
    let content = record(&mut steps.schema, content)?;
    if let (Some(hashes), Some(uci)) = (&mut checked.hashes, &content.certificate_id) {
        hashes.uci = Some(hash16(&[uci.as_bytes()]));
        // The country of issuance is the claim `iss` or, if the claim is absent, the country of the
        // vaccination.
        let country = checked.issuer.as_ref().or(content.country.as_ref());
        hashes.country_code_uci = country.map(|country| hash16(&[country.as_bytes(), uci.as_bytes()]));
    }
    let kind = content.kind;
    checked.content = Some(content);

    // `iat` and `exp` must lie within the validity period of the signer's certificate (Electronic
    // Health Certificates, volume 1, 3.3), so that a stolen key is useless once its certificate has
    // expired. Several signers may share a key id, so the check tries each of them.
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
    let signer = record(&mut steps.signature, signer)?;
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
    record_flag(&mut steps.not_expired, timing == Timing::Within)?;

    let usages = signers.get(signer)?.usages;
    let allowed = match kind {
        Kind::Vaccination | Kind::Icvp => usages.vaccination,
        Kind::Test => usages.test,
        Kind::Recovery => usages.recovery,
    };
    record_flag(&mut steps.key_usage, allowed)
}

/// Decompresses a zlib stream. `None` if it is incomplete, has a wrong checksum, is followed by
/// other bytes, or decompresses to more than `MAX_MESSAGE` bytes.
fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut zlib = ZlibDecoder::new(compressed);
    let mut message = Vec::new();
    let read = zlib.by_ref().take(MAX_MESSAGE + 1).read_to_end(&mut message).ok()?;
    let complete = read as u64 <= MAX_MESSAGE && zlib.total_in() == compressed.len() as u64;
    complete.then_some(message)
}

/// A parsed COSE_Sign1 message whose signature has not been verified yet.
struct Message {
    algorithm: i64,
    kid: Option<Vec<u8>>,
    payload: Vec<u8>,
    /// The bytes that the signature covers (`Sig_structure` in RFC 9052).
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Message {
    /// Parses a message in any variant that issuers write: with or without the COSE_Sign1 tag, with
    /// or without an outer CWT tag, and with the algorithm and key id in either header. The
    /// protected header takes precedence.
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

/// The claims of a CWT that the check needs.
struct Claims {
    issuer: Option<String>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// The key of the payload in the claim `hcert`; `None` if the claim has no known key.
    kind: Option<i64>,
    /// The payload of this kind, or the whole claim if `kind` is `None`.
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
        // A time that cannot be parsed is an error; otherwise, a certificate with a malformed `exp`
        // would never expire.
        let time = |key| match cbor::claim(&claims, key) {
            None => Some(None),
            Some(Value::Integer(seconds)) => Timestamp::new(i64::try_from(*seconds).ok()?, 0).ok().map(Some),
            // Some issuers write times as floats.
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

/// The hash of an ES256 signature for revocation lists. It covers only the first half, `r`, since a
/// second valid signature with the same `r` can be derived from the first.
pub(crate) fn signature_hash(signature: &[u8]) -> [u8; 16] {
    hash16(&[&signature[..signature.len() / 2]])
}
