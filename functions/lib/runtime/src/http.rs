//! What the HTTP functions share: reading requests, who asks and how much they may, answering with
//! answers or problems, the session cookie, which records a caller may reach, and how a dose is
//! shown.

mod address;
mod answer;
pub mod captcha;
mod guard;
mod records;
mod request;
mod session;
mod view;

pub use address::Address;
pub use answer::{
    Answer, Failure, FailureResult, accepted, json, media_type, no_content, public_json, respond,
};
pub use captcha::Level;
pub use guard::{Allowance, Guard};
pub use records::{FoundPerson, HolderCertificate, OfficerDecision, OfficerSession, OwnRecords, Records};
pub use request::{
    Caller, body, field, fits_key, identity_field, locale, page_start, query_parameter, read_json,
    read_optional_json,
};
pub use session::{TokenCookie, require_login};
pub use view::{dose_status, doses_by_day, issued_on, keep_first};
