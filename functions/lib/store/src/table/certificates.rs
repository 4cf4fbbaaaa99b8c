//! Certificates: issued by a conditional write, revoked in a transaction.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_records::{
    CertificateKey, CertificateRecord, DoseRecord, ItemKey, Revocation, RevocationRecord, RevokeDecision,
};
use jiff::Timestamp;

use super::{claims, doses};
use crate::table::{MAX_RACES, Table, Written, from_item, s, to_item};
use crate::{Aws, StoreError};

fn key_of(certificate_id: &str) -> ItemKey {
    ItemKey::certificate(&CertificateKey::of_id(certificate_id))
}

/// The outcome of reinstating a dose.
#[derive(Clone, Copy, Debug)]
pub enum ReinstateOutcome {
    /// The dose is now reinstated.
    Now,
    /// The dose was not withdrawn.
    NotWithdrawn,
    /// There is no certificate with this id.
    Unknown,
}

/// The outcome of revoking a certificate.
#[derive(Debug)]
pub enum RevokeOutcome {
    /// The certificate is now revoked.
    Now,
    /// The certificate was already revoked or superseded; contains its record.
    Before(Box<CertificateRecord>),
    /// The certificate was already revoked; its dose is now withdrawn.
    Withdrawn,
    /// There is no certificate with this id.
    Unknown,
    /// The certificate cannot be put on the revocation list, because the earlier version that
    /// issued it stored no signature hash.
    CannotBeListed,
}

/// Reads, issues and revokes certificates.
#[derive(Clone)]
pub struct Certificates {
    table: Table,
}

impl Certificates {
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Creates an instance that uses the table with this name. For the command line, which has no
    /// access to the secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// The certificate with this id, whatever its state; `None` if it was never issued.
    pub async fn of_id(&self, certificate_id: &str) -> Result<Option<CertificateRecord>, StoreError> {
        let item = self.table.get(&key_of(certificate_id)).await?;
        item.map(|item| from_item(item, "certificate")).transpose()
    }

    /// Stores a certificate unless one with its id exists. `false` if a different one exists, which
    /// stays valid. `true` if the existing one is this record, written by an earlier attempt of the
    /// SDK whose response was lost.
    pub async fn issue(&self, record: &CertificateRecord) -> Result<bool, StoreError> {
        let item = to_item(&ItemKey::certificate(&record.pk), record)?;
        match self.table.put_if(item, "attribute_not_exists(pk)", &[]).await? {
            Written::Done => Ok(true),
            Written::Refused(Some(item)) => {
                Ok(from_item::<CertificateRecord>(item, "certificate")?.document == record.document)
            }
            Written::Refused(None) => {
                let stored = self.of_id(record.certificate_id()).await?;
                Ok(stored.is_some_and(|stored| stored.document == record.document))
            }
        }
    }

    /// Revokes a certificate: marks it as revoked and writes the entry of the revocation list in
    /// one transaction. Of several concurrent revocations, one succeeds.
    pub async fn revoke(
        &self,
        certificate_id: &str,
        revocation: Revocation<'_>,
        now: Timestamp,
    ) -> Result<RevokeOutcome, StoreError> {
        for _ in 0..MAX_RACES {
            let Some(certificate) = self.of_id(certificate_id).await? else {
                return Ok(RevokeOutcome::Unknown);
            };
            let withdrawing = self.withdrawing(&certificate, revocation, now).await?;
            let (writes, outcome) = match certificate.revoke(revocation, now) {
                RevokeDecision::Before if withdrawing.is_empty() => {
                    return Ok(RevokeOutcome::Before(Box::new(certificate)));
                }
                RevokeDecision::Before => (Vec::new(), RevokeOutcome::Withdrawn),
                RevokeDecision::CannotBeListed => return Ok(RevokeOutcome::CannotBeListed),
                RevokeDecision::List(record) => {
                    (self.listing(&certificate, &record, revocation)?.to_vec(), RevokeOutcome::Now)
                }
            };
            if self.table.transact(writes.into_iter().chain(withdrawing).collect()).await? {
                return Ok(outcome);
            }
            // The certificate was revoked concurrently, or its dose was changed: try again.
        }
        Err(StoreError::Unavailable("too many writers of one certificate".to_owned()))
    }

    /// Reinstates the dose that was withdrawn with a certificate. If the dose is complete, `issue`
    /// issues a new certificate. The old one stays revoked, because verifiers may have cached the
    /// revocation.
    pub async fn reinstate(&self, certificate_id: &str) -> Result<ReinstateOutcome, StoreError> {
        for _ in 0..MAX_RACES {
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

    /// The writes that mark a certificate as revoked and put it on the revocation list.
    fn listing(
        &self,
        certificate: &CertificateRecord,
        record: &RevocationRecord,
        revocation: Revocation<'_>,
    ) -> Result<[TransactWriteItem; 2], StoreError> {
        let (attribute, value) = match revocation {
            Revocation::Revoked(why) | Revocation::Withdrawn(why) => ("revoked_reason", why),
            Revocation::Superseded(by) => ("superseded_by", by),
        };
        let marking = self.table.updating(
            &ItemKey::certificate(&certificate.pk),
            &format!("SET revoked_at = :now, {attribute} = :value"),
            "attribute_exists(pk) AND attribute_not_exists(revoked_at)",
            &[(":now", s(record.revoked_at.to_string())), (":value", s(value))],
        )?;
        let listed = to_item(&record.key(certificate.certificate_id()), record)?;
        Ok([marking, self.table.putting(listed, "attribute_not_exists(pk)", &[])?])
    }

    /// The writes that withdraw the dose of a certificate; empty if the dose does not change.
    async fn withdrawing(
        &self,
        certificate: &CertificateRecord,
        revocation: Revocation<'_>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        if !matches!(revocation, Revocation::Withdrawn(_)) {
            return Ok(Vec::new());
        }
        match doses::of_event(&self.table, &certificate.event).await? {
            Some(dose) => match certificate.withdrawn_dose(&dose, revocation, now) {
                Some(next) => self.writing(&dose, &next, Some(now)).await,
                None => Ok(Vec::new()),
            },
            None => Ok(Vec::new()),
        }
    }

    /// The writes that withdraw or reinstate a dose, and update the claims that it keeps.
    async fn writing(
        &self,
        dose: &DoseRecord,
        next: &DoseRecord,
        withdrawn_at: Option<Timestamp>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let withdrawal = next.withdrawn.as_ref().or(dose.withdrawn.as_ref());
        let mut writes = vec![doses::replacing(&self.table, dose, next)?];
        for claim in withdrawal.iter().flat_map(|withdrawal| &withdrawal.claims) {
            writes.extend(claims::withdrawing(&self.table, claim, &dose.pk, withdrawn_at).await?);
        }
        Ok(writes)
    }
}
