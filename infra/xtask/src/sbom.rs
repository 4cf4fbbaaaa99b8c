//! The list of what is deployed (SBOM), in the form CycloneDX 1.6: every crate that is compiled into a function or into the
//! site, and the fonts. What only builds or tests them is not in it.
//!
//! The same sources make the same bytes: no time, and the serial number follows from the content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::files::hex;
use crate::site::MODULES;
use crate::{Project, run};

/// What the functions run on, see `infra/template.yaml`, and what the site does.
const LAMBDA: &str = "x86_64-unknown-linux-gnu";
const BROWSER: &str = "wasm32-unknown-unknown";
/// The fonts that are compiled into functions.
const FONTS: &str = "functions/lib/document/fonts";

/// A list that was written.
pub struct Sbom {
    path: PathBuf,
    deployed: Vec<String>,
    document: Value,
}

/// A crate: name and version.
type Crate = (String, String);

/// Writes the list and says where it is.
///
/// # Errors
/// When cargo does not know what is compiled, or the file cannot be written.
pub fn sbom(project: &Project) -> Result<()> {
    let sbom = write(project)?;
    run::say(sbom.summary(project));
    println!("{}", sbom.path.display());
    Ok(())
}

/// Writes the list below the target folder.
///
/// # Errors
/// As [`sbom`].
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

    /// Where it is and how many components it has.
    pub fn summary(&self, project: &Project) -> String {
        format!("SBOM of {} components: {}", self.components().count(), project.show(&self.path))
    }

    /// Whether everything is in it that is deployed for certain, each crate of crates.io with its checksum, and nothing that
    /// is not deployed.
    ///
    /// # Errors
    /// At what is missing or too much.
    pub fn holds_what_is_deployed(&self) -> Result<()> {
        /// A sample of what each function and the site cannot be without.
        const IN: [&str; 8] = [
            "aws-lc-sys",
            "aws-sdk-dynamodb",
            "bukti-domain",
            "lambda_runtime",
            "leptos",
            "p256",
            "rxing",
            "NotoSans-Regular.ttf",
        ];
        /// The embedded stack, this program, and what tests use.
        const OUT: [&str; 8] =
            ["bukti-local", "bukti-xtask", "dynoxide-rs", "hayro", "insta", "proptest", "rusqlite", "s3s"];
        let names: BTreeSet<&str> = self.components().filter_map(|it| it["name"].as_str()).collect();
        let wanted = self.deployed.iter().map(String::as_str).chain(IN);
        if let Some(missing) = wanted.into_iter().find(|name| !names.contains(name)) {
            bail!("{missing} is not in it");
        }
        if let Some(much) = OUT.into_iter().find(|name| names.contains(name)) {
            bail!("{much} is in it, which is not deployed");
        }
        let unproven = |it: &&Value| !it["hashes"].is_array() && it["group"] != "bukti";
        if let Some(component) = self.components().find(unproven) {
            bail!("{} has no checksum", component["name"]);
        }
        let unlicensed = |it: &&Value| !it["licenses"].is_array();
        if let Some(component) = self.components().find(unlicensed) {
            bail!("{} has no licence", component["name"]);
        }
        Ok(())
    }
}

/// What cargo says of the workspace and all that it is made of.
///
/// # Errors
/// What cargo says.
pub fn metadata(project: &Project) -> Result<Value> {
    let metadata = run::capture(
        project.command("cargo").args(["metadata", "--locked", "--format-version", "1"]),
        "Is Cargo.lock up to date?",
    )?;
    Ok(serde_json::from_str(&metadata)?)
}

/// The packages of the functions: what is below `functions` and has a program.
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

/// What is compiled into a package for a target, as cargo draws it: each line a depth, a name and a version.
fn tree(project: &Project, package: &str, target: &str) -> Result<String> {
    let mut tree = project.command("cargo");
    tree.args(["tree", "--locked", "--quiet", "--package", package, "--target", target]);
    // Macros run in the compiler.
    tree.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", " {p}"]);
    run::capture(&mut tree, "Is Cargo.lock up to date?")
}

/// Adds what a tree says. A crate whose own crates were drawn before is drawn without them, which adds nothing.
fn add_tree(edges: &mut BTreeMap<Crate, BTreeSet<Crate>>, tree: &str) -> Result<()> {
    let mut way: Vec<Crate> = Vec::new();
    for line in tree.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(depth), Some(name), Some(version)) = (words.next(), words.next(), words.next()) else {
            bail!("cargo tree says what cannot be read: {line}");
        };
        way.truncate(depth.parse().with_context(|| format!("no depth: {line}"))?);
        let here = (name.to_owned(), version.trim_start_matches('v').to_owned());
        edges.entry(here.clone()).or_default();
        if let Some(above) = way.last() {
            edges.entry(above.clone()).or_default().insert(here.clone());
        }
        way.push(here);
    }
    Ok(())
}

/// The checksum of each crate of a `Cargo.lock`, SHA-256.
fn checksums(lock: &str) -> BTreeMap<Crate, String> {
    let field = |package: &str, name: &str| {
        let value = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        value.and_then(|value| value.strip_suffix('"')).map(str::to_owned)
    };
    let read =
        |package| Some(((field(package, "name")?, field(package, "version")?), field(package, "checksum")?));
    lock.split("[[package]]").filter_map(read).collect()
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
    for at in edges.keys() {
        let package = packages.get(at).with_context(|| format!("cargo metadata has no {} {}", at.0, at.1))?;
        let is_root = deployed.contains(&at.0);
        if is_root {
            roots.push(reference(at));
        }
        let mut component = json!({
            "type": if is_root { "application" } else { "library" },
            "bom-ref": reference(at),
            "name": at.0,
            "version": at.1,
        });
        if package["source"].is_null() {
            component["group"] = "bukti".into();
        } else {
            component["purl"] = reference(at).into();
        }
        if let Some(checksum) = checksums.get(at) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
        if let Some(licence) = package["license"].as_str() {
            // How crates wrote "or" before SPDX.
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
    for (at, below) in edges {
        let below: Vec<String> = below.iter().map(reference).collect();
        dependencies.push(json!({"ref": reference(at), "dependsOn": below}));
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

/// A UUID of version 8 out of a hash.
fn uuid(hash: &[u8]) -> String {
    let hex = hex(hash);
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_edges_and_what_was_drawn_before_keeps_its_own() {
        let drawn = "0 a v1.0.0 (/x/a)\n1 b v2.1.0\n2 c v0.3.0\n1 c v0.3.0\n1 d v1.0.0\n2 b v2.1.0 (*)\n";
        let mut edges = BTreeMap::new();
        add_tree(&mut edges, drawn).unwrap();
        let at = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let (a, b, c, d) = (at("a", "1.0.0"), at("b", "2.1.0"), at("c", "0.3.0"), at("d", "1.0.0"));
        let expected = [
            (a, BTreeSet::from([b.clone(), c.clone(), d.clone()])),
            (b.clone(), BTreeSet::from([c.clone()])),
            (c, BTreeSet::new()),
            (d, BTreeSet::from([b])),
        ];
        assert_eq!(edges, BTreeMap::from(expected));
    }

    #[test]
    fn the_list_holds_what_is_deployed_and_is_the_same_each_time() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut project = Project::find(None).unwrap();
        project.target = folder.path().to_owned();
        let sbom = write(&project).unwrap();
        sbom.holds_what_is_deployed().unwrap();
        let functions =
            ["helpdesk", "holder", "intake", "issue", "notify", "otp", "publish", "sender", "status"]
                .map(|it| format!("bukti-{it}"));
        let site = ["bukti-site", "bukti-verifier"].map(str::to_owned);
        assert_eq!(sbom.deployed, [functions.as_slice(), &site].concat());
        let first = fs::read(&sbom.path).unwrap();
        assert_eq!(fs::read(write(&project).unwrap().path).unwrap(), first);
    }

    #[test]
    fn a_crate_that_is_missing_or_too_much_is_told() {
        let all = |names: &[&str]| {
            let components: Vec<Value> =
                names.iter().map(|name| json!({"name": name, "group": "bukti", "licenses": []})).collect();
            let document = json!({"components": components});
            Sbom { path: PathBuf::new(), deployed: vec!["bukti-otp".to_owned()], document }
        };
        let says = |names: &[&str]| all(names).holds_what_is_deployed().unwrap_err().to_string();
        assert_eq!(says(&[]), "bukti-otp is not in it");
        assert_eq!(says(&["bukti-otp"]), "aws-lc-sys is not in it");
    }
}
