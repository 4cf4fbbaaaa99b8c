//! Checks, compiles and deploys the functions and the site.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::files::hex;
use crate::toolchain::Choice;
use crate::{Project, run, sbom, site, tools};

/// A script that uploads the site with boto3, which the SAM CLI includes.
const UPLOAD_SITE: &str = include_str!("upload_site.py");

#[derive(Args)]
pub struct Options {
    /// An environment in samconfig.toml.
    #[arg(long, value_name = "NAME", default_value = "dev")]
    config_env: String,
    /// Compile the site with this toolchain only, instead of the first that works.
    #[arg(long, value_enum, value_name = "TOOLCHAIN")]
    wasm_toolchain: Option<Choice>,
}

/// Compiles and deploys the functions, then uploads the changed files of the site.
pub fn deploy(project: &Project, options: &Options) -> Result<()> {
    let sam = Sam::install(project)?;
    let site = site::build(project, options.wasm_toolchain)?;
    let config_env = ["--config-env", &options.config_env];
    let mut build = sam.command("sam")?;
    // This makes the programs a tenth smaller, but doubles the build time.
    build.arg("build").args(config_env).env("CARGO_PROFILE_RELEASE_LTO", "fat");
    run::stream(&mut build, "The message above names the function.")?;
    let built = project.root.join(".aws-sam/build");
    check_programs(&built)?;
    let settings = fs::read(project.root.join("samconfig.toml"))?;
    add_version(&built, &settings)?;
    let mut deploy = sam.command("sam")?;
    deploy.arg("deploy").args(config_env).arg("--no-fail-on-empty-changeset");
    run::stream(&mut deploy, "See the message above. CloudFormation has rolled back what it changed.")?;

    let mut list = sam.command("sam")?;
    list.args(["list", "stack-outputs", "--output", "json"]).args(config_env);
    let outputs: Vec<Value> = serde_json::from_str(&run::capture(&mut list, "")?)?;
    let output = |name: &str| {
        let found = outputs.iter().find(|output| output["OutputKey"] == name);
        let value = found.and_then(|output| output["OutputValue"].as_str());
        value.with_context(|| format!("the CloudFormation stack has no output {name}"))
    };
    let mut upload = sam.command("python")?;
    upload.args(["-c", UPLOAD_SITE]).arg(&site).args([output("SiteBucket")?, output("Distribution")?]);
    let settings = project.target.join("site-settings.json");
    fs::write(&settings, output("SiteSettings")?)?;
    upload.stdin(Stdio::from(fs::File::open(&settings)?));
    run::stream(
        &mut upload,
        "The functions are deployed, but the upload of the site failed. Run the command again.",
    )?;
    run::print_status(format!("deployed: {}", output("SiteAddress")?));
    Ok(())
}

/// Adds a hash of code, template and settings to the description of each function, so that a change
/// to any of them publishes a new version. The API invokes the alias of the latest version, and SAM
/// itself does not publish one if only a parameter changes.
fn add_version(built: &Path, settings: &[u8]) -> Result<()> {
    let path = built.join("template.yaml");
    let template = fs::read_to_string(&path)?;
    let mut hash = Sha256::new_with_prefix(&template);
    hash.update(settings);
    let mut functions: Vec<PathBuf> =
        fs::read_dir(built)?.flatten().map(|entry| entry.path().join("bootstrap")).collect();
    functions.sort();
    for function in functions.iter().filter(|function| function.is_file()) {
        hash.update(Sha256::digest(fs::read(function)?));
    }
    let version = &hex(&hash.finalize())[..12];
    let versioned =
        with_version(&template, version).context("the built template has no `AutoPublishAlias: live`")?;
    fs::write(&path, versioned).with_context(|| format!("cannot write {}", path.display()))
}

fn with_version(template: &str, version: &str) -> Option<String> {
    const ALIAS: &str = "    AutoPublishAlias: live\n";
    let (before, after) = template.split_once(ALIAS)?;
    Some(format!("{before}{ALIAS}    Description: Bukti {version}\n{after}"))
}

/// The glibc version of Amazon Linux 2023.
const MAX_GLIBC: (u32, u32) = (2, 34);

/// The SAM CLI and the programs that it calls, in a separate Python environment.
struct Sam<'project> {
    project: &'project Project,
    bin: PathBuf,
}

impl<'project> Sam<'project> {
    fn install(project: &'project Project) -> Result<Self> {
        let bin = tools::venv(project, "venv-sam", &project.root.join("tests/requirements-sam.txt"))?;
        Ok(Self { project, bin })
    }

    /// Returns a command for a program of the Python environment, for use without AWS. Dummy access
    /// keys and a region are set, because the programs require them.
    fn offline(&self, program: &str) -> Result<Command> {
        let mut command = self.command(program)?;
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"AWS_"))
        {
            command.env_remove(name);
        }
        command.env("AWS_DEFAULT_REGION", "ap-southeast-3");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        Ok(command)
    }

    /// Returns a command for a program of the Python environment, with the caller's AWS settings.
    fn command(&self, program: &str) -> Result<Command> {
        // sam calls cargo-lambda and zig by name; both are in its Python environment.
        let mut path = vec![self.bin.clone()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut command = self.project.command(self.bin.join(program));
        command.env("PATH", std::env::join_paths(path)?);
        command.env("SAM_CLI_TELEMETRY", "0");
        Ok(command)
    }
}

/// Installs the SAM CLI, and Node for [`check`].
///
/// # Errors
/// If either cannot be installed.
pub fn install_tools(project: &Project) -> Result<()> {
    Sam::install(project)?;
    node(project).map(drop)
}

fn node(project: &Project) -> Result<PathBuf> {
    tools::program(project, &["node", "nodejs"], &["nodejs"], "to test the functions of CloudFront")
}

/// Checks the templates with sam, cfn-lint and our tests, and tests the CloudFront functions. Then
/// compiles the Lambda functions and deploys everything to an emulated account.
///
/// # Errors
/// If a check fails. Later checks are then skipped.
pub fn check(project: &Project) -> Result<()> {
    let sam = Sam::install(project)?;
    let templates = templates(project)?;
    for template in &templates {
        let mut validate = sam.offline("sam")?;
        validate.args(["validate", "--lint", "--template-file"]).arg(template);
        run::stream(&mut validate, "Fix the template as sam says above.")?;
    }
    let mut lint = sam.offline("cfn-lint")?;
    run::stream(lint.arg("--").args(&templates), "Fix the template as cfn-lint says above.")?;
    let tests = project.root.join("tests/deploy");
    let mut template_test = sam.offline("python")?;
    template_test.env("PYTHONDONTWRITEBYTECODE", "1").arg(tests.join("template_test.py"));
    run::stream(&mut template_test, "The template lacks a property that the test above names.")?;
    let mut edge_test = project.command(node(project)?);
    edge_test.arg("--test").arg(tests.join("edge.test.mjs"));
    run::stream(&mut edge_test, "A function of CloudFront fails the tests above.")?;
    let built = build(&sam)?;
    let mut deployed_test = project.command("cargo");
    // `--workspace` keeps the feature set the same as in `cargo test`, so that packages are not
    // recompiled.
    deployed_test.args([
        "test",
        "--workspace",
        "--test",
        "deployed",
        "--",
        "--include-ignored",
        "--nocapture",
    ]);
    deployed_test
        .env("BUKTI_SAM", &sam.bin)
        .env("BUKTI_BUILT", built)
        .env("BUKTI_PYTHON", tools::python(project)?);
    run::stream(&mut deployed_test, "The deployed stack failed the tests above.")
}

/// Lists the CloudFormation templates in `infra`.
fn templates(project: &Project) -> Result<Vec<PathBuf>> {
    let mut templates: Vec<PathBuf> = fs::read_dir(project.root.join("infra"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    templates.sort();
    Ok(templates)
}

/// Compiles all functions with `sam build`, but without link-time optimisation, which would take
/// most of the time. Returns the output folder.
fn build(sam: &Sam<'_>) -> Result<PathBuf> {
    let built = sam.project.target.join("sam");
    let mut build = sam.offline("sam")?;
    build.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    build.args(["build", "--parallel", "--no-cached", "--template-file"]);
    build.arg(sam.project.root.join("infra/template.yaml")).arg("--build-dir").arg(&built);
    run::stream(&mut build, "The message above names the function.")?;
    check_programs(&built)?;
    Ok(built)
}

/// Compiles all functions as for a deployment, and prints the sizes of their zip files. Returns the
/// folder with the programs, and the size of the largest zip file in megabytes.
pub fn build_functions(project: &Project) -> Result<(PathBuf, f64)> {
    let sam = Sam::install(project)?;
    let mut build = sam.command("cargo-lambda")?;
    build.args(["lambda", "build", "--release"]).env("CARGO_PROFILE_RELEASE_LTO", "fat");
    for name in sbom::functions(&sbom::metadata(project)?) {
        build.args(["--bin", &name]);
    }
    // This removes the programs of functions that no longer exist.
    let built = project.target.join("lambda");
    let _ = fs::remove_dir_all(&built);
    run::stream(&mut build, "See the compiler's message above.")?;
    let largest = check_programs(&built)?;
    Ok((built, largest))
}

/// Checks that the functions need no newer glibc than Lambda provides, and prints the size of each
/// zip file. Returns the size of the largest one, in megabytes.
fn check_programs(built: &Path) -> Result<f64> {
    let mut folders: Vec<PathBuf> = fs::read_dir(built)?.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let mut largest: f64 = 0.0;
    for folder in folders {
        let bootstrap = folder.join("bootstrap");
        if !bootstrap.is_file() {
            continue;
        }
        let program = fs::read(&bootstrap)?;
        if let Some((major, minor)) = glibc_needed(&program)
            && (major, minor) > MAX_GLIBC
        {
            bail!("{} needs glibc {major}.{minor}, which is newer than Lambda's", bootstrap.display());
        }
        let zipped = zipped_mb(&program)?;
        largest = largest.max(zipped);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        run::print_status(format!("{name}: {zipped:.2} MB zipped"));
    }
    Ok(largest)
}

/// Computes the compressed size of a file in a zip archive, in megabytes.
fn zipped_mb(file: &[u8]) -> Result<f64> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(file)?;
    Ok(encoder.finish()?.len() as f64 / 1e6)
}

/// Finds the highest glibc version that the symbols of a program require.
fn glibc_needed(program: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let version = |at: usize| {
        let rest = program.get(at + NAME.len()..)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let mut parts = std::str::from_utf8(&rest[..end]).ok()?.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let names = program.windows(NAME.len()).enumerate().filter(|(_, bytes)| *bytes == NAME);
    names.filter_map(|(at, _)| version(at)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tools run with production credentials, so their versions are pinned. If one package has
    /// a hash, pip requires hashes for all.
    #[test]
    fn deploy_tools_are_pinned_by_hash() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
        let read = |name: &str| fs::read_to_string(tests.join(name)).unwrap();
        let pinned = read("requirements-sam.txt").replace("\\\n", "");
        let pinned: Vec<&str> = pinned.lines().filter(|line| !line.starts_with('#')).collect();
        for line in &pinned {
            let package = line.split_once(" --hash=sha256:").map(|(package, _)| package);
            assert!(package.is_some_and(|it| it.contains("==") && !it.contains("://")), "{line}");
        }
        for package in read("requirements-sam.in").lines() {
            assert!(pinned.iter().any(|line| line.starts_with(&format!("{package}=="))), "{package}");
        }
    }

    #[test]
    fn version_changes_with_code_template_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("template.yaml");
        let bootstrap = folder.path().join("AFunction/bootstrap");
        fs::create_dir(bootstrap.parent().unwrap()).unwrap();
        let version = |code: &str, template: &str, settings: &str| {
            fs::write(&bootstrap, code).unwrap();
            fs::write(&path, template).unwrap();
            add_version(folder.path(), settings.as_bytes()).unwrap();
            fs::read_to_string(&path).unwrap()
        };
        let template = "Globals:\n  Function:\n    AutoPublishAlias: live\n    Timeout: 1\n";
        let first = version("code", template, "settings");
        assert!(first.contains("live\n    Description: Bukti ") && first.ends_with("\n    Timeout: 1\n"));
        assert_eq!(version("code", template, "settings"), first, "the version changed without a change");
        assert_ne!(version("code2", template, "settings"), first);
        assert_ne!(version("code", template, "settings2"), first);
        fs::write(&path, "Globals: {}\n").unwrap();
        assert!(add_version(folder.path(), b"").is_err());
    }

    #[test]
    fn finds_the_highest_version_of_glibc() {
        let program = b"\0GLIBC_2.2.5\0libc.so.6\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0GLIBC_";
        assert_eq!(glibc_needed(program), Some((2, 34)));
        assert_eq!(glibc_needed(b"no libc"), None);
    }
}
