//! Looks up a case by its number and the person's birth date, without a log-in.

use bukti_domain::CaseNumber;
use bukti_wire::{Case, CaseQuery, HelpdeskRoute, ProblemCode};
use leptos::prelude::*;

use super::cases::CaseCard;
use crate::api;
use crate::browser;
use crate::components::{BusyButton, DateField, ErrorSummary, FailureNotice, TextField, TypedDate};
use crate::form::{Field, FieldProblem, Form, ProblemKind, check};
use crate::language::tr;

#[derive(Clone, Copy)]
struct CaseLookUp {
    form: Form,
    number: RwSignal<String>,
    birth_date: TypedDate,
    found: RwSignal<Option<Case>>,
}

impl CaseLookUp {
    fn send(self) {
        let number = self.number.get_untracked();
        let birth_date = self.birth_date.check_birth_date();
        let problems = [check(Field::CaseNumber, &number, CaseNumber::parse(&number)), birth_date.err()];
        let birth_date = birth_date.map(|date| date.to_string()).unwrap_or_default();
        self.form.send(problems.into_iter().flatten().collect(), async move {
            self.found.set(None);
            let query = CaseQuery { number, birth_date };
            match api::post::<Case>(HelpdeskRoute::Case.path(), &query).await {
                Ok(case) => {
                    self.found.set(Some(case));
                    browser::focus_after_render("case");
                }
                Err(failure) if failure.code() == Some(ProblemCode::NotFound) => {
                    let unknown =
                        FieldProblem { field: Field::CaseNumber, kind: ProblemKind::Rejected(None) };
                    self.form.problems.set(vec![unknown]);
                }
                Err(failure) => return Err(failure),
            }
            Ok(())
        });
    }
}

/// Shows the form, and the case below it.
#[component]
pub fn LookUp(
    /// Whether the look-up is shown; the form sets it to `false` to return to the log-in.
    is_shown: RwSignal<bool>,
) -> impl IntoView {
    let look_up = CaseLookUp {
        form: Form::new(),
        number: RwSignal::new(String::new()),
        birth_date: TypedDate::new(Field::BirthDate),
        found: RwSignal::new(None),
    };
    let form = look_up.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        look_up.send();
    };
    let back = move |_| {
        is_shown.set(false);
        browser::focus_after_render("page-heading");
    };
    view! {
        <p>{tr("site.correction.look_up.help")}</p>
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=form.failure busy=form.busy retry=Callback::new(move |()| look_up.send()) />
            <TextField
                field=Field::CaseNumber
                form=form
                label="site.field.number.label"
                hint="site.field.number.hint"
                value=look_up.number
            />
            <DateField
                date=look_up.birth_date
                form=form
                label="site.field.birth_date.label"
                hint="site.field.birth_date.hint"
                is_birthday=true
            />
            <BusyButton
                label="site.correction.look_up.send"
                busy_label="site.correction.look_up.sending"
                busy=form.busy
            />
            <button type="button" class="button" on:click=back>
                {tr("site.correction.look_up.log_in")}
            </button>
        </form>
        <div id="case" tabindex="-1">
            {move || look_up.found.get().map(|case| view! { <CaseCard case=case /> })}
        </div>
    }
}
