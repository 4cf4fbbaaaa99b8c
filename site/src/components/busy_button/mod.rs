//! A button that sends something.

use leptos::prelude::*;

use crate::language::tr;

/// A button that says so while its request is on its way. It stays in the tab order then, so that the focus is not lost.
#[component]
pub fn BusyButton(
    /// Its label, a key of the locale files.
    label: &'static str,
    /// Its label while the request is on its way.
    busy_label: &'static str,
    /// Whether the request is on its way.
    #[prop(into)]
    busy: Signal<bool>,
    /// The kind of button: the primary one by default, of which a screen has one.
    #[prop(default = "button primary")]
    class: &'static str,
    /// What a tap does. Without it the button sends its form.
    #[prop(optional)]
    on_tap: Option<Callback<()>>,
) -> impl IntoView {
    let (label, busy_label) = (tr(label), tr(busy_label));
    let tap = move |_| {
        if let Some(on_tap) = on_tap
            && !busy.get_untracked()
        {
            on_tap.run(());
        }
    };
    view! {
        <button
            type=if on_tap.is_some() { "button" } else { "submit" }
            class=class
            class:busy=busy
            aria-disabled=move || busy.get().then_some("true")
            on:click=tap
        >
            {move || if busy.get() { busy_label() } else { label() }}
        </button>
    }
}
