//! The pages of the site.
//!
//! The home page is in the main module, which every visitor loads. The other pages are in chunks. A
//! chunk is loaded when the first of its pages is opened.

mod account;
mod case_parts;
mod correction;
mod download;
mod help;
mod helpdesk;
mod home;
mod link;
mod log_in;
mod log_out;
mod not_found;
mod privacy;
mod register;
mod ticket;
mod verify;

use leptos::prelude::*;
use wasm_split_helpers::wasm_split;

use crate::api::Failure;
use crate::components::{LazyView, ViewFuture};
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

#[wasm_split(download, fallible, preload(load_download))]
fn download_page() -> Result<AnyView, Failure> {
    Ok(view! { <download::Download /> }.into_any())
}

#[wasm_split(cases, fallible, preload(load_cases))]
fn case_pages(page: Page) -> Result<AnyView, Failure> {
    Ok(match page {
        Page::Helpdesk => view! { <helpdesk::Helpdesk /> }.into_any(),
        _ => view! { <correction::Correction /> }.into_any(),
    })
}

#[wasm_split(reading, fallible, preload(load_reading))]
fn reading_pages(page: Page) -> Result<AnyView, Failure> {
    Ok(match page {
        Page::Privacy => view! { <privacy::Privacy /> }.into_any(),
        Page::Ticket => view! { <ticket::Ticket /> }.into_any(),
        _ => view! { <help::Help /> }.into_any(),
    })
}

/// The name of the chunk that contains a page. `None` if the page is in the main module.
pub fn chunk(page: &Page) -> Option<&'static str> {
    match page {
        Page::Home | Page::Unknown => None,
        Page::LogIn | Page::Register | Page::LogOut => Some("account"),
        Page::Account | Page::History | Page::Devices | Page::AccessLog | Page::Link(_) => Some("account"),
        Page::Correction | Page::Helpdesk => Some("cases"),
        Page::Download => Some("download"),
        Page::Verify => Some("verify"),
        Page::Help | Page::Privacy | Page::Ticket => Some("reading"),
    }
}

/// Loads the chunk that contains a page.
#[cfg(target_arch = "wasm32")]
pub async fn load_chunk(page: &Page) -> Result<(), wasm_split_helpers::SplitLoaderError> {
    match chunk(page) {
        Some("account") => load_account().await,
        Some("cases") => load_cases().await,
        Some("verify") => load_verify().await,
        Some("download") => load_download().await,
        Some("reading") => load_reading().await,
        _ => Ok(()),
    }
}

/// The text key of a page's title.
fn title_key(page: &Page) -> &'static str {
    match page {
        Page::Home => "site.home.title",
        Page::LogIn => "site.login.title",
        Page::Register => "site.register.title",
        Page::Account => "site.account.title",
        Page::History => "site.history.title",
        Page::Devices => "site.devices.title",
        Page::AccessLog => "site.looks.title",
        Page::LogOut => "site.logout.title",
        Page::Download => "site.download.title",
        Page::Correction => "site.correction.title",
        Page::Helpdesk => "site.console.title",
        Page::Help => "site.help.title",
        Page::Privacy => "site.privacy.title",
        Page::Verify => "site.verify.title",
        Page::Ticket => "site.ticket.title",
        Page::Link(_) => "site.link.title",
        Page::Unknown => "site.not_found.title",
    }
}

/// Renders a page. Shows a loading message until the page's chunk is loaded.
pub fn render(page: Page) -> AnyView {
    let lazy = |load: fn(Page) -> ViewFuture, page: Page| {
        let title = title_key(&page);
        let load = move || load(page.clone());
        view! { <LazyView load=Box::new(load) title=title /> }.into_any()
    };
    match page {
        Page::Home => view! { <home::Home /> }.into_any(),
        Page::Unknown => view! { <not_found::NotFound /> }.into_any(),
        Page::Verify => lazy(|_| Box::pin(verify_page()), page),
        Page::Download => lazy(|_| Box::pin(download_page()), page),
        Page::Correction | Page::Helpdesk => lazy(|page| Box::pin(case_pages(page)), page),
        Page::Help | Page::Privacy | Page::Ticket => lazy(|page| Box::pin(reading_pages(page)), page),
        page => lazy(|page| Box::pin(account_pages(page)), page),
    }
}
