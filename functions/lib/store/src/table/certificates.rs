//! Certificates: issued once, by a conditional write.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_domain::is_certificate_id;
use bukti_hcert::{Sealed, uvci};
use bukti_trust::{HashKind, RevokedReason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::{claims, doses};
use crate::table::revocations::RevocationRecord;
use crate::table::{self, RACES, Table, Written, from_item, s, to_item};
use crate::{Aws, DoseRecord, Keys, OpenError, SmsReason, StoreError};

pub(crate) const SK: &str = "CERT";

/// A certificate as it is kept. Its QR text, which has name and birth date in it, is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CertificateRecord {
    pk: String,
    /// The key of the event whose dose it proves.
    pub event: String,
    /// The person's index key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Which dose.
    pub dose_number: u8,
    /// The claim of the dose that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// The doses of the first series that it belongs to; none where a Bukti of before issued it, which took the vaccine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_doses: Option<u8>,
    /// Its UVCI.
    pub uvci: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub valid_until: Timestamp,
    /// Where its PDF is in the bucket.
    pub document: String,
    /// What its signature is known by in public. None where a Bukti of before issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
    /// When it was revoked or superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked, in the words of who did. For the trail; never published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// Why its holder is told of it; none where nobody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsReason>,
    /// The id of the corrected certificate that has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    qr_text: ByteBuf,
}

/// Signer and signature of a certificate, as revocation lists name them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Signed {
    kid: ByteArray<8>,
    hash: ByteArray<16>,
}

/// Why a certificate counts no more.
#[derive(Clone, Copy)]
pub enum Revocation<'a> {
    /// Its dose no longer has a certificate, for this reason.
    Revoked(&'a str),
    /// An admin revokes it, for this reason, and withdraws its dose: until the dose is reinstated,
    /// no certificate of it is issued.
    Withdrawn(&'a str),
    /// The corrected certificate of this id takes its place.
    Superseded(&'a str),
}

/// What became of a reinstatement.
#[derive(Clone, Copy, Debug)]
pub enum ReinstateOutcome {
    /// Its dose can get a certificate again.
    Now,
    /// Its dose is not withdrawn.
    NotWithdrawn,
    /// There is no such certificate.
    Unknown,
}

/// What became of a revocation.
#[derive(Debug)]
pub enum RevokeOutcome {
    /// It counts no more from now on.
    Now,
    /// It was revoked or superseded before, as its record says.
    Before(Box<CertificateRecord>),
    /// It was revoked before, and its dose is withdrawn from now on.
    Withdrawn,
    /// There is no such certificate.
    Unknown,
    /// A Bukti of before issued it, which kept no signature by which it could be listed.
    CannotBeListed,
}

fn partition(certificate_id: &str) -> String {
    format!("C#{certificate_id}")
}

fn item_key(certificate_id: &str) -> String {
    format!("{} {SK} qr_text", partition(certificate_id))
}

/// The certificate id in what people write: the id with or without hyphens, or the UVCI with or without its check
/// character, which must be right where it is there.
///
/// ```
/// use bukti_store::parse_certificate_id;
/// assert_eq!(parse_certificate_id(" 7kq2-m4xd-9tra-6hvc ").as_deref(), Some("7KQ2M4XD9TRA6HVC"));
/// assert_eq!(parse_certificate_id("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC").as_deref(), Some("7KQ2M4XD9TRA6HVC"));
/// assert_eq!(parse_certificate_id("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC#!"), None);
/// ```
pub fn parse_certificate_id(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let id = match text.strip_prefix("URN:UVCI:01:ID:") {
        Some(opaque) => {
            let (opaque, check) =
                opaque.split_once('#').map_or((opaque, None), |(opaque, check)| (opaque, Some(check)));
            if check.is_some() && text != uvci(opaque) {
                return None;
            }
            opaque.to_owned()
        }
        None => text.replace('-', ""),
    };
    is_certificate_id(&id).then_some(id)
}

impl CertificateRecord {
    /// The record of a certificate for the dose as it is now; `None` where the dose has none coming or sealing fails.
    pub fn new(
        dose: &DoseRecord,
        dose_number: u8,
        uvci: String,
        sealed: &Sealed,
        issued_at: Timestamp,
        document: String,
        keys: &Keys,
    ) -> Option<Self> {
        let id = dose.certificate_id.as_ref()?;
        Some(Self {
            pk: partition(id),
            event: dose.pk.clone(),
            person: dose.person.clone(),
            dose_number,
            claim: dose.claim.clone(),
            primary_doses: None,
            uvci,
            issued_at,
            valid_until: sealed.expires_at,
            document,
            signed: Some(Signed {
                kid: ByteArray::new(sealed.kid),
                hash: ByteArray::new(sealed.signature_hash),
            }),
            revoked_at: None,
            revoked_reason: None,
            superseded_by: None,
            sms: dose.sms.or((dose_number == 1).then_some(SmsReason::FirstDose)),
            qr_text: ByteBuf::from(keys.seal(&item_key(id), &sealed.text)?),
        })
    }

    /// The same, of a dose in a first series of so many doses.
    #[must_use]
    pub fn in_series_of(self, primary_doses: u8) -> Self {
        Self { primary_doses: Some(primary_doses), ..self }
    }

    /// Its id, 16 characters.
    pub fn certificate_id(&self) -> &str {
        self.pk.strip_prefix("C#").unwrap_or(&self.pk)
    }

    /// The signed text of its QR.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn qr_text(&self, keys: &Keys) -> Result<String, OpenError> {
        keys.open(&item_key(self.certificate_id()), &self.qr_text)
    }

    /// A record from an item of the table's stream; `None` where the item is no certificate.
    pub fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        table::from_image(image, SK)
    }
}

/// Reads and issues certificates.
#[derive(Clone)]
pub struct Certificates {
    table: Table,
}

impl Certificates {
    /// The certificates of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Those of a table, for the command line, which has no secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// The certificate of this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_id(&self, certificate_id: &str) -> Result<Option<CertificateRecord>, StoreError> {
        let item = self.table.get(&partition(certificate_id), SK).await?;
        item.map(|item| from_item(item, "certificate")).transpose()
    }

    /// Keeps a certificate, unless there is one of its id. `false` where there was: then that one counts. Where the answer to the
    /// write was lost and the SDK wrote again, what was there is this one itself.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn issue(&self, record: &CertificateRecord) -> Result<bool, StoreError> {
        let item = to_item(&record.pk, SK, record)?;
        match self.table.put_if(item, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => Ok(true),
            Written::Refused(Some(item)) => {
                Ok(from_item::<CertificateRecord>(item, "certificate")?.document == record.document)
            }
            Written::Refused(None) => {
                let counts = self.of_id(record.certificate_id()).await?;
                Ok(counts.is_some_and(|counts| counts.document == record.document))
            }
        }
    }

    /// Revokes a certificate: it says so itself, and it is on the list that is published, both or neither. Of several at
    /// the same moment one counts.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn revoke(
        &self,
        certificate_id: &str,
        revocation: Revocation<'_>,
        now: Timestamp,
    ) -> Result<RevokeOutcome, StoreError> {
        for _ in 0..RACES {
            let Some(certificate) = self.of_id(certificate_id).await? else {
                return Ok(RevokeOutcome::Unknown);
            };
            // The dose of one that was superseded may be right now.
            let withdrawing = match revocation {
                Revocation::Withdrawn(_) if certificate.superseded_by.is_none() => {
                    self.withdrawing(&certificate, now).await?
                }
                _ => Vec::new(),
            };
            if certificate.revoked_at.is_some() {
                if withdrawing.is_empty() {
                    return Ok(RevokeOutcome::Before(Box::new(certificate)));
                }
                if self.table.transact(withdrawing).await? {
                    return Ok(RevokeOutcome::Withdrawn);
                }
                continue;
            }
            let Some(signed) = certificate.signed else { return Ok(RevokeOutcome::CannotBeListed) };
            let (attribute, value, reason) = match revocation {
                Revocation::Revoked(why) | Revocation::Withdrawn(why) => {
                    ("revoked_reason", why, RevokedReason::Revoked)
                }
                Revocation::Superseded(by) => ("superseded_by", by, RevokedReason::Superseded),
            };
            let record = RevocationRecord {
                kid: signed.kid,
                kind: HashKind::Signature,
                digest: signed.hash,
                reason,
                revoked_at: now,
                expires_at: certificate.valid_until.as_second(),
            };
            let marking = self.table.updating(
                &certificate.pk,
                SK,
                &format!("SET revoked_at = :now, {attribute} = :value"),
                "attribute_exists(pk) AND attribute_not_exists(revoked_at)",
                &[(":now", s(now.to_string())), (":value", s(value))],
            )?;
            let listed = to_item(&record.partition(), certificate_id, &record)?;
            let listing = self.table.putting(listed, "attribute_not_exists(pk)", &[])?;
            if self.table.transact([marking, listing].into_iter().chain(withdrawing).collect()).await? {
                return Ok(RevokeOutcome::Now);
            }
            // Another has revoked it in the meantime, as its record says now, or its dose has
            // changed.
        }
        Err(StoreError::Unavailable("too many writers of one certificate".to_owned()))
    }

    /// Reinstates the dose that was withdrawn with a certificate. Where the dose is complete,
    /// `issue` issues a new certificate; the old one stays revoked, since verifiers may have kept
    /// that it is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn reinstate(&self, certificate_id: &str) -> Result<ReinstateOutcome, StoreError> {
        for _ in 0..RACES {
            let Some(certificate) = self.of_id(certificate_id).await? else {
                return Ok(ReinstateOutcome::Unknown);
            };
            let dose = doses::of_event(&self.table, &certificate.event).await?;
            let Some(dose) = dose.filter(|dose| dose.withdrawn.is_some()) else {
                return Ok(ReinstateOutcome::NotWithdrawn);
            };
            if self.table.transact(self.writing(&dose, &dose.reinstated(), None).await?).await? {
                return Ok(ReinstateOutcome::Now);
            }
        }
        Err(StoreError::Unavailable("too many writers of one dose".to_owned()))
    }

    /// The writes that withdraw the dose of a certificate; none where it is withdrawn already.
    async fn withdrawing(
        &self,
        certificate: &CertificateRecord,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        match doses::of_event(&self.table, &certificate.event).await? {
            Some(dose) if dose.withdrawn.is_none() => {
                let next = dose.withdrawn(certificate.claim.as_ref(), now);
                self.writing(&dose, &next, Some(now)).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The writes of a dose that is withdrawn or reinstated, and of the claims that it keeps while
    /// it is withdrawn.
    async fn writing(
        &self,
        dose: &DoseRecord,
        next: &DoseRecord,
        withdrawn_at: Option<Timestamp>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let withdrawal = next.withdrawn.as_ref().or(dose.withdrawn.as_ref());
        let mut writes = vec![self.table.putting_at(dose.revision, to_item(&dose.pk, doses::SK, next)?)?];
        for claim in withdrawal.iter().flat_map(|withdrawal| &withdrawal.claims) {
            writes.extend(claims::withdrawing(&self.table, claim, &dose.pk, withdrawn_at).await?);
        }
        Ok(writes)
    }
}
