//! The web site for citizens, rendered in the browser.
//!
//! `pages/` contains a file or folder for each page, `components/` a folder for each shared
//! component, and `place` the router. Code that can be tested without a browser is in separate
//! modules: `proof` (captcha), `input` (typed values), `describe` and `verdict` (texts for codes).
//! Texts are in `functions/lib/locales/texts`. Styles of a single page or component are in its
//! folder. Global styles are in `styles/`, where file names are numbered in loading order: tokens,
//! elements, layout, shared styles. `verifier/` is a separate wasm module that only `/verify`
//! loads.
//!
//! The source is compiled twice: to WebAssembly as the site ([`start`]), and natively as a program
//! that pre-renders each page ([`prerendered`]).

// The type of a page nests the types of all its elements, which exceeds the default limit.
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
#[cfg(target_arch = "wasm32")]
mod mount;
mod pages;
mod place;
#[cfg(not(target_arch = "wasm32"))]
mod prerender;
mod proof;
mod settings;
mod steps;
mod verdict;
mod verifier;

#[cfg(target_arch = "wasm32")]
pub use mount::start;
#[cfg(not(target_arch = "wasm32"))]
pub use prerender::{Prerendered, Rendered, prerendered};
