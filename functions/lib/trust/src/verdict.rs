//! The verdict on a certificate, which combines the check of its signature with the revocation
//! lists.

use bukti_domain::codes;
use bukti_hcert::{Checked, Content, SignatureFault, Steps, Timing, TrustedSigner};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Partition, RevocationIndex, RevokedReason};

codes! {
    /// The result of verifying a text.
    Verdict {
        /// A trusted issuer signed the certificate, and it is neither expired nor revoked.
        Valid = "valid",
        /// A trusted issuer signed the certificate and it has not expired, but revocation could not
        /// be checked; see [`RevocationState`].
        RevocationUnknown = "revocation_unknown",
        /// The certificate has expired.
        Expired = "expired",
        /// The certificate is not valid yet.
        NotYetValid = "not_yet_valid",
        /// The issuer revoked the certificate, so it must not be accepted.
        Revoked = "revoked",
        /// A newer certificate of the same dose replaced this one.
        Superseded = "superseded",
        /// The signer is not trusted, or may not sign certificates of this kind.
        IssuerUnknown = "issuer_unknown",
        /// The text is a health certificate with invalid data or an invalid signature: it was
        /// misread, damaged or forged.
        Damaged = "damaged",
        /// The text is not a health certificate.
        NotACertificate = "not_a_certificate",
    }
}

codes! {
    /// Whether revocation could be checked.
    RevocationState {
        /// The lists were checked. If the signer is our own and has no lists, none of its
        /// certificates is revoked.
        Checked = "checked",
        /// The lists were checked, but they are older than [`MAX_LIST_AGE`], or older than lists
        /// that this verifier has already seen.
        Outdated = "outdated",
        /// The signer belongs to another issuer whose revocation lists are not available.
        NotCovered = "not_covered",
        /// The lists could not be fetched, or were not searched because the signature is not valid.
        Unavailable = "unavailable",
    }
}

/// The maximum age of revocation lists. A deployment publishes new lists several times an hour. A
/// week lets verifiers work offline, but it is also how long a replay of old lists can hide a
/// revocation.
pub const MAX_LIST_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The revocation data that a verifier has.
#[derive(Clone, Copy, Debug)]
pub struct Revocations<'a> {
    /// The signers of the deployment that published the lists.
    pub own: &'a [TrustedSigner],
    /// The revocation index; `None` if it could not be fetched.
    pub index: Option<&'a RevocationIndex>,
    /// The fetched partitions. The state is `Unavailable` if one that may contain the certificate
    /// is missing.
    pub partitions: &'a [Partition],
    /// The publication time of the newest index that this verifier has seen; `None` if it stores
    /// none.
    pub newest_seen: Option<Timestamp>,
    /// The time of the check, from which the age of the lists is computed.
    pub at: Timestamp,
}

/// The verdict on a certificate with its details. Personal data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The overall result.
    pub verdict: Verdict,
    /// The result of each step of decoding and verification.
    pub steps: Steps,
    /// The payload as JSON, even if it does not conform to its schema.
    pub payload: Option<serde_json::Value>,
    /// The interpreted payload; `None` if it does not conform to its schema.
    pub content: Option<Content>,
    /// The signer's name; `None` unless the signature is valid and the trust list has the name.
    pub signer: Option<String>,
    /// When the certificate was issued, according to its claim `iat`.
    pub issued_at: Option<Timestamp>,
    /// When the certificate expires, according to its claim `exp`.
    pub expires_at: Option<Timestamp>,
    /// Whether revocation could be checked.
    pub revocation: RevocationState,
    /// The publication time of the oldest revocation list that was checked; `None` if none was.
    pub revocation_as_of: Option<Timestamp>,
}

/// Judges a certificate. `signers` must be the list that was passed to [`bukti_hcert::check()`].
pub fn judge(checked: Checked, signers: &[TrustedSigner], revocations: &Revocations<'_>) -> Report {
    let signer = checked.signer.and_then(|at| signers.get(at));
    let (revocation, as_of) = match signer {
        Some(signer) => revocation(&checked, signer, revocations),
        None => (RevocationState::Unavailable, None),
    };
    let reason = revocations.partitions.iter().find_map(|partition| partition.reason(&checked));
    Report {
        verdict: verdict(&checked, reason, revocation),
        signer: signer.and_then(|signer| signer.name.clone()),
        revocation,
        revocation_as_of: as_of,
        steps: checked.steps,
        payload: checked.payload,
        content: checked.content,
        issued_at: checked.issued_at,
        expires_at: checked.expires_at,
    }
}

/// Determines whether revocation could be checked, and the publication time of the oldest list.
fn revocation(
    checked: &Checked,
    signer: &TrustedSigner,
    revocations: &Revocations<'_>,
) -> (RevocationState, Option<Timestamp>) {
    let Some(index) = revocations.index else { return (RevocationState::Unavailable, None) };
    // Key ids are not unique. An imported signer may have the key id of one of our own signers, so
    // the keys are compared as well.
    let same_kid = revocations.own.iter().find(|own| own.kid == signer.kid);
    let covered = match same_kid {
        Some(own) => own.key == signer.key,
        None => index.lists.iter().any(|list| list.kid == signer.kid),
    };
    if !covered {
        return (RevocationState::NotCovered, None);
    }
    let Some(published) = oldest_list(index, revocations.partitions, checked) else {
        return (RevocationState::Unavailable, None);
    };
    let outdated = revocations.at.duration_since(published) > MAX_LIST_AGE
        || revocations.newest_seen.is_some_and(|newest| index.issued_at < newest);
    (if outdated { RevocationState::Outdated } else { RevocationState::Checked }, Some(published))
}

/// The publication time of the oldest file among the index and the partitions that may contain the
/// certificate; `None` if a partition is missing. A cached partition may be older than the index.
fn oldest_list(index: &RevocationIndex, partitions: &[Partition], checked: &Checked) -> Option<Timestamp> {
    let published =
        |path: &String| Some(partitions.iter().find(|partition| partition.path == *path)?.issued_at);
    index
        .partitions_for(checked)
        .iter()
        .try_fold(index.issued_at, |oldest, path| Some(oldest.min(published(path)?)))
}

fn verdict(checked: &Checked, reason: Option<RevokedReason>, revocation: RevocationState) -> Verdict {
    let steps = &checked.steps;
    if steps.prefix != Some(true) {
        return Verdict::NotACertificate;
    }
    if checked.signature_fault == Some(SignatureFault::SignerUnknown) {
        return Verdict::IssuerUnknown;
    }
    if steps.signature != Some(true) {
        return Verdict::Damaged;
    }
    // Revocation takes precedence over expiry.
    match (reason, checked.timing) {
        (Some(RevokedReason::Revoked), _) => Verdict::Revoked,
        (Some(RevokedReason::Superseded), _) => Verdict::Superseded,
        (None, Some(Timing::After)) => Verdict::Expired,
        (None, Some(Timing::Before)) => Verdict::NotYetValid,
        (None, _) if steps.key_usage != Some(true) => Verdict::IssuerUnknown,
        (None, _) if revocation != RevocationState::Checked => Verdict::RevocationUnknown,
        (None, _) => Verdict::Valid,
    }
}
