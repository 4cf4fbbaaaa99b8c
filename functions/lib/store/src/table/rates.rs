//! How much of something a caller may have in a while, counted in the table: the same for all instances of a function.

use bukti_records::{ItemKey, Keys, Rate};
use jiff::Timestamp;

use crate::table::{Item, Table, n};
use crate::{Aws, StoreError};

/// What became of taking one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was there: so many are taken now.
    Now(u32),
    /// The window is full.
    Full {
        /// Seconds until the next begins.
        wait: u32,
    },
}

/// Counts.
#[derive(Clone)]
pub struct Rates {
    table: Table,
    keys: Keys,
}

impl Rates {
    /// The counts of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Takes one for this subject. However many come at once, no more are let through than fit.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn take(&self, rate: &Rate, subject: &str, now: Timestamp) -> Result<Taken, StoreError> {
        let (window, ends) = rate.window_at(now);
        let update = "SET taken = if_not_exists(taken, :zero) + :one, expires_at = :ends";
        let values =
            [(":zero", n(0)), (":one", n(1)), (":most", n(rate.most)), (":ends", n(ends.as_second()))];
        let condition = "attribute_not_exists(taken) OR taken < :most";
        let key = ItemKey::rate(&self.keys.rate(rate.name, subject, window));
        Ok(match self.table.update_if(&key, update, condition, &values).await? {
            Some(item) => Taken::Now(count(&item)),
            None => Taken::Full { wait: rate.wait(now) },
        })
    }

    /// Gives one back that was taken in the window that this moment is in, where nothing came of
    /// it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn give_back(&self, rate: &Rate, subject: &str, now: Timestamp) -> Result<(), StoreError> {
        let (window, _) = rate.window_at(now);
        let key = ItemKey::rate(&self.keys.rate(rate.name, subject, window));
        let values = [(":zero", n(0)), (":one", n(1))];
        self.table.update_if(&key, "SET taken = taken - :one", "taken > :zero", &values).await?;
        Ok(())
    }

    /// How many were taken in the window that this moment is in.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn taken(&self, rate: &Rate, subject: &str, now: Timestamp) -> Result<u32, StoreError> {
        let (window, _) = rate.window_at(now);
        let item = self.table.get(&ItemKey::rate(&self.keys.rate(rate.name, subject, window))).await?;
        Ok(item.as_ref().map_or(0, count))
    }
}

fn count(item: &Item) -> u32 {
    item.get("taken").and_then(|taken| taken.as_n().ok()?.parse().ok()).unwrap_or(0)
}
