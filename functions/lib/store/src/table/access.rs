//! Items of a backup that grant access: API keys, officers, document signers and other issuers.
//!
//! Restoring a backup also restores access that was withdrawn after the backup was made. The
//! command line lists these items, so that an admin can check them.

use bukti_records::{ApiKey, ItemKind, Officer};
use bukti_trust::SignerStatus;
use jiff::Timestamp;
use serde_dynamo::Item;

use crate::signing::signers::ActiveRecord;
use crate::table::kind_of;
use crate::{IssuerRecord, Officers, SignerRecord, StoreError};

/// An item that grants access, or names the active signer.
#[derive(Clone)]
pub enum Access {
    /// An API key of a sender.
    ApiKey(ApiKey),
    /// An officer of the helpdesk.
    Officer(Officer),
    /// A document signer of this deployment.
    Signer(Box<SignerRecord>),
    /// The key id of the active signer.
    ActiveSigner(String),
    /// A signer of another issuer, whose certificates are accepted.
    Issuer(Box<IssuerRecord>),
}

impl Access {
    /// Whether an item of a backup grants access.
    pub fn is_given_by(item: &Item) -> bool {
        use ItemKind::{ActiveSigner, ApiKey, Issuer, Officer, Signer};
        matches!(kind_of(item), Some(ActiveSigner | ApiKey | Issuer | Officer | Signer))
    }

    /// Whether an item belongs to the deployment's own register of document signers.
    pub fn is_of_own_signers(item: &Item) -> bool {
        matches!(kind_of(item), Some(ItemKind::Signer | ItemKind::ActiveSigner))
    }

    /// Reads the access that an item of a backup grants.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if the item cannot be read or does not grant access.
    pub fn of_image(image: Item, officers: &Officers) -> Result<Self, StoreError> {
        let access = match kind_of(&image) {
            Some(ItemKind::ApiKey) => serde_dynamo::from_item(image).ok().map(Self::ApiKey),
            Some(ItemKind::Officer) => officers.of_image(image).map(Self::Officer),
            Some(ItemKind::Issuer) => {
                serde_dynamo::from_item(image).ok().map(|issuer| Self::Issuer(Box::new(issuer)))
            }
            Some(ItemKind::ActiveSigner) => {
                serde_dynamo::from_item(image).ok().map(|active: ActiveRecord| Self::ActiveSigner(active.kid))
            }
            Some(ItemKind::Signer) => {
                serde_dynamo::from_item(image).ok().map(|signer| Self::Signer(Box::new(signer)))
            }
            _ => None,
        };
        access.ok_or(StoreError::Corrupt("API key, officer, signer or issuer"))
    }

    /// The id of the API key or officer, or the key id of the signer.
    pub fn id(&self) -> &str {
        match self {
            Self::ApiKey(key) => &key.id,
            Self::Officer(officer) => officer.id.as_str(),
            Self::Signer(signer) => &signer.kid,
            Self::ActiveSigner(kid) => kid,
            Self::Issuer(issuer) => &issuer.signer.kid,
        }
    }

    /// A description for an admin; `None` if the access has been withdrawn, or if another item
    /// describes it.
    pub fn in_words(&self, now: Timestamp) -> Option<String> {
        match self {
            Self::ApiKey(key) => {
                let sender = &key.sender;
                (!key.has_ended(now)).then(|| format!("API key of {} {}", sender.kind(), sender.name()))
            }
            Self::Officer(officer) => Some(format!("{} {}", officer.role.code(), officer.name)),
            Self::Signer(signer) => {
                signer.withdrawn_at.is_none().then(|| format!("signer since {:.0}", signer.created_at))
            }
            Self::ActiveSigner(_) => None,
            Self::Issuer(issuer) => (issuer.signer.status != SignerStatus::Revoked)
                .then(|| format!("other issuer{}, imported at {:.0}", name_of(issuer), issuer.imported_at)),
        }
    }
}

/// A space and the name in the certificate of another issuer's signer; empty if it has no name.
fn name_of(issuer: &IssuerRecord) -> String {
    let name = issuer.signer.trusted().and_then(|trusted| trusted.name);
    name.map_or(String::new(), |name| format!(" {name}"))
}
