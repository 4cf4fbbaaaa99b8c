//! The software bill of materials (SBOM), as CycloneDX 1.6. It lists the fonts and every crate that
//! is compiled into a function or the site, but not the dependencies of builds and tests.
//!
//! The SBOM is reproducible: it contains no timestamp, and its serial number is derived from the
//! content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::files::hex;
use crate::site::MODULES;
use crate::{Project, run};

/// The compilation target of the functions, as in `infra/template.yaml`.
const LAMBDA: &str = "x86_64-unknown-linux-gnu";
/// The compilation target of the site.
const BROWSER: &str = "wasm32-unknown-unknown";
/// The folder with the fonts that are compiled into functions.
const FONTS: &str = "functions/lib/document/fonts";

/// An SBOM that has been written to a file.
pub struct Sbom {
    path: PathBuf,
    /// The names of the deployed packages.
    deployed: Vec<String>,
    document: Value,
}

/// The name and version of a crate.
type Crate = (String, String);

/// Writes the SBOM and prints its path.
///
/// # Errors
/// If cargo fails, or if the file cannot be written.
pub fn sbom(project: &Project) -> Result<()> {
    let sbom = write(project)?;
    run::print_status(sbom.summary(project));
    println!("{}", sbom.path.display());
    Ok(())
}

/// Writes the SBOM to the target folder.
///
/// # Errors
/// If cargo fails, or if the file cannot be written.
pub fn write(project: &Project) -> Result<Sbom> {
    let metadata = metadata(project)?;
    let functions = functions(&metadata);
    let mut edges: BTreeMap<Crate, BTreeSet<Crate>> = BTreeMap::new();
    for function in &functions {
        add_tree(&mut edges, &tree(project, function, LAMBDA)?)?;
    }
    let site: Vec<String> = MODULES.iter().map(|(package, _)| (*package).to_owned()).collect();
    for module in &site {
        add_tree(&mut edges, &tree(project, module, BROWSER)?)?;
    }
    let lock = fs::read_to_string(project.root.join("Cargo.lock"))?;
    let fonts = fonts(&project.root.join(FONTS))?;
    let deployed = [functions, site].concat();
    let document = document(&deployed, &edges, &metadata, &checksums(&lock), fonts)?;
    let path = project.target.join("bukti.cdx.json");
    fs::write(&path, serde_json::to_vec_pretty(&document)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Sbom { path, deployed, document })
}

impl Sbom {
    fn components(&self) -> impl Iterator<Item = &Value> {
        self.document["components"].as_array().into_iter().flatten()
    }

    /// Formats a message with the number of components and the path of the file.
    pub fn summary(&self, project: &Project) -> String {
        format!("SBOM of {} components: {}", self.components().count(), project.relative(&self.path))
    }

    /// Checks that the SBOM contains known deployed components and no undeployed ones, and that
    /// each component has a licence and a checksum. Crates of the workspace have no checksum.
    ///
    /// # Errors
    /// If a component or a field is missing, or if an undeployed component is listed.
    pub fn check_contents(&self) -> Result<()> {
        /// A sample of components that functions or the site need.
        const DEPLOYED: [&str; 8] = [
            "aws-lc-sys",
            "aws-sdk-dynamodb",
            "bukti-domain",
            "lambda_runtime",
            "leptos",
            "p256",
            "rxing",
            "NotoSans-Regular.ttf",
        ];
        /// Components used only by the embedded stack, this program or tests.
        const NOT_DEPLOYED: [&str; 8] =
            ["bukti-local", "bukti-xtask", "dynoxide-rs", "hayro", "insta", "proptest", "rusqlite", "s3s"];
        let names: BTreeSet<&str> = self.components().filter_map(|it| it["name"].as_str()).collect();
        let expected = self.deployed.iter().map(String::as_str).chain(DEPLOYED);
        if let Some(missing) = expected.into_iter().find(|name| !names.contains(name)) {
            bail!("the SBOM lacks {missing}");
        }
        if let Some(extra) = NOT_DEPLOYED.into_iter().find(|name| names.contains(name)) {
            bail!("the SBOM has {extra}, which is not deployed");
        }
        let lacks_checksum = |it: &&Value| !it["hashes"].is_array() && it["group"] != "bukti";
        if let Some(component) = self.components().find(lacks_checksum) {
            bail!("the SBOM has no checksum of {}", component["name"]);
        }
        let lacks_licence = |it: &&Value| !it["licenses"].is_array();
        if let Some(component) = self.components().find(lacks_licence) {
            bail!("the SBOM has no licence of {}", component["name"]);
        }
        Ok(())
    }
}

/// Returns cargo's metadata for the workspace and its dependencies.
pub fn metadata(project: &Project) -> Result<Value> {
    let metadata = run::capture(
        project.command("cargo").args(["metadata", "--locked", "--format-version", "1"]),
        "Check that Cargo.lock is up to date.",
    )?;
    Ok(serde_json::from_str(&metadata)?)
}

/// Lists the packages of the functions: all packages below `functions` that have a binary.
pub fn functions(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let is_function = |package: &&Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let mut targets = package["targets"].as_array().into_iter().flatten();
        package["source"].is_null()
            && manifest.ancestors().nth(2).is_some_and(|folder| folder.ends_with("functions"))
            && targets.any(|target| target["kind"] == json!(["bin"]))
    };
    let name = |package: &Value| package["name"].as_str().map(str::to_owned);
    let mut names: Vec<String> = packages.filter(is_function).filter_map(name).collect();
    names.sort();
    names
}

/// Returns the output of `cargo tree` for the crates that are compiled into a package. Each line
/// has a depth, a name and a version.
fn tree(project: &Project, package: &str, target: &str) -> Result<String> {
    let mut tree = project.command("cargo");
    tree.args(["tree", "--locked", "--quiet", "--package", package, "--target", target]);
    // Procedural macros run in the compiler and are not deployed.
    tree.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", " {p}"]);
    run::capture(&mut tree, "Check that Cargo.lock is up to date.")
}

/// Adds the edges of a tree. cargo lists the dependencies of a repeated crate only where it first
/// appears.
fn add_tree(edges: &mut BTreeMap<Crate, BTreeSet<Crate>>, tree: &str) -> Result<()> {
    let mut ancestors: Vec<Crate> = Vec::new();
    for line in tree.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(depth), Some(name), Some(version)) = (words.next(), words.next(), words.next()) else {
            bail!("cannot parse a line of `cargo tree`: {line}");
        };
        let depth = depth.parse().with_context(|| format!("a line of `cargo tree` has no depth: {line}"))?;
        ancestors.truncate(depth);
        let current = (name.to_owned(), version.trim_start_matches('v').to_owned());
        edges.entry(current.clone()).or_default();
        if let Some(parent) = ancestors.last() {
            edges.entry(parent.clone()).or_default().insert(current.clone());
        }
        ancestors.push(current);
    }
    Ok(())
}

/// Extracts the SHA-256 checksums of the crates in a `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Crate, String> {
    let field = |package: &str, name: &str| {
        let value = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        value.and_then(|value| value.strip_suffix('"')).map(str::to_owned)
    };
    let parse =
        |package| Some(((field(package, "name")?, field(package, "version")?), field(package, "checksum")?));
    lock.split("[[package]]").filter_map(parse).collect()
}

fn fonts(folder: &Path) -> Result<Vec<Value>> {
    let mut fonts = Vec::new();
    for path in fs::read_dir(folder)?.flatten().map(|entry| entry.path()) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|extension| extension == "ttf") {
            fonts.push(json!({
                "type": "file",
                "bom-ref": format!("{FONTS}/{name}"),
                "name": name,
                "hashes": [{"alg": "SHA-256", "content": hex(&Sha256::digest(fs::read(&path)?))}],
                "licenses": [{"expression": "OFL-1.1"}],
            }));
        }
    }
    fonts.sort_by_key(|font| font["name"].to_string());
    Ok(fonts)
}

fn reference((name, version): &Crate) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn document(
    deployed: &[String],
    edges: &BTreeMap<Crate, BTreeSet<Crate>>,
    metadata: &Value,
    checksums: &BTreeMap<Crate, String>,
    fonts: Vec<Value>,
) -> Result<Value> {
    let packages: BTreeMap<Crate, &Value> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| Some(((it["name"].as_str()?.to_owned(), it["version"].as_str()?.to_owned()), it)))
        .collect();
    let mut components = Vec::new();
    let mut roots = Vec::new();
    for id in edges.keys() {
        let package = packages.get(id).with_context(|| format!("cargo metadata has no {} {}", id.0, id.1))?;
        let is_root = deployed.contains(&id.0);
        if is_root {
            roots.push(reference(id));
        }
        let mut component = json!({
            "type": if is_root { "application" } else { "library" },
            "bom-ref": reference(id),
            "name": id.0,
            "version": id.1,
        });
        if package["source"].is_null() {
            component["group"] = "bukti".into();
        } else {
            component["purl"] = reference(id).into();
        }
        if let Some(checksum) = checksums.get(id) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
        if let Some(licence) = package["license"].as_str() {
            // Old crates separate alternative licences with a slash, which SPDX does not allow.
            let licence = licence.replace(" / ", " OR ").replace('/', " OR ");
            component["licenses"] = json!([{"expression": licence}]);
        }
        if let Some(description) = package["description"].as_str() {
            let words: Vec<&str> = description.split_whitespace().collect();
            component["description"] = words.join(" ").into();
        }
        components.push(component);
    }
    components.extend(fonts);
    let mut dependencies = vec![json!({"ref": "bukti", "dependsOn": roots})];
    for (id, children) in edges {
        let children: Vec<String> = children.iter().map(reference).collect();
        dependencies.push(json!({"ref": reference(id), "dependsOn": children}));
    }
    let serial = uuid(&Sha256::digest(serde_json::to_vec(&components)?));
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{serial}"),
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "bukti",
                "name": "bukti",
                "version": env!("CARGO_PKG_VERSION"),
                "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}],
            },
            "tools": {"components": [{
                "type": "application",
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
            }]},
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Derives a UUID (version 8) from a hash.
fn uuid(hash: &[u8]) -> String {
    let hex = hex(hash);
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_crate_in_a_tree_keeps_its_edges() {
        let tree = "0 a v1.0.0 (/x/a)\n1 b v2.1.0\n2 c v0.3.0\n1 c v0.3.0\n1 d v1.0.0\n2 b v2.1.0 (*)\n";
        let mut edges = BTreeMap::new();
        add_tree(&mut edges, tree).unwrap();
        let id = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let (a, b, c, d) = (id("a", "1.0.0"), id("b", "2.1.0"), id("c", "0.3.0"), id("d", "1.0.0"));
        let expected = [
            (a, BTreeSet::from([b.clone(), c.clone(), d.clone()])),
            (b.clone(), BTreeSet::from([c.clone()])),
            (c, BTreeSet::new()),
            (d, BTreeSet::from([b])),
        ];
        assert_eq!(edges, BTreeMap::from(expected));
    }

    #[test]
    fn sbom_is_complete_and_reproducible() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut project = Project::find(None).unwrap();
        project.target = folder.path().to_owned();
        let sbom = write(&project).unwrap();
        sbom.check_contents().unwrap();
        let functions =
            ["helpdesk", "holder", "intake", "issue", "notify", "otp", "publish", "sender", "status"]
                .map(|it| format!("bukti-{it}"));
        let site = ["bukti-site", "bukti-verifier"].map(str::to_owned);
        assert_eq!(sbom.deployed, [functions.as_slice(), &site].concat());
        let first = fs::read(&sbom.path).unwrap();
        assert_eq!(fs::read(write(&project).unwrap().path).unwrap(), first);
    }

    #[test]
    fn reports_missing_crates() {
        let sbom_of = |names: &[&str]| {
            let components: Vec<Value> =
                names.iter().map(|name| json!({"name": name, "group": "bukti", "licenses": []})).collect();
            let document = json!({"components": components});
            Sbom { path: PathBuf::new(), deployed: vec!["bukti-otp".to_owned()], document }
        };
        let error_for = |names: &[&str]| sbom_of(names).check_contents().unwrap_err().to_string();
        assert_eq!(error_for(&[]), "the SBOM lacks bukti-otp");
        assert_eq!(error_for(&["bukti-otp"]), "the SBOM lacks aws-lc-sys");
    }
}
