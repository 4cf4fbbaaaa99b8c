//! Contacts of the helpdesk.

use leptos::prelude::*;

use crate::components::{Icon, Sign};
use crate::input::phone_address;
use crate::language::{tr, tr_with};
use crate::settings::Settings;

/// Phone and e-mail of the helpdesk as two buttons.
#[component]
pub fn HelpdeskLinks() -> impl IntoView {
    let settings = Settings::current();
    let phone = move || settings.get(|settings| &settings.helpdesk_phone);
    let email = move || settings.get(|settings| &settings.helpdesk_email);
    view! {
        <div class="buttons">
            <a class="button" href=move || phone_address(&phone())>
                <Icon sign=Sign::Phone />
                <span>{tr_with("site.helpdesk.call", move |_| vec![("phone", phone())])}</span>
            </a>
            <a class="button" href=move || format!("mailto:{}", email())>
                <Icon sign=Sign::Mail />
                <span>{tr("site.helpdesk.write")}</span>
            </a>
        </div>
    }
}

/// Phone and e-mail of the helpdesk within a sentence.
#[component]
pub fn HelpdeskLine() -> impl IntoView {
    let settings = Settings::current();
    let phone = move || settings.get(|settings| &settings.helpdesk_phone);
    let email = move || settings.get(|settings| &settings.helpdesk_email);
    view! {
        <span class="helpdesk">
            <a href=move || phone_address(&phone())>{phone}</a>
            <a href=move || format!("mailto:{}", email())>{email}</a>
        </span>
    }
}
