//! Parses arbitrary bytes as the body of each kind of request. A parsed request must survive a
//! round trip through JSON.
#![no_main]

use bukti_runtime::{Failure, read_json, read_optional_json};
use bukti_wire::{
    DocumentRequest, DownloadRequest, LinkRefusal, LinkRequest, OtpRequest, SessionRequest, StatusRequest,
};
use lambda_http::{Body, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn parse<T: Serialize + DeserializeOwned>(request: &Request) {
    assert_round_trip::<T>(read_json(request));
}

/// Checks only requests that were parsed; the target `request` checks failures.
fn assert_round_trip<T: Serialize + DeserializeOwned>(parsed: Result<T, Failure>) {
    let Ok(parsed) = parsed else { return };
    let json = serde_json::to_string(&parsed).expect("a request serialises");
    let parsed_again: T = serde_json::from_str(&json).expect("serialised requests parse");
    assert_eq!(serde_json::to_string(&parsed_again).expect("a request serialises"), json);
}

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let text = std::str::from_utf8(content).ok().map(|text| Body::Text(text.to_owned()));
    for body in [Some(Body::Binary(content.to_vec())), text].into_iter().flatten() {
        let request = Request::new(body);
        parse::<StatusRequest>(&request);
        parse::<DownloadRequest>(&request);
        parse::<OtpRequest>(&request);
        parse::<SessionRequest>(&request);
        parse::<LinkRequest>(&request);
        parse::<LinkRefusal>(&request);
        assert_round_trip::<DocumentRequest>(read_optional_json(&request));
    }
});
