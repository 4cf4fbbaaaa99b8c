//! The web site of the citizens, rendered in the browser.
//!
//! `pages/` has a file for each address, `components/` a file for each part that pages share. What can be tested
//! without a browser stands apart from both: `proof` (captcha), `input` (what people type), `describe` (from
//! codes to sentences). Texts are in `functions/locales/texts`, styles in `styles/`.

mod account;
mod api;
mod app;
mod browser;
mod components;
mod describe;
mod form;
mod input;
mod language;
mod pages;
mod place;
mod proof;
mod settings;

pub use app::start;
