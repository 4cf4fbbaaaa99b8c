//! Who stands behind the certificates.

/// What a deployment prints on every certificate: whose it is, where it is checked, whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Who issues the certificates.
    pub issuer: String,
    /// The site's host, `bukti.example.go.id`. Certificates are checked on its page `/verify`.
    pub host: String,
    /// The helpdesk's phone.
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address.
    pub helpdesk_email: String,
}
