//! A group of radio buttons.

use bukti_locales::Locale;
use leptos::prelude::*;

use crate::form::{Field, Form};
use crate::language::{Language, tr};

pub struct Choice {
    pub value: String,
    /// Returns the label in a language.
    pub label: Box<dyn Fn(Locale) -> String + Send + Sync>,
    /// Returns the help text below the label in a language.
    pub help: Option<Box<dyn Fn(Locale) -> String + Send + Sync>>,
}

/// A vertical group of radio buttons, with the error message above it.
#[component]
pub fn RadioField(
    field: Field,
    form: Form,
    /// Text key of the group's label.
    label: &'static str,
    choices: Vec<Choice>,
    /// The value of the chosen option.
    value: RwSignal<String>,
) -> impl IntoView {
    let language = Language::current();
    let message = form.message(field);
    let is_invalid = move || message.read().is_some();
    let row = move |(at, choice): (usize, Choice)| {
        // The first option has the id of the field, because the error summary links to it.
        let id = if at == 0 { field.id().to_owned() } else { format!("{}-{at}", field.id()) };
        let help_id = choice.help.is_some().then(|| format!("{id}-help"));
        let help = choice.help.map(|help| {
            view! {
                <p class="hint" id=help_id.clone()>
                    {move || help(language.get())}
                </p>
            }
        });
        let (label, own, chosen) = (choice.label, choice.value.clone(), choice.value);
        view! {
            <div class="option">
                <input
                    type="radio"
                    id=id.clone()
                    name=field.code()
                    value=own.clone()
                    aria-describedby=help_id
                    prop:checked=move || *value.read() == own
                    on:change=move |_| value.set(chosen.clone())
                />
                <label for=id>{move || label(language.get())}</label>
                {help}
            </div>
        }
    };
    view! {
        <fieldset
            class="field options"
            class:wrong=is_invalid
            aria-describedby=move || is_invalid().then(|| field.error_id())
        >
            <legend>{tr(label)}</legend>
            {move || {
                message.get().map(|message| view! { <p class="message" id=field.error_id()>{message}</p> })
            }}
            {choices.into_iter().enumerate().map(row).collect_view()}
        </fieldset>
    }
}
