//! A date input with three fields.

use bukti_domain::BirthDate;
use jiff::civil::Date;
use leptos::prelude::*;

use crate::form::{Field, FieldProblem, Form, ProblemKind};
use crate::input;
use crate::language::tr;

/// Day, month and year as typed.
#[derive(Clone, Copy)]
pub struct TypedDate {
    field: Field,
    parts: [RwSignal<String>; 3],
}

impl TypedDate {
    pub fn new(field: Field) -> Self {
        Self { field, parts: [(); 3].map(|()| RwSignal::new(String::new())) }
    }

    /// Parses the date. Returns the problem to show if it is missing or invalid.
    pub fn check(self) -> Result<Date, FieldProblem> {
        self.read(input::date)
    }

    /// Parses a birth date, whose day and month may be missing.
    pub fn check_birth_date(self) -> Result<BirthDate, FieldProblem> {
        self.read(input::birth_date)
    }

    fn read<T>(self, read: impl Fn(&str, &str, &str) -> Option<T>) -> Result<T, FieldProblem> {
        let typed = self.parts.map(|part| part.get_untracked());
        read(&typed[0], &typed[1], &typed[2]).ok_or_else(|| {
            let is_empty = typed.iter().all(|part| part.trim().is_empty());
            FieldProblem {
                field: self.field,
                kind: if is_empty { ProblemKind::Missing } else { ProblemKind::Invalid },
            }
        })
    }
}

/// Fields for day, month and year, each with its own label.
#[component]
pub fn DateField(
    date: TypedDate,
    form: Form,
    /// Text key of the label.
    label: &'static str,
    /// Text key of the help text below the label.
    hint: &'static str,
    /// Whether the browser may autofill the visitor's own birth date.
    #[prop(optional)]
    is_birthday: bool,
) -> impl IntoView {
    let field = date.field;
    let message = form.message(field);
    let is_invalid = move || message.read().is_some();
    let part = move |at: usize, label: &'static str, autofill: &'static str| {
        let value = date.parts[at];
        let id = if at == 0 { field.id().to_owned() } else { format!("{}-{at}", field.id()) };
        view! {
            <div>
                <label for=id.clone()>{tr(label)}</label>
                <input
                    id=id
                    class=if at == 2 { "four" } else { "two" }
                    type="text"
                    inputmode="numeric"
                    autocomplete=if is_birthday { autofill } else { "off" }
                    aria-invalid=move || is_invalid().then_some("true")
                    prop:value=value
                    on:input=move |event| value.set(event_target_value(&event))
                />
            </div>
        }
    };
    view! {
        <fieldset
            class="field"
            class:wrong=is_invalid
            aria-describedby=move || {
                let hint = field.hint_id();
                if is_invalid() { format!("{hint} {}", field.error_id()) } else { hint }
            }
        >
            <legend>{tr(label)}</legend>
            <p class="hint" id=field.hint_id()>
                {tr(hint)}
            </p>
            {move || {
                message.get().map(|message| view! { <p class="message" id=field.error_id()>{message}</p> })
            }}
            <div class="parts">
                {part(0, "site.date.day", "bday-day")} {part(1, "site.date.month", "bday-month")}
                {part(2, "site.date.year", "bday-year")}
            </div>
        </fieldset>
    }
}
