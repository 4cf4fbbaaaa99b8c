//! A button that sends a request.

use leptos::prelude::*;

use crate::language::tr;

/// Shows another label while its request is on its way. It stays in the tab order
/// (`aria-disabled`), so that the focus is not lost.
#[component]
pub fn BusyButton(
    /// Label; a text key.
    label: &'static str,
    /// Label while the request is on its way; a text key.
    busy_label: &'static str,
    /// Whether the request is on its way.
    #[prop(into)]
    busy: Signal<bool>,
    /// CSS classes. The default is the primary button, of which a screen has one.
    #[prop(default = "button primary")]
    class: &'static str,
    /// Called on a tap. Without it the button submits its form.
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
