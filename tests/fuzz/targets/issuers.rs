//! Reads an arbitrary text as the trust list of another issuer, and as our own trust list.
#![no_main]

use bukti_trust::{SignerList, did_document, read_issuers};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(signers) = read_issuers(text) {
        assert!(signers.iter().all(|signer| signer.trusted().is_some()));
        did_document("bukti.example:8080", &signers);
    }
    if let Ok(list) = serde_json::from_str::<SignerList>(text) {
        list.trusted();
        list.own();
        did_document("bukti.example", &list.signers);
    }
});
