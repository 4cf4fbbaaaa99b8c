//! Selection of the current name, identifier and phone number from FHIR lists.

use std::cmp::Ordering;

use bukti_domain::{PersonName, PhoneNumber, hygiene};

use super::resource::{ContactPoint, HumanName, Identifier, Patient, Period};

/// Whether a list element was current on this day (`YYYY-MM-DD`): its use is not `old`, and its
/// period includes the day.
fn is_current(usage: Option<&str>, period: Option<&Period>, on: &str) -> bool {
    // The bounds of a period may be months or years; the day is compared at the same precision.
    let compared = |bound: &str| {
        let precision = bound.len().min(10);
        bound.get(..precision).zip(on.get(..precision)).map(|(bound, on)| bound.cmp(on))
    };
    let bound = |it: fn(&Period) -> &Option<String>| compared(it(period?).as_deref()?);
    let has_begun = bound(|it| &it.start) != Some(Ordering::Greater);
    let has_ended = bound(|it| &it.end) == Some(Ordering::Less);
    usage != Some("old") && has_begun && !has_ended
}

/// The value of the current identifier. Official identifiers take precedence over usual ones, then
/// others, then temporary ones.
pub(super) fn identifier<'a>(all: impl IntoIterator<Item = &'a Identifier>, on: &str) -> Option<String> {
    let rank = |it: &Identifier| match it.usage.as_deref() {
        Some("official") => 0,
        Some("usual") => 1,
        Some("temp") => 3,
        _ => 2,
    };
    let current = all.into_iter().filter(|it| is_current(it.usage.as_deref(), it.period.as_ref(), on));
    let filled = current.filter(|it| it.value.as_deref().is_some_and(is_filled));
    filled.min_by_key(|it| rank(it)).and_then(|it| it.value.clone())
}

fn is_filled(text: &str) -> bool {
    !hygiene::clean(text).is_empty()
}

impl HumanName {
    /// The name as one string: its `text`, or else its given and family names. Empty if it has
    /// neither.
    ///
    /// If a passport holder's family name consists of several words, it comes first and is followed
    /// by a comma (`De la Cruz, Maria`); commas within the parts are removed. Otherwise, only the
    /// last word would be signed as the family name.
    fn written(&self, is_passport: bool) -> String {
        let text = self.text.as_deref().map(hygiene::clean).filter(|text| PersonName::parse(text).is_some());
        let given = self.given.iter().flatten().map(String::as_str);
        let parts: Vec<&str> = given.chain(self.family.as_deref()).filter(|part| is_filled(part)).collect();
        let joined = parts.join(" ");
        let has_parts = PersonName::parse(&joined).is_some();
        if let Some(text) = text
            && !(has_parts && hygiene::is_placeholder(&text).is_some())
        {
            return text.into_owned();
        }
        match (self.family.as_deref().filter(|family| is_filled(family)), parts.as_slice()) {
            _ if !has_parts => String::new(),
            (Some(family), [given @ .., _]) if is_passport && !given.is_empty() => {
                let without_comma =
                    |text: &str| text.replace(',', " ").split_whitespace().collect::<Vec<_>>().join(" ");
                let (family, given) = (without_comma(family), without_comma(&given.join(" ")));
                if family.contains(' ') { format!("{family}, {given}") } else { format!("{given} {family}") }
            }
            _ => joined,
        }
    }
}

impl Patient {
    /// The current name. Official names take precedence over usual ones, then others. A maiden name
    /// is a former name, and comes last. An anonymous name is a pseudonym, and is never used.
    pub(super) fn current_name(&self, on: &str, is_passport: bool) -> String {
        let rank = |it: &HumanName| match it.usage.as_deref() {
            Some("official") => 0,
            Some("usual") => 1,
            Some("temp") => 3,
            Some("nickname") => 4,
            Some("maiden") => 5,
            _ => 2,
        };
        let current = self.name.iter().filter(|it| {
            let usage = it.usage.as_deref();
            usage != Some("anonymous") && is_current(usage, it.period.as_ref(), on)
        });
        let named =
            current.map(|it| (rank(it), it.written(is_passport))).filter(|(_, name)| !name.is_empty());
        named.min_by_key(|(rank, _)| *rank).map(|(_, name)| name).unwrap_or_default()
    }

    /// The sex as a feed writes it; empty for `other` and `unknown`. Any other value is returned
    /// unchanged; the judgement rejects it.
    pub(super) fn sex(&self) -> String {
        match self.gender.as_deref().unwrap_or_default() {
            "male" => "L".to_owned(),
            "female" => "P".to_owned(),
            "other" | "unknown" => String::new(),
            gender => gender.to_owned(),
        }
    }

    /// The current phone number. Valid numbers with the use `mobile` take precedence, then other
    /// valid numbers by `rank`. Work numbers rank lower, since an SMS is personal, and temporary
    /// numbers lowest. If no number is valid, an invalid one is returned, so that it is reported.
    pub(super) fn current_phone(&self, on: &str) -> String {
        let is_phone = |it: &&ContactPoint| match it.system.as_deref() {
            Some(system) => matches!(system, "phone" | "sms"),
            None => it.value.as_deref().is_some_and(|value| value.starts_with("tel:")),
        };
        let mut phones: Vec<&ContactPoint> = self
            .telecom
            .iter()
            .filter(is_phone)
            .filter(|it| is_current(it.usage.as_deref(), it.period.as_ref(), on))
            .collect();
        phones.retain(|it| it.value.as_deref().is_some_and(is_filled));
        let rank =
            |it: &ContactPoint| it.rank.as_ref().and_then(serde_json::Number::as_u64).unwrap_or(u64::MAX);
        let is_used = |it: &ContactPoint, usage: &str| it.usage.as_deref() == Some(usage);
        phones.sort_by_key(|it| (is_used(it, "temp"), is_used(it, "work"), rank(it)));
        let written = |it: &&ContactPoint| it.value.as_deref().map(number_of_uri).unwrap_or_default();
        let is_mobile = |it: &&&ContactPoint| is_used(it, "mobile");
        let valid = || phones.iter().filter(|it| PhoneNumber::parse(&written(it)).is_some());
        let preferred = valid().find(is_mobile).or_else(|| valid().next());
        let invalid_mobile = || phones.iter().find(is_mobile);
        preferred.or_else(invalid_mobile).or(phones.first()).map(written).unwrap_or_default()
    }
}

/// The number in a `tel:` or `sms:` URI (RFC 3966, RFC 5724). Any other text is returned unchanged.
/// A local number gets the country code from `phone-context`. An extension is kept, which makes the
/// number invalid: it cannot receive SMS.
fn number_of_uri(value: &str) -> String {
    let value = value.trim();
    let scheme = ["tel:", "sms:"]
        .into_iter()
        .find(|scheme| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let Some(scheme) = scheme else { return value.to_owned() };
    let rest = &value[scheme.len()..];
    let rest = rest.split('?').next().unwrap_or(rest);
    let mut parts = rest.split(';');
    let number = parts.next().unwrap_or_default();
    let number = percent_encoding::percent_decode_str(number).decode_utf8_lossy();
    let parameter = |name: &str| {
        let is_named = |(written, _): &(&str, &str)| written.eq_ignore_ascii_case(name);
        parts.clone().filter_map(|part| part.split_once('=')).find(is_named).map(|(_, value)| value)
    };
    let country = parameter("phone-context").filter(|context| context.starts_with('+'));
    let country = country.filter(|_| !number.trim_start().starts_with('+')).unwrap_or_default();
    match parameter("ext") {
        Some(extension) => format!("{country}{number};ext={extension}"),
        None => format!("{country}{number}"),
    }
}
