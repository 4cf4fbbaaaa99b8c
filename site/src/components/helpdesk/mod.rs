//! The helpdesk's contact details.

use leptos::prelude::*;

use crate::components::{Icon, Symbol};
use crate::input::tel_uri;
use crate::language::{tr, tr_with};
use crate::settings::Settings;

/// Shows the helpdesk's phone number and e-mail address as two buttons.
#[component]
pub fn HelpdeskLinks() -> impl IntoView {
    let settings = Settings::current();
    let phone = move || settings.get(|settings| &settings.helpdesk_phone);
    let email = move || settings.get(|settings| &settings.helpdesk_email);
    view! {
        <div class="buttons">
            <a class="button" href=move || tel_uri(&phone())>
                <Icon symbol=Symbol::Phone />
                <span>{tr_with("site.helpdesk.call", move |_| vec![("phone", phone())])}</span>
            </a>
            <a class="button" href=move || format!("mailto:{}", email())>
                <Icon symbol=Symbol::Mail />
                <span>{tr("site.helpdesk.write")}</span>
            </a>
        </div>
    }
}

/// Shows the helpdesk's phone number and e-mail address as links within a sentence.
#[component]
pub fn HelpdeskLine() -> impl IntoView {
    let settings = Settings::current();
    let phone = move || settings.get(|settings| &settings.helpdesk_phone);
    let email = move || settings.get(|settings| &settings.helpdesk_email);
    view! {
        <span class="helpdesk">
            <a href=move || tel_uri(&phone())>{phone}</a>
            <a href=move || format!("mailto:{}", email())>{email}</a>
        </span>
    }
}
