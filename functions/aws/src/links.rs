//! The links of the SMS: a token that opens one certificate, for who knows the birth date.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, from_item, n, to_item};
use crate::{Aws, DoseRecord, Keys, StoreError, Token};

const SK: &str = "LINK";

/// How long a link lives.
const LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many wrong birth dates a link bears.
const TRIES: u32 = 5;

/// A link as it is kept, under the hash of its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkRecord {
    pk: String,
    /// The key of the event whose certificate it opens.
    pub event: String,
    /// The version of the dose's phone that it was sent to. It is dead once the dose has another.
    pub phone_version: u32,
    /// How many wrong birth dates it still bears.
    pub tries_left: u32,
    expires_at: i64,
}

/// What a try to open a link came to.
#[derive(Debug)]
pub enum LinkTry {
    /// The try counts: the birth date may now be compared.
    Counted(LinkRecord),
    /// Tried too often.
    Locked,
    /// Unknown or expired.
    Dead,
}

/// Makes and opens links.
#[derive(Clone)]
pub struct Links {
    table: Table,
}

impl Links {
    /// The links of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Keeps a link for the phone that the dose has now, unless it is there already.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn make(&self, token: &Token, dose: &DoseRecord, now: Timestamp) -> Result<(), StoreError> {
        let pk = Keys::token("L#", token.secret());
        let record = LinkRecord {
            pk: pk.clone(),
            event: dose.pk.clone(),
            phone_version: dose.phone_version,
            tries_left: TRIES,
            expires_at: (now + LIFETIME).as_second(),
        };
        self.table.put_if(to_item(&pk, SK, &record)?, "attribute_not_exists(pk)", &[]).await?;
        Ok(())
    }

    /// Counts a try. Only what this lets through may compare a birth date, so however many come at once, no more than
    /// five wrong ones are ever compared.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count_try(&self, token: &str, now: Timestamp) -> Result<LinkTry, StoreError> {
        let pk = Keys::token("L#", token);
        let counted = self.table.count_down(&pk, SK, "expires_at", now).await?;
        if let Some(item) = counted {
            return Ok(LinkTry::Counted(from_item(item, "link")?));
        }
        let known: Option<LinkRecord> =
            self.table.get(&pk, SK).await?.map(|item| from_item(item, "link")).transpose()?;
        Ok(match known {
            Some(link) if link.expires_at > now.as_second() => LinkTry::Locked,
            _ => LinkTry::Dead,
        })
    }

    /// Gives the tries back after a right birth date: only wrong ones in a row lock.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn opened(&self, link: &LinkRecord) -> Result<(), StoreError> {
        self.table
            .update_if(&link.pk, SK, "SET tries_left = :all", "attribute_exists(pk)", &[(":all", n(TRIES))])
            .await?;
        Ok(())
    }
}
