//! Starts the site on a pre-rendered page.
//!
//! The site is rendered into a detached element, which then replaces the pre-rendered page in one
//! step. Typed text, ticked boxes, chosen files, expanded sections and the focus are carried over.
//! Both versions come from the same source, so nothing flickers or moves. Hydration would require
//! every node to be in its expected place. Replacement also works if a translation tool or an
//! extension has changed the page.

use bukti_locales::Texts;
use leptos::mount::mount_to;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use crate::app::App;
use crate::browser;
use crate::pages;
use crate::place::Address;

/// CSS selector of the elements whose state is carried over.
const STATEFUL_ELEMENTS: &str = "input[id], textarea[id], select[id], details[id]";

/// Renders the site and replaces the pre-rendered page with it. `texts` contains the texts in the
/// page's language.
///
/// # Errors
///
/// Returns an error if `texts` cannot be parsed, the page's chunk cannot be loaded, or the document
/// is not a page of this site.
pub async fn start(texts: JsValue) -> Result<(), JsValue> {
    let address = Address::parse(&browser::path());
    let texts: Texts = serde_wasm_bindgen::from_value(texts)?;
    bukti_locales::provide(address.locale, texts);
    pages::load_chunk(&address.page).await.map_err(|_| JsValue::NULL)?;

    let pre_rendered = document().get_element_by_id("app").ok_or(JsValue::NULL)?;
    let replacement: web_sys::HtmlElement = document().create_element("div")?.dyn_into()?;
    replacement.set_id("app");
    mount_to(replacement.clone(), move || view! { <App address=address /> }).forget();
    let focused = document().active_element().map(|element| element.id()).filter(|id| !id.is_empty());
    let stateful = pre_rendered.query_selector_all(STATEFUL_ELEMENTS)?;
    let elements =
        (0..stateful.length()).filter_map(|at| stateful.get(at)?.dyn_into::<web_sys::Element>().ok());
    let states: Vec<ElementState> = elements.map(|element| ElementState::capture(&element)).collect();
    pre_rendered.replace_with_with_node_1(&replacement)?;
    for state in &states {
        if let Some(element) = document().get_element_by_id(&state.id) {
            state.restore(&element)?;
        }
    }
    // Let the handlers of the dispatched events run first.
    browser::sleep(0).await;
    if let Some(element) = focused.and_then(|id| document().get_element_by_id(&id)) {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        element.unchecked_ref::<web_sys::HtmlElement>().focus_with_options(&options)?;
        let caret = states.iter().find(|state| state.id == element.id()).and_then(|state| state.caret);
        if let (Some(caret), Some(field)) = (caret, element.dyn_ref::<web_sys::HtmlInputElement>()) {
            // This fails only for input types without a caret.
            let _ = field.set_selection_range(caret, caret);
        }
    }
    Ok(())
}

/// The state of an element that a visitor may have changed.
struct ElementState {
    id: String,
    value: Option<String>,
    files: Option<JsValue>,
    is_checked: bool,
    is_open: bool,
    caret: Option<u32>,
}

impl ElementState {
    fn capture(element: &web_sys::Element) -> Self {
        let property = |name: &str| js_sys::Reflect::get(element, &name.into()).unwrap_or_default();
        let input_type = property("type").as_string().unwrap_or_default();
        // The value of a file input cannot be set, but its files can.
        let has_value = !matches!(&*input_type, "checkbox" | "radio" | "file");
        Self {
            id: element.id(),
            value: property("value").as_string().filter(|value| has_value && !value.is_empty()),
            files: (input_type == "file")
                .then(|| property("files"))
                .filter(|files| files.unchecked_ref::<web_sys::FileList>().length() > 0),
            is_checked: property("checked").is_truthy(),
            is_open: element.has_attribute("open"),
            caret: property("selectionStart").as_f64().map(|caret| caret as u32),
        }
    }

    /// Applies the state to the element with the same id, and dispatches the events that the site
    /// listens for.
    fn restore(&self, element: &web_sys::Element) -> Result<(), JsValue> {
        let dispatch = |kind| {
            let options = web_sys::EventInit::new();
            options.set_bubbles(true);
            element.dispatch_event(&web_sys::Event::new_with_event_init_dict(kind, &options)?).map(drop)
        };
        if self.is_open {
            element.set_attribute("open", "")?;
        }
        if self.is_checked {
            js_sys::Reflect::set(element, &"checked".into(), &JsValue::TRUE)?;
            dispatch("change")?;
        }
        if let Some(value) = &self.value {
            js_sys::Reflect::set(element, &"value".into(), &value.into())?;
            dispatch("input")?;
        }
        if let Some(files) = &self.files {
            js_sys::Reflect::set(element, &"files".into(), files)?;
            dispatch("change")?;
        }
        Ok(())
    }
}
