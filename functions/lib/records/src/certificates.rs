//! Certificates, their states (issued, revoked or superseded), and entries of the revocation list.

use bukti_domain::is_certificate_id;
use bukti_hcert::{Sealed, uvci};
use bukti_trust::{HashKind, Revoked, RevokedReason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::{CertificateKey, DoseKey, DoseRecord, EventKey, ItemKey, Keys, OpenError, PersonKey, SmsRequest};

/// The stored record of a certificate. Its QR text, which contains name and birth date, is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// The certificate's key.
    pub pk: CertificateKey,
    /// The key of the event whose dose it proves.
    pub event: EventKey,
    /// The person's index key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// The number of the dose.
    pub dose_number: u8,
    /// The key of the claim of the dose that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<DoseKey>,
    /// The number of doses of the primary series that it shows; `None` if an earlier version issued
    /// it, which used the vaccine's usual number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_doses: Option<u8>,
    /// Its UVCI.
    pub uvci: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub valid_until: Timestamp,
    /// The key of its PDF in the bucket.
    pub document: String,
    /// Signer and signature hash, for the revocation list; `None` if an earlier version issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
    /// When it was revoked or superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The reason for the revocation, as entered. For the audit; never published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// The request for the SMS with a link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// The id of the certificate that supersedes it.
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

/// Why a certificate is revoked.
#[derive(Clone, Copy)]
pub enum Revocation<'a> {
    /// The dose no longer has a certificate, for this reason.
    Revoked(&'a str),
    /// An admin revokes it, for this reason, and withdraws its dose: no certificate of the dose is
    /// issued until it is reinstated.
    Withdrawn(&'a str),
    /// The certificate with this id supersedes it.
    Superseded(&'a str),
}

fn qr_text_aad(certificate: &CertificateKey) -> String {
    ItemKey::certificate(certificate).field("qr_text")
}

/// Parses a certificate id as people enter it: the id with or without hyphens, or the UVCI. If the
/// UVCI has a check character, that must be correct.
///
/// ```
/// use bukti_records::parse_certificate_id;
///
/// let id = Some("7KQ2M4XD9TRA6HVC".to_owned());
/// assert_eq!(parse_certificate_id(" 7kq2-m4xd-9tra-6hvc "), id);
/// assert_eq!(parse_certificate_id("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC"), id);
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
    /// The record of a certificate for the dose's current revision; `None` if the dose is not to
    /// have a certificate, or sealing fails.
    pub fn new(
        dose: &DoseRecord,
        dose_number: u8,
        uvci: String,
        sealed: &Sealed,
        issued_at: Timestamp,
        document: String,
        keys: &Keys,
    ) -> Option<Self> {
        let pk = CertificateKey::of_id(dose.certificate_id.as_ref()?);
        let qr_text = keys.seal(&qr_text_aad(&pk), &sealed.text, issued_at)?;
        Some(Self {
            pk,
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
            sms_request: dose.certificate_sms().map(|kind| SmsRequest::of_revision(kind, dose.revision)),
            qr_text: ByteBuf::from(qr_text),
        })
    }

    /// Sets the number of doses of the primary series.
    #[must_use]
    pub fn in_series_of(self, primary_doses: u8) -> Self {
        Self { primary_doses: Some(primary_doses), ..self }
    }

    /// The certificate id, 16 characters.
    pub fn certificate_id(&self) -> &str {
        self.pk.id()
    }

    /// The signed text of its QR code.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the sealed field cannot be opened.
    pub fn qr_text(&self, keys: &Keys) -> Result<String, OpenError> {
        keys.open(&qr_text_aad(&self.pk), &self.qr_text)
    }

    /// Decides how to revoke it, without changing the record.
    pub fn revoke(&self, revocation: Revocation<'_>, now: Timestamp) -> RevokeDecision {
        if self.revoked_at.is_some() {
            return RevokeDecision::Before;
        }
        let Some(signed) = self.signed else { return RevokeDecision::CannotBeListed };
        RevokeDecision::List(RevocationRecord {
            kid: signed.kid,
            kind: HashKind::Signature,
            digest: signed.hash,
            reason: match revocation {
                Revocation::Revoked(_) | Revocation::Withdrawn(_) => RevokedReason::Revoked,
                Revocation::Superseded(_) => RevokedReason::Superseded,
            },
            revoked_at: now,
            expires_at: self.valid_until.as_second(),
        })
    }

    /// The dose after this certificate is revoked: withdrawn, if an admin revokes it. `None` if the
    /// dose does not change: it is already withdrawn, or the certificate was superseded, so that
    /// the dose may have been corrected since.
    pub fn withdrawn_dose(
        &self,
        dose: &DoseRecord,
        revocation: Revocation<'_>,
        now: Timestamp,
    ) -> Option<DoseRecord> {
        let withdraws = matches!(revocation, Revocation::Withdrawn(_)) && self.superseded_by.is_none();
        (withdraws && dose.withdrawn.is_none()).then(|| dose.withdrawn(self.claim.as_ref(), now))
    }
}

/// How a certificate is to be revoked.
#[derive(Debug)]
pub enum RevokeDecision {
    /// It was already revoked or superseded.
    Before,
    /// An earlier version issued it and stored no signature hash, which the revocation list needs.
    CannotBeListed,
    /// Mark the certificate as revoked and write this record, in one transaction.
    List(RevocationRecord),
}

/// The stored record of a revoked or superseded certificate, from which the public list is made. It
/// contains neither the person nor an admin's reason.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// The signer's key id.
    pub kid: ByteArray<8>,
    /// What is hashed.
    pub kind: HashKind,
    /// The hash on the list.
    pub digest: ByteArray<16>,
    /// Whether it was revoked or superseded.
    pub reason: RevokedReason,
    /// When it was revoked or superseded.
    pub revoked_at: Timestamp,
    /// When the certificate expires, in Unix seconds. An expired one need not be listed.
    pub expires_at: i64,
}

impl RevocationRecord {
    /// The key of its item. The record does not contain the certificate id.
    pub fn key(&self, certificate_id: &str) -> ItemKey {
        ItemKey::revocation(self.digest[0], certificate_id)
    }

    /// The entry of the public list; `None` if the certificate has expired.
    pub fn listed(&self, now: Timestamp) -> Option<Revoked> {
        (self.expires_at > now.as_second()).then_some(Revoked {
            kid: self.kid.into_array(),
            kind: self.kind,
            hash: self.digest.into_array(),
            reason: self.reason,
        })
    }
}
