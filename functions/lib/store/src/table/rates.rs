//! Fixed-window rate limiting, counted in DynamoDB so that it holds across function instances.

use bukti_records::{ItemKey, Keys, Rate};
use jiff::Timestamp;

use crate::table::{Item, Table, n};
use crate::{Aws, StoreError};

/// The outcome of consuming one unit of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A unit was consumed; contains the number of units consumed in this window so far.
    Now(u32),
    /// The quota of the current window is exhausted.
    Full {
        /// Seconds until the next window begins.
        wait: u32,
    },
}

/// The counters of all rate limits.
#[derive(Clone)]
pub struct Rates {
    table: Table,
    keys: Keys,
}

impl Rates {
    /// Creates an instance that uses the deployment's table and keys.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table(), keys: aws.keys.clone() }
    }

    /// Atomically consumes one unit of the subject's quota.
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

    /// Refunds one unit in the window that contains `now`, after a request that had no effect.
    pub async fn give_back(&self, rate: &Rate, subject: &str, now: Timestamp) -> Result<(), StoreError> {
        let (window, _) = rate.window_at(now);
        let key = ItemKey::rate(&self.keys.rate(rate.name, subject, window));
        let values = [(":zero", n(0)), (":one", n(1))];
        self.table.update_if(&key, "SET taken = taken - :one", "taken > :zero", &values).await?;
        Ok(())
    }

    /// The number of units consumed in the window that contains `now`.
    pub async fn taken(&self, rate: &Rate, subject: &str, now: Timestamp) -> Result<u32, StoreError> {
        let (window, _) = rate.window_at(now);
        let item = self.table.get(&ItemKey::rate(&self.keys.rate(rate.name, subject, window))).await?;
        Ok(item.as_ref().map_or(0, count))
    }
}

fn count(item: &Item) -> u32 {
    item.get("taken").and_then(|taken| taken.as_n().ok()?.parse().ok()).unwrap_or(0)
}
