//! The result of the status check, in a separate chunk that is loaded while the visitor types.

use bukti_wire::StatusAnswer;
use leptos::prelude::*;
use wasm_split_helpers::wasm_split;

use crate::api::{self, Failure};
use crate::browser;
use crate::components::{DiagnosisCard, DoseCard};
use crate::form::Field;
use crate::language::tr;

/// Renders a card for each dose, or a card that explains why there is none. `response` is the
/// unparsed JSON.
#[wasm_split(outcome, fallible, preload(load))]
pub fn cards(response: String) -> Result<AnyView, Failure> {
    let StatusAnswer { doses, none, more } = api::parse(&response)?;
    let back = Callback::new(move |()| browser::focus_after_render(Field::Name.id()));
    let none = none.map(|none| view! { <DiagnosisCard diagnosis=none on_check_input=Some(back) /> });
    let more = more.then(|| view! { <p>{tr("site.more")}</p> });
    let doses =
        doses.into_iter().map(|dose| view! { <DoseCard dose=dose on_check_input=back /> }).collect_view();
    Ok(view! {
        {doses}
        {none}
        {more}
    }
    .into_any())
}
