//! Marks of people with a dose of a vaccine whose series does not have two doses.
//!
//! The series that the certificate of such a dose shows depends on the person's first dose, which
//! may arrive later. Without the mark, each first dose of a two-dose vaccine, the common case,
//! would cost a query for all doses of the person to find certificates to correct. The mark is read
//! by its key, together for a whole batch.

use std::collections::{BTreeMap, HashSet};

use bukti_records::{ItemKey, PersonKey};

use crate::table::{Table, key};
use crate::{Aws, StoreError};

/// Sets and reads the marks.
#[derive(Clone)]
pub struct SeriesMarks {
    table: Table,
}

impl SeriesMarks {
    /// The marks of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Marks the person with this index key. Idempotent. Marks are never removed.
    pub async fn set(&self, person: &PersonKey) -> Result<(), StoreError> {
        self.table.put(key(&ItemKey::series(person))).await
    }

    /// The marked ones of these people, by their index keys. Strongly consistent.
    pub async fn of<'a>(
        &self,
        people: impl IntoIterator<Item = &'a PersonKey>,
    ) -> Result<HashSet<PersonKey>, StoreError> {
        let people: BTreeMap<ItemKey, &PersonKey> =
            people.into_iter().map(|person| (ItemKey::series(person), person)).collect();
        let marked = self.table.get_all(people.keys().map(key).collect(), Some("pk")).await?;
        let marked: HashSet<&str> =
            marked.iter().filter_map(|item| Some(item.get("pk")?.as_s().ok()?.as_str())).collect();
        let is_marked = |mark: &ItemKey| marked.contains(mark.pk());
        Ok(people.into_iter().filter(|(mark, _)| is_marked(mark)).map(|(_, person)| person.clone()).collect())
    }
}
