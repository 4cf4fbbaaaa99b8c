//! The tab bar at the bottom of a phone's screen.

use leptos::prelude::*;

use crate::account::{Account, LogInState};
use crate::components::{Icon, Symbol};
use crate::language::tr;
use crate::place::{Page, Router, path_to};

/// Links to home, verification, help and account. On wide screens, these links are in the header.
#[component]
pub fn TabBar() -> impl IntoView {
    let account = Account::current();
    let router = Router::current();
    let account_path = move || match account.get() {
        LogInState::LoggedOut => router.path_to(Page::LogIn)(),
        _ => router.path_to(Page::Account)(),
    };
    let is_account_current = move || {
        let pages =
            [Page::Account, Page::History, Page::Devices, Page::AccessLog, Page::LogIn, Page::Register];
        pages.iter().find_map(|page| router.is_current(page))
    };
    view! {
        <nav class="tabs" aria-label=tr("site.nav.main")>
            <a href=path_to(Page::Home) aria-current=move || router.is_current(&Page::Home)>
                <Icon symbol=Symbol::Home />
                <span>{tr("site.nav.home")}</span>
            </a>
            <a href=path_to(Page::Verify) aria-current=move || router.is_current(&Page::Verify)>
                <Icon symbol=Symbol::Scan />
                <span>{tr("site.nav.verify")}</span>
            </a>
            <a href=path_to(Page::Help) aria-current=move || router.is_current(&Page::Help)>
                <Icon symbol=Symbol::Help />
                <span>{tr("site.nav.help")}</span>
            </a>
            <a href=account_path aria-current=is_account_current>
                <Icon symbol=Symbol::Person />
                <span>{tr("site.nav.account_tab")}</span>
            </a>
        </nav>
    }
}
