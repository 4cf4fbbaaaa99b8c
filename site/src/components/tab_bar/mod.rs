//! The tab bar at the bottom of a phone's screen.

use leptos::prelude::*;

use crate::account::{Account, Who};
use crate::components::{Icon, Sign};
use crate::language::tr;
use crate::place::{Page, Place, to};

/// Home, verification, help and account. Wide screens have these links in the header.
#[component]
pub fn TabBar() -> impl IntoView {
    let account = Account::current();
    let place = Place::current();
    let mine = move || match account.get() {
        Who::Nobody => place.to(Page::LogIn)(),
        _ => place.to(Page::Account)(),
    };
    let mine_is_current = move || {
        let pages = [Page::Account, Page::History, Page::Devices, Page::Looks, Page::LogIn, Page::Register];
        pages.iter().find_map(|page| place.is_current(page))
    };
    view! {
        <nav class="tabs" aria-label=tr("site.nav.main")>
            <a href=to(Page::Home) aria-current=move || place.is_current(&Page::Home)>
                <Icon sign=Sign::Home />
                <span>{tr("site.nav.home")}</span>
            </a>
            <a href=to(Page::Verify) aria-current=move || place.is_current(&Page::Verify)>
                <Icon sign=Sign::Scan />
                <span>{tr("site.nav.verify")}</span>
            </a>
            <a href=to(Page::Help) aria-current=move || place.is_current(&Page::Help)>
                <Icon sign=Sign::Help />
                <span>{tr("site.nav.help")}</span>
            </a>
            <a href=mine aria-current=mine_is_current>
                <Icon sign=Sign::Person />
                <span>{tr("site.nav.account_tab")}</span>
            </a>
        </nav>
    }
}
