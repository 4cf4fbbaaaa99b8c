//! Camera access for `/verify`.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ImageBitmap, MediaStream, MediaStreamConstraints, MediaStreamTrack};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraError {
    /// The visitor or the browser denied access.
    Denied,
    /// There is no camera, or another program is using it.
    Unavailable,
}

/// Opens the camera, preferably the rear one. It stays on until [`close`] is called.
pub async fn open() -> Result<MediaStream, CameraError> {
    let constraints_json = r#"{"facingMode":"environment","width":{"ideal":1280},"height":{"ideal":720}}"#;
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&js_sys::JSON::parse(constraints_json).unwrap_or(JsValue::TRUE));
    let devices = window().navigator().media_devices().map_err(|_| CameraError::Unavailable)?;
    // This fails on pages without HTTPS, which have no media devices.
    let request =
        devices.get_user_media_with_constraints(&constraints).map_err(|_| CameraError::Unavailable)?;
    let stream = JsFuture::from(request).await.map_err(|error| {
        let is_denied =
            error.dyn_ref::<js_sys::Error>().is_some_and(|error| error.name() == "NotAllowedError");
        if is_denied { CameraError::Denied } else { CameraError::Unavailable }
    })?;
    stream.dyn_into().map_err(|_| CameraError::Unavailable)
}

pub fn close(stream: &MediaStream) {
    tracks(stream).for_each(|track| track.stop());
}

/// Whether the camera has a torch that the page can switch on and off.
pub fn has_torch(stream: &MediaStream) -> bool {
    tracks(stream).any(|track| {
        let get = js_sys::Reflect::get(&track, &"getCapabilities".into()).unwrap_or_default();
        let capabilities = get.dyn_ref::<js_sys::Function>().and_then(|get| get.call0(&track).ok());
        let torch = capabilities.and_then(|it| js_sys::Reflect::get(&it, &"torch".into()).ok());
        torch.is_some_and(|torch| torch.is_truthy())
    })
}

pub fn set_torch(stream: &MediaStream, on: bool) {
    let constraints_json =
        js_sys::JSON::parse(&format!(r#"{{"advanced":[{{"torch":{on}}}]}}"#)).unwrap_or_default();
    for track in tracks(stream) {
        // Ignore failures: the torch then stays as it is.
        let _ = track.apply_constraints_with_constraints(constraints_json.unchecked_ref());
    }
}

fn tracks(stream: &MediaStream) -> impl Iterator<Item = MediaStreamTrack> {
    stream.get_video_tracks().iter().filter_map(|track| track.dyn_into().ok()).collect::<Vec<_>>().into_iter()
}

/// Captures the current frame. `None` if the camera has not delivered a frame yet.
pub async fn capture_frame(video: &web_sys::HtmlVideoElement) -> Option<ImageBitmap> {
    const HAVE_CURRENT_DATA: u16 = 2;
    if video.ready_state() < HAVE_CURRENT_DATA {
        return None;
    }
    let frame = window().create_image_bitmap_with_html_video_element(video).ok()?;
    JsFuture::from(frame).await.ok()?.dyn_into().ok()
}
