//! The pages, one for each address.
//!
//! Home is in the first part of the site, which every visitor loads. The other pages are in parts that are loaded when one of
//! their pages is opened.

mod account;
mod help;
mod home;
mod link;
mod log_in;
mod log_out;
mod not_found;
mod register;
mod verify;

use leptos::prelude::*;
use wasm_split_helpers::wasm_split;

use crate::api::Failure;
use crate::components::{Later, Loading};
use crate::place::Page;

#[wasm_split(account, fallible, preload(load_account))]
fn account_pages(page: Page) -> Result<AnyView, Failure> {
    Ok(match page {
        Page::LogIn => view! { <log_in::LogIn /> }.into_any(),
        Page::Register => view! { <register::Register /> }.into_any(),
        Page::LogOut => view! { <log_out::LogOut /> }.into_any(),
        Page::Link(token) => view! { <link::Link token=token /> }.into_any(),
        _ => view! { <account::Account /> }.into_any(),
    })
}

#[wasm_split(verify, fallible, preload(load_verify))]
fn verify_page() -> Result<AnyView, Failure> {
    Ok(view! { <verify::Verify /> }.into_any())
}

#[wasm_split(help, fallible, preload(load_help))]
fn help_page() -> Result<AnyView, Failure> {
    Ok(view! { <help::Help /> }.into_any())
}

/// The name of the part of the site that a page is in, where that is not the first one.
pub fn part(page: &Page) -> Option<&'static str> {
    match page {
        Page::Home | Page::Unknown => None,
        Page::LogIn | Page::Register | Page::Account | Page::LogOut | Page::Link(_) => Some("account"),
        Page::Verify => Some("verify"),
        Page::Help => Some("help"),
    }
}

/// Loads the part of the site that a page is in.
///
/// # Errors
///
/// Where it cannot be loaded now.
#[cfg(target_arch = "wasm32")]
pub async fn load(page: &Page) -> Result<(), wasm_split_helpers::SplitLoaderError> {
    match part(page) {
        Some("account") => load_account().await,
        Some("verify") => load_verify().await,
        Some("help") => load_help().await,
        _ => Ok(()),
    }
}

/// What stands on a page. Where its part of the site is still to be loaded, that is said until it is there.
pub fn shown(page: Page) -> AnyView {
    let later = |load: fn(Page) -> Loading, page| {
        let load = move || load(Page::clone(&page));
        view! { <Later load=Box::new(load) /> }.into_any()
    };
    match page {
        Page::Home => view! { <home::Home /> }.into_any(),
        Page::Unknown => view! { <not_found::NotFound /> }.into_any(),
        Page::Verify => later(|_| Box::pin(verify_page()), page),
        Page::Help => later(|_| Box::pin(help_page()), page),
        page => later(|page| Box::pin(account_pages(page)), page),
    }
}
