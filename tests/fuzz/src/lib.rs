//! Code that the fuzz targets share: a signer, and encoders that let arbitrary bytes pass the first
//! steps of a check.

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
    LazyLock::new(|| SigningKey::from_slice(&[7; 32]).expect("the constant is in range"));

/// The trust list, with the only trusted signer.
pub static SIGNERS: LazyLock<Vec<TrustedSigner>> = LazyLock::new(|| {
    let spki = PublicKey::P256(*KEY.verifying_key()).to_der().expect("a P-256 key encodes");
    vec![TrustedSigner::from_public_key(&KID, &spki).expect("the key was just encoded")]
});

/// Signs a payload with the trusted signer's key, as a COSE_Sign1 message. `context` is the
/// external data that the signature also covers.
pub fn signed(payload: &[u8], context: &[u8]) -> Vec<u8> {
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::ES256).key_id(KID.to_vec()).build();
    let mut message = CoseSign1Builder::new().protected(protected).payload(payload.to_vec()).build();
    let signature: p256::ecdsa::Signature = KEY.sign(&message.tbs_data(context));
    message.signature = signature.to_bytes().to_vec();
    message.to_tagged_vec().expect("a COSE_Sign1 encodes")
}

/// Encodes bytes as the text of a QR code. The bytes need not be a COSE_Sign1 message.
pub fn hc1(message: &[u8]) -> String {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(message).expect("writing to memory succeeds");
    format!("HC1:{}", base45::encode(&zlib.finish().expect("writing to memory succeeds")))
}

/// Checks and judges a text, and asserts that no step runs after the first failed step.
pub fn check_and_judge(text: &str) -> Checked {
    let now = Timestamp::new(1_795_000_000, 0).expect("the constant is in range");
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
    let passed = order.iter().take_while(|step| **step == Some(true)).count();
    let mut rest = order.iter().skip(passed);
    assert!(matches!(rest.next(), None | Some(Some(false))), "a step was skipped: {steps:?}");
    assert!(rest.all(Option::is_none), "a step was run after a failed one: {steps:?}");
    let revocations = Revocations { own: &SIGNERS, index: None, partitions: &[], newest_seen: None, at: now };
    judge(checked.clone(), &SIGNERS, &revocations);
    checked
}
