//! The error summary of a form.

use leptos::prelude::*;

use crate::browser;
use crate::form::{FieldProblem, Form};
use crate::language::{Language, tr};

/// Lists the fields that have problems, and takes the focus. Each line links to its field.
#[component]
pub fn ErrorSummary(form: Form) -> impl IntoView {
    const ID: &str = "error-summary";
    let language = Language::current();
    let title = tr("site.errors.title");
    browser::effect(Box::new(move || {
        if !form.problems.read().is_empty() {
            browser::focus_after_render(ID);
        }
    }));
    let line = move |problem: FieldProblem| {
        let field = problem.field.id();
        let focus_field = move |event: web_sys::MouseEvent| {
            event.prevent_default();
            browser::focus_after_render(field);
        };
        view! {
            <li>
                <a href=format!("#{field}") on:click=focus_field>
                    {move || problem.message(language.get())}
                </a>
            </li>
        }
    };
    let summary = move |problems: Vec<FieldProblem>| {
        view! {
            <div id=ID class="notice wrong" role="alert" tabindex="-1" aria-labelledby="error-summary-title">
                <h2 id="error-summary-title">{title}</h2>
                <ul>{problems.into_iter().map(line).collect_view()}</ul>
            </div>
        }
    };
    move || {
        let problems = form.problems.get();
        (!problems.is_empty()).then(|| summary(problems))
    }
}
