//! A one-line text input.

use leptos::html;
use leptos::prelude::*;

use crate::form::{Field, Form};
use crate::input::group_nik;
use crate::language::tr;

/// A labelled text input with help text and error message.
#[component]
pub fn TextField(
    field: Field,
    form: Form,
    /// Text key of the label.
    label: &'static str,
    /// Text key of the help text below the label.
    #[prop(optional)]
    hint: Option<&'static str>,
    value: RwSignal<String>,
    /// Type of the on-screen keyboard (HTML `inputmode`).
    #[prop(default = "text")]
    inputmode: &'static str,
    /// Autofill token (HTML `autocomplete`).
    #[prop(default = "off")]
    autocomplete: &'static str,
    #[prop(optional)] on_typed: Option<Callback<()>>,
) -> impl IntoView {
    let message = form.message(field);
    let is_invalid = move || message.read().is_some();
    let described_by = move || {
        let error = is_invalid().then(|| field.error_id());
        let ids: Vec<String> = hint.map(|_| field.hint_id()).into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    };
    let input = NodeRef::<html::Input>::new();
    let typed = move |_| {
        let Some(input) = input.get_untracked() else { return };
        let text = input.value();
        if field == Field::Nik {
            let caret = input.selection_start().ok().flatten().unwrap_or_default() as usize;
            let (grouped, caret) = group_nik(&text, caret);
            if grouped != text {
                input.set_value(&grouped);
                let caret = caret as u32;
                // This fails only for input types without a caret.
                let _ = input.set_selection_range(caret, caret);
            }
            value.set(grouped);
        } else {
            value.set(text);
        }
        if let Some(on_typed) = on_typed {
            on_typed.run(());
        }
    };
    let capitals = if field == Field::Name { "words" } else { "off" };
    view! {
        <div class="field" class:wrong=is_invalid>
            <label for=field.id()>{tr(label)}</label>
            {hint.map(|hint| view! { <p class="hint" id=field.hint_id()>{tr(hint)}</p> })}
            {move || {
                message.get().map(|message| view! { <p class="message" id=field.error_id()>{message}</p> })
            }}
            <input
                node_ref=input
                id=field.id()
                class=field.code()
                type=if field == Field::Phone { "tel" } else { "text" }
                inputmode=inputmode
                autocomplete=autocomplete
                autocapitalize=capitals
                spellcheck="false"
                aria-invalid=move || is_invalid().then_some("true")
                aria-describedby=described_by
                prop:value=value
                on:input=typed
            />
        </div>
    }
}
