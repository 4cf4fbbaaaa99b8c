//! Components shared by the corrections page and the officers' console.

use bukti_domain::{CaseState, Correction};
use bukti_wire::CaseMessage;
use leptos::prelude::*;

use crate::components::{Icon, tone_style};
use crate::describe;
use crate::language::{Language, tr};

/// Shows the subject and state of a case, with an icon.
#[component]
pub fn StateLine(correction: Correction, state: CaseState) -> impl IntoView {
    let language = Language::current();
    let (_, symbol) = tone_style(describe::case_tone(state));
    let words =
        move |what: &'static str, code: &'static str| move || describe::case_text(language.get(), what, code);
    view! {
        <Icon symbol=symbol />
        <span>
            <span class="dose">{words("correction", correction.code())}</span>
            {words("state", state.code())}
        </span>
    }
}

/// Shows the officers' questions and the applicant's replies, oldest first. Renders nothing if
/// there are none.
#[component]
pub fn Messages(messages: Vec<CaseMessage>) -> impl IntoView {
    let language = Language::current();
    let (officer, applicant) = (tr("site.correction.from_officer"), tr("site.correction.from_applicant"));
    let message = move |message: CaseMessage| {
        let at = message.at;
        let from = move || if message.from_officer { officer() } else { applicant() };
        view! {
            <li>
                <p class="hint">{from} ", " {move || describe::moment_at(language.get(), at)}</p>
                <p class="written">{message.text}</p>
            </li>
        }
    };
    (!messages.is_empty()).then(|| {
        let messages = messages.into_iter().map(message).collect_view();
        view! { <ul class="messages">{messages}</ul> }
    })
}
