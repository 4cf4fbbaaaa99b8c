//! Marks of people with a dose of a vaccine whose series is not of two doses.
//!
//! What such a dose says of its series depends on the person's first dose, which may arrive later. That of a two-dose vaccine,
//! the common case, would otherwise have to query all doses of its person to know that there is none to correct; the mark
//! is read with one key, and together for a whole batch.

use std::collections::{BTreeMap, HashSet};

use crate::table::{Table, key};
use crate::{Aws, StoreError};

const SK: &str = "SERIES";

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
    pub async fn set(&self, person: &str) -> Result<(), StoreError> {
        self.table.put(key(&partition(person), SK)).await
    }

    /// Those of these people, by their index keys, who are marked. Strongly consistent.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn of<'a>(
        &self,
        people: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashSet<String>, StoreError> {
        let people: BTreeMap<String, &str> =
            people.into_iter().map(|person| (partition(person), person)).collect();
        let keys = people.keys().map(|partition| key(partition, SK)).collect();
        let marked = self.table.get_all(keys, Some("pk")).await?;
        let partitions = marked.iter().filter_map(|item| item.get("pk")?.as_s().ok());
        Ok(partitions
            .filter_map(|partition| people.get(partition))
            .map(|person| (*person).to_owned())
            .collect())
    }
}

/// The partition of a mark. Not the person's own: `issue` is called for whatever changes there.
fn partition(person: &str) -> String {
    format!("M#{}", person.strip_prefix("P#").unwrap_or(person))
}
