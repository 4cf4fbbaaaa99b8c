//! Verifies arbitrary bytes as the solution of a captcha, raw and encoded in base64. All must be
//! rejected, since no seed is signed with the key.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_runtime::captcha::verify;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    if let Ok(text) = std::str::from_utf8(content) {
        assert!(verify(text, "a key that is in no seed").is_err());
    }
    assert!(verify(&STANDARD.encode(content), "a key that is in no seed").is_err());
});
