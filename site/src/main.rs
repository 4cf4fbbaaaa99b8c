//! In a browser, the site. Natively, a program that renders its pages as they are before any script has run, and prints them
//! as JSON for the site's build.

#[cfg(target_arch = "wasm32")]
mod browser {
    use wasm_bindgen::prelude::*;

    /// Takes over from the page that was readable before.
    #[wasm_bindgen]
    pub async fn start(texts: JsValue) -> Result<(), JsValue> {
        bukti_site::start(texts).await
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> serde_json::Result<()> {
    serde_json::to_writer(std::io::stdout(), &bukti_site::prerendered())
}
