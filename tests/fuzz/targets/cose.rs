//! Checks QR texts in which arbitrary bytes replace the COSE_Sign1 message.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let checked = bukti_fuzz::check_and_judge(&bukti_fuzz::hc1(message));
    assert_eq!(checked.steps.zlib, Some(true));
});
