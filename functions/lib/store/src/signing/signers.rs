//! The register of document signers: their certificates, their states, and their private keys,
//! which are sealed in the table or stored in AWS KMS.

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_sdk_dynamodb::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_hcert::{SignError, TrustedSigner, hex, kid_and_not_after};
use bukti_records::{ItemKey, ItemKind, Keys, OpenError, Partition};
use bukti_trust::{ListedSigner, SignerSource, SignerStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{MAX_RACES, Table, from_item, kind_of_record, s, to_item};
use crate::{Aws, StoreError};

/// The stored record of a document signer.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignerRecord {
    /// The key id, in hexadecimal.
    #[serde(rename = "sk")]
    pub kid: String,
    certificate: ByteBuf,
    /// When the signer was added to the register.
    pub created_at: Timestamp,
    /// When the signer was withdrawn because its key was compromised: everything that it signed is
    /// invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// The private key (PKCS #8 in PEM), sealed; `None` if it is in AWS KMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_key: Option<ByteBuf>,
    /// The id or ARN of the private key in AWS KMS; `None` if the key is sealed in this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ActiveRecord {
    pub(crate) kid: String,
}

impl SignerRecord {
    /// Creates a signer whose private key (PKCS #8 in PEM) is sealed in the record. `certificate`
    /// is DER.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the certificate cannot be read or sealing fails.
    pub fn local(
        private_pem: &str,
        certificate: Vec<u8>,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, SignError> {
        let mut record = Self::of_certificate(certificate, now)?;
        let sealed = keys.seal(&record.key_aad(), &private_pem, now).ok_or(SignError::GenerationFailed)?;
        record.sealed_key = Some(ByteBuf::from(sealed));
        Ok(record)
    }

    /// Creates a signer whose private key is stored in AWS KMS under the id or ARN `key`.
    /// `certificate` is DER.
    ///
    /// # Errors
    ///
    /// [`SignError::UnreadableKey`] if the certificate cannot be read.
    pub fn kms(key: &str, certificate: Vec<u8>, now: Timestamp) -> Result<Self, SignError> {
        Ok(Self { kms_key: Some(key.to_owned()), ..Self::of_certificate(certificate, now)? })
    }

    fn of_certificate(certificate: Vec<u8>, now: Timestamp) -> Result<Self, SignError> {
        let trusted = TrustedSigner::from_certificate(&certificate).map_err(|_| SignError::UnreadableKey)?;
        let (kid, _) = kid_and_not_after(&trusted)?;
        Ok(Self {
            kid: hex(&kid),
            certificate: ByteBuf::from(certificate),
            created_at: now,
            withdrawn_at: None,
            sealed_key: None,
            kms_key: None,
        })
    }

    fn key_aad(&self) -> String {
        ItemKey::signer(&self.kid).field("sealed_key")
    }

    /// The X.509 certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Opens the private key (PKCS #8 in PEM); `None` if it is in AWS KMS.
    pub(crate) fn private_pem(&self, keys: &Keys) -> Option<Result<String, OpenError>> {
        self.sealed_key.as_ref().map(|sealed| keys.open(&self.key_aad(), sealed))
    }
}

/// The content of the register at the time when it was read.
pub struct Register {
    active: Option<String>,
    /// All signers, including retired and withdrawn ones, oldest first.
    pub signers: Vec<SignerRecord>,
}

impl Register {
    /// The signer of new certificates; `None` if none was activated.
    pub fn active(&self) -> Option<&SignerRecord> {
        let active = self.active.as_ref()?;
        self.signers.iter().find(|signer| signer.kid == *active)
    }

    /// The signer with this key id, in hexadecimal of either case.
    pub fn of_kid(&self, kid: &str) -> Option<&SignerRecord> {
        self.signers.iter().find(|signer| signer.kid.eq_ignore_ascii_case(kid))
    }

    /// Whether a signer is active, retired or revoked. A withdrawn signer is revoked.
    pub fn status(&self, signer: &SignerRecord) -> SignerStatus {
        if signer.withdrawn_at.is_some() {
            SignerStatus::Revoked
        } else if self.active.as_ref() == Some(&signer.kid) {
            SignerStatus::Active
        } else {
            SignerStatus::Retired
        }
    }

    /// The signers as entries of the trust list.
    pub fn listed(&self) -> Vec<ListedSigner> {
        let listed = |signer: &SignerRecord| {
            let certificate = TrustedSigner::from_certificate(signer.certificate()).ok()?;
            Some(ListedSigner {
                kid: STANDARD.encode(certificate.kid),
                certificate: Some(STANDARD.encode(signer.certificate())),
                public_key: None,
                status: self.status(signer),
                source: SignerSource::Own,
                participant: None,
            })
        };
        self.signers.iter().filter_map(listed).collect()
    }
}

/// The outcome of withdrawing a signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// The signer is now withdrawn.
    Now,
    /// The signer was already withdrawn.
    Before,
    /// The signer is the active one, which cannot be withdrawn: activate another one first.
    StillSigns,
    /// The register has no signer with this key id.
    Unknown,
}

/// Access to the register in the table. Reading it needs no secret.
#[derive(Clone)]
pub struct Signers {
    table: Table,
}

impl Signers {
    /// Creates an instance that uses the register in the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Creates an instance that uses the table with this name. For the command line, which has no
    /// access to the secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// Whether this stream record changes the register.
    pub fn changed_by(record: &EventRecord) -> bool {
        matches!(kind_of_record(record), Some(ItemKind::Signer | ItemKind::ActiveSigner))
    }

    /// Reads the whole register, strongly consistent.
    pub async fn register(&self) -> Result<Register, StoreError> {
        let mut register = Register { active: None, signers: Vec::new() };
        for item in self.table.partition(&Partition::signers()).await? {
            if item.get("sk").is_some_and(|sk| *sk == s(ItemKey::active_signer().sk())) {
                register.active = Some(from_item::<ActiveRecord>(item, "active signer")?.kid);
            } else {
                register.signers.push(from_item(item, "signer")?);
            }
        }
        register
            .signers
            .sort_by(|one, other| (one.created_at, &one.kid).cmp(&(other.created_at, &other.kid)));
        Ok(register)
    }

    /// Adds a signer and makes it the active one, which retires the previously active signer. After
    /// concurrent activations, all of their signers are in the register, and the last one is
    /// active.
    pub async fn activate(&self, signer: &SignerRecord) -> Result<(), StoreError> {
        for _ in 0..MAX_RACES {
            let active = self.table.get(&ItemKey::active_signer()).await?;
            let active = active.map(|item| from_item::<ActiveRecord>(item, "active signer")).transpose()?;
            if self.replace(active.map(|active| active.kid), signer).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("too many rotations at once".to_owned()))
    }

    /// Adds the first signer and makes it the active one; `false` if a signer is already active.
    pub async fn activate_first(&self, signer: &SignerRecord) -> Result<bool, StoreError> {
        self.replace(None, signer).await
    }

    async fn replace(&self, active: Option<String>, signer: &SignerRecord) -> Result<bool, StoreError> {
        let new = to_item(&ItemKey::signer(&signer.kid), signer)?;
        let pointer = to_item(&ItemKey::active_signer(), &ActiveRecord { kid: signer.kid.clone() })?;
        let pointer = match active {
            Some(active) => self.table.putting(pointer, "kid = :active", &[(":active", s(active))])?,
            None => self.table.putting(pointer, "attribute_not_exists(pk)", &[])?,
        };
        let new = self.table.putting(new, "attribute_not_exists(pk)", &[])?;
        self.table.transact(vec![new, pointer]).await
    }

    /// Withdraws a signer whose key was compromised: everything that it signed becomes invalid.
    pub async fn withdraw(&self, kid: &str, now: Timestamp) -> Result<Withdrawn, StoreError> {
        let kid = kid.to_ascii_lowercase();
        let withdrawing = self.table.updating(
            &ItemKey::signer(&kid),
            "SET withdrawn_at = :now",
            "attribute_exists(pk) AND attribute_not_exists(withdrawn_at)",
            &[(":now", s(now.to_string()))],
        )?;
        let not_active =
            self.table.checking(&ItemKey::active_signer(), "kid <> :kid", &[(":kid", s(&kid))])?;
        if self.table.transact(vec![withdrawing, not_active]).await? {
            return Ok(Withdrawn::Now);
        }
        let register = self.register().await?;
        Ok(match register.of_kid(&kid) {
            None => Withdrawn::Unknown,
            Some(signer) if signer.withdrawn_at.is_some() => Withdrawn::Before,
            Some(_) => Withdrawn::StillSigns,
        })
    }
}
