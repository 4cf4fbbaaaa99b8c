//! The web site of the citizens, rendered in the browser.
//!
//! `pages/` has a file or folder for each page, `components/` a folder for each part that pages share, `place` their addresses.
//! What can be tested without a browser stands apart from both: `proof` (captcha), `input` (what people type), `describe` and
//! `verdict` (from codes to sentences). Texts are in `functions/lib/locales/texts`. Styles that only one page or component has are
//! in its folder, what they are built upon in `styles/`, by number: tokens, elements, layout, what many parts share.
//! `verifier/` is a module of its own, which only the page of verifiers loads.
//!
//! The same source is compiled twice: to WebAssembly it is the site ([`start`]), natively it renders each page as it is before
//! any script has run ([`prerendered`]).

// The type of a page holds those of all its elements.
#![recursion_limit = "512"]

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
#[cfg(not(target_arch = "wasm32"))]
mod prerender;
mod proof;
mod settings;
mod steps;
#[cfg(target_arch = "wasm32")]
mod takeover;
mod verdict;
mod verifier;

#[cfg(not(target_arch = "wasm32"))]
pub use prerender::{Prerendered, Rendered, prerendered};
#[cfg(target_arch = "wasm32")]
pub use takeover::start;
