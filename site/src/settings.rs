//! Settings of the deployment, such as its name and the helpdesk's contact details.

use bukti_domain::PhoneNumber;
use bukti_wire::SiteSettings;
use leptos::prelude::*;

use crate::api;
use crate::browser::TaskScope;

/// Holds the settings. Available to every component as a Leptos context.
#[derive(Clone, Copy)]
pub struct Settings(RwSignal<SiteSettings>);

impl Settings {
    /// Provides the default settings as a context, then loads the deployment's settings.
    pub fn provide() -> Self {
        let settings = Self(RwSignal::new(defaults()));
        provide_context(settings);
        TaskScope::current().spawn(Box::pin(async move {
            // If the settings cannot be loaded, keep the defaults.
            if let Ok(loaded) = api::get::<SiteSettings>("/settings.json").await {
                if let Some(countries) = &loaded.phone_countries {
                    // Ignore a malformed list, because the server validates every phone number.
                    let _ = PhoneNumber::allow_countries(countries);
                }
                settings.0.set(loaded);
            }
        }));
        settings
    }

    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self(RwSignal::new(defaults())))
    }

    /// Returns a setting (tracked read).
    pub fn get(self, select: impl Fn(&SiteSettings) -> &str) -> String {
        self.0.with(|settings| select(settings).to_owned())
    }
}

fn defaults() -> SiteSettings {
    SiteSettings {
        service_name: "Bukti".into(),
        sms_sender: "1199".into(),
        helpdesk_phone: "119 ext. 9".into(),
        helpdesk_email: "sertifikat@pedulilindungi.id".into(),
        phone_countries: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_file_has_the_defaults() {
        let file: SiteSettings = serde_json::from_str(include_str!("../public/settings.json")).unwrap();
        assert_eq!(file, defaults());
    }
}
