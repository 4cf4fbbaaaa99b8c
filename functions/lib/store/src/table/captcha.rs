//! Used captchas, recorded so that each solution is accepted at most once.

use bukti_records::{ItemKey, Keys};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Table, Written, to_item};
use crate::{Aws, StoreError};

/// Records which captcha challenges have been used.
#[derive(Clone)]
pub struct UsedCaptchas {
    table: Table,
}

#[derive(Debug, Serialize, Deserialize)]
struct UsedRecord {
    expires_at: i64,
}

impl UsedCaptchas {
    /// Creates an instance that uses the deployment's table.
    pub fn new(aws: &Aws) -> Self {
        Self { table: aws.table() }
    }

    /// Marks the challenge with this signature, which expires at `expires_at`, as used. Returns
    /// `true` to at most one caller, even if several try concurrently.
    pub async fn use_once(&self, signature: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        let record = UsedRecord { expires_at: expires_at.as_second() };
        let item = to_item(&ItemKey::captcha(&Keys::captcha(signature)), &record)?;
        let written = self.table.put_if(item, "attribute_not_exists(pk)", &[]).await?;
        Ok(matches!(written, Written::Done))
    }
}
