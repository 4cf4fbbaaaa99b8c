//! The header of every page.

use leptos::ev;
use leptos::prelude::*;

use crate::account::{Account, Who};
use crate::browser;
use crate::components::LanguageSwitch;
use crate::language::tr;
use crate::place::{Page, Place, to};
use crate::settings::Settings;

/// Wordmark, navigation of wide screens, language switch, and the user menu or the log-in.
#[component]
pub fn Header() -> impl IntoView {
    let settings = Settings::current();
    let account = Account::current();
    let right = move || match account.get() {
        Who::Nobody => {
            view! { <a href=to(Page::LogIn) class="button small">{tr("site.nav.log_in")}</a> }.into_any()
        }
        Who::Unknown => {
            view! { <a href=to(Page::Account) class="button small">{tr("site.nav.account")}</a> }.into_any()
        }
        Who::Somebody(session) => view! { <UserMenu name=session.name /> }.into_any(),
    };
    view! {
        <header class="top">
            <a class="skip" href="#isi">
                {tr("site.skip")}
            </a>
            <div class="bar">
                <a href=to(Page::Home) class="wordmark">
                    <svg viewBox="0 0 38 38" aria-hidden="true" focusable="false" inner_html=MARK></svg>
                    <span>{move || settings.get(|settings| &settings.service_name)}</span>
                </a>
                <a href=to(Page::Verify) class="wide">
                    {tr("site.nav.verify")}
                </a>
                <a href=to(Page::Help) class="wide">
                    {tr("site.nav.help")}
                </a>
                <LanguageSwitch />
                {right}
            </div>
        </header>
    }
}

/// The logo, the same as on certificates.
const MARK: &str =
    r#"<rect class="ground" width="38" height="38" rx="10"/><path class="tick" d="m10 19.5 6.5 6.5 11-13"/>"#;

/// The user's name, which opens a menu with the pages of the account.
#[component]
fn UserMenu(
    /// The name from registration, if one was given.
    name: Option<String>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    // Navigation, Escape and a click outside close the menu.
    let place = Place::current();
    browser::effect(Box::new(move || {
        place.page();
        open.set(false);
    }));
    let keys = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            open.set(false);
        }
    });
    let clicks = window_event_listener(ev::click, move |_| open.set(false));
    on_cleanup(move || {
        keys.remove();
        clicks.remove();
    });
    let toggle = move |event: web_sys::MouseEvent| {
        event.stop_propagation();
        open.update(|open| *open = !*open);
    };
    let named = name.filter(|name| !name.trim().is_empty());
    let unnamed = tr("site.nav.account");
    view! {
        <div class="user">
            <button
                type="button"
                class="button small"
                aria-expanded=move || open.get().to_string()
                aria-controls="user-menu"
                on:click=toggle
            >
                <span class="name">
                    {move || named.clone().unwrap_or_else(|| unnamed().to_owned())}
                </span>
            </button>
            <ul id="user-menu" hidden=move || !open.get()>
                <li>
                    <a href=to(Page::Account)>{tr("site.nav.certificates")}</a>
                </li>
                <li>
                    <a href=to(Page::History)>{tr("site.nav.history")}</a>
                </li>
                <li>
                    <a href=to(Page::Devices)>{tr("site.nav.devices")}</a>
                </li>
                <li>
                    <a href=to(Page::LogOut)>{tr("site.nav.log_out")}</a>
                </li>
            </ul>
        </div>
    }
}
