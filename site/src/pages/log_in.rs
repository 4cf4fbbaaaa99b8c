//! `/masuk`: logging in.

use leptos::prelude::*;

use crate::components::{CodeLogin, Purpose};

/// Logging in with the phone number and a code.
#[component]
pub fn LogIn() -> impl IntoView {
    view! { <CodeLogin purpose=Purpose::LogIn /> }
}
