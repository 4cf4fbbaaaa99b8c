//! Confirmed identities: data of a person that rightly contradict their NIK, confirmed by two officers.
//!
//! Granting a case of data corrected by law writes the confirmation and the case in one transaction; no dose is in it, so
//! that it has the same size however many doses are held. The doses follow, each by a conditional write that may be
//! repeated:
//!
//! - Whoever reads the table's stream sees the confirmation and applies it to all held doses of the person. The stream
//!   brings the record again until that has succeeded.
//! - Intake keeps a held row first and then reads the confirmations. If the confirmation is written after that read, the dose
//!   was there before it, and is found by the stream's reader.
//! - The stream's reader also looks at each dose that is held, so that neither a process that dies in intake nor an
//!   index that lags leaves one behind.

use aws_sdk_dynamodb::types::TransactWriteItem;
use bukti_domain::{IdentityData, Reason, Sex};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::table::{Table, from_item, to_item};
use crate::{Aws, Keys, StoreError};

/// What the sort keys of a person's confirmations begin with.
const SK: &str = "CONFIRMATION#";

/// A confirmation as it is kept. What is personal is sealed; the digests are keyed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfirmationRecord {
    /// The person's index key.
    pub pk: String,
    sk: String,
    /// Digests of the identity data that it covers.
    pub covered: Vec<String>,
    /// What the NIK encodes differently.
    pub contradictions: Vec<Reason>,
    /// The key of the case that it was granted by.
    pub case: String,
    /// When it was granted.
    pub confirmed_at: Timestamp,
    about: ByteBuf,
}

/// Who confirmed what. Personal: for sealed fields only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfirmedIdentity {
    /// The birth date that was confirmed.
    pub birth_date: Date,
    /// The sex that was confirmed, where it was registered.
    pub sex: Option<Sex>,
    /// The id of the officer who proposed it.
    pub proposed_by: String,
    /// The id of the supervisor who approved it.
    pub approved_by: String,
}

impl ConfirmationRecord {
    /// The record that confirms these data of a person; `None` where they contradict nothing.
    pub(crate) fn new(
        person: &str,
        data: &IdentityData,
        case: &str,
        (proposed_by, approved_by): (&str, &str),
        now: Timestamp,
        keys: &Keys,
    ) -> Result<Option<Self>, StoreError> {
        let contradictions = data.contradictions();
        if contradictions.is_empty() {
            return Ok(None);
        }
        let sk = format!("{SK}{case}");
        let about = ConfirmedIdentity {
            birth_date: data.birth_date,
            sex: data.sex,
            proposed_by: proposed_by.to_owned(),
            approved_by: approved_by.to_owned(),
        };
        let about = keys.seal(&item_key(person, &sk), &about);
        Ok(Some(Self {
            pk: person.to_owned(),
            covered: data.covered().iter().map(|data| keys.identity_data(data)).collect(),
            contradictions,
            case: case.to_owned(),
            confirmed_at: now,
            about: about.map(ByteBuf::from).ok_or(StoreError::Corrupt("a confirmation cannot be sealed"))?,
            sk,
        }))
    }

    /// Who confirmed what.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] where its seal does not open.
    pub fn about(&self, keys: &Keys) -> Result<ConfirmedIdentity, StoreError> {
        keys.open(&item_key(&self.pk, &self.sk), &self.about).map_err(|_| StoreError::Corrupt("confirmation"))
    }

    /// A record from an item of the table's stream; `None` where the item is no confirmation.
    pub fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        let is_one =
            matches!(image.get("sk"), Some(serde_dynamo::AttributeValue::S(sk)) if sk.starts_with(SK));
        if is_one { serde_dynamo::from_item(image).ok() } else { None }
    }
}

fn item_key(pk: &str, sk: &str) -> String {
    format!("{pk} {sk} about")
}

/// Reads and writes confirmations.
#[derive(Clone)]
pub(crate) struct Confirmations {
    table: Table,
}

impl Confirmations {
    pub(crate) fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// The digests of all identity data of a person that are confirmed, as they are now.
    pub(crate) async fn covered(&self, person: &str) -> Result<Vec<String>, StoreError> {
        let items = self.table.partition_part(person, SK).await?;
        let mut covered = Vec::new();
        for item in items {
            covered.extend(from_item::<ConfirmationRecord>(item, "confirmation")?.covered);
        }
        Ok(covered)
    }

    /// Part of a transaction: writes the confirmation that a case is granted by.
    pub(crate) fn writing(&self, record: &ConfirmationRecord) -> Result<TransactWriteItem, StoreError> {
        let item = to_item(&record.pk, &record.sk, record)?;
        self.table.putting(item, "attribute_not_exists(pk)", &[])
    }
}
