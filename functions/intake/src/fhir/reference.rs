//! References between the resources of a file.

use std::borrow::Cow;
use std::collections::HashMap;

use bukti_domain::parse_moment;
use bukti_records::FeedProblem;
use jiff::Timestamp;

use super::file::Entry;
use super::resource::{Identifier, Reference, Resource};
use super::too_large;

/// The maximum number of names, identifiers, phone numbers and codes in all resources that can be
/// referred to. They are kept in memory while the file is read, and each takes up many times the
/// two bytes of a `{}` in the file.
const MAX_ITEMS: usize = 100_000;

/// The resources of a file that can be referred to, with indexes.
#[derive(Default)]
pub(super) struct Referables<'a> {
    resources: Vec<Referable<'a>>,
    by_address: HashMap<Cow<'a, str>, Vec<usize>>,
    by_type_and_id: HashMap<String, Vec<usize>>,
    by_identifier: HashMap<(String, String), usize>,
}

/// A resource that other resources can refer to.
struct Referable<'a> {
    address: Option<Cow<'a, str>>,
    version: Option<String>,
    updated_at: Option<Timestamp>,
    resource: Resource<'a>,
}

impl<'a> Referables<'a> {
    /// Indexes the resources of a file.
    ///
    /// # Errors
    ///
    /// Returns a problem if the resources have more than [`MAX_ITEMS`] items.
    pub(super) fn of(entries: &'a [Entry<'a>]) -> Result<Self, FeedProblem> {
        let mut referables = Self::default();
        let mut items = 0;
        for entry in entries {
            let Some(resource) = entry.resource.and_then(Resource::read) else { continue };
            items += resource.items();
            if items > MAX_ITEMS {
                return Err(too_large());
            }
            let at = referables.resources.len();
            let (address, version) = entry.full_url.as_deref().map(split_version).unzip();
            match &resource {
                Resource::Immunization(_) | Resource::Other(_) => continue,
                Resource::Patient(patient) => {
                    for identifier in &patient.identifier {
                        if let (Some(system), Some(value)) = (&identifier.system, &identifier.value) {
                            referables.by_identifier.entry((system.clone(), value.clone())).or_insert(at);
                        }
                    }
                }
                Resource::Place(..) | Resource::Medication(_) => {}
            }
            let address = address.map(normal_address);
            if let Some(address) = &address {
                referables.by_address.entry(address.clone()).or_default().push(at);
            }
            if let Some(name) = resource.relative() {
                referables.by_type_and_id.entry(name).or_default().push(at);
            }
            let meta = resource.meta();
            let version = version.flatten().map(str::to_owned);
            referables.resources.push(Referable {
                address,
                version: version.or_else(|| meta?.version_id.clone()),
                updated_at: meta.and_then(|meta| parse_moment(meta.last_updated.as_deref()?)),
                resource,
            });
        }
        Ok(referables)
    }

    /// Resolves a reference by FHIR's rules: to a contained resource, by address, by type and id on
    /// the server of the entry `from`, or by identifier. Returns `None` if the resource is missing
    /// or the reference ambiguous.
    pub(super) fn find<'r>(
        &'r self,
        reference: &Reference,
        contained: &'r [Resource<'a>],
        from: &Entry<'_>,
    ) -> Option<&'r Resource<'a>> {
        let at = |at: &usize| self.resources.get(*at);
        if let Some((name, version)) = reference.reference.as_deref().map(split_version) {
            if let Some(id) = name.strip_prefix('#') {
                // Some senders include the reference's `#` in the id.
                let has_id = |it: &&Resource<'_>| {
                    let name = it.relative();
                    name.as_deref()
                        .and_then(|name| name.split_once('/'))
                        .is_some_and(|(_, own)| own.strip_prefix('#').unwrap_or(own) == id)
                };
                return contained.iter().find(has_id);
            }
            if let Some(all) = self.by_address.get(&normal_address(name)) {
                return select_version(all.iter().filter_map(at).collect(), version);
            }
            let (server, relative) = split_address(name);
            let base = server.or_else(|| split_address(from.full_url.as_deref()?).0);
            if let Some(all) = self.by_type_and_id.get(relative) {
                // The same type and id on another server denote a different resource. If the server
                // of either side is unknown, the servers are assumed to be the same.
                let is_same_server = |it: &&Referable<'_>| {
                    let server = it.address.as_deref().and_then(|address| split_address(address).0);
                    server.is_none() || base.is_none() || server == base
                };
                let same_server = all.iter().filter_map(at).filter(is_same_server).collect();
                if let Some(found) = select_version(same_server, version) {
                    return Some(found);
                }
            }
        }
        let Identifier { system, value, .. } = logical_identifier(reference)?;
        self.by_identifier.get(&(system?, value?)).and_then(at).map(|it| &it.resource)
    }
}

/// Selects one of the resources that a reference may denote: the version that it names, or else the
/// latest version. Returns `None` if the candidates may be different resources.
fn select_version<'r, 'a>(all: Vec<&'r Referable<'a>>, version: Option<&str>) -> Option<&'r Resource<'a>> {
    if version.is_some()
        && let [named] = all.iter().filter(|it| it.version.as_deref() == version).collect::<Vec<_>>()[..]
    {
        return Some(&named.resource);
    }
    let first = all.first()?;
    let is_one_resource = all.len() == 1
        || (first.address.is_some()
            && all.iter().all(|it| it.address == first.address && it.updated_at.is_some()));
    is_one_resource.then_some(())?;
    all.iter().max_by_key(|it| it.updated_at).map(|it| &it.resource)
}

/// Normalises an address for comparison: UUIDs (RFC 9562) are case-insensitive.
fn normal_address(address: &str) -> Cow<'_, str> {
    let is_uuid = address.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("urn:uuid:"));
    if is_uuid { Cow::Owned(address.to_ascii_lowercase()) } else { Cow::Borrowed(address) }
}

/// Splits an address into the server and the relative part, such as `Patient/1`. A relative
/// reference has no server.
pub(super) fn split_address(address: &str) -> (Option<&str>, &str) {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return (None, address);
    }
    let mut slashes = address.rmatch_indices('/').map(|(at, _)| at);
    match (slashes.next(), slashes.next()) {
        (Some(_), Some(at)) => (Some(&address[..at]), &address[at + 1..]),
        _ => (None, address),
    }
}

/// The identifier of a logical reference, or the identifier that a conditional reference searches
/// for (`Patient?identifier=system|value`).
pub(super) fn logical_identifier(reference: &Reference) -> Option<Identifier> {
    if let Some(identifier) = &reference.identifier {
        return Some(identifier.clone());
    }
    let (_, search) = reference.reference.as_deref()?.split_once('?')?;
    let searched = search.split('&').find_map(|part| part.strip_prefix("identifier="))?;
    let searched = percent_encoding::percent_decode_str(searched).decode_utf8().ok()?;
    let (system, value) = searched.split_once('|')?;
    let (system, value) = (Some(system.to_owned()), Some(value.to_owned()));
    Some(Identifier { usage: None, kind: None, system, value, period: None })
}

/// Removes the version (`…/_history/3`) from an address.
pub(super) fn without_version(reference: &str) -> &str {
    split_version(reference).0
}

fn split_version(reference: &str) -> (&str, Option<&str>) {
    match reference.split_once("/_history/") {
        Some((address, version)) => (address, Some(version)),
        None => (reference, None),
    }
}
