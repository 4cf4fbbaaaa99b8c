//! A drop-down list.

use leptos::prelude::*;

use crate::form::{Field, Form};
use crate::language::tr;

/// A heading and the options below it. The label of an option is also its value.
pub type Group = (String, Vec<String>);

/// A labelled, grouped drop-down list with an error message. Initially, no option is selected.
#[component]
pub fn SelectField(
    field: Field,
    form: Form,
    /// Text key of the label.
    label: &'static str,
    /// Text key of the label of the empty option.
    empty_label: &'static str,
    groups: Signal<Vec<Group>>,
    /// The chosen option.
    value: RwSignal<String>,
) -> impl IntoView {
    let message = form.message(field);
    let is_invalid = move || message.read().is_some();
    let option = move |name: String| {
        let chosen = value.read_untracked() == name;
        view! {
            <option value=name.clone() selected=chosen>
                {name.clone()}
            </option>
        }
    };
    let group = move |(name, choices): Group| {
        view! { <optgroup label=name>{choices.into_iter().map(option).collect_view()}</optgroup> }
    };
    view! {
        <div class="field" class:wrong=is_invalid>
            <label for=field.id()>{tr(label)}</label>
            {move || {
                message.get().map(|message| view! { <p class="message" id=field.error_id()>{message}</p> })
            }}
            <select
                id=field.id()
                aria-invalid=move || is_invalid().then_some("true")
                aria-describedby=move || is_invalid().then(|| field.error_id())
                on:change=move |event| value.set(event_target_value(&event))
            >
                <option value="">{tr(empty_label)}</option>
                {move || groups.get().into_iter().map(group).collect_view()}
            </select>
        </div>
    }
}
