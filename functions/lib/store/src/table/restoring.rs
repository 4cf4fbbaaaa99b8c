//! Restores the items of a backup into a table.
//!
//! A backup is older than the table, so items that were withdrawn after it must not be restored:
//!
//! | item of the backup | restored? |
//! |---|---|
//! | session, one-time code, known device, publishing lease | never; backups omit them |
//! | dose | yes, unless the table's dose was withdrawn later |
//! | case in the queue | unless the case in the table has been decided |
//! | any other item | if the table has no item with this key |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_records::{CaseRecord, DoseKey, EventKey, ItemKey, ItemKind, Queued};
use serde::Deserialize;

use super::claims;
use crate::StoreError;
use crate::table::{Item, Table, Written, from_item, kind_of, n, s};

/// The version counters of a dose, with the placeholders for their values in a condition. When a
/// counter increases, everything that belongs to an earlier version becomes invalid: links to a
/// phone, or a certificate.
const VERSIONS: [(&str, &str); 3] = [
    ("phone_version", ":phone_version"),
    ("certificate_version", ":certificate_version"),
    ("void_version", ":void_version"),
];

/// The attribute that only duplicates have.
const DUPLICATE: &str = "duplicate";

/// Restores the items of a backup, in [`Restoring::PASSES`] passes.
#[derive(Clone)]
pub struct Restoring {
    table: Table,
}

impl Restoring {
    /// The number of passes over the backup.
    pub const PASSES: usize = 3;

    /// Creates an instance that restores into the table with this name. For the command line, which
    /// has no access to the secrets.
    pub fn of_table(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() } }
    }

    /// Whether backups omit an item, because it is short-lived and can be ended at any time.
    pub fn leaves_out(item: &serde_dynamo::Item) -> bool {
        use ItemKind::{Device, Lease, ListedSession, Otp, Session};
        matches!(kind_of(item), Some(Device | Lease | ListedSession | Otp | Session))
    }

    /// The pass in which an item is restored. Doses are restored after the items that belong to
    /// them, and duplicates after the doses that own their claims. Otherwise `issue` would treat
    /// these items as lost.
    pub fn pass(item: &serde_dynamo::Item) -> usize {
        let is_dose = kind_of(item) == Some(ItemKind::Dose);
        usize::from(is_dose) + usize::from(is_dose && item.contains_key(DUPLICATE))
    }

    /// Whether the table has an item with the key of this item.
    pub async fn has(&self, item: &serde_dynamo::Item) -> Result<bool, StoreError> {
        let item = Item::from(item.clone());
        match ItemKey::parse(text(&item, "pk"), text(&item, "sk")) {
            Some(key) => Ok(self.table.get(&key).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Restores an item by a conditional write; `false` if the table keeps a different item.
    pub async fn put(&self, item: serde_dynamo::Item) -> Result<bool, StoreError> {
        let (kind, item) = (kind_of(&item), Item::from(item));
        match kind {
            Some(ItemKind::Queued) if self.is_decided(&item).await? => Ok(false),
            Some(ItemKind::Dose) => self.put_dose(item).await,
            _ => self.put_if(item, "attribute_not_exists(pk)", &[]).await,
        }
    }

    async fn put_dose(&self, mut dose: Item) -> Result<bool, StoreError> {
        #[derive(Deserialize)]
        struct Claiming {
            pk: EventKey,
            claim: Option<DoseKey>,
        }
        if dose.contains_key(DUPLICATE)
            && let Claiming { pk, claim: Some(claim) } = from_item(dose.clone(), "dose")?
            && !claims::is_waiting(&self.table, &claim, &pk).await?
        {
            // The claim does not list the duplicate, so the duplicate would never become the owner.
            // Without the attribute, it counts as a complete dose without a certificate, and
            // `issue` acquires the claim again.
            dose.remove(DUPLICATE);
        }
        let (condition, values) = not_withdrawn_since(&dose);
        self.put_if(dose, &condition, &values).await
    }

    /// Puts an item; `false` if the table has a different one for which the condition does not
    /// hold.
    async fn put_if(
        &self,
        item: Item,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<bool, StoreError> {
        Ok(match self.table.put_if(item.clone(), condition, values).await? {
            Written::Done => true,
            Written::Refused(known) => known == Some(item),
        })
    }

    /// Whether the case of this queue entry has been decided in the table. A race with the write is
    /// harmless, because a superfluous queue entry decides nothing.
    async fn is_decided(&self, item: &Item) -> Result<bool, StoreError> {
        let queued: Queued = from_item(item.clone(), "case of the queue")?;
        let case = self.table.get(&ItemKey::case(&queued.case)).await?;
        let case: Option<CaseRecord> = case.map(|item| from_item(item, "case")).transpose()?;
        Ok(case.is_some_and(|case| case.state.is_decided()))
    }
}

/// The condition under which a dose of the backup replaces the dose in the table.
fn not_withdrawn_since(dose: &Item) -> (String, Vec<(&'static str, AttributeValue)>) {
    let mut conditions = vec![
        "(attribute_not_exists(verdict) OR verdict <> :retracted)".to_owned(),
        "attribute_not_exists(withdrawn)".to_owned(),
    ];
    let mut values = vec![(":retracted", s("retracted"))];
    for (version, value) in VERSIONS {
        conditions.push(format!("(attribute_not_exists({version}) OR {version} <= {value})"));
        // A counter of zero is not stored.
        values.push((value, dose.get(version).cloned().unwrap_or_else(|| n(0))));
    }
    (conditions.join(" AND "), values)
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_dynamo::AttributeValue;

    use super::*;

    #[test]
    fn restores_doses_after_other_items_and_duplicates_last() {
        let item = |key: &ItemKey, more: &[(&str, AttributeValue)]| {
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let keys = [("pk", text(key.pk())), ("sk", text(key.sk()))];
            let all = keys.into_iter().chain(more.iter().cloned());
            all.map(|(name, value)| (name.to_owned(), value))
                .collect::<std::collections::HashMap<_, _>>()
                .into()
        };
        let duplicate = (DUPLICATE, AttributeValue::Bool(true));
        let dose = ItemKey::dose(&EventKey::of_id("1"));
        let claim = ItemKey::claim(&DoseKey::of_id("1"));
        let passes = [item(&claim, &[]), item(&dose, &[]), item(&dose, &[duplicate])];
        assert_eq!(passes.map(|item: serde_dynamo::Item| Restoring::pass(&item)), [0, 1, 2]);
    }
}
