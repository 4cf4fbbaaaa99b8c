//! Checks and judges an arbitrary text as the text of a QR code.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    bukti_fuzz::check_and_judge(text);
});
