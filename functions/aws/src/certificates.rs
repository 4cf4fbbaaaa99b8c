//! Certificates: issued once, by a conditional write.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Table, Written, from_item, to_item};
use crate::{Aws, DoseRecord, Keys, OpenError, StoreError};

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
    /// Its UVCI.
    pub uvci: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub valid_until: Timestamp,
    /// Where its PDF is in the bucket.
    pub document: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    qr_text: ByteBuf,
}

fn partition(certificate_id: &str) -> String {
    format!("C#{certificate_id}")
}

fn item_key(certificate_id: &str) -> String {
    format!("{} {SK} qr_text", partition(certificate_id))
}

/// A certificate id in groups of four, as people read it out.
///
/// ```
/// assert_eq!(bukti_aws::certificate_id_grouped("7KQ2M4XD9TRA6HVC"), "7KQ2-M4XD-9TRA-6HVC");
/// ```
pub fn certificate_id_grouped(id: &str) -> String {
    let groups: Vec<&str> =
        id.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join("-")
}

impl CertificateRecord {
    /// The record of a certificate for the dose as it is now; `None` where the dose has none coming or sealing fails.
    #[expect(clippy::too_many_arguments, reason = "each is one field of the record")]
    pub fn new(
        dose: &DoseRecord,
        dose_number: u8,
        uvci: String,
        qr_text: &str,
        issued_at: Timestamp,
        valid_until: Timestamp,
        document: String,
        keys: &Keys,
    ) -> Option<Self> {
        let id = dose.certificate_id.as_ref()?;
        Some(Self {
            pk: partition(id),
            event: dose.pk.clone(),
            person: dose.person.clone(),
            dose_number,
            uvci,
            issued_at,
            valid_until,
            document,
            revoked_at: None,
            qr_text: ByteBuf::from(keys.seal(&item_key(id), &qr_text)?),
        })
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
        let is_certificate =
            image.get("sk").is_some_and(|sk| *sk == serde_dynamo::AttributeValue::S(SK.to_owned()));
        if is_certificate { serde_dynamo::from_item(image).ok() } else { None }
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

    /// The certificate of this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_id(&self, certificate_id: &str) -> Result<Option<CertificateRecord>, StoreError> {
        let item = self.table.get(&partition(certificate_id), SK).await?;
        item.map(|item| from_item(item, "certificate")).transpose()
    }

    /// Keeps a certificate, unless there is one of its id. `false` where there was: then that one counts.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn issue(&self, record: &CertificateRecord) -> Result<bool, StoreError> {
        let item = to_item(&record.pk, SK, record)?;
        let written = self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?;
        Ok(matches!(written, Written::Done))
    }
}
