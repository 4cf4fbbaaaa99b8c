//! Typed keys: a type for each kind of item, so that keys cannot be confused.

use serde::{Deserialize, Serialize};

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The prefix of all keys of this type.
            pub(crate) const PREFIX: &str = $prefix;

            /// Parses a whole key; `None` if it has another prefix.
            pub fn parse(text: &str) -> Option<Self> {
                text.starts_with(Self::PREFIX).then(|| Self(text.to_owned()))
            }

            /// The key with this id, which is the text without the prefix.
            pub fn of_id(id: &str) -> Self {
                Self(format!("{}{id}", Self::PREFIX))
            }

            /// The text without the prefix, for URLs and logs.
            pub fn id(&self) -> &str {
                self.0.strip_prefix(Self::PREFIX).unwrap_or(&self.0)
            }

            /// The whole key, as stored in items and indexes.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

keys! {
    /// An event, by the keyed hash of its id. The partition of its dose.
    EventKey = "EVENT#";
    /// A person, by the keyed hash of the identity number. Indexed as `person`.
    PersonKey = "PERSON#";
    /// A phone, by its keyed hash. Indexed as `phone`.
    PhoneKey = "PHONE#";
    /// A dose, whichever events report it, by the keyed hash of person, day, vaccine and dose
    /// number. The partition of the claim on it.
    DoseKey = "DOSE#";
    /// A name and birth date, by their keyed hash. Indexed as `alike`.
    NameKey = "NAME#";
    /// A case, by the keyed hash of its number.
    CaseKey = "CASE#";
    /// A certificate, by its id.
    CertificateKey = "CERTIFICATE#";
    /// A link in an SMS, by the hash of its token.
    LinkKey = "LINK#";
    /// A request for a one-time code, or a device that has logged in, by the hash of its token.
    LoginKey = "LOGIN#";
    /// A session, by the hash of its token.
    SessionKey = "SESSION#";
    /// A used captcha, by the hash of its signature.
    CaptchaKey = "CAPTCHA#";
    /// A counter of a rate limit, by the keyed hash of limit, window and subject.
    RateKey = "RATE#";
    /// The quick downloads of a person, by the person's key.
    DownloadKey = "DOWNLOAD#";
}

impl DownloadKey {
    /// The key of a person's quick downloads.
    pub fn of(person: &PersonKey) -> Self {
        Self::of_id(person.as_str())
    }

    /// The person.
    pub fn person(&self) -> PersonKey {
        PersonKey(self.id().to_owned())
    }
}
