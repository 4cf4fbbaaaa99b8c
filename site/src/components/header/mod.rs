//! The header of every page.

use leptos::ev;
use leptos::prelude::*;

use crate::account::{Account, LogInState};
use crate::browser;
use crate::components::LanguageSwitch;
use crate::language::tr;
use crate::place::{Page, Router, path_to};
use crate::settings::Settings;

/// Shows the wordmark, the navigation for wide screens, the language switch, and the user menu or a
/// link to the log-in.
#[component]
pub fn Header() -> impl IntoView {
    let settings = Settings::current();
    let account = Account::current();
    let account_link = move || match account.get() {
        LogInState::LoggedOut => {
            view! { <a href=path_to(Page::LogIn) class="button small">{tr("site.nav.log_in")}</a> }.into_any()
        }
        LogInState::Unknown => {
            view! { <a href=path_to(Page::Account) class="button small">{tr("site.nav.account")}</a> }
                .into_any()
        }
        LogInState::LoggedIn(session) => view! { <UserMenu name=session.name /> }.into_any(),
    };
    view! {
        <header class="top">
            <a class="skip" href="#isi">
                {tr("site.skip")}
            </a>
            <div class="bar">
                <a href=path_to(Page::Home) class="wordmark">
                    <svg viewBox="0 0 38 38" aria-hidden="true" focusable="false" inner_html=LOGO></svg>
                    <span>{move || settings.get(|settings| &settings.service_name)}</span>
                </a>
                <a href=path_to(Page::Verify) class="wide">
                    {tr("site.nav.verify")}
                </a>
                <a href=path_to(Page::Help) class="wide">
                    {tr("site.nav.help")}
                </a>
                <LanguageSwitch />
                {account_link}
            </div>
        </header>
    }
}

/// SVG content of the logo, which is also on certificates.
const LOGO: &str =
    r#"<rect class="ground" width="38" height="38" rx="10"/><path class="tick" d="m10 19.5 6.5 6.5 11-13"/>"#;

/// A button with the user's name that opens a menu of the account's pages.
#[component]
fn UserMenu(
    /// The name from registration, if one was given.
    name: Option<String>,
) -> impl IntoView {
    let is_open = RwSignal::new(false);
    // Navigation, Escape and a click outside close the menu.
    let router = Router::current();
    browser::effect(Box::new(move || {
        router.page();
        is_open.set(false);
    }));
    let key_listener = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            is_open.set(false);
        }
    });
    let click_listener = window_event_listener(ev::click, move |_| is_open.set(false));
    on_cleanup(move || {
        key_listener.remove();
        click_listener.remove();
    });
    let toggle = move |event: web_sys::MouseEvent| {
        event.stop_propagation();
        is_open.update(|open| *open = !*open);
    };
    let name = name.filter(|name| !name.trim().is_empty());
    let default_label = tr("site.nav.account");
    view! {
        <div class="user">
            <button
                type="button"
                class="button small"
                aria-expanded=move || is_open.get().to_string()
                aria-controls="user-menu"
                on:click=toggle
            >
                <span class="name">
                    {move || name.clone().unwrap_or_else(|| default_label().to_owned())}
                </span>
            </button>
            <ul id="user-menu" hidden=move || !is_open.get()>
                <li>
                    <a href=path_to(Page::Account)>{tr("site.nav.certificates")}</a>
                </li>
                <li>
                    <a href=path_to(Page::History)>{tr("site.nav.history")}</a>
                </li>
                <li>
                    <a href=path_to(Page::Devices)>{tr("site.nav.devices")}</a>
                </li>
                <li>
                    <a href=path_to(Page::LogOut)>{tr("site.nav.log_out")}</a>
                </li>
            </ul>
        </div>
    }
}
