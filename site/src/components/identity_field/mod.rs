//! An input for an identity number: NIK or passport number.

use bukti_domain::{BirthDate, Nik, Passport};
use leptos::prelude::*;

use crate::components::{TextField, TypedDate};
use crate::form::{Field, FieldProblem, Form, check};
use crate::language::tr;

/// The typed NIK and passport number, and which of the two fields is shown.
#[derive(Clone, Copy)]
pub struct TypedIdentity {
    nik: RwSignal<String>,
    passport: RwSignal<String>,
    with_passport: RwSignal<bool>,
}

impl TypedIdentity {
    pub fn new() -> Self {
        Self {
            nik: RwSignal::new(String::new()),
            passport: RwSignal::new(String::new()),
            with_passport: RwSignal::new(false),
        }
    }

    /// Returns the problem of the field that is shown, if it has one.
    pub fn check(self) -> Option<FieldProblem> {
        let (nik, passport) = (self.nik.get_untracked(), self.passport.get_untracked());
        if self.with_passport.get_untracked() {
            check(Field::Passport, &passport, Passport::parse(&passport))
        } else {
            check(Field::Nik, &nik, Nik::parse(&nik))
        }
    }

    /// Parses the birth date. It must be complete for a NIK. For a passport, the day and month may
    /// be missing.
    pub fn birth_date(self, typed: TypedDate) -> Result<BirthDate, FieldProblem> {
        if self.with_passport.get_untracked() {
            typed.check_birth_date()
        } else {
            typed.check().map(BirthDate::from)
        }
    }

    /// Returns the typed NIK and passport number. The one whose field is not shown is `None`.
    pub fn typed(self) -> (Option<String>, Option<String>) {
        if self.with_passport.get_untracked() {
            (None, Some(self.passport.get_untracked()))
        } else {
            (Some(self.nik.get_untracked()), None)
        }
    }
}

/// The field for the NIK or passport number, with a button that switches between them.
#[component]
pub fn IdentityField(identity: TypedIdentity, form: Form, on_typed: Callback<()>) -> impl IntoView {
    let (to_passport, to_nik) = (tr("site.identity.use_passport"), tr("site.identity.use_nik"));
    let switch = move |_| {
        identity.with_passport.update(|it| *it = !*it);
        form.problems.update(|problems| {
            problems.retain(|problem| !matches!(problem.field, Field::Nik | Field::Passport));
        });
    };
    let field = move || {
        let (field, label, value, inputmode) = if identity.with_passport.get() {
            (Field::Passport, "site.field.passport.label", identity.passport, "text")
        } else {
            (Field::Nik, "site.field.nik.label", identity.nik, "numeric")
        };
        view! {
            <TextField
                field=field
                form=form
                label=label
                value=value
                inputmode=inputmode
                on_typed=on_typed
            />
        }
    };
    view! {
        {field}
        <button type="button" class="link" on:click=switch>
            {move || if identity.with_passport.get() { to_nik() } else { to_passport() }}
        </button>
    }
}
