//! Other issuers whose certificates are accepted. Their signers are imported from trust lists.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use bukti_hcert::hex;
use bukti_records::{ItemKey, Partition};
use bukti_trust::ListedSigner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Table, from_item, to_item};
use crate::{Aws, StoreError};

/// The stored record of a signer of another issuer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuerRecord {
    sk: String,
    /// The signer, as its issuer's trust list describes it.
    pub signer: ListedSigner,
    /// When this version of the signer's entry was imported.
    pub imported_at: Timestamp,
}

/// The outcome of importing one signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The signer was not stored before.
    New,
    /// The signer was stored, but its entry in the trust list has changed.
    Changed,
    /// The signer was stored, and its entry has not changed.
    Known,
}

/// Reads, imports and removes signers of other issuers.
#[derive(Clone)]
pub struct Issuers {
    table: Table,
}

impl Issuers {
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Creates an instance that uses the table with this name. For the command line, which has no
    /// access to the secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// All stored signers of other issuers.
    pub async fn all(&self) -> Result<Vec<IssuerRecord>, StoreError> {
        let items = self.table.partition(&Partition::issuers()).await?;
        items.into_iter().map(|item| from_item(item, "issuer")).collect()
    }

    /// Imports signers and returns an outcome for each of them. With `only_tell`, nothing is
    /// written. Several keys may have the same key id.
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

    /// Removes all signers with this key id (base64, as in the trust list), and returns how many
    /// were removed.
    pub async fn remove(&self, kid: &str) -> Result<usize, StoreError> {
        let mut removed = 0;
        for record in self.all().await?.iter().filter(|record| record.signer.kid == kid) {
            self.table.delete(&ItemKey::issuer(&record.sk)).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// The sort key of a signer: its key id and the digest of its public key.
fn sort_key(signer: &ListedSigner) -> String {
    let key = signer.trusted().and_then(|trusted| trusted.key.to_der().ok()).unwrap_or_default();
    format!("{}#{}", signer.kid, hex(digest(&SHA256, &key).as_ref()))
}
