//! What a dose, a person and a certificate are, and how a row of a feed is judged.
//!
//! Pure and small: no AWS, no HTTP, no clock (time is passed in), so that it builds for wasm32 as well. The way
//! through it is the way of the data:
//!
//! 1. [`feed`]: a [`FeedRow`] as a facility sent it is judged: rejected, held, incomplete or complete.
//! 2. [`event`]: the rows of one vaccination event, in any order and any number of times, make one [`History`],
//!    and the history says which row counts and what each line of a report says.
//! 3. [`diagnosis`]: a dose and its certificate make one [`Diagnosis`]: what the state is, why, who must act, and
//!    what to do next. Citizen, helpdesk and reports all read this one state machine.
//! 4. [`ticket`]: the doses of a person make the tickets for their next ones.
//! 5. [`correction`]: what a person says is wrong, what of it fits which dose, and what becomes of it.
//! 6. [`IdentityData`]: data that rightly contradict their NIK, and which held rows their confirmation covers.
//!
//! Types that exist are valid ([`Nik`], [`PhoneNumber`], …): parse, don't validate. Personal types mask themselves in
//! `Debug` and have no `Display`.

#[macro_use]
pub mod codes;

mod birth_date;
mod bounds;
mod case_number;
mod catalogue;
mod certificate_id;
mod confirmation;
pub mod correction;
mod date;
pub mod diagnosis;
pub mod event;
pub mod feed;
mod form;
pub mod hygiene;
mod identity;
mod local_time;
mod name;
mod officer;
mod phone;
mod publisher;
pub mod ticket;
mod transliterate;

pub use birth_date::BirthDate;
pub use bounds::{
    EVIDENCE_TYPES, LONGEST_FIELD, LONGEST_TEXT, MOST_DOSES, MOST_EVIDENCE, MOST_EVIDENCE_BYTES, dose_number,
    six_digits,
};
pub use case_number::CaseNumber;
pub use catalogue::{
    CatalogueError, Codes, Disease, DiseaseName, Vaccine, disease, disease_of_dcc, disease_of_icvp,
    extend_catalogue, is_vaccine_kind, vaccine_named, vaccine_of_dcc, vaccine_of_icvp, vaccines,
};
pub use certificate_id::{READABLE, certificate_id_grouped, is_certificate_id};
pub use confirmation::{HeldIdentity, IdentityData};
pub use correction::{Asking, CaseState, Correction, Likeness, Ruling, doses_counted_twice, likenesses};
pub use date::{INDONESIA_EAST, INDONESIA_WEST, iso_date, parse_date, parse_moment};
pub use diagnosis::{Actor, CertificateFacts, Diagnosis, DiagnosisCode, Mood, NextStep, diagnose};
pub use event::{History, Origin, Version};
pub use feed::{Dose, FeedRow, Outcome, Reason, RowStatus, Verdict, no_formula};
pub use form::DocumentForm;
pub use identity::{Identity, Nik, Passport, Sex};
pub use local_time::{OffsetError, facility_offset, occurrence_offset, set_default_offset};
pub use name::{CertifiedName, PersonName};
pub use officer::{Action, Role};
pub use phone::{CountriesError, PhoneNumber};
pub use publisher::Publisher;
pub use ticket::{NextDose, ReceivedDose, TicketText, next_doses};
pub use transliterate::transliterate;
