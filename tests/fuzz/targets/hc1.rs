//! Arbitrary text as the text of a QR.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    bukti_fuzz::check_and_judge(text);
});
