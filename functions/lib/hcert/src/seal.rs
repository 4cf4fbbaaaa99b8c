//! Encodes and signs a vaccination as the text of a QR code.

use std::io::Write;

use bukti_domain::Codes;
use ciborium::Value;
use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;

use crate::check::{EXPIRES_AT, HCERT, ISSUED_AT, ISSUER, signature_hash};
use crate::{SignError, Signer, Vaccination, dcc, icvp};

/// A signed certificate, ready to be printed as a QR code.
pub struct Sealed {
    /// The text of the QR code: `HC1:` followed by base45.
    pub text: String,
    /// When the certificate expires: the requested time, or the end of the signer's certificate if
    /// that is earlier.
    pub expires_at: Timestamp,
    /// The key id of the signer, for revocation lists.
    pub kid: [u8; 8],
    /// The hash that identifies the certificate in revocation lists; see
    /// [`RevocationHashes::signature`](crate::RevocationHashes::signature).
    pub signature_hash: [u8; 16],
}

/// An error while sealing a certificate.
#[derive(Debug, thiserror::Error)]
pub enum HcertError {
    /// The signer failed; a retry may succeed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The payload could not be encoded, which does not happen with valid input.
    #[error("cannot encode the certificate's payload")]
    Encode,
}

/// Signs a payload as a COSE_Sign1 message (RFC 9052), with ES256 and the signer's key id in the
/// protected header. The signature also covers `external`, which is not part of the message.
///
/// # Errors
///
/// The signer's [`SignError`]; a retry may succeed.
pub async fn cose_sign1(
    payload: Vec<u8>,
    external: &[u8],
    signer: &impl Signer,
) -> Result<CoseSign1, SignError> {
    let protected =
        HeaderBuilder::new().algorithm(iana::Algorithm::ES256).key_id(signer.kid().to_vec()).build();
    let mut message = CoseSign1Builder::new().protected(protected).payload(payload).build();
    message.signature = signer.sign(&message.tbs_data(external)).await?;
    Ok(message)
}

/// Encodes and signs a vaccination. The certificate is valid from `now` until `expires_at`, or
/// until the signer's certificate expires if that is earlier.
///
/// # Errors
///
/// [`HcertError::Sign`] if the signer fails; a retry may succeed.
pub async fn seal(
    vaccination: &Vaccination<'_>,
    signer: &impl Signer,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Sealed, HcertError> {
    let expires_at = expires_at.min(signer.not_after());
    let integer = |number: i64| Value::Integer(number.into());
    let claims = Value::Map(vec![
        (integer(ISSUER), Value::Text("ID".to_owned())),
        (integer(EXPIRES_AT), integer(expires_at.as_second())),
        (integer(ISSUED_AT), integer(now.as_second())),
        (integer(HCERT), payload(vaccination)),
    ]);
    let claims = claims.to_vec().map_err(|_| HcertError::Encode)?;

    let message = cose_sign1(claims, &[], signer).await?;
    let signature_hash = signature_hash(&message.signature);
    let message = message.to_tagged_vec().map_err(|_| HcertError::Encode)?;

    let mut zlib = ZlibEncoder::new(Vec::with_capacity(message.len()), Compression::default());
    zlib.write_all(&message).map_err(|_| HcertError::Encode)?;
    let compressed = zlib.finish().map_err(|_| HcertError::Encode)?;
    Ok(Sealed {
        text: format!("HC1:{}", base45::encode(&compressed)),
        expires_at,
        kid: signer.kid(),
        signature_hash,
    })
}

/// Builds the claim `hcert`, a map with the payload as its only value. The key is the payload's
/// kind, which depends on the vaccine.
fn payload(vaccination: &Vaccination<'_>) -> Value {
    let (kind, payload) = match &vaccination.dose.vaccine.codes {
        Codes::Dcc { vp, mp, ma } => (dcc::CLAIM, dcc::payload(vaccination, vp, mp, ma)),
        Codes::Icvp { vp } => (icvp::CLAIM, icvp::payload(vaccination, vp)),
    };
    Value::Map(vec![(Value::Integer(kind.into()), payload)])
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use bukti_domain::FeedRow;

    use super::*;
    use crate::{LocalSigner, NewKey, Root, uvci};

    #[tokio::test]
    async fn sealed_certificate_decodes_and_verifies() {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let key = NewKey::generate().unwrap();
        let certificate = Root::generate("Bukti", now).unwrap().certify(&key.public_key, now).unwrap();
        let signer = LocalSigner::new(&key.private_pem, &certificate).unwrap();
        let row = FeedRow::from_fields([
            "E1",
            "2021-01-29T08:41:34+07:00",
            "3171012401896246",
            "",
            "Iwan Ibrahim Purnomo",
            "1989-01-24",
            "L",
            "",
            "1",
            "CoronaVac",
            "AZ1",
            "2021-01-29",
            "P1",
            "Puskesmas",
            "",
        ]);
        let dose = row.dose().complete().unwrap();
        let uvci = uvci("ABC123");
        let vaccination = Vaccination { dose: &dose, issuer: "Bukti", uvci: &uvci };
        let far = "2099-01-01T00:00:00Z".parse().unwrap();
        let sealed = seal(&vaccination, &signer, now, far).await.unwrap();

        assert_eq!(sealed.expires_at, signer.not_after(), "a certificate must not outlive its signer");
        let compressed = base45::decode(sealed.text.strip_prefix("HC1:").unwrap()).unwrap();
        let mut message = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&compressed[..]), &mut message)
            .unwrap();
        let message = CoseSign1::from_tagged_slice(&message).unwrap();
        let pair = rcgen::KeyPair::from_pem(&key.private_pem).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key_raw());
        message.verify_signature(&[], |signature, data| public.verify(data, signature)).unwrap();
        let claims = Value::from_slice(message.payload.as_ref().unwrap()).unwrap();
        let claims = format!("{claims:?}");
        assert!(claims.contains("Purnomo") && claims.contains("URN:UVCI:01:ID:ABC123#"));
        assert!(!claims.contains("3171012401896246"), "the identity number must not be in a certificate");
    }
}
