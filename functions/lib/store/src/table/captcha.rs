//! Used captchas: a solution counts once.

use bukti_records::{ItemKey, Keys};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Table, Written, to_item};
use crate::{Aws, StoreError};

/// Remembers the solutions that were used.
#[derive(Clone)]
pub struct UsedCaptchas {
    table: Table,
}

#[derive(Debug, Serialize, Deserialize)]
struct UsedRecord {
    expires_at: i64,
}

impl UsedCaptchas {
    /// The used captchas of a deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Uses the challenge of this signature, which no longer counts from `expires_at` on. Of uses at the same moment, one
    /// is let through: `true`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn use_once(&self, signature: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        let record = UsedRecord { expires_at: expires_at.as_second() };
        let item = to_item(&ItemKey::captcha(&Keys::captcha(signature)), &record)?;
        let written = self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?;
        Ok(matches!(written, Written::Done))
    }
}
