//! `/daftar`: making an account.

use leptos::prelude::*;

use crate::components::{CodeLogin, Purpose};

/// Making an account with a name, a phone number and a code.
#[component]
pub fn Register() -> impl IntoView {
    view! { <CodeLogin purpose=Purpose::Register /> }
}
