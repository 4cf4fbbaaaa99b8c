//! A button that sends a request.

use leptos::prelude::*;

use crate::language::tr;

/// A button that shows another label while its request is in progress. It uses `aria-disabled`,
/// which keeps it in the tab order, so that the focus is not lost.
#[component]
pub fn BusyButton(
    /// Text key of the label.
    label: &'static str,
    /// Text key of the label while the request is in progress.
    busy_label: &'static str,
    /// Whether the request is in progress.
    #[prop(into)]
    busy: Signal<bool>,
    /// CSS classes. The default is the style of the primary button, which a screen has only once.
    #[prop(default = "button primary")]
    class: &'static str,
    /// Called on a tap. If absent, the button submits its form.
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
