//! Marks of people with a dose of a vaccine whose series is not of two doses.
//!
//! What such a dose says of its series depends on the person's first dose, which may arrive later. That of a two-dose vaccine,
//! the common case, would otherwise have to query all doses of its person to know that there is none to correct; the mark
//! is read with one key, and together for a whole batch.

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

    /// Marks the person with this index key. Idempotent; a mark stays.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set(&self, person: &PersonKey) -> Result<(), StoreError> {
        self.table.put(key(&ItemKey::series(person))).await
    }

    /// Those of these people, by their index keys, who are marked. Strongly consistent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
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
