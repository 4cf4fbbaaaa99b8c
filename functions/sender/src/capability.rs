//! A description of the import in FHIR: a CapabilityStatement (R4).

use bukti_runtime::{Answer, public_json};
use lambda_http::http::HeaderValue;
use serde_json::json;

use crate::outcome::FHIR;

/// The number of seconds for which a CapabilityStatement may be cached.
const MAX_AGE: u32 = 3600;

/// Responds with the CapabilityStatement of the deployment at `site_url`.
pub(crate) fn statement(site_url: &str) -> Answer {
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        // The date on which this statement last changed.
        "date": "2026-11-27",
        "kind": "instance",
        "software": {"name": "Bukti", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "Bukti, intake of vaccinations", "url": format!("{site_url}/api/intake/doses")},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{
            "mode": "server",
            "documentation": "Bundles (transaction: all rows or none; batch, collection and others row by row), single Immunizations and Bulk Data NDJSON are posted to /api/intake/doses. R5 is read as well. The answer is an OperationOutcome with an issue for each Immunization.",
            "security": {"description": "An API key in the header Authorization, as a bearer token."},
            "resource": [
                {
                    "type": "Immunization",
                    "documentation": "completed: a dose. entered-in-error: the dose of this identifier is retracted. isSubpotent and modifierExtension are refused.",
                    "interaction": [{"code": "create"}],
                    "versioning": "no-version",
                    "referencePolicy": ["literal", "logical", "resolves", "local"],
                },
                {"type": "Patient", "documentation": "Read where an Immunization refers to it.", "versioning": "no-version"},
            ],
            "interaction": [{"code": "transaction"}, {"code": "batch"}],
        }],
    });
    let mut answer = public_json(&statement, MAX_AGE);
    answer.headers_mut().insert("content-type", HeaderValue::from_static(FHIR));
    answer
}
