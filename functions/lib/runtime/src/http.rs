//! Code shared by the HTTP functions: request parsing, client addresses, rate limits, responses,
//! cookies, access control for records, and views of doses.

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
