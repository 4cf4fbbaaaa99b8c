//! The OpenAPI document, generated from the types and the routes.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, RefOr, SecurityRequirement};

use crate::routes::operations::Api;
use crate::{Access, ROUTES, SenderRoute};

/// Adds to the senders' routes what `utoipa`'s attributes cannot express: the API key, and FHIR
/// responses to FHIR requests.
pub(crate) struct Senders;

impl utoipa::Modify for Senders {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let scheme = scheme.description(Some("An API key, from `bukti api-key create`")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
        for route in ROUTES.iter().filter(|route| route.access == Access::ApiKey) {
            let item = document.paths.paths.get_mut(route.path);
            let operations = item.into_iter().flat_map(|item| [&mut item.get, &mut item.post]);
            for operation in operations.flatten() {
                operation.security = Some(vec![SecurityRequirement::new("api_key", [""; 0])]);
            }
        }
        let doses =
            document.paths.paths.get_mut(SenderRoute::SendDoses.path()).and_then(|path| path.post.as_mut());
        for response in doses.into_iter().flat_map(|post| post.responses.responses.values_mut()) {
            if let RefOr::T(response) = response {
                let fhir = response.content.entry("application/fhir+json".to_owned());
                fhir.or_insert_with(|| RefOr::T(Content::default()));
            }
        }
    }
}

/// Derives the id of an operation from the name of its route: `LogIn` becomes `log_in`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut id = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() && !id.is_empty() {
            id.push('_');
        }
        id.extend(letter.to_lowercase());
    }
    id
}

/// The OpenAPI 3.1 document that `/api/openapi.json` serves.
pub fn openapi_json() -> String {
    // Maps and strings always serialise, so the default is never used.
    Api::openapi().to_pretty_json().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_document_matches_snapshot() {
        insta::assert_snapshot!("openapi", openapi_json());
    }
}
