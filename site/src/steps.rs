//! The steps of a form that has several. Each is a place in the browser's history, so that the back
//! button of a phone leads to the step before, with what was typed, and not away from the form.

use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::browser;
use crate::form::Form;

/// The steps of a form, and which of them is shown.
pub struct Steps<T: 'static> {
    /// Its name in the history, by which forms of one page are told apart.
    name: &'static str,
    form: Form,
    current: RwSignal<T>,
    /// Those that were taken, in order.
    taken: StoredValue<Vec<T>>,
}

impl<T> Clone for Steps<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Steps<T> {}

impl<T: Copy + PartialEq + Send + Sync> Steps<T> {
    /// At the first step of a form.
    pub fn begin(name: &'static str, form: Form, first: T) -> Self {
        let steps = Self { name, form, current: RwSignal::new(first), taken: StoredValue::new(vec![first]) };
        if browser::IS_HERE {
            let listener = window_event_listener(leptos::ev::popstate, move |_| steps.follow());
            on_cleanup(move || listener.remove());
        }
        steps
    }

    /// The step that is shown, tracked.
    pub fn get(self) -> T {
        self.current.get()
    }

    /// The step that is shown.
    pub fn get_untracked(self) -> T {
        self.current.get_untracked()
    }

    /// Shows a step. Where it is the one before, the history goes back.
    pub fn go(self, step: T) {
        let at = self.at();
        let before = self.taken.with_value(|taken| at.checked_sub(1).and_then(|at| taken.get(at).copied()));
        let Ok(history) = window().history() else { return self.show(step) };
        if before == Some(step) && history.back().is_ok() {
            return;
        }
        self.taken.update_value(|taken| {
            taken.truncate(at + 1);
            taken.push(step);
        });
        // It fails only where a page changes its address a hundred times a second.
        let _ = history.push_state(&JsValue::from(format!("{}{}", self.name, at + 1)), "");
        self.show(step);
    }

    /// Shows a step in the stead of the one that is shown, so that the back button leads past that.
    pub fn go_instead(self, step: T) {
        let at = self.at();
        self.taken.update_value(|taken| taken[at] = step);
        self.show(step);
    }

    /// Which of the steps that were taken the history stands at.
    fn at(self) -> usize {
        let state = window().history().and_then(|history| history.state()).ok();
        let state = state.and_then(|state| state.as_string()).unwrap_or_default();
        let at = state.strip_prefix(self.name).and_then(|at| at.parse().ok()).unwrap_or_default();
        if at < self.taken.with_value(Vec::len) { at } else { 0 }
    }

    fn follow(self) {
        let at = self.at();
        let step = self.taken.with_value(|taken| taken[at]);
        if step != self.current.get_untracked() {
            self.show(step);
        }
    }

    fn show(self, step: T) {
        self.form.clear();
        self.current.set(step);
        browser::focus_soon("page-heading");
    }
}
