//! Any bytes as the body of each request: what is read is written and read again as the same.
#![no_main]

use bukti_runtime::{Failure, read_json, read_optional_json};
use bukti_wire::{
    DocumentRequest, DownloadRequest, LinkRefusal, LinkRequest, OtpRequest, SessionRequest, StatusRequest,
};
use lambda_http::{Body, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: Serialize + DeserializeOwned>(request: &Request) {
    // Why a body is refused is for `request` to look at.
    same::<T>(read_json(request));
}

fn same<T: Serialize + DeserializeOwned>(read: Result<T, Failure>) {
    let Ok(read) = read else { return };
    let written = serde_json::to_string(&read).expect("a request is strings");
    let again: T = serde_json::from_str(&written).expect("it was just written");
    assert_eq!(serde_json::to_string(&again).expect("a request is strings"), written);
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let text = std::str::from_utf8(content).ok().map(|text| Body::Text(text.to_owned()));
    for body in [Some(Body::Binary(content.to_vec())), text].into_iter().flatten() {
        let request = Request::new(body);
        read::<StatusRequest>(&request);
        read::<DownloadRequest>(&request);
        read::<OtpRequest>(&request);
        read::<SessionRequest>(&request);
        read::<LinkRequest>(&request);
        read::<LinkRefusal>(&request);
        same::<DocumentRequest>(read_optional_json(&request));
    }
});
