//! The steps of a multi-step form. Each is an entry in the browser's history, so that the back
//! button shows the previous step, with what was typed, instead of leaving the form.

use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::browser;
use crate::form::Form;

/// The steps of a form, and which of them is shown.
pub struct Steps<T: 'static> {
    /// Prefix of the state in the history, which distinguishes the forms of a page.
    name: &'static str,
    form: Form,
    current: RwSignal<T>,
    /// The steps up to the latest one, in the order in which they were shown.
    visited: StoredValue<Vec<T>>,
}

impl<T> Clone for Steps<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Steps<T> {}

impl<T: Copy + PartialEq + Send + Sync> Steps<T> {
    /// Starts with the first step of a form.
    pub fn new(name: &'static str, form: Form, first: T) -> Self {
        let steps =
            Self { name, form, current: RwSignal::new(first), visited: StoredValue::new(vec![first]) };
        if browser::IS_BROWSER {
            let listener = window_event_listener(leptos::ev::popstate, move |_| steps.sync_with_history());
            on_cleanup(move || listener.remove());
        }
        steps
    }

    /// The current step, tracked.
    pub fn get(self) -> T {
        self.current.get()
    }

    /// The current step, untracked.
    pub fn get_untracked(self) -> T {
        self.current.get_untracked()
    }

    /// Shows a step. If it is the previous one, goes back in the history.
    pub fn show(self, step: T) {
        let at = self.position();
        let previous =
            self.visited.with_value(|visited| at.checked_sub(1).and_then(|at| visited.get(at).copied()));
        let Ok(history) = window().history() else { return self.set_current(step) };
        if previous == Some(step) && history.back().is_ok() {
            return;
        }
        self.visited.update_value(|visited| {
            visited.truncate(at + 1);
            visited.push(step);
        });
        // Browsers reject this only if it is called about a hundred times per second.
        let _ = history.push_state(&JsValue::from(format!("{}{}", self.name, at + 1)), "");
        self.set_current(step);
    }

    /// Replaces the current step, so that the back button skips it.
    pub fn replace(self, step: T) {
        let at = self.position();
        self.visited.update_value(|visited| visited[at] = step);
        self.set_current(step);
    }

    /// The index of the current step, read from the history.
    fn position(self) -> usize {
        let state = window().history().and_then(|history| history.state()).ok();
        let state = state.and_then(|state| state.as_string()).unwrap_or_default();
        let at = state.strip_prefix(self.name).and_then(|at| at.parse().ok()).unwrap_or_default();
        if at < self.visited.with_value(Vec::len) { at } else { 0 }
    }

    fn sync_with_history(self) {
        let at = self.position();
        let step = self.visited.with_value(|visited| visited[at]);
        if step != self.current.get_untracked() {
            self.set_current(step);
        }
    }

    fn set_current(self, step: T) {
        self.form.clear();
        self.current.set(step);
        browser::focus_after_render("page-heading");
    }
}
