//! Checks QR texts with a valid signature whose CBOR claims are arbitrary bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|claims: &[u8]| {
    let checked = bukti_fuzz::check_and_judge(&bukti_fuzz::hc1(&bukti_fuzz::signed(claims, &[])));
    assert_eq!(checked.steps.cose, Some(true));
    assert_eq!(
        checked.steps.signature,
        checked.steps.schema.filter(|passed| *passed),
        "the signature is valid"
    );
});
