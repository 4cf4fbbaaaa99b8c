//! Event function `issue`: each complete dose becomes a signed certificate and its document.
//!
//! ```text
//! dose ──► payload ──► signature ──► QR text ──► PDF in the bucket ──► certificate record (conditional write)
//! ```
//!
//! A certificate's id follows from its event and version, so that the same dose never gets two. The document is kept
//! before the record: a record always has its document. Of two at the same moment one record is written, and the
//! document of the other is taken away.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use bukti_aws::{
    Aws, CertificateRecord, Certificates, Documents, DoseRecord, OpenError, StoreError,
    certificate_id_grouped, each_record,
};
use bukti_document::{Certificate, DocumentError, Publisher, pdf};
use bukti_domain::INDONESIA_WEST;
use bukti_hcert::{HcertError, LocalSigner, SignError, Vaccination, seal, uvci};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How long a certificate is valid, as long as its signer is.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

#[derive(Debug, thiserror::Error)]
enum IssueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Seal(#[from] HcertError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("a dose that is complete lacks something")]
    Incomplete,
}

/// The function with what it may do.
#[derive(Clone)]
pub struct Issue {
    aws: Aws,
    certificates: Certificates,
    documents: Documents,
    signer: Arc<LocalSigner>,
}

impl Issue {
    /// The function of a deployment.
    ///
    /// # Errors
    ///
    /// The signer's key or certificate cannot be read.
    pub fn new(aws: &Aws) -> Result<Self, SignError> {
        Ok(Self {
            certificates: Certificates::new(aws),
            documents: Documents::new(aws),
            signer: Arc::new(LocalSigner::new(aws.signer_keys())?),
            aws: aws.clone(),
        })
    }

    /// Issues what a batch of the table's stream brings. The answer names the records that must come again.
    pub async fn handle(&self, event: Event) -> DynamoDbEventResponse {
        each_record(event, async |record| self.record(record, Timestamp::now()).await).await
    }

    async fn record(&self, record: EventRecord, now: Timestamp) -> Result<(), IssueError> {
        let before = DoseRecord::from_image(record.change.old_image);
        let Some(dose) = DoseRecord::from_image(record.change.new_image) else { return Ok(()) };
        let Some(id) = dose.certificate_id.clone() else { return Ok(()) };
        let known = before.is_some_and(|before| before.certificate_id.as_ref() == Some(&id));
        if known || self.certificates.of_id(&id).await?.is_some() {
            return Ok(());
        }
        self.issue(&dose, &id, now).await
    }

    async fn issue(&self, record: &DoseRecord, id: &str, now: Timestamp) -> Result<(), IssueError> {
        let settings = &self.aws.settings;
        let dose = record.dose(&self.aws.keys)?.complete().ok_or(IssueError::Incomplete)?;
        let uvci = uvci(id);
        let vaccination = Vaccination { dose: &dose, issuer: &settings.issuer, uvci: &uvci };
        let sealed = seal(&vaccination, &*self.signer, now, now + VALID_FOR).await?;

        let grouped = certificate_id_grouped(id);
        let issued_on = INDONESIA_WEST.to_datetime(now).date();
        let publisher = Publisher {
            issuer: &settings.issuer,
            host: settings.site_host(),
            helpdesk_phone: &settings.helpdesk_phone,
            helpdesk_email: &settings.helpdesk_email,
        };
        let pdf = pdf(&Certificate::of(&dose, &grouped, issued_on, &sealed.text, publisher))?;

        let document = format!("certificates/{id}/{}.pdf", self.aws.keys.document_name(&sealed.text));
        self.documents.keep(&document, pdf).await?;
        let certificate = CertificateRecord::new(
            record,
            dose.dose_number,
            uvci,
            &sealed.text,
            now,
            sealed.expires_at,
            document.clone(),
            &self.aws.keys,
        )
        .ok_or(IssueError::Incomplete)?;
        if !self.certificates.issue(&certificate).await? {
            // Another has issued it in the meantime, with another signature: its document counts.
            self.documents.remove(&document).await?;
        }
        Ok(())
    }
}
