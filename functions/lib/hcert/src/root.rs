//! The root key of a deployment, which certifies document signers. The eHealth Network and ICAO
//! call it the CSCA.

use aws_lc_rs::rand;
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};
use serde::{Deserialize, Serialize};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::trusted::pem_to_der;
use crate::{CERTIFICATE_VALID_FOR, SignError};

/// The validity period of a root, in years.
const ROOT_YEARS: i16 = 10;
/// The period in which a document signer signs certificates.
const SIGNS_FOR: SignedDuration = SignedDuration::from_hours(3 * 365 * 24);
/// The OID of the extended key usage (RFC 5280) for signing vaccination certificates (eHealth
/// Network, Digital Green Certificates volume 1, annex).
const VACCINATIONS: &[u64] = &[1, 3, 6, 1, 4, 1, 1847, 2021, 1, 2];
/// The OID of the subject key identifier extension (RFC 5280, 4.2.1.2).
const SUBJECT_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 14];

/// A root's P-256 private key and certificate. Secret, so it does not implement `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Root {
    /// The private key, PKCS #8 in PEM.
    key: String,
    /// The certificate, X.509 in PEM.
    certificate: String,
}

/// The public key of a signer, as an uncompressed point.
struct SignerKey(Vec<u8>);

impl PublicKeyData for SignerKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Root {
    /// Generates a root for this organisation. It is valid for ten years from yesterday, and can
    /// certify signers but not intermediate authorities.
    ///
    /// # Errors
    ///
    /// [`SignError::GenerationFailed`] if the random number generator fails.
    pub fn generate(organisation: &str, now: Timestamp) -> Result<Self, SignError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(cannot_make)?;
        let mut params = params(organisation, "Health certificate root", now, ROOT_YEARS.years())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(cannot_make)?;
        Ok(Self { key: key.serialize_pem(), certificate: certificate.pem() })
    }

    /// Reads an existing root from its private key (PKCS #8) and its certificate, both in PEM.
    ///
    /// # Errors
    ///
    /// [`SignError::UnreadableKey`] if the key or the certificate cannot be parsed.
    pub fn from_pem(key: String, certificate: String) -> Result<Self, SignError> {
        let root = Self { key, certificate };
        root.issuer()?;
        Ok(root)
    }

    /// The root's certificate in PEM. It is not secret.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Issues a document signer's certificate for a P-256 public key; both the key (subject public
    /// key info) and the certificate are in DER. The signer's private key is not needed and can
    /// stay in a KMS.
    ///
    /// The certificate is valid for the three years in which the signer signs and for
    /// [`CERTIFICATE_VALID_FOR`] more, so that the last health certificates can be verified until
    /// they expire.
    ///
    /// # Errors
    ///
    /// [`SignError::UnreadableKey`] if `public_key` is not a P-256 key;
    /// [`SignError::GenerationFailed`] if the random number generator fails.
    pub fn certify(&self, public_key: &[u8], now: Timestamp) -> Result<Vec<u8>, SignError> {
        let public_key =
            VerifyingKey::from_public_key_der(public_key).map_err(|_| SignError::UnreadableKey)?;
        let public_key = SignerKey(public_key.to_sec1_point(false).as_bytes().to_vec());
        let (issuer, organisation) = self.issuer()?;
        let days = (SIGNS_FOR + CERTIFICATE_VALID_FOR).as_hours() / 24;
        let mut params = params(&organisation, "Health certificate signer", now, days.days())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(VACCINATIONS.to_vec())];
        params.use_authority_key_identifier_extension = true;
        let identifier = params.key_identifier(&public_key);
        // A DER octet string of at most 127 bytes consists of a tag, a length byte and the content.
        let mut octets = vec![4, u8::try_from(identifier.len()).map_err(cannot_make)?];
        octets.extend(identifier);
        params.custom_extensions = vec![CustomExtension::from_oid_content(SUBJECT_KEY_IDENTIFIER, octets)];
        let certificate = params.signed_by(&public_key, &issuer).map_err(cannot_make)?;
        Ok(certificate.der().to_vec())
    }

    /// Converts the root to rcgen's `Issuer`, and returns the name of its organisation.
    fn issuer(&self) -> Result<(Issuer<'static, KeyPair>, String), SignError> {
        let key = KeyPair::from_pem(&self.key).map_err(|_| SignError::UnreadableKey)?;
        let der = pem_to_der(&self.certificate).ok_or(SignError::UnreadableKey)?;
        let certificate = Certificate::from_der(&der).map_err(|_| SignError::UnreadableKey)?;
        let subject = certificate.tbs_certificate().subject();
        let text = |value: Option<x509_cert::ext::pkix::name::DirectoryString>| {
            value.map(|value| value.value().into_owned()).ok_or(SignError::UnreadableKey)
        };
        let organisation = text(subject.organization().map_err(|_| SignError::UnreadableKey)?)?;
        let name = text(subject.common_name().map_err(|_| SignError::UnreadableKey)?)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(&organisation, &name);
        Ok((Issuer::new(params, key), organisation))
    }
}

fn cannot_make<E>(_: E) -> SignError {
    SignError::GenerationFailed
}

fn distinguished_name(organisation: &str, name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "ID");
    subject.push(DnType::OrganizationName, organisation);
    subject.push(DnType::CommonName, name);
    subject
}

/// The certificate parameters that roots and signers share: name, random serial number and validity
/// period. The period begins yesterday, so that verifiers whose clocks are slow accept a
/// certificate issued today.
fn params(
    organisation: &str,
    name: &str,
    now: Timestamp,
    valid_for: Span,
) -> Result<CertificateParams, SignError> {
    let from = Offset::UTC.to_datetime(now).date().saturating_sub(1.day());
    let mut serial = [0; 16];
    rand::fill(&mut serial).map_err(cannot_make)?;
    // The serial number must be positive (RFC 5280, 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = distinguished_name(organisation, name);
    params.not_before = ymd(from);
    params.not_after = ymd(from.saturating_add(valid_for));
    Ok(params)
}

fn ymd(date: Date) -> time::OffsetDateTime {
    date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{DerSignature, signature::Verifier};
    use x509_cert::der::Encode;
    use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier};

    use super::*;
    use crate::{NewKey, TrustedSigner};

    fn read(pem: &str) -> Certificate {
        Certificate::from_der(&pem_to_der(pem).unwrap()).unwrap()
    }

    #[test]
    fn root_certifies_signer_for_vaccinations_and_five_years() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let generated = Root::generate("Kementerian Kesehatan", now).unwrap();
        // The root must survive a round trip through JSON.
        let root: Root = serde_json::from_str(&serde_json::to_string(&generated).unwrap()).unwrap();
        let key = NewKey::generate().unwrap();
        let der = root.certify(&key.public_key, now).unwrap();
        assert_ne!(der, root.certify(&key.public_key, now).unwrap(), "serial numbers are random");

        let (of_root, signer) = (read(root.certificate_pem()), Certificate::from_der(&der).unwrap());
        let (of_root, body) = (of_root.tbs_certificate(), signer.tbs_certificate());
        assert_eq!(body.issuer(), of_root.subject());
        let root_key = of_root.subject_public_key_info().to_der().unwrap();
        let root_key = VerifyingKey::from_public_key_der(&root_key).unwrap();
        let signature = DerSignature::from_bytes(signer.signature().raw_bytes()).unwrap();
        root_key.verify(&body.to_der().unwrap(), &signature).unwrap();

        let (critical, constraints) = of_root.get_extension::<BasicConstraints>().unwrap().unwrap();
        assert!(critical && constraints.ca && constraints.path_len_constraint == Some(0));
        let (_, root_usage) = of_root.get_extension::<KeyUsage>().unwrap().unwrap();
        assert!(root_usage.key_cert_sign() && root_usage.crl_sign() && !root_usage.digital_signature());
        let (_, usage) = body.get_extension::<KeyUsage>().unwrap().unwrap();
        assert!(usage.digital_signature() && !usage.key_cert_sign());
        let (_, authority) = body.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap();
        let (_, root_identifier) = of_root.get_extension::<SubjectKeyIdentifier>().unwrap().unwrap();
        assert_eq!(authority.key_identifier.unwrap(), root_identifier.0);
        assert!(body.get_extension::<SubjectKeyIdentifier>().unwrap().is_some());

        let trusted = TrustedSigner::from_certificate(&der).unwrap();
        assert_eq!(trusted.key.to_der().unwrap(), key.public_key);
        assert!(trusted.usages.vaccination && !trusted.usages.test && !trusted.usages.recovery);
        assert_eq!(trusted.not_after.unwrap().to_string(), "2031-11-21T00:00:00Z");
        assert!(trusted.not_before.unwrap() < now);
    }

    #[test]
    fn rejects_keys_that_are_not_p256() {
        let now = Timestamp::UNIX_EPOCH;
        let root = Root::generate("Bukti", now).unwrap();
        assert!(matches!(root.certify(b"no key", now), Err(SignError::UnreadableKey)));
        assert!(Root::from_pem("no key".to_owned(), root.certificate_pem().to_owned()).is_err());
    }
}
