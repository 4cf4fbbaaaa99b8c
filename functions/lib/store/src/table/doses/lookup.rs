//! Look-ups of doses by event, person, phone or name.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::{BirthDate, Identity, PersonName, Verdict};
use bukti_records::{
    CertificateKey, DoseKey, DoseRecord, EventKey, ItemKey, ItemKind, KeyRange, PersonKey, PersonRecords,
    PhoneKey, Rank, Reported,
};
use futures::{Stream, stream};
use jiff::Timestamp;
use serde::Deserialize;

use super::Doses;
use crate::StoreError;
use crate::table::{Item, first_of, from_item, key, least_of};

/// The maximum number of doses that are read for a person, far more than anyone receives.
const MAX_DOSES: usize = 200;
/// The maximum number of certificates that are read for these doses, including superseded ones.
const MAX_CERTIFICATES: usize = 1_000;
/// The maximum number of doses that are read for a phone. Some clinics enter their own number for
/// every patient.
const MAX_DOSES_OF_PHONE: usize = 500;

/// The maximum number of doses that are read for a name and birth date: many people are called Siti
/// and were born on the first of January.
const MAX_ALIKE: usize = 20;

/// Whether an item of an index is a dose.
fn is_dose(item: &Item) -> bool {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let kind = text("pk").zip(text("sk")).and_then(|(pk, sk)| ItemKind::of(pk, sk));
    kind == Some(ItemKind::Dose)
}

/// The [`Rank`] of a dose for a requester with this phone (an index key); `None` if the item is not
/// a dose.
fn rank(item: &Item, phone: Option<&PhoneKey>) -> Option<Rank> {
    let text = |name: &str| item.get(name)?.as_s().ok().map(String::as_str);
    let first_received_at: Timestamp = text("first_received_at").or(text("received_at"))?.parse().ok()?;
    let (is_duplicate, is_own) =
        (item.contains_key("duplicate"), phone.is_some() && text("phone") == phone.map(PhoneKey::as_str));
    let rank = Rank::new(text("pk")?, text("verdict")?, is_duplicate, is_own, first_received_at);
    is_dose(item).then_some(rank)
}

/// The table keys of the doses of these events, without duplicates.
fn table_keys<'a>(events: impl IntoIterator<Item = &'a EventKey>) -> Vec<Item> {
    let events: BTreeSet<&EventKey> = events.into_iter().collect();
    events.into_iter().map(|event| key(&ItemKey::dose(event))).collect()
}

impl Doses {
    /// The doses with this name and birth date, under any identity number; at most twenty.
    pub async fn alike(
        &self,
        name: &PersonName,
        birth_date: BirthDate,
    ) -> Result<Vec<DoseRecord>, StoreError> {
        #[derive(Deserialize)]
        struct Found {
            pk: EventKey,
        }
        let alike = self.keys.alike(name, birth_date);
        let query = self.table.query("by_alike", ("alike", alike.as_str()), KeyRange::EVENTS);
        let mut doses = Vec::new();
        for item in first_of(query, MAX_ALIKE).await?.items {
            let found: Found = from_item(item, "dose in the index")?;
            doses.extend(self.of_event(&found.pk).await?);
        }
        Ok(doses)
    }

    /// The doses of these events, by event key. Events without a stored row are missing.
    pub async fn of_events<'a>(
        &self,
        events: impl IntoIterator<Item = &'a EventKey>,
    ) -> Result<HashMap<EventKey, DoseRecord>, StoreError> {
        let items = self.table.get_all(table_keys(events), None).await?;
        let dose = |item| from_item(item, "dose").map(|dose: DoseRecord| (dose.pk.clone(), dose));
        items.into_iter().map(dose).collect()
    }

    /// The attributes that reports need, for many events.
    pub async fn reported<'a>(
        &self,
        events: impl IntoIterator<Item = &'a EventKey>,
    ) -> Result<Vec<Reported>, StoreError> {
        let items =
            self.table.get_all(table_keys(events), Some("pk, history, claim, duplicate, withdrawn")).await?;
        items.into_iter().map(|item| from_item(item, "dose")).collect()
    }

    /// The event ids, as in the rows, of the events that own these claims, by claim.
    pub async fn owning_events<'a>(
        &self,
        claims: impl IntoIterator<Item = &'a DoseKey>,
    ) -> Result<HashMap<DoseKey, String>, StoreError> {
        let owners = self.claims.owners(claims).await?;
        let doses = self.of_events(owners.values()).await?;
        let mut ids = HashMap::new();
        for (claim, owner) in owners {
            if let Some(dose) = doses.get(&owner) {
                let row = dose.open(&self.keys)?;
                ids.insert(claim, row.event_id.trim().to_owned());
            }
        }
        Ok(ids)
    }

    /// The doses and certificates of the person with this identity number, with the limits of
    /// [`Doses::of_person_key`].
    pub async fn of_person(&self, identity: &Identity) -> Result<PersonRecords, StoreError> {
        self.of_person_key(&self.keys.person(identity), None).await
    }

    /// The doses and certificates of the person with this index key. If there are more than 200
    /// doses, returns the first 200 by [`Rank`] for a requester with this phone (its index key).
    /// The limit is needed because a sender with an API key may report any number of doses.
    pub async fn of_person_key(
        &self,
        person: &PersonKey,
        phone: Option<&PhoneKey>,
    ) -> Result<PersonRecords, StoreError> {
        let query = |range| self.table.query("by_person", ("person", person.as_str()), range);
        let found = least_of(query(KeyRange::EVENTS), MAX_DOSES, |item| rank(item, phone)).await?;
        let doses = found.items.into_iter().map(|item| from_item(item, "dose"));
        let doses: Vec<DoseRecord> = doses.collect::<Result<_, _>>()?;
        let events: HashSet<&str> = doses.iter().map(|dose| dose.pk.as_str()).collect();
        let ids = doses.iter().filter_map(|dose| dose.certificate_id.as_deref());
        let current: HashSet<CertificateKey> = ids.map(CertificateKey::of_id).collect();
        let current: HashSet<&str> = current.iter().map(CertificateKey::as_str).collect();
        let of_these = |item: &Item| {
            let text = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
            let is_current = current.contains(text("pk")?.as_str());
            events.contains(&**text("event")?).then_some(!is_current)
        };
        let certificates = least_of(query(KeyRange::CERTIFICATES), MAX_CERTIFICATES, of_these).await?.items;
        let certificates = certificates.into_iter().map(|item| from_item(item, "certificate"));
        let certificates = certificates.collect::<Result<_, _>>()?;
        Ok(PersonRecords { doses, certificates, more: found.more })
    }

    /// Streams all doses of the person with this index key, page by page and in no particular
    /// order. For functions that must not leave out any dose.
    pub fn each_of_person(
        &self,
        person: &PersonKey,
    ) -> impl Stream<Item = Result<DoseRecord, StoreError>> + use<> {
        let items = self
            .table
            .query("by_person", ("person", person.as_str()), KeyRange::EVENTS)
            .into_paginator()
            .items()
            .send();
        stream::try_unfold(items, |mut items| async move {
            while let Some(item) = items.next().await {
                let item = item.map_err(StoreError::from_sdk)?;
                if is_dose(&item) {
                    return Ok(Some((from_item(item, "dose")?, items)));
                }
            }
            Ok(None)
        })
    }

    /// Whether a dose is registered with this phone (its index key). Held, rejected and retracted
    /// rows do not count. Makes one request for any phone, which keeps the timing side channel
    /// small.
    pub async fn has_phone_key(&self, phone: &PhoneKey) -> Result<bool, StoreError> {
        // Enough for a large family. If a clinic entered its number for many people, any of their
        // doses will do.
        const MOST: i32 = 20;
        for item in self.table.query_first("by_phone", ("phone", phone.as_str()), MOST).await? {
            let dose: DoseRecord = from_item(item, "dose")?;
            if matches!(dose.verdict, Verdict::Complete | Verdict::Incomplete) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The doses that are registered with this phone (its index key), and whether there are more:
    /// if there are over 500, returns the first 500 by [`Rank`].
    pub async fn of_phone_key(&self, phone: &PhoneKey) -> Result<(Vec<DoseRecord>, bool), StoreError> {
        let query = self.table.query("by_phone", ("phone", phone.as_str()), KeyRange::EVENTS);
        let found = least_of(query, MAX_DOSES_OF_PHONE, |item| rank(item, None)).await?;
        let doses = found.items.into_iter().map(|item| from_item(item, "dose"));
        Ok((doses.collect::<Result<_, _>>()?, found.more))
    }
}

#[cfg(test)]
mod tests {
    use bukti_domain::{FeedRow, Origin};
    use bukti_records::{Incoming, Keys, Sealing};

    use super::*;
    use crate::table::to_item;

    #[test]
    fn reads_rank_from_attributes_of_dose() {
        let keys = Keys::new(&[0; 32], vec![Sealing::new(1, &[0; 32], 0).unwrap()]).unwrap();
        let row = FeedRow {
            event_id: "E1".to_owned(),
            sent_at: "2021-01-29T10:00:00+07:00".to_owned(),
            no_hp: "081234567890".to_owned(),
            ..FeedRow::default()
        };
        let origin = Origin { job: "job".to_owned(), line: 2 };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let incoming = Incoming::judge(row, origin, now, &keys).unwrap();
        let dose = DoseRecord::after(None, &incoming, &keys).unwrap().unwrap();
        let item = to_item(&ItemKey::dose(&dose.pk), &dose).unwrap();
        let verdict = item["verdict"].as_s().unwrap();
        let expected =
            |is_own| Some(Rank::new(dose.pk.as_str(), verdict, false, is_own, dose.first_received_at()));
        assert_eq!(rank(&item, dose.phone.as_ref()), expected(true));
        assert_eq!(rank(&item, None), expected(false));
        let sms = to_item(&ItemKey::dose_sms(&dose.pk, 1), &dose).unwrap();
        assert_eq!(rank(&sms, None), None, "an SMS is no dose");
    }
}
