//! Wrappers for the browser APIs that the site uses for purposes other than rendering.

use std::pin::Pin;
use std::time::Duration;

use leptos::prelude::*;
use leptos::reactive::owner::WeakOwner;
use leptos::task::spawn_local_scoped_with_cancellation;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Whether the code runs in a browser. `false` during pre-rendering, when browser APIs are not
/// available.
pub const IS_BROWSER: bool = cfg!(target_arch = "wasm32");

pub fn path() -> String {
    window().location().pathname().unwrap_or_default()
}

/// The fragment of the URL, including the `#`. Empty if there is none.
pub fn fragment() -> String {
    if !IS_BROWSER {
        return String::new();
    }
    window().location().hash().unwrap_or_default()
}

/// The `content` attribute of the `<meta>` element with this name.
#[cfg(target_arch = "wasm32")]
pub fn meta(name: &str) -> Option<String> {
    let meta = document().query_selector(&format!("meta[name={name}]")).ok()??;
    meta.get_attribute("content")
}

/// Whether the browser accepts cookies, which are required to log in.
pub fn accepts_cookies() -> bool {
    if !IS_BROWSER {
        return true;
    }
    let enabled = js_sys::Reflect::get(&window().navigator(), &JsValue::from("cookieEnabled"));
    enabled.ok().and_then(|enabled| enabled.as_bool()).unwrap_or(true)
}

fn storage() -> Option<web_sys::Storage> {
    if !IS_BROWSER {
        return None;
    }
    // Browsers may deny access to local storage in private windows.
    window().local_storage().ok().flatten()
}

pub fn read_storage(name: &str) -> Option<String> {
    storage()?.get_item(name).ok().flatten()
}

/// Stores a value in local storage, or removes it if `value` is `None`. Never store personal data
/// here, because phones are shared.
pub fn write_storage(name: &str, value: Option<&str>) {
    if let Some(storage) = storage() {
        // Ignore failures: the next visit then starts without the value.
        let _ = match value {
            Some(value) => storage.set_item(name, value),
            None => storage.remove_item(name),
        };
    }
}

/// Sets the document's `lang` attribute, which screen readers and translation tools use.
pub fn set_page_language(tag: &str) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("lang", tag);
    }
}

pub fn page_language() -> String {
    document().document_element().and_then(|root| root.get_attribute("lang")).unwrap_or_default()
}

/// Moves the focus to an element in the next task, after the element has been rendered.
pub fn focus_after_render(id: &'static str) {
    if !IS_BROWSER {
        return;
    }
    set_timeout(
        move || {
            if let Some(element) = document().get_element_by_id(id)
                && let Ok(element) = element.dyn_into::<web_sys::HtmlElement>()
            {
                let _ = element.focus();
            }
        },
        Duration::ZERO,
    );
}

/// Navigates to a URL. If the response is an attachment, the browser downloads it and stays on the
/// page.
pub fn open_url(address: &str) {
    let _ = window().location().assign(address);
}

/// Spawns tasks that are cancelled when the component that created the scope is removed.
///
/// A component captures its scope when it is created, not when a task starts, because a tap can
/// remove the tapped button: "Try again" removes the notice that contains it. The task must outlive
/// the button.
#[derive(Clone, Copy)]
pub struct TaskScope(StoredValue<Option<WeakOwner>>);

impl TaskScope {
    /// Returns the scope of the component that is being created.
    pub fn current() -> Self {
        Self(StoredValue::new(Owner::current().map(|owner| owner.downgrade())))
    }

    /// Spawns a task. Takes a boxed future, so that this function is compiled once instead of once
    /// per task.
    pub fn spawn(self, task: Pin<Box<dyn Future<Output = ()>>>) {
        if !IS_BROWSER {
            return;
        }
        let owner = self.0.try_get_value().flatten().and_then(|owner| owner.upgrade());
        if let Some(owner) = owner {
            owner.with(|| spawn_local_scoped_with_cancellation(task));
        }
    }
}

/// Creates an effect. Takes a boxed closure for the same reason as [`TaskScope::spawn`].
pub fn effect(run: Box<dyn Fn()>) {
    Effect::new(run);
}

/// Yields to the browser's event loop for at least this many milliseconds.
pub async fn sleep(milliseconds: i32) {
    let promise = js_sys::Promise::new(&mut |resolve, _reject| {
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    });
    let _ = JsFuture::from(promise).await;
}

/// The time of a monotonic clock in milliseconds, for measuring durations.
pub fn monotonic_millis() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// The current Unix time in seconds.
pub fn unix_time() -> i64 {
    (js_sys::Date::now() / 1000.0) as i64
}

/// Encodes an SVG image as a `data:` URL, which needs no request.
pub fn svg_data_url(svg: &str) -> String {
    let encoded = js_sys::encode_uri_component(svg);
    format!("data:image/svg+xml,{}", JsValue::from(encoded).as_string().unwrap_or_default())
}

/// Saves an SVG image with the proportions of a card as a PNG wallpaper for the phone, in the size
/// of the screen in portrait orientation. The image is centred, where neither the clock nor icons
/// cover it. Returns `false` if the browser does not support this.
pub async fn save_as_wallpaper(svg: &str, file_name: &str) -> bool {
    draw_wallpaper(svg)
        .await
        .and_then(|png| {
            let link: web_sys::HtmlAnchorElement = document().create_element("a")?.dyn_into()?;
            link.set_href(&png);
            link.set_download(file_name);
            link.click();
            Ok(())
        })
        .is_ok()
}

/// Minimum width of a wallpaper in pixels. Narrower ones are scaled up, so that the QR code is
/// sharp.
const MIN_WALLPAPER_WIDTH: f64 = 1080.0;

/// Draws the wallpaper and returns it as a `data:` URL.
async fn draw_wallpaper(svg: &str) -> Result<String, JsValue> {
    let image = web_sys::HtmlImageElement::new()?;
    image.set_src(&svg_data_url(svg));
    JsFuture::from(image.decode()).await?;
    let (screen, pixel_ratio) = (window().screen()?, window().device_pixel_ratio());
    let pixels = [screen.width()?, screen.height()?].map(|side| f64::from(side) * pixel_ratio);
    // Use portrait orientation even if the screen is in landscape, as on a laptop.
    let height = pixels[0].max(pixels[1]);
    let width = pixels[0].min(pixels[1]).min(height * 9.0 / 16.0);
    let scale = (MIN_WALLPAPER_WIDTH / width).max(1.0);
    let (width, height) = ((width * scale).round(), (height * scale).round());
    let canvas: web_sys::HtmlCanvasElement = document().create_element("canvas")?.dyn_into()?;
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context = canvas.get_context("2d")?.ok_or(JsValue::NULL)?;
    let context: web_sys::CanvasRenderingContext2d = context.dyn_into()?;
    context.set_fill_style_str("#00696B");
    context.fill_rect(0.0, 0.0, width, height);
    let (across, down) = (width * 0.94, width * 0.94 * f64::from(image.height()) / f64::from(image.width()));
    let (left, top) = ((width - across) / 2.0, (height - down) / 2.0);
    context.draw_image_with_html_image_element_and_dw_and_dh(&image, left, top, across, down)?;
    canvas.to_data_url()
}

/// Copies text to the clipboard. Returns `false` if the browser does not allow this.
pub async fn copy_to_clipboard(text: &str) -> bool {
    let navigator = window().navigator();
    // The clipboard is not available on pages without HTTPS.
    js_sys::Reflect::has(&navigator, &"clipboard".into()).unwrap_or(false)
        && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Converts a time to date, hour and minute in the browser's time zone. The time is an RFC 3339
/// string or a number of milliseconds since the Unix epoch. `None` if it cannot be parsed.
pub fn local_time(moment: impl Into<JsValue>) -> Option<(jiff::civil::Date, u32, u32)> {
    let local = js_sys::Date::new(&moment.into());
    let part = |value: u32| i8::try_from(value).ok();
    let year = i16::try_from(local.get_full_year()).ok()?;
    // All parts of JavaScript's "Invalid Date" are NaN. They are converted to zero, which is not a
    // valid day.
    let date = jiff::civil::Date::new(year, part(local.get_month() + 1)?, part(local.get_date())?).ok()?;
    Some((date, local.get_hours(), local.get_minutes()))
}

/// The current date in the browser's time zone. `None` if the browser's clock is out of range.
pub fn today() -> Option<jiff::civil::Date> {
    let now = js_sys::Date::new_0();
    local_time(String::from(now.to_iso_string())).map(|(date, ..)| date)
}

/// Days since an RFC 3339 time. NaN if it cannot be parsed.
pub fn days_since(moment: &str) -> f64 {
    (js_sys::Date::now() - js_sys::Date::parse(moment)) / 86_400_000.0
}

/// Installs the service worker, which makes `/verify` work offline, and waits until it is active.
/// Returns `false` if it cannot be installed.
pub async fn install_service_worker() -> bool {
    let navigator = window().navigator();
    // Service workers are not available in private windows or on pages without HTTPS.
    if !js_sys::Reflect::has(&navigator, &"serviceWorker".into()).unwrap_or(false) {
        return false;
    }
    let workers = navigator.service_worker();
    JsFuture::from(workers.register("/sw.js")).await.is_ok()
        && match workers.ready() {
            Ok(ready) => JsFuture::from(ready).await.is_ok(),
            Err(_) => false,
        }
}
