//! Arbitrary bytes as the COSE_Sign1 of a QR text.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let checked = bukti_fuzz::check_and_judge(&bukti_fuzz::hc1(message));
    assert_eq!(checked.steps.zlib, Some(true));
});
