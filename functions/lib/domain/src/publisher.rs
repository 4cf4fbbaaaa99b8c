//! The authority that publishes a deployment's certificates.

/// The issuer, site and helpdesk that a deployment prints on every certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// The name of the authority that issues the certificates.
    pub issuer: String,
    /// The site's host name, such as `bukti.example.go.id`. Its page `/verify` checks certificates.
    pub host: String,
    /// The helpdesk's phone number.
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address.
    pub helpdesk_email: String,
}
