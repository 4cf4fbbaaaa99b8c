//! Certificates: issued once, by a conditional write.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_records::{
    CertificateKey, CertificateRecord, DoseRecord, ItemKey, Revocation, RevocationRecord, RevokeDecision,
};
use jiff::Timestamp;

use super::{claims, doses};
use crate::table::{RACES, Table, Written, from_item, s, to_item};
use crate::{Aws, StoreError};

fn key_of(certificate_id: &str) -> ItemKey {
    ItemKey::certificate(&CertificateKey::of_id(certificate_id))
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
        let item = self.table.get(&key_of(certificate_id)).await?;
        item.map(|item| from_item(item, "certificate")).transpose()
    }

    /// Keeps a certificate, unless there is one of its id. `false` where there was: then that one
    /// counts. Where the answer to the write was lost and the SDK wrote again, what was there is
    /// this one itself.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn issue(&self, record: &CertificateRecord) -> Result<bool, StoreError> {
        let item = to_item(&ItemKey::certificate(&record.pk), record)?;
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

    /// Revokes a certificate: it says so itself, and it is on the list that is published, both or
    /// neither. Of several at the same moment one counts.
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

    /// The writes by which a certificate says that it is revoked, and is on the list that is
    /// published.
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

    /// The writes that withdraw the dose of a certificate; none where it stays as it is.
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

    /// The writes of a dose that is withdrawn or reinstated, and of the claims that it keeps while
    /// it is withdrawn.
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
