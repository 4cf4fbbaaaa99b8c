//! Installs programs and packages that tasks need, from Debian, crates.io, PyPI and npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::{Project, files, run};

/// The maximum age of apt's package lists. Older lists are fetched again before an installation.
const MAX_LIST_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time limit for an installation.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The environment variable that forbids installations.
const NO_INSTALL: &str = "BUKTI_NO_INSTALL";

/// Installs Debian packages, as root or with passwordless `sudo`.
///
/// # Errors
/// If the installation is not possible. The message contains the command to run by hand.
pub fn apt_install(project: &Project, packages: &[&str], why: &str) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    check_may_install(&packages.join(", "), why)?;
    if run::find_program("apt-get").is_none() {
        bail!("cannot install {} {why}: there is no apt-get. On Debian run `{by_hand}`", packages.join(", "));
    }
    let root = run::capture(project.command("id").arg("-u"), "")?.trim() == "0";
    let sudo = !root && run::capture(project.command("sudo").args(["-n", "true"]), "").is_ok();
    if !root && !sudo {
        bail!("cannot install {} {why}: run `sudo {by_hand}`, then repeat the task", packages.join(", "));
    }
    run::print_status(format!("installing {} by apt-get, {why}", packages.join(", ")));
    let apt = |arguments: &[&str]| {
        let mut command = project.command(if root { "env" } else { "sudo" });
        if sudo {
            command.arg("-n");
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]).args(arguments);
        let log = project.target.join("xtask-logs/apt.log");
        run::to_log(&mut command, &log, LIMIT, &format!("Run `{by_hand}` as root to see why."))
    };
    if !lists_are_fresh() {
        apt(&["update"])?;
    }
    // The installation must not remove other packages.
    let mut install = vec!["install", "--yes", "--no-remove", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).or_else(|_| {
        // The lists may name versions that the server no longer has.
        apt(&["update"])?;
        apt(&install)
    })
}

/// Checks that installations are allowed on this machine.
///
/// # Errors
/// If installations are forbidden. The message says what is needed and why.
pub fn check_may_install(what: &str, why: &str) -> Result<()> {
    if std::env::var_os(NO_INSTALL).is_some_and(|value| !value.is_empty() && value != "0") {
        bail!("cannot install {what} {why}: {NO_INSTALL} is set. Unset it, or install by hand");
    }
    Ok(())
}

fn lists_are_fresh() -> bool {
    let Ok(lists) = fs::read_dir("/var/lib/apt/lists") else { return false };
    lists.flatten().any(|list| {
        let is_package_list = list.file_name().to_string_lossy().contains("_Packages");
        let modified = list.metadata().and_then(|metadata| metadata.modified());
        // apt sets the modification time of a list to the time of the server's file, so the
        // folder's time is checked as well.
        let fetched = fs::metadata("/var/lib/apt/lists/partial").and_then(|metadata| metadata.modified());
        is_package_list
            && [modified, fetched].into_iter().flatten().any(|time| is_younger(time, MAX_LIST_AGE))
    })
}

fn is_younger(time: SystemTime, age: Duration) -> bool {
    time.elapsed().map_or(true, |elapsed| elapsed < age)
}

/// Finds a program, or installs the Debian packages that provide it.
///
/// # Errors
/// See [`apt_install`].
pub fn program(project: &Project, names: &[&str], packages: &[&str], why: &str) -> Result<PathBuf> {
    let find = || names.iter().find_map(|name| run::find_program(name));
    if let Some(path) = find() {
        return Ok(path);
    }
    apt_install(project, packages, why)?;
    find().with_context(|| {
        format!("{} is installed, but {} is missing", packages.join(", "), names.join(" or "))
    })
}

/// Finds or installs Chromium. The environment variable `CHROMIUM` overrides the path.
///
/// # Errors
/// See [`apt_install`].
pub fn chromium(project: &Project, why: &str) -> Result<PathBuf> {
    match std::env::var_os("CHROMIUM") {
        Some(path) => Ok(path.into()),
        None => program(project, &["chromium", "chromium-browser", "google-chrome"], &["chromium"], why),
    }
}

/// Finds or installs Firefox, and WebKitGTK with its driver. Returns their paths as environment
/// variables for the journeys.
///
/// # Errors
/// See [`apt_install`].
pub fn engines(project: &Project, why: &str) -> Result<Vec<(&'static str, PathBuf)>> {
    let webkit = ["webkit2gtk-driver"];
    Ok(vec![
        ("FIREFOX", program(project, &["firefox-esr", "firefox"], &["firefox-esr"], why)?),
        ("WEBKIT_DRIVER", program(project, &["WebKitWebDriver"], &webkit, why)?),
        ("MINI_BROWSER", mini_browser().with_context(|| format!("{} has no MiniBrowser", webkit[0]))?),
        ("XVFB", program(project, &["Xvfb"], &["xvfb"], why)?),
    ])
}

/// Finds WebKitGTK's MiniBrowser in `/usr/lib/ARCHITECTURE/webkit2gtk-VERSION/`.
fn mini_browser() -> Option<PathBuf> {
    let entries =
        |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let libraries = entries("/usr/lib".into()).flat_map(entries);
    libraries
        .filter(|path| path.to_string_lossy().contains("/webkit"))
        .map(|path| path.join("MiniBrowser"))
        .find(|path| path.is_file())
}

/// Finds a program, or installs it from crates.io into the target folder.
///
/// # Errors
/// If the program cannot be downloaded or compiled.
pub fn cargo_install(project: &Project, name: &str, why: &str) -> Result<PathBuf> {
    let root = project.target.join("tools");
    let program = root.join("bin").join(name);
    if let Some(path) = run::find_program(name).or_else(|| program.is_file().then(|| program.clone())) {
        return Ok(path);
    }
    check_may_install(&format!("{name} from crates.io"), why)?;
    run::print_status(format!("installing {name} from crates.io, {why}"));
    let mut install = project.command("cargo");
    install.args(["install", "--locked", "--root"]).arg(&root).arg(name);
    let log = project.target.join(format!("xtask-logs/{name}.log"));
    run::to_log(&mut install, &log, LIMIT, "Check that crates.io is reachable.")?;
    Ok(program)
}

/// Installs the packages of a requirements file into a Python environment in the target folder, if
/// the file has changed. Returns the environment's `bin` folder.
///
/// # Errors
/// If Python, its module venv, or a package cannot be installed.
pub fn venv(project: &Project, name: &str, requirements: &Path) -> Result<PathBuf> {
    let required = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", project.relative(requirements)))?;
    let folder = project.target.join(name);
    let bin = folder.join("bin");
    let stamp = folder.join("requirements.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == required) && bin.join("python").exists()
    {
        run::print_status(format!(
            "{} has the packages of {}",
            project.relative(&folder),
            project.relative(requirements)
        ));
        return Ok(bin);
    }
    let python = program(project, &["python3"], &["python3", "python3-venv"], "for the Python tools")?;
    // Debian's python3 lacks ensurepip, which the module venv needs.
    if run::capture(project.command(&python).args(["-c", "import ensurepip, venv"]), "").is_err() {
        apt_install(project, &["python3-venv"], "for the Python tools")?;
    }
    let packages = format!("packages of {} from PyPI", project.relative(requirements));
    check_may_install(&packages, "for the Python tools")?;
    run::print_status(format!("installing {packages}"));
    let log = project.target.join("xtask-logs/pip.log");
    let mut venv = project.command(&python);
    run::to_log(venv.args(["-m", "venv", "--clear"]).arg(&folder), &log, LIMIT, "")?;
    let mut pip = project.command(bin.join("python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
    if required.contains("--hash=") {
        // The file lists all transitive dependencies, so pip does not have to resolve them. Before
        // version 24, pip cannot resolve hashed packages that have extras.
        pip.args(["--require-hashes", "--no-deps"]);
    }
    pip.arg("--requirement").arg(requirements);
    run::to_log(&mut pip, &log, LIMIT, "Check that PyPI is reachable.")?;
    fs::write(&stamp, required)?;
    Ok(bin)
}

/// Installs the Python environment of the tests. Returns the path of its interpreter.
///
/// # Errors
/// See [`venv`] and [`apt_install`].
pub fn python(project: &Project) -> Result<PathBuf> {
    let python = venv(project, "venv", &project.root.join("tests/requirements.txt"))?.join("python");
    // pyzbar does not include the native library that it loads.
    if run::capture(project.command(&python).args(["-c", "import pyzbar.pyzbar"]), "").is_err() {
        apt_install(project, &["libzbar0"], "to scan QR codes with a second decoder")?;
    }
    Ok(python)
}

/// Installs the npm packages of `folder`, if its package list has changed.
///
/// # Errors
/// If Node, npm or a package cannot be installed.
pub fn npm_install(project: &Project, folder: &Path) -> Result<()> {
    let is_locked = folder.join("package-lock.json").is_file();
    let list = if is_locked { "package-lock.json" } else { "package.json" };
    let required = fs::read_to_string(folder.join(list))
        .with_context(|| format!("cannot read {}", project.relative(&folder.join(list))))?;
    let stamp = folder.join("node_modules/.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == required) {
        return Ok(());
    }
    let npm = program(project, &["npm"], &["npm"], "for the tests")?;
    let packages = format!("packages of {} from npm", project.relative(&folder.join(list)));
    check_may_install(&packages, "for the tests")?;
    run::print_status(format!("installing {packages}"));
    let mut install = project.command(npm);
    install.arg(if is_locked { "ci" } else { "install" });
    install.args(["--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder).current_dir(folder);
    let log = project.target.join("xtask-logs/npm.log");
    run::to_log(&mut install, &log, LIMIT, "Check that the npm registry is reachable.")?;
    fs::write(&stamp, required)?;
    Ok(())
}

/// Updates a copy of a folder, keeping the `node_modules` of the copy. The copy is needed because
/// Node resolves packages relative to the importing script, and packages must not be installed in
/// the source folder.
///
/// # Errors
/// If a file cannot be read or written.
pub fn refresh_copy(source: &Path, copy: &Path) -> Result<()> {
    if copy.is_dir() {
        for entry in fs::read_dir(copy)?.flatten().filter(|entry| entry.file_name() != "node_modules") {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    files::copy_below(source, copy)
}
