//! Other issuers whose certificates are accepted: taken in from their trust lists.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use bukti_hcert::hex;
use bukti_records::{ItemKey, Partition};
use bukti_trust::ListedSigner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Table, from_item, to_item};
use crate::{Aws, StoreError};

/// A signer of another issuer as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuerRecord {
    sk: String,
    /// The signer as its list has it.
    pub signer: ListedSigner,
    /// When it was taken in.
    pub imported_at: Timestamp,
}

/// What became of an issuer that was to be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was not known.
    New,
    /// It was known, and its list now says otherwise of it.
    Changed,
    /// It was known as it is.
    Known,
}

/// Reads and keeps other issuers.
#[derive(Clone)]
pub struct Issuers {
    table: Table,
}

impl Issuers {
    /// The issuers that a deployment accepts.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Those of a table, for the command line, which has no secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<IssuerRecord>, StoreError> {
        let items = self.table.partition(&Partition::issuers()).await?;
        items.into_iter().map(|item| from_item(item, "issuer")).collect()
    }

    /// What keeping these signers comes to, one for each; they are kept unless it is only to be told. Several keys may
    /// share a key id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn import(
        &self,
        signers: &[ListedSigner],
        now: Timestamp,
        only_tell: bool,
    ) -> Result<Vec<Imported>, StoreError> {
        let known = self.all().await?;
        let mut outcomes = Vec::with_capacity(signers.len());
        for signer in signers {
            let record = IssuerRecord { sk: sort_key(signer), signer: signer.clone(), imported_at: now };
            let outcome = match known.iter().find(|known| known.sk == record.sk) {
                None => Imported::New,
                Some(known) if known.signer != record.signer => Imported::Changed,
                Some(_) => Imported::Known,
            };
            if outcome != Imported::Known && !only_tell {
                self.table.put(to_item(&ItemKey::issuer(&record.sk), &record)?).await?;
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Accepts the signers of this key id (base64, as their list has it) no more; how many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn remove(&self, kid: &str) -> Result<usize, StoreError> {
        let mut removed = 0;
        for record in self.all().await?.iter().filter(|record| record.signer.kid == kid) {
            self.table.delete(&ItemKey::issuer(&record.sk)).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// By key id and key.
fn sort_key(signer: &ListedSigner) -> String {
    let key = signer.trusted().and_then(|trusted| trusted.key.to_der().ok()).unwrap_or_default();
    format!("{}#{}", signer.kid, hex(digest(&SHA256, &key).as_ref()))
}
