//! Domain types and rules: doses, persons, certificates, and verdicts on the rows of a feed.
//!
//! The crate uses no AWS, no HTTP and no clock (time is a parameter), so that it also builds for
//! wasm32. These are its modules, in the order in which data pass through them:
//!
//! 1. [`feed`]: judges a [`FeedRow`] to be complete, incomplete, held, rejected or a retraction.
//! 2. [`event`]: collects the rows of one vaccination event in a [`History`], in any order and with
//!    repetitions. The history determines the current row and the result of each row.
//! 3. [`diagnosis`]: derives a [`Diagnosis`] from a dose and its certificate: the state, the
//!    reasons, who has to act, and what to do next. The citizen's pages, the helpdesk and the
//!    reports share this state machine.
//! 4. [`ticket`]: derives tickets for the next doses from a person's doses.
//! 5. [`correction`]: defines the corrections that a person can request, the doses that they may
//!    concern, and the states of a case.
//! 6. [`IdentityData`]: identity data that legitimately contradict a NIK, and the held rows that a
//!    confirmation of these data covers.
//!
//! Types are valid by construction ([`Nik`], [`PhoneNumber`], …): parse, don't validate. Types with
//! personal data mask themselves in `Debug`. If such a type implements `Display`, its documentation
//! states the permitted uses.

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
    EVIDENCE_TYPES, LONGEST_TEXT, MAX_EVIDENCE_BYTES, MAX_EVIDENCE_COUNT, MAX_FIELD_CHARS, MOST_DOSES,
    dose_number, six_digits,
};
pub use case_number::CaseNumber;
pub use catalogue::{
    CatalogueError, Codes, Disease, DiseaseName, Vaccine, disease, disease_of_dcc, disease_of_icvp,
    extend_catalogue, is_vaccine_kind, vaccine_named, vaccine_of_dcc, vaccine_of_icvp, vaccines,
};
pub use certificate_id::{CROCKFORD_ALPHABET, certificate_id_grouped, is_certificate_id};
pub use confirmation::{HeldIdentity, IdentityData};
pub use correction::{
    Asking, CaseState, Correction, Likeness, Ruling, doses_with_repeated_number, likenesses,
};
pub use date::{INDONESIA_EAST, INDONESIA_WEST, iso_date, parse_date, parse_moment};
pub use diagnosis::{Actor, CertificateFacts, Diagnosis, DiagnosisCode, NextStep, Tone, diagnose};
pub use event::{History, Origin, Version};
pub use feed::{Dose, FeedRow, Outcome, Reason, RowStatus, Verdict};
pub use form::DocumentForm;
pub use hygiene::escape_formula;
pub use identity::{Identity, Nik, Passport, Sex};
pub use local_time::{OffsetError, facility_offset, occurrence_offset, set_default_offset};
pub use name::{CertifiedName, PersonName};
pub use officer::{Action, Role};
pub use phone::{CountriesError, PhoneNumber};
pub use publisher::Publisher;
pub use ticket::{NextDose, ReceivedDose, TicketText, next_doses};
pub use transliterate::transliterate;
