//! Journeys through the whole system: a feed in, SMS out, certificates fetched and scanned.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod account;
mod api;
mod authorisation;
mod backup;
mod confirmation;
mod downloads;
mod duplicates;
mod feed;
mod field;
mod helpdesk;
mod icvp;
mod intake;
mod keys;
mod limits;
mod link;
mod metrics;
mod quick_download;
mod retraction;
mod revoke;
mod senders;
mod series;
mod status;
mod ticket;
mod verify;
