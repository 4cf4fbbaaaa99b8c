//! `/daftar`: creating an account.

use leptos::prelude::*;

use crate::components::{CodeLogin, Purpose};

/// Registration with a name, a phone number and a one-time code.
#[component]
pub fn Register() -> impl IntoView {
    view! { <CodeLogin purpose=Purpose::Register /> }
}
