//! Who signs: the document signer's key and certificate.

use std::future::Future;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use serde::{Deserialize, Serialize};

/// Signs with a P-256 key that has a document signer certificate.
pub trait Signer: Send + Sync {
    /// The key id: the first 8 bytes of the SHA-256 of the signer certificate's DER.
    fn kid(&self) -> [u8; 8];

    /// When the signer certificate ends. No certificate signed with it may be valid longer.
    fn not_after(&self) -> Timestamp;

    /// The ES256 signature of a message, `r` and `s` of 32 bytes each.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send;
}

/// Why there is no signature or no signer.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key or certificate cannot be read.
    #[error("the signer's key or certificate cannot be read")]
    UnreadableKey,
    /// The key or certificate cannot be made.
    #[error("the signer's key or certificate cannot be made")]
    CannotMake,
    /// The signature failed.
    #[error("signing failed")]
    Failed,
}

/// The keys of a signer as they are kept among the secrets. Secret: has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignerKeys {
    /// The root's private key, PKCS #8 in PEM.
    pub root_key_pem: String,
    /// The root's certificate, PEM.
    pub root_certificate_pem: String,
    /// The document signer's private key, PKCS #8 in PEM.
    pub signer_key_pem: String,
    /// The document signer's certificate, PEM.
    pub signer_certificate_pem: String,
    /// When the document signer's certificate ends.
    pub signer_not_after: Timestamp,
}

/// Years that a root is valid.
const ROOT_YEARS: i16 = 10;
/// Years that a document signer is valid.
const SIGNER_YEARS: i16 = 5;

impl SignerKeys {
    /// A new root and a document signer certified by it, both P-256, valid from today.
    ///
    /// # Errors
    ///
    /// [`SignError::CannotMake`] where no randomness is to be had.
    pub fn generate(organisation: &str, now: Timestamp) -> Result<Self, SignError> {
        let failed = |_| SignError::CannotMake;
        // One day back, so that a verifier whose clock is behind takes today's certificates.
        let from = Offset::UTC.to_datetime(now).date().saturating_sub(1.day());
        let subject = |name: &str| {
            let mut subject = DistinguishedName::new();
            subject.push(DnType::CountryName, "ID");
            subject.push(DnType::OrganizationName, organisation);
            subject.push(DnType::CommonName, name);
            subject
        };
        let params = |name: &str, years: i16| {
            let mut params = CertificateParams::default();
            params.distinguished_name = subject(name);
            params.not_before = ymd(from);
            params.not_after = ymd(from.saturating_add(years.years()));
            params
        };

        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut root = params("Health certificate root", ROOT_YEARS);
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_certificate = root.self_signed(&root_key).map_err(failed)?;

        let signer_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut signer = params("Health certificate signer", SIGNER_YEARS);
        signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        signer.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_params(&root, &root_key);
        let signer_certificate = signer.signed_by(&signer_key, &issuer).map_err(failed)?;

        let ends = from.saturating_add(SIGNER_YEARS.years());
        let signer_not_after =
            Offset::UTC.to_timestamp(ends.at(0, 0, 0, 0)).map_err(|_| SignError::CannotMake)?;
        Ok(Self {
            root_key_pem: root_key.serialize_pem(),
            root_certificate_pem: root_certificate.pem(),
            signer_key_pem: signer_key.serialize_pem(),
            signer_certificate_pem: signer_certificate.pem(),
            signer_not_after,
        })
    }
}

fn ymd(date: Date) -> time::OffsetDateTime {
    date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// Signs with a key in memory.
pub struct LocalSigner {
    key: EcdsaKeyPair,
    kid: [u8; 8],
    not_after: Timestamp,
    random: SystemRandom,
}

impl LocalSigner {
    /// Reads the document signer's key and certificate.
    ///
    /// # Errors
    ///
    /// [`SignError::UnreadableKey`].
    pub fn new(keys: &SignerKeys) -> Result<Self, SignError> {
        let key = KeyPair::from_pem(&keys.signer_key_pem).map_err(|_| SignError::UnreadableKey)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der())
            .map_err(|_| SignError::UnreadableKey)?;
        let certificate = pem_to_der(&keys.signer_certificate_pem).ok_or(SignError::UnreadableKey)?;
        let hash = digest::digest(&digest::SHA256, &certificate);
        let mut kid = [0; 8];
        kid.copy_from_slice(&hash.as_ref()[..8]);
        Ok(Self { key, kid, not_after: keys.signer_not_after, random: SystemRandom::new() })
    }
}

fn pem_to_der(pem: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok().filter(|der| !der.is_empty())
}

impl Signer for LocalSigner {
    fn kid(&self) -> [u8; 8] {
        self.kid
    }

    fn not_after(&self) -> Timestamp {
        self.not_after
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.key.sign(&self.random, message).map_err(|_| SignError::Failed)?;
        Ok(signature.as_ref().to_vec())
    }
}
