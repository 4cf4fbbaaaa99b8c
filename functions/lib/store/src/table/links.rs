//! The links of the SMS: a token that opens one certificate, for who knows the birth date.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{self, Table, from_item, n, s, to_item};
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
    /// The index key of the person for whom it was asked by quick download; none in the SMS after a first dose. Not named
    /// `person`, which is what the index of persons lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_of: Option<String>,
    /// When it was locked, after too many wrong birth dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_at: Option<Timestamp>,
    /// When it was first opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When its receiver said "this was not me". It is dead since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_at: Option<Timestamp>,
    expires_at: i64,
}

/// The key of the link with this token.
pub(crate) fn link_key(token: &Token) -> String {
    Keys::token("L#", token.secret())
}

impl LinkRecord {
    /// A record from an item of the table's stream; `None` where the item is no link.
    pub fn from_image(image: serde_dynamo::Item) -> Option<Self> {
        table::from_image(image, SK)
    }

    pub(crate) fn pk(&self) -> &str {
        &self.pk
    }

    pub(crate) fn expires_at(&self) -> i64 {
        self.expires_at
    }
}

/// What a try to open a link came to.
#[derive(Debug)]
pub enum LinkTry {
    /// The try counts: the birth date may now be compared.
    Counted(LinkRecord),
    /// Tried too often.
    Locked,
    /// Unknown, expired or refused.
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

    /// Keeps a link for the phone that the dose has now, unless it is there already. `download_of` is the index key of the
    /// person for whom it was asked by quick download.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn make(
        &self,
        token: &Token,
        dose: &DoseRecord,
        download_of: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let pk = link_key(token);
        let record = LinkRecord {
            pk: pk.clone(),
            event: dose.pk.clone(),
            phone_version: dose.phone_version,
            tries_left: TRIES,
            download_of: download_of.map(str::to_owned),
            locked_at: None,
            opened_at: None,
            refused_at: None,
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
            Some(link) if link.refused_at.is_none() && link.expires_at > now.as_second() => LinkTry::Locked,
            _ => LinkTry::Dead,
        })
    }

    /// Notes that the last try was wrong, once: whoever reads the table's stream tells the owner.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn lock(&self, link: &LinkRecord, now: Timestamp) -> Result<(), StoreError> {
        let condition =
            "tries_left = :zero AND attribute_not_exists(locked_at) AND attribute_not_exists(refused_at)";
        let values = [(":zero", n(0)), (":now", s(now.to_string()))];
        self.table.update_if(&link.pk, SK, "SET locked_at = :now", condition, &values).await?;
        Ok(())
    }

    /// Gives the tries back after a right birth date: only wrong ones in a row lock. `false` where the link was refused
    /// since the try was counted.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn opened(&self, link: &LinkRecord, now: Timestamp) -> Result<bool, StoreError> {
        let condition = "attribute_exists(pk) AND attribute_not_exists(refused_at)";
        let update = "SET tries_left = :all, opened_at = if_not_exists(opened_at, :now)";
        let values = [(":all", n(TRIES)), (":now", s(now.to_string()))];
        Ok(self.table.update_if(&link.pk, SK, update, condition, &values).await?.is_some())
    }

    /// The link of a key, as [`Notifications::of_dose`](crate::Notifications::of_dose) names it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of_key(&self, pk: &str) -> Result<Option<LinkRecord>, StoreError> {
        self.table.get(pk, SK).await?.map(|item| from_item(item, "link")).transpose()
    }

    /// Kills a link whose receiver says "this was not me", also one that is locked. Saying it again changes nothing. `None`
    /// where it is unknown or expired.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn refuse(&self, token: &str, now: Timestamp) -> Result<Option<LinkRecord>, StoreError> {
        let values = [(":zero", n(0)), (":at", s(now.to_string())), (":now", n(now.as_second()))];
        let update = "SET tries_left = :zero, refused_at = if_not_exists(refused_at, :at)";
        let refused =
            self.table.update_if(&Keys::token("L#", token), SK, update, "expires_at > :now", &values).await?;
        refused.map(|item| from_item(item, "link")).transpose()
    }
}
