//! The register of document signers: who signs, who signed, and the private keys, sealed or in AWS KMS.

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

use crate::table::{RACES, Table, from_item, kind_of_record, s, to_item};
use crate::{Aws, StoreError};

/// A signer as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignerRecord {
    /// Its key id, hexadecimal.
    #[serde(rename = "sk")]
    pub kid: String,
    certificate: ByteBuf,
    /// When it was taken into the register.
    pub created_at: Timestamp,
    /// When its key was found to be compromised: nothing that it signed counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// PKCS #8 in PEM, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_key: Option<ByteBuf>,
    /// Where the private key never leaves AWS KMS: the key's id or ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ActiveRecord {
    pub(crate) kid: String,
}

impl SignerRecord {
    /// A signer whose private key (PKCS #8 in PEM) is sealed here; its certificate is DER.
    ///
    /// # Errors
    ///
    /// [`SignError`] where the certificate cannot be read or sealing fails.
    pub fn local(
        private_pem: &str,
        certificate: Vec<u8>,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, SignError> {
        let mut record = Self::of_certificate(certificate, now)?;
        let sealed = keys.seal(&record.item_key(), &private_pem, now).ok_or(SignError::GenerationFailed)?;
        record.sealed_key = Some(ByteBuf::from(sealed));
        Ok(record)
    }

    /// A signer whose private key is this one of AWS KMS; its certificate is DER.
    ///
    /// # Errors
    ///
    /// [`SignError::UnreadableKey`].
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

    fn item_key(&self) -> String {
        ItemKey::signer(&self.kid).field("sealed_key")
    }

    /// The X.509 certificate, DER. Public.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key, PKCS #8 in PEM; `None` where it is in AWS KMS.
    pub(crate) fn private_pem(&self, keys: &Keys) -> Option<Result<String, OpenError>> {
        self.sealed_key.as_ref().map(|sealed| keys.open(&self.item_key(), sealed))
    }
}

/// The register at one moment.
pub struct Register {
    active: Option<String>,
    /// The signers, oldest first.
    pub signers: Vec<SignerRecord>,
}

impl Register {
    /// The signer that signs new certificates.
    pub fn active(&self) -> Option<&SignerRecord> {
        let active = self.active.as_ref()?;
        self.signers.iter().find(|signer| signer.kid == *active)
    }

    /// The signer of this key id, hexadecimal.
    pub fn of_kid(&self, kid: &str) -> Option<&SignerRecord> {
        self.signers.iter().find(|signer| signer.kid.eq_ignore_ascii_case(kid))
    }

    /// What a signer may still do.
    pub fn status(&self, signer: &SignerRecord) -> SignerStatus {
        if signer.withdrawn_at.is_some() {
            SignerStatus::Revoked
        } else if self.active.as_ref() == Some(&signer.kid) {
            SignerStatus::Active
        } else {
            SignerStatus::Retired
        }
    }

    /// The signers as trust lists name them.
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

/// What became of a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// The signer counts no more.
    Now,
    /// It was withdrawn before.
    Before,
    /// It signs: another must take its place first.
    StillSigns,
    /// There is none of this key id.
    Unknown,
}

/// The register. Reading it needs no secret.
#[derive(Clone)]
pub struct Signers {
    table: Table,
}

impl Signers {
    /// The register of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// The register in a table, for the command line, which has no secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// Whether a record of the table's stream says that the register has changed.
    pub fn changed_by(record: &EventRecord) -> bool {
        matches!(kind_of_record(record), Some(ItemKind::Signer | ItemKind::ActiveSigner))
    }

    /// All signers.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Lets a new signer sign from now on; the one that signed until now is retired by that. Of several at the same
    /// moment one signs in the end, and all are in the register.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn activate(&self, signer: &SignerRecord) -> Result<(), StoreError> {
        for _ in 0..RACES {
            let active = self.table.get(&ItemKey::active_signer()).await?;
            let active = active.map(|item| from_item::<ActiveRecord>(item, "active signer")).transpose()?;
            if self.replace(active.map(|active| active.kid), signer).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("too many rotations at once".to_owned()))
    }

    /// Lets the first signer sign; `false` where one signs already.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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

    /// Withdraws a signer whose key is compromised: nothing that it signed counts any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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
