//! Exports our own signers as a DID document, and imports the signers of other issuers.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bukti_hcert::{PublicKey, TrustedSigner};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ListedSigner, SignerList, SignerSource, SignerStatus};

/// The reason a file of signers cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is neither a DID document nor a list of signers. The text is the parser's error.
    #[error("the file is neither a DID document nor a list of signers: {0}")]
    Unknown(String),
    /// A key in the file cannot be parsed.
    #[error("key {at} of the file ({kid}) cannot be read; nothing was imported: correct or remove the key")]
    Key {
        /// The key's position in the file, counted from 1.
        at: usize,
        /// The key id as written in the file.
        kid: String,
    },
}

/// Exports our signers as a DID document with the method `web` and keys of the type
/// `JsonWebKey2020`, the format of the WHO's GDHCN.
///
/// `host` is the site's host. The document is published at `https://HOST/trust/did.json`, so its id
/// is `did:web:HOST:trust`. The document omits revoked and imported signers.
pub fn did_document(host: &str, signers: &[ListedSigner]) -> Value {
    // Colons separate the parts of the id, so the colon before a port is escaped.
    let id = format!("did:web:{}:trust", host.replace(':', "%3A"));
    let ours = signers.iter().filter(|signer| signer.source == SignerSource::Own);
    let ours = ours.filter(|signer| signer.status != SignerStatus::Revoked);
    let keys: Vec<Value> = ours
        .filter_map(|signer| {
            let mut jwk = jwk(&signer.trusted()?.key)?;
            jwk["kid"] = json!(signer.kid);
            if let Some(certificate) = &signer.certificate {
                jwk["x5c"] = json!([certificate]);
            }
            let fragment = percent_encode(&signer.kid);
            Some(json!({
                "id": format!("{id}#{fragment}"),
                "type": "JsonWebKey2020",
                "controller": id,
                "publicKeyJwk": jwk,
            }))
        })
        .collect();
    json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
        "id": id,
        "controller": id,
        "assertionMethod": keys.iter().map(|key| key["id"].clone()).collect::<Vec<_>>(),
        "verificationMethod": keys,
    })
}

/// Converts a key to a JSON Web Key (RFC 7517, RFC 7518).
fn jwk(key: &PublicKey) -> Option<Value> {
    match key {
        PublicKey::P256(key) => {
            // An uncompressed point is the byte 4 followed by x and y, each 32 bytes long (SEC 1).
            let point = key.to_sec1_point(false);
            let (x, y) = point.as_bytes().get(1..)?.split_at_checked(32)?;
            Some(json!({
                "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
            }))
        }
        // RSA is not needed, since all our own signers have P-256 keys.
        PublicKey::Rsa(_) => None,
    }
}

/// Percent-encodes the characters of base64 that are neither letters nor digits.
fn percent_encode(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

fn percent_decode(fragment: &str) -> String {
    let upper = fragment.replace("%2b", "%2B").replace("%2f", "%2F").replace("%3d", "%3D");
    upper.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
}

/// The fields of a DID document that the import reads.
#[derive(Deserialize)]
struct DidDocument {
    id: String,
    #[serde(rename = "verificationMethod")]
    methods: Vec<Value>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    #[serde(rename = "publicKeyJwk")]
    jwk: Jwk,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(default)]
    x5c: Vec<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Parses the signers of other issuers from a GDHCN DID document or from a list (`signers.json`, or
/// an array of `{kid, certificate, status}`).
///
/// # Errors
///
/// [`ImportError`] if the file, or even a single key in it, cannot be parsed.
pub fn read_issuers(text: &str) -> Result<Vec<ListedSigner>, ImportError> {
    let unknown = |error: serde_json::Error| ImportError::Unknown(error.to_string());
    let value: Value = serde_json::from_str(text).map_err(unknown)?;
    if value.get("verificationMethod").is_some() {
        return from_did_document(serde_json::from_value(value).map_err(unknown)?);
    }
    let signers: Vec<ListedSigner> = if value.is_array() {
        serde_json::from_value(value).map_err(unknown)?
    } else {
        serde_json::from_value::<SignerList>(value).map_err(unknown)?.signers
    };
    let listed = signers.into_iter().enumerate().map(|(at, signer)| {
        if signer.trusted().is_none() {
            return Err(ImportError::Key { at: at + 1, kid: signer.kid });
        }
        // `own` in the file refers to its publisher's signers, not to ours.
        Ok(ListedSigner { source: SignerSource::Imported, ..signer })
    });
    listed.collect()
}

fn from_did_document(document: DidDocument) -> Result<Vec<ListedSigner>, ImportError> {
    let participant = participant(&document.id);
    let mut signers = Vec::new();
    for (at, method) in document.methods.into_iter().enumerate() {
        // A string refers to a key elsewhere in the document.
        if method.is_string() {
            continue;
        }
        let unreadable = |kid: &str| ImportError::Key { at: at + 1, kid: kid.to_owned() };
        let id = method["id"].as_str().unwrap_or_default().to_owned();
        let key: Key = serde_json::from_value(method).map_err(|_| unreadable(&id))?;
        let kid =
            key.jwk.kid.clone().unwrap_or_else(|| {
                percent_decode(key.id.rsplit_once('#').map_or("", |(_, fragment)| fragment))
            });
        let signer = signer_of_jwk(&key.jwk, &kid, participant.clone());
        let readable = signer.filter(|signer| signer.trusted().is_some());
        signers.push(readable.ok_or_else(|| unreadable(&kid))?);
    }
    Ok(signers)
}

/// Returns the code of the participant that a GDHCN document belongs to, such as `IDN` for
/// `did:web:tng-cdn.who.int:v2:trustlist:-:IDN:DSC`.
fn participant(did: &str) -> Option<String> {
    let code = |part: &&str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_uppercase());
    // The kind of key, `DSC` or `SCA`, also consists of three letters.
    did.split(':').skip(3).find(|part| code(part) && !["DSC", "SCA"].contains(part)).map(str::to_owned)
}

fn signer_of_jwk(jwk: &Jwk, kid: &str, participant: Option<String>) -> Option<ListedSigner> {
    let certificate = jwk.x5c.first().map(|der| der.split_whitespace().collect::<String>());
    let public_key = match &certificate {
        Some(_) => None,
        None => Some(STANDARD.encode(spki(jwk)?)),
    };
    // A key id may use either base64 alphabet, with or without padding. If it is missing, it is
    // computed from the certificate.
    let kid = kid.replace('-', "+").replace('_', "/");
    let kid = STANDARD_NO_PAD.decode(kid.trim_end_matches('=')).ok().filter(|kid| !kid.is_empty());
    let kid = match (kid, &certificate) {
        (Some(kid), _) => kid,
        (None, Some(der)) => TrustedSigner::from_certificate(&STANDARD.decode(der).ok()?).ok()?.kid,
        (None, None) => return None,
    };
    Some(ListedSigner {
        kid: STANDARD.encode(kid),
        certificate,
        public_key,
        status: SignerStatus::Active,
        source: SignerSource::Imported,
        participant,
    })
}

/// Converts a JSON Web Key to subject public key info in DER (RFC 5280, RFC 5480, RFC 8017).
fn spki(jwk: &Jwk) -> Option<Vec<u8>> {
    // Some issuers write the leading zero bytes of a number, and others omit them.
    let number = |text: &Option<String>| {
        let bytes = URL_SAFE_NO_PAD.decode(text.as_ref()?.trim_end_matches('=')).ok()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    match &*jwk.kty {
        "EC" => {
            let mut point = vec![4];
            for coordinate in [number(&jwk.x)?, number(&jwk.y)?] {
                point.extend(vec![0; 32usize.checked_sub(coordinate.len())?]);
                point.extend(coordinate);
            }
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
            PublicKey::P256(key).to_der().ok()
        }
        "RSA" => {
            let key = rsa::PublicKey::new(
                rsa::BoxedUint::from_be_slice_vartime(&number(&jwk.n)?),
                rsa::BoxedUint::from_be_slice_vartime(&number(&jwk.e)?),
            );
            PublicKey::Rsa(key.ok()?).to_der().ok()
        }
        _ => None,
    }
}
