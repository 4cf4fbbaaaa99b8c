//! End-to-end tests on the embedded stack, from feeds to SMS and scanned certificates.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod access_rules;
mod account;
mod api;
mod authorisation;
mod backup;
mod captchas;
mod cases;
mod confirmation;
mod crashes;
mod downloads;
mod duplicates;
mod edge;
mod feed;
mod field;
mod flood;
mod helpdesk;
mod icvp;
mod intake;
mod keys;
mod link;
mod login;
mod metrics;
mod quick_download;
mod rate_limits;
mod retraction;
mod revoke;
mod sender_limits;
mod senders;
mod senders_fhir;
mod series;
mod sms_budget;
mod status;
mod ticket;
mod verify;
