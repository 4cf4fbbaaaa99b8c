//! Signs with the active document signer, whose key is sealed in the table or stored in AWS KMS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use bukti_hcert::{
    LocalSigner, NewKey, PublicKey, Root, SignError, Signer, TrustedSigner, kid_and_not_after,
};
use bukti_records::Keys;
use jiff::Timestamp;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::Verifier;

use crate::sdk::kms_client;
use crate::{Aws, SignerRecord, Signers, StoreError};

/// The maximum age of the cached signer.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Why no signer is available.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The register of signers cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The register has no active signer.
    #[error("no active document signer; run `bukti signing-key init`")]
    NoSigner,
    /// The signer's key cannot be used.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// AWS KMS rejected the request, or the KMS key cannot sign certificates.
    #[error("the key in AWS KMS cannot be used: {0}")]
    Kms(String),
}

/// A document signer, which signs with a local key or through AWS KMS.
pub enum DocumentSigner {
    /// A signer whose private key is in memory.
    Local(LocalSigner),
    /// A signer whose private key never leaves AWS KMS.
    Kms(KmsSigner),
}

impl Signer for DocumentSigner {
    fn kid(&self) -> [u8; 8] {
        match self {
            Self::Local(signer) => signer.kid(),
            Self::Kms(signer) => signer.kid,
        }
    }

    fn not_after(&self) -> Timestamp {
        match self {
            Self::Local(signer) => signer.not_after(),
            Self::Kms(signer) => signer.not_after,
        }
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Local(signer) => signer.sign(message).await,
            Self::Kms(signer) => signer.sign(message).await,
        }
    }
}

/// A document signer that calls AWS KMS for each signature.
pub struct KmsSigner {
    client: aws_sdk_kms::Client,
    key: String,
    kid: [u8; 8],
    not_after: Timestamp,
}

impl KmsSigner {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let answer = self
            .client
            .sign()
            .key_id(&self.key)
            .message_type(MessageType::Digest)
            .message(Blob::new(digest(&SHA256, message).as_ref()))
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| {
                tracing::warn!(code = error.code().unwrap_or("no response"), "AWS KMS did not sign");
                SignError::Failed
            })?;
        // KMS returns a DER signature (RFC 3279); COSE needs the concatenation of r and s.
        let signature = answer.signature.unwrap_or_else(|| Blob::new([]));
        let signature = Signature::from_der(signature.as_ref()).map_err(|_| SignError::Failed)?;
        Ok(signature.to_bytes().to_vec())
    }
}

/// Creates document signers, and signs with the active one.
#[derive(Clone)]
pub struct DocumentSigners {
    signers: Signers,
    keys: Keys,
    region: String,
    known: Arc<Mutex<Option<Known>>>,
}

/// A cached signer, and when the register was read for it.
#[derive(Clone)]
struct Known {
    read_at: Instant,
    signer: Arc<DocumentSigner>,
}

impl DocumentSigners {
    /// Creates an instance that uses the register in the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self {
            signers: Signers::new(aws),
            keys: aws.keys.clone(),
            region: aws.settings.region.clone(),
            known: Arc::default(),
        }
    }

    /// The active signer. Cached for a minute, so a change of the register may take this long to
    /// have an effect here.
    pub async fn active(&self) -> Result<Arc<DocumentSigner>, SigningError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.read_at.elapsed() < MAX_AGE) {
            return Ok(known.signer);
        }
        let read_at = Instant::now();
        let register = self.signers.register().await?;
        let signer = Arc::new(self.open(register.active().ok_or(SigningError::NoSigner)?).await?);
        let known = Known { read_at, signer: Arc::clone(&signer) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(signer)
    }

    /// Clears the cached signer, so that the next signature reads the register. Call this after the
    /// register has changed.
    pub fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn open(&self, record: &SignerRecord) -> Result<DocumentSigner, SigningError> {
        if let Some(private_pem) = record.private_pem(&self.keys) {
            let private_pem = private_pem.map_err(|_| SignError::UnreadableKey)?;
            return Ok(DocumentSigner::Local(LocalSigner::new(&private_pem, record.certificate())?));
        }
        let key = record.kms_key.clone().ok_or(SignError::UnreadableKey)?;
        let (kid, not_after) = kid_and_not_after(&certificate(record)?)?;
        Ok(DocumentSigner::Kms(KmsSigner { client: kms_client(&self.region).await, key, kid, not_after }))
    }

    /// Creates a signer with a new key, which the root certifies. The signer is not stored and does
    /// not sign until it is [activated](Signers::activate).
    ///
    /// # Errors
    ///
    /// [`SigningError::Sign`] if the key cannot be generated, certified or sealed.
    pub fn make_local(&self, root: &Root, now: Timestamp) -> Result<SignerRecord, SigningError> {
        let key = NewKey::generate()?;
        let certificate = root.certify(&key.public_key, now)?;
        Ok(SignerRecord::local(&key.private_pem, certificate, &self.keys, now)?)
    }

    /// Creates a signer for a key in AWS KMS (`ECC_NIST_P256`, `SIGN_VERIFY`), certified by the
    /// root. Makes a test signature to verify that KMS signs with the certified key.
    pub async fn make_kms(
        &self,
        root: &Root,
        key: &str,
        now: Timestamp,
    ) -> Result<SignerRecord, SigningError> {
        let kms = kms_client(&self.region).await;
        let answer = kms.get_public_key().key_id(key).send().await;
        let answer = answer.map_err(|error| {
            let said = [error.code(), error.message()].into_iter().flatten().collect::<Vec<_>>().join(": ");
            SigningError::Kms(if said.is_empty() { "AWS KMS did not respond".to_owned() } else { said })
        })?;
        if answer.key_spec != Some(KeySpec::EccNistP256) || answer.key_usage != Some(KeyUsageType::SignVerify)
        {
            return Err(SigningError::Kms("its type must be ECC_NIST_P256 for SIGN_VERIFY".to_owned()));
        }
        let public_key = answer.public_key.unwrap_or_else(|| Blob::new([]));
        let record = SignerRecord::kms(key, root.certify(public_key.as_ref(), now)?, now)?;

        let mut challenge = [0; 32];
        rand::fill(&mut challenge).map_err(|_| SignError::GenerationFailed)?;
        let signature = self.open(&record).await?.sign(&challenge).await?;
        let holds = match (certificate(&record)?.key, Signature::from_slice(&signature)) {
            (PublicKey::P256(key), Ok(signature)) => key.verify(&challenge, &signature).is_ok(),
            _ => false,
        };
        if holds { Ok(record) } else { Err(SigningError::Kms("it signs with another key".to_owned())) }
    }
}

fn certificate(record: &SignerRecord) -> Result<TrustedSigner, SignError> {
    TrustedSigner::from_certificate(record.certificate()).map_err(|_| SignError::UnreadableKey)
}
