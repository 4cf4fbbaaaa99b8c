//! Marks for people who have a dose of a vaccine whose primary series does not have two doses.
//!
//! The certificate of such a dose shows the number of doses in its series, which depends on the
//! person's first dose. If the first dose arrives later, these certificates must be corrected.
//! Without the mark, every first dose of a two-dose vaccine, which is the common case, would cost a
//! query for all doses of the person. The marks of a whole batch are read together, by their keys.

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
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Marks the person with this index key. Idempotent. A mark is never removed.
    pub async fn set(&self, person: &PersonKey) -> Result<(), StoreError> {
        self.table.put(key(&ItemKey::series(person))).await
    }

    /// Which of these people (their index keys) are marked. Strongly consistent.
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
