//! The steps of a multi-step form. Each step is an entry in the browser's history, so that the back
//! button returns to the previous step with its input instead of leaving the form.

use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::browser;
use crate::form::Form;

/// The steps of a form, and the current one.
pub struct Steps<T: 'static> {
    /// Prefix of the history state, which distinguishes the forms of a page.
    name: &'static str,
    form: Form,
    current: RwSignal<T>,
    /// The steps that are entries in the history, oldest first.
    visited: StoredValue<Vec<T>>,
}

impl<T> Clone for Steps<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Steps<T> {}

impl<T: Copy + PartialEq + Send + Sync> Steps<T> {
    /// Creates the steps of a form and shows the first one.
    pub fn new(name: &'static str, form: Form, first: T) -> Self {
        let steps =
            Self { name, form, current: RwSignal::new(first), visited: StoredValue::new(vec![first]) };
        if browser::IS_BROWSER {
            let listener = window_event_listener(leptos::ev::popstate, move |_| steps.sync_with_history());
            on_cleanup(move || listener.remove());
        }
        steps
    }

    /// Returns the current step (tracked read).
    pub fn get(self) -> T {
        self.current.get()
    }

    /// Returns the current step (untracked read).
    pub fn get_untracked(self) -> T {
        self.current.get_untracked()
    }

    /// Shows a step. If it is the previous step, goes back in the history instead of adding an
    /// entry.
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
        // This fails only if the site exceeds the browser's rate limit for history changes.
        let _ = history.push_state(&JsValue::from(format!("{}{}", self.name, at + 1)), "");
        self.set_current(step);
    }

    /// Replaces the current step with another, so that the back button skips the replaced step.
    pub fn replace(self, step: T) {
        let at = self.position();
        self.visited.update_value(|visited| visited[at] = step);
        self.set_current(step);
    }

    /// The index of the current step in `visited`, read from the history state.
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
