//! Typed keys, with one type per kind of item, so that keys cannot be confused.

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

            /// Parses a key including its prefix; `None` if it has another prefix.
            pub fn parse(text: &str) -> Option<Self> {
                text.starts_with(Self::PREFIX).then(|| Self(text.to_owned()))
            }

            /// Creates the key with this id, which is the text without the prefix.
            pub fn of_id(id: &str) -> Self {
                Self(format!("{}{id}", Self::PREFIX))
            }

            /// The text without the prefix, for use in URLs and logs.
            pub fn id(&self) -> &str {
                self.0.strip_prefix(Self::PREFIX).unwrap_or(&self.0)
            }

            /// The text including the prefix, as stored in items and indexes.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

keys! {
    /// The key of an event: the keyed hash of its id. The partition key of its dose.
    EventKey = "EVENT#";
    /// A person, identified by the keyed hash of the identity number. Indexed as `person`.
    PersonKey = "PERSON#";
    /// A phone, identified by the keyed hash of its number. Indexed as `phone`.
    PhoneKey = "PHONE#";
    /// A dose, identified by the keyed hash of its person, date, vaccine and dose number, whichever
    /// events report it. The partition key of the claim on the dose.
    DoseKey = "DOSE#";
    /// A name and birth date, identified by their keyed hash. Indexed as `alike`.
    NameKey = "NAME#";
    /// A case, identified by the keyed hash of its number.
    CaseKey = "CASE#";
    /// A certificate, identified by its id.
    CertificateKey = "CERTIFICATE#";
    /// A link in an SMS, identified by the hash of its token.
    LinkKey = "LINK#";
    /// A request for a one-time code, or a device that has logged in, identified by the hash of its
    /// token.
    LoginKey = "LOGIN#";
    /// A session, identified by the hash of its token.
    SessionKey = "SESSION#";
    /// A used captcha, identified by the hash of its signature.
    CaptchaKey = "CAPTCHA#";
    /// A counter of a rate limit, identified by the keyed hash of the limit, window and subject.
    RateKey = "RATE#";
    /// The quick downloads of a person, identified by the person's key.
    DownloadKey = "DOWNLOAD#";
}

impl DownloadKey {
    /// The key of a person's quick downloads, derived from the person's key.
    pub fn of(person: &PersonKey) -> Self {
        Self::of_id(person.as_str())
    }

    /// The key of the person whose quick downloads these are.
    pub fn person(&self) -> PersonKey {
        PersonKey(self.id().to_owned())
    }
}
