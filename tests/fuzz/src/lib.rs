//! What the fuzz targets have in common: a signer, and the envelopes that bring arbitrary bytes past the first steps.

use std::io::Write;
use std::sync::LazyLock;

use bukti_hcert::{Checked, PublicKey, TrustedSigner, check};
use bukti_trust::{Revocations, judge};
use coset::{CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer;

const KID: [u8; 8] = *b"fuzzfuzz";

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_slice(&[7; 32]).expect("it is in range"));

/// The one signer that is trusted.
pub static SIGNERS: LazyLock<Vec<TrustedSigner>> = LazyLock::new(|| {
    let spki = PublicKey::P256(*KEY.verifying_key()).to_der().expect("a key has a form");
    vec![TrustedSigner::from_public_key(&KID, &spki).expect("it was just written")]
});

/// A COSE_Sign1 of a payload by that signer.
pub fn signed(payload: &[u8], context: &[u8]) -> Vec<u8> {
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::ES256).key_id(KID.to_vec()).build();
    let mut message = CoseSign1Builder::new().protected(protected).payload(payload.to_vec()).build();
    let signature: p256::ecdsa::Signature = KEY.sign(&message.tbs_data(context));
    message.signature = signature.to_bytes().to_vec();
    message.to_tagged_vec().expect("it encodes")
}

/// The QR text around bytes that should be a COSE_Sign1.
pub fn hc1(message: &[u8]) -> String {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(message).expect("memory takes it");
    format!("HC1:{}", base45::encode(&zlib.finish().expect("memory takes it")))
}

/// Checks and judges a text, and asks for what holds of any answer.
pub fn check_and_judge(text: &str) -> Checked {
    let now = Timestamp::new(1_795_000_000, 0).expect("it is in range");
    let checked = check(text, &SIGNERS, now);
    let steps = &checked.steps;
    let order = [
        steps.prefix,
        steps.base45,
        steps.zlib,
        steps.cose,
        steps.cbor,
        steps.schema,
        steps.signature,
        steps.not_expired,
        steps.key_usage,
    ];
    let taken = order.iter().take_while(|step| **step == Some(true)).count();
    let mut rest = order.iter().skip(taken);
    assert!(matches!(rest.next(), None | Some(Some(false))), "a step was left out: {steps:?}");
    assert!(rest.all(Option::is_none), "steps went on after one that failed: {steps:?}");
    let revocations = Revocations { own: &SIGNERS, index: None, partitions: &[], newest_seen: None, at: now };
    judge(checked.clone(), &SIGNERS, &revocations);
    checked
}
