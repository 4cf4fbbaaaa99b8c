//! A multi-line text input.

use bukti_domain::LONGEST_TEXT;
use leptos::prelude::*;

use crate::form::{Field, Form};
use crate::language::tr;

/// A labelled multi-line text input with help text and error message.
#[component]
pub fn TextArea(
    field: Field,
    form: Form,
    /// Text key of the label.
    label: &'static str,
    /// Text key of the help text below the label.
    #[prop(optional)]
    hint: Option<&'static str>,
    value: RwSignal<String>,
    /// Maximum length in characters.
    #[prop(default = LONGEST_TEXT)]
    longest: usize,
) -> impl IntoView {
    let message = form.message(field);
    let is_invalid = move || message.read().is_some();
    let described_by = move || {
        let error = is_invalid().then(|| field.error_id());
        let ids: Vec<String> = hint.map(|_| field.hint_id()).into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    };
    view! {
        <div class="field" class:wrong=is_invalid>
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
                aria-invalid=move || is_invalid().then_some("true")
                aria-describedby=described_by
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            ></textarea>
        </div>
    }
}
