//! A field of several lines.

use bukti_domain::LONGEST_TEXT;
use leptos::prelude::*;

use crate::form::{Field, Form};
use crate::language::tr;

/// A labelled field of several lines, with a line of help and its message beside it.
#[component]
pub fn TextArea(
    /// Which field.
    field: Field,
    /// The form it is in.
    form: Form,
    /// Its label, a key of the locale files.
    label: &'static str,
    /// A line of help below the label.
    #[prop(optional)]
    hint: Option<&'static str>,
    /// What is typed.
    value: RwSignal<String>,
    /// The most characters that can be typed.
    #[prop(default = LONGEST_TEXT)]
    longest: usize,
) -> impl IntoView {
    let message = form.message(field);
    let wrong = move || message.read().is_some();
    let described_by = move || {
        let error = wrong().then(|| field.error_id());
        let ids: Vec<String> = hint.map(|_| field.hint_id()).into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    };
    view! {
        <div class="field" class:wrong=wrong>
            <label for=field.id()>{tr(label)}</label>
            {hint.map(|hint| view! { <p class="hint" id=field.hint_id()>{tr(hint)}</p> })}
            {move || {
                message.get().map(|message| view! { <p class="message" id=field.error_id()>{message}</p> })
            }}
            <textarea
                id=field.id()
                rows="4"
                maxlength=longest.to_string()
                autocomplete="off"
                aria-invalid=move || wrong().then_some("true")
                aria-describedby=described_by
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            ></textarea>
        </div>
    }
}
