//! Certificates and their states: issued, revoked or superseded. What a revoked one leaves on the
//! public list.

use bukti_domain::is_certificate_id;
use bukti_hcert::{Sealed, uvci};
use bukti_trust::{HashKind, Revoked, RevokedReason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::{CertificateKey, DoseKey, DoseRecord, EventKey, ItemKey, Keys, OpenError, PersonKey, SmsRequest};

/// A certificate as it is kept. Its QR text, which has name and birth date in it, is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// The certificate's key.
    pub pk: CertificateKey,
    /// The key of the event whose dose it proves.
    pub event: EventKey,
    /// The person's index key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonKey>,
    /// Which dose.
    pub dose_number: u8,
    /// The claim of the dose that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<DoseKey>,
    /// The doses of the first series that it belongs to; none where a Bukti of before issued it,
    /// which took the vaccine's.
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
    /// The request for the SMS with a link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_request: Option<SmsRequest>,
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

fn qr_place(certificate: &CertificateKey) -> String {
    ItemKey::certificate(certificate).field("qr_text")
}

/// The certificate id in what people write: the id with or without hyphens, or the UVCI with or
/// without its check character, which must be right where it is there.
///
/// ```
/// use bukti_records::parse_certificate_id; assert_eq!(parse_certificate_id(" 7kq2-m4xd-9tra-6hvc
/// ").as_deref(), Some("7KQ2M4XD9TRA6HVC"));
/// assert_eq!(parse_certificate_id("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC").as_deref(),
/// Some("7KQ2M4XD9TRA6HVC")); assert_eq!(parse_certificate_id("URN:UVCI:01:ID:7KQ2M4XD9TRA6HVC#!"),
/// None);
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
    /// The record of a certificate for the dose as it is now; `None` where the dose has none coming
    /// or sealing fails.
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
        let qr_text = keys.seal(&qr_place(&pk), &sealed.text, issued_at)?;
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

    /// The same, of a dose in a first series of so many doses.
    #[must_use]
    pub fn in_series_of(self, primary_doses: u8) -> Self {
        Self { primary_doses: Some(primary_doses), ..self }
    }

    /// Its id, 16 characters.
    pub fn certificate_id(&self) -> &str {
        self.pk.id()
    }

    /// The signed text of its QR.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where its seal does not open.
    pub fn qr_text(&self, keys: &Keys) -> Result<String, OpenError> {
        keys.open(&qr_place(&self.pk), &self.qr_text)
    }

    /// What revoking it comes to, by its record as it is.
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

    /// Its dose after it is revoked: withdrawn, where an admin does so. `None` where the dose stays
    /// as it is: it is withdrawn already, or the certificate was superseded, and the dose may be
    /// right now.
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

/// What revoking a certificate comes to.
#[derive(Debug)]
pub enum RevokeDecision {
    /// It was revoked or superseded before.
    Before,
    /// A Bukti of before issued it, which kept no signature by which it could be listed.
    CannotBeListed,
    /// It says so itself, and it is on the list that is published: both or neither.
    List(RevocationRecord),
}

/// A certificate that counts no more. Neither the person nor why an admin revoked it.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// The signer's key id.
    pub kid: ByteArray<8>,
    /// What is hashed.
    pub kind: HashKind,
    /// The hash by which it is listed.
    pub digest: ByteArray<16>,
    /// Why it counts no more.
    pub reason: RevokedReason,
    /// Since when.
    pub revoked_at: Timestamp,
    /// When the certificate ends, in Unix seconds: an expired one need not be listed.
    pub expires_at: i64,
}

impl RevocationRecord {
    /// The key of its item, with the certificate of this id.
    pub fn key(&self, certificate_id: &str) -> ItemKey {
        ItemKey::revocation(self.digest[0], certificate_id)
    }

    /// The entry of the public lists; `None` where the certificate has ended: it need not be
    /// listed.
    pub fn listed(&self, now: Timestamp) -> Option<Revoked> {
        (self.expires_at > now.as_second()).then_some(Revoked {
            kid: self.kid.into_array(),
            kind: self.kind,
            hash: self.digest.into_array(),
            reason: self.reason,
        })
    }
}
