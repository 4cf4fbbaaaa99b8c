//! The web site of the citizens, rendered in the browser.
//!
//! `pages/` has a file for each address, `components/` a file for each part that pages share. What can be tested
//! without a browser stands apart from both: `proof` (captcha), `input` (what people type), `describe` and `verdict`
//! (from codes to sentences). Texts are in `functions/locales/texts`, styles in `styles/`. `verifier/` is a module of
//! its own, which only the page of verifiers loads.

mod account;
mod api;
mod app;
mod browser;
mod camera;
mod components;
mod describe;
mod form;
mod input;
mod language;
mod pages;
mod place;
mod proof;
mod settings;
mod verdict;
mod verifier;

pub use app::start;
