//! How the site takes over from the page that was readable before.
//!
//! That page was rendered from the same source when the site was built, so the two look alike. The new one is made beside the
//! old one and put in its place in one step, with what was typed meanwhile, the focus, and what was opened. Nothing flashes,
//! moves or gets lost. Unlike hydration, which needs each node to be where it expects it, this bears what translators and
//! extensions do to a page.

use bukti_locales::Texts;
use leptos::mount::mount_to;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use crate::app::App;
use crate::browser;
use crate::pages;
use crate::place::Address;

/// What can be typed into, ticked or opened.
const STATEFUL: &str = "input[id], textarea[id], select[id], details[id]";

/// Puts the site in the place of what stood on the page for readers without it. `texts` are those of the page's language.
///
/// # Errors
///
/// Where the page's part of the site cannot be loaded, or is none of ours.
pub async fn start(texts: JsValue) -> Result<(), JsValue> {
    let address = Address::at(&browser::path());
    let texts: Texts = serde_wasm_bindgen::from_value(texts)?;
    bukti_locales::provide(address.locale, texts);
    pages::load(&address.page).await.map_err(|_| JsValue::NULL)?;

    let old = document().get_element_by_id("app").ok_or(JsValue::NULL)?;
    let new: web_sys::HtmlElement = document().create_element("div")?.dyn_into()?;
    new.set_id("app");
    mount_to(new.clone(), move || view! { <App address=address /> }).forget();
    let focused = document().active_element().map(|element| element.id()).filter(|id| !id.is_empty());
    let kept = old.query_selector_all(STATEFUL)?;
    let mut carried = Vec::new();
    for at in 0..kept.length() {
        let before: Option<web_sys::Element> = kept.get(at).and_then(|node| node.dyn_into().ok());
        let after =
            before.as_ref().and_then(|it| new.query_selector(&format!("#{}", it.id())).ok().flatten());
        carried.extend(before.zip(after));
    }
    old.replace_with_with_node_1(&new)?;
    for (before, after) in carried {
        carry(&before, &after)?;
    }
    if let Some(element) = focused.and_then(|id| document().get_element_by_id(&id)) {
        element.unchecked_into::<web_sys::HtmlElement>().focus()?;
    }
    Ok(())
}

/// Carries over what a visitor has done to an element. Events tell the site of it, as if it were typed now.
fn carry(before: &web_sys::Element, after: &web_sys::Element) -> Result<(), JsValue> {
    let say = |kind| {
        let options = web_sys::EventInit::new();
        options.set_bubbles(true);
        after.dispatch_event(&web_sys::Event::new_with_event_init_dict(kind, &options)?).map(drop)
    };
    if before.has_attribute("open") {
        after.set_attribute("open", "")?;
    }
    let property = |name: &str| js_sys::Reflect::get(before, &name.into());
    if property("checked")?.is_truthy() {
        js_sys::Reflect::set(after, &"checked".into(), &JsValue::TRUE)?;
        say("change")?;
    }
    let value = property("value")?;
    if value.as_string().is_some_and(|value| !value.is_empty() && value != "on") {
        js_sys::Reflect::set(after, &"value".into(), &value)?;
        let caret = property("selectionStart").unwrap_or(JsValue::NULL);
        if let Some(field) = after.dyn_ref::<web_sys::HtmlInputElement>() {
            let caret = caret.as_f64().map(|caret| caret as u32);
            // Only a field of a kind that has no caret refuses.
            let _ = field.set_selection_start(caret);
            let _ = field.set_selection_end(caret);
        }
        say("input")?;
    }
    Ok(())
}
