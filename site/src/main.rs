//! Entry point of the site in a browser. The native build is a program that pre-renders the pages
//! and prints them as JSON for `cargo xtask site`.

#[cfg(target_arch = "wasm32")]
mod browser {
    use wasm_bindgen::prelude::*;

    /// Starts the site on a pre-rendered page.
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
