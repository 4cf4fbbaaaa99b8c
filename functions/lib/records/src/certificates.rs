//! Certificates, their states (issued, revoked or superseded), and the entries of the revocation
//! list.

use bukti_domain::is_certificate_id;
use bukti_hcert::{Sealed, uvci};
use bukti_trust::{HashKind, Revoked, RevokedReason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::{CertificateKey, DoseKey, DoseRecord, EventKey, ItemKey, Keys, OpenError, PersonKey, SmsRequest};

/// The stored record of a certificate. The QR text, which contains name and birth date, is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// The key of the certificate, which contains its id.
    pub pk: CertificateKey,
    /// The key of the event whose dose the certificate proves.
    pub event: EventKey,
    /// The index key of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// The number of the dose in its series.
    pub dose_number: u8,
    /// The key of the claim on the dose that the certificate shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<DoseKey>,
    /// The number of doses in the primary series that the certificate shows; `None` if an earlier
    /// version of Bukti issued it, which always used the vaccine's usual number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_doses: Option<u8>,
    /// The unique vaccination certificate identifier.
    pub uvci: String,
    /// When the certificate was issued.
    pub issued_at: Timestamp,
    /// When the certificate expires.
    pub valid_until: Timestamp,
    /// The key of the PDF in the bucket.
    pub document: String,
    /// The signer and the signature hash, for the revocation list; `None` if an earlier version of
    /// Bukti issued the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
    /// When the certificate was revoked or superseded; `None` while it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The reason for the revocation, as entered. For the audit only, never published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// The request for an SMS with a link to this certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
    /// The id of the certificate that supersedes this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    qr_text: ByteBuf,
}

/// The signer and the signature hash of a certificate, in the form that revocation lists use.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Signed {
    kid: ByteArray<8>,
    hash: ByteArray<16>,
}

/// The cause of a revocation.
#[derive(Clone, Copy)]
pub enum Revocation<'a> {
    /// The dose no longer has a certificate; contains the reason.
    Revoked(&'a str),
    /// An admin revokes the certificate for this reason and withdraws its dose, so that no
    /// certificate is issued for the dose until it is reinstated.
    Withdrawn(&'a str),
    /// A newer certificate supersedes this one; contains the id of the newer one.
    Superseded(&'a str),
}

fn qr_text_aad(certificate: &CertificateKey) -> String {
    ItemKey::certificate(certificate).field("qr_text")
}

/// Parses a certificate id as people enter it: the id with or without hyphens, or the UVCI. If the
/// UVCI has a check character, the check character must be correct.
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
    /// Creates the record of a certificate for the current revision of a dose; `None` if the dose
    /// must not have a certificate, or sealing fails.
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

    /// Sets the number of doses in the primary series.
    #[must_use]
    pub fn in_series_of(self, primary_doses: u8) -> Self {
        Self { primary_doses: Some(primary_doses), ..self }
    }

    /// The certificate id, which has 16 characters.
    pub fn certificate_id(&self) -> &str {
        self.pk.id()
    }

    /// Opens the signed text of the certificate's QR code.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the sealed field cannot be opened.
    pub fn qr_text(&self, keys: &Keys) -> Result<String, OpenError> {
        keys.open(&qr_text_aad(&self.pk), &self.qr_text)
    }

    /// Determines what a revocation has to write, without changing this record.
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

    /// The dose after this certificate is revoked: withdrawn if an admin revokes the certificate.
    /// `None` if the dose does not change, because it is already withdrawn, or because the
    /// certificate was superseded and the dose may have been corrected since.
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

/// What a revocation of a certificate has to write.
#[derive(Debug)]
pub enum RevokeDecision {
    /// Nothing: the certificate was already revoked or superseded.
    Before,
    /// Nothing: the earlier version that issued the certificate stored no signature hash, which the
    /// revocation list needs.
    CannotBeListed,
    /// Mark the certificate as revoked, and write this record in the same transaction.
    List(RevocationRecord),
}

/// The stored record of a revoked or superseded certificate, from which the public list is
/// generated. It contains neither the person nor the admin's reason.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// The key id of the certificate's signer.
    pub kid: ByteArray<8>,
    /// What the hash is computed from.
    pub kind: HashKind,
    /// The hash that the revocation list contains.
    pub digest: ByteArray<16>,
    /// Whether the certificate was revoked or superseded.
    pub reason: RevokedReason,
    /// When the certificate was revoked or superseded.
    pub revoked_at: Timestamp,
    /// When the certificate expires, in seconds since the Unix epoch. Expired certificates need not
    /// be listed.
    pub expires_at: i64,
}

impl RevocationRecord {
    /// The key of the record's item. The record itself does not contain the certificate id.
    pub fn key(&self, certificate_id: &str) -> ItemKey {
        ItemKey::revocation(self.digest[0], certificate_id)
    }

    /// The entry in the public list; `None` if the certificate has expired.
    pub fn listed(&self, now: Timestamp) -> Option<Revoked> {
        (self.expires_at > now.as_second()).then_some(Revoked {
            kid: self.kid.into_array(),
            kind: self.kind,
            hash: self.digest.into_array(),
            reason: self.reason,
        })
    }
}
