//! Installing what a task needs and the machine lacks: Debian packages, Python packages, npm packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::{Project, files, run};

/// Package lists older than this are fetched again before an install.
const LISTS_KEEP: Duration = Duration::from_secs(24 * 60 * 60);
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The variable that forbids to install.
const NO_INSTALL: &str = "BUKTI_NO_INSTALL";

/// Installs Debian packages, as root or by a `sudo` that asks for no password.
///
/// # Errors
/// Where that is not possible; the message is the command to run by hand.
pub fn apt_install(project: &Project, packages: &[&str], why: &str) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    check_may_install(&packages.join(", "), why)?;
    if run::found("apt-get").is_none() {
        bail!("{} needed {why}, and there is no apt-get here. On Debian: `{by_hand}`", packages.join(", "));
    }
    let root = run::capture(project.command("id").arg("-u"), "")?.trim() == "0";
    let sudo = !root && run::capture(project.command("sudo").args(["-n", "true"]), "").is_ok();
    if !root && !sudo {
        bail!("{} needed {why}. Run `sudo {by_hand}` and try again", packages.join(", "));
    }
    run::say(format!("installing {} by apt-get, {why}", packages.join(", ")));
    let apt = |arguments: &[&str]| {
        let mut command = project.command(if root { "env" } else { "sudo" });
        if sudo {
            command.arg("-n");
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]).args(arguments);
        let log = project.target.join("xtask-logs/apt.log");
        run::quietly(&mut command, &log, LIMIT, &format!("Run `{by_hand}` as root to see why."))
    };
    if !lists_are_fresh() {
        apt(&["update"])?;
    }
    // Nothing that is already on the machine may go for it.
    let mut install = vec!["install", "--yes", "--no-remove", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).or_else(|_| {
        // The lists may name a version that the server no longer has.
        apt(&["update"])?;
        apt(&install)
    })
}

/// Checks that installing is allowed on this machine.
///
/// # Errors
/// Where it is forbidden; the message says what was needed and why.
pub fn check_may_install(what: &str, why: &str) -> Result<()> {
    if std::env::var_os(NO_INSTALL).is_some_and(|value| !value.is_empty() && value != "0") {
        bail!("{what} needed {why}; {NO_INSTALL} is set, so nothing is installed");
    }
    Ok(())
}

fn lists_are_fresh() -> bool {
    let Ok(lists) = fs::read_dir("/var/lib/apt/lists") else { return false };
    lists.flatten().any(|list| {
        let of_packages = list.file_name().to_string_lossy().contains("_Packages");
        let made = list.metadata().and_then(|metadata| metadata.modified());
        // apt keeps the server's time on a list, so the folder's own time counts as well.
        let fetched = fs::metadata("/var/lib/apt/lists/partial").and_then(|metadata| metadata.modified());
        of_packages && [made, fetched].into_iter().flatten().any(|time| younger(time, LISTS_KEEP))
    })
}

fn younger(time: SystemTime, age: Duration) -> bool {
    time.elapsed().map_or(true, |elapsed| elapsed < age)
}

/// Finds a program, or installs the Debian packages that bring it.
///
/// # Errors
/// As [`apt_install`].
pub fn program(project: &Project, names: &[&str], packages: &[&str], why: &str) -> Result<PathBuf> {
    let find = || names.iter().find_map(|name| run::found(name));
    if let Some(path) = find() {
        return Ok(path);
    }
    apt_install(project, packages, why)?;
    find().with_context(|| format!("{} did not bring {}", packages.join(", "), names.join(" or ")))
}

/// Finds the browser, which the variable `CHROMIUM` may name, or installs it.
///
/// # Errors
/// As [`apt_install`].
pub fn chromium(project: &Project, why: &str) -> Result<PathBuf> {
    match std::env::var_os("CHROMIUM") {
        Some(path) => Ok(path.into()),
        None => program(project, &["chromium", "chromium-browser", "google-chrome"], &["chromium"], why),
    }
}

/// Finds Firefox and WebKitGTK with what drives it, or installs them; gives the variables that the
/// journeys in several engines read.
///
/// # Errors
/// As [`apt_install`].
pub fn engines(project: &Project, why: &str) -> Result<Vec<(&'static str, PathBuf)>> {
    let webkit = ["webkit2gtk-driver"];
    Ok(vec![
        ("FIREFOX", program(project, &["firefox-esr", "firefox"], &["firefox-esr"], why)?),
        ("WEBKIT_DRIVER", program(project, &["WebKitWebDriver"], &webkit, why)?),
        ("MINI_BROWSER", mini_browser().with_context(|| format!("{} has no MiniBrowser", webkit[0]))?),
        ("XVFB", program(project, &["Xvfb"], &["xvfb"], why)?),
    ])
}

/// WebKitGTK's small browser, which is beside its library: `/usr/lib/ARCHITECTURE/webkit2gtk-VERSION/`.
fn mini_browser() -> Option<PathBuf> {
    let folders =
        |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let libraries = folders("/usr/lib".into()).flat_map(folders);
    libraries
        .filter(|path| path.to_string_lossy().contains("/webkit"))
        .map(|path| path.join("MiniBrowser"))
        .find(|path| path.is_file())
}

/// Finds a program of crates.io, or installs it into the target folder.
///
/// # Errors
/// When it cannot be downloaded or does not compile.
pub fn cargo_install(project: &Project, name: &str, why: &str) -> Result<PathBuf> {
    let root = project.target.join("tools");
    let program = root.join("bin").join(name);
    if let Some(path) = run::found(name).or_else(|| program.is_file().then(|| program.clone())) {
        return Ok(path);
    }
    check_may_install(&format!("{name} from crates.io"), why)?;
    run::say(format!("installing {name} from crates.io, {why}"));
    let mut install = project.command("cargo");
    install.args(["install", "--locked", "--root"]).arg(&root).arg(name);
    let log = project.target.join(format!("xtask-logs/{name}.log"));
    run::quietly(&mut install, &log, LIMIT, "Is crates.io reachable?")?;
    Ok(program)
}

/// A Python environment in the target folder that holds what a requirements file names; installed again only
/// when that file changed. Gives the environment's `bin` folder.
///
/// # Errors
/// When Python, its venv module or a package cannot be installed.
pub fn venv(project: &Project, name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| {
        format!("cannot read {}, which names the Python packages", project.show(requirements))
    })?;
    let folder = project.target.join(name);
    let bin = folder.join("bin");
    let stamp = folder.join("requirements.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) && bin.join("python").exists() {
        run::say(format!("{} holds what {} names", project.show(&folder), project.show(requirements)));
        return Ok(bin);
    }
    let python = program(project, &["python3"], &["python3", "python3-venv"], "for the Python tools")?;
    // Debian ships Python without ensurepip, which the venv module needs.
    if run::capture(project.command(&python).args(["-c", "import ensurepip, venv"]), "").is_err() {
        apt_install(project, &["python3-venv"], "for the Python tools")?;
    }
    let named = format!("what {} names from PyPI", project.show(requirements));
    check_may_install(&named, "for the Python tools")?;
    run::say(format!("installing {named}"));
    let log = project.target.join("xtask-logs/pip.log");
    let mut make = project.command(&python);
    run::quietly(make.args(["-m", "venv", "--clear"]).arg(&folder), &log, LIMIT, "")?;
    let mut pip = project.command(bin.join("python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
    if wanted.contains("--hash=") {
        // All that is needed is named, so nothing has to be resolved; pip before 24 cannot where packages have extras.
        pip.args(["--require-hashes", "--no-deps"]);
    }
    pip.arg("--requirement").arg(requirements);
    run::quietly(&mut pip, &log, LIMIT, "Is PyPI reachable?")?;
    fs::write(&stamp, wanted)?;
    Ok(bin)
}

/// The Python environment of the tests; gives its interpreter.
///
/// # Errors
/// As [`venv`] and [`apt_install`].
pub fn python(project: &Project) -> Result<PathBuf> {
    let python = venv(project, "venv", &project.root.join("tests/requirements.txt"))?.join("python");
    // The one package that does not bring its library.
    if run::capture(project.command(&python).args(["-c", "import pyzbar.pyzbar"]), "").is_err() {
        apt_install(project, &["libzbar0"], "to scan QRs with a second decoder")?;
    }
    Ok(python)
}

/// Installs what a `package.json` in `folder` names, unless that was done before.
///
/// # Errors
/// When node, npm or a package cannot be installed.
pub fn npm_install(project: &Project, folder: &Path) -> Result<()> {
    let locked = folder.join("package-lock.json").is_file();
    let list = if locked { "package-lock.json" } else { "package.json" };
    let wanted = fs::read_to_string(folder.join(list))
        .with_context(|| format!("cannot read {}", project.show(&folder.join(list))))?;
    let stamp = folder.join("node_modules/.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    let npm = program(project, &["npm"], &["npm"], "for the packages of tests")?;
    let named = format!("what {} names from npm", project.show(&folder.join(list)));
    check_may_install(&named, "for the packages of tests")?;
    run::say(format!("installing {named}"));
    let mut install = project.command(npm);
    install.arg(if locked { "ci" } else { "install" });
    install.args(["--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder).current_dir(folder);
    let log = project.target.join("xtask-logs/npm.log");
    run::quietly(&mut install, &log, LIMIT, "Is the npm registry reachable?")?;
    fs::write(&stamp, wanted)?;
    Ok(())
}

/// Brings a copy of a folder up to date, leaving its `node_modules`: node looks for packages beside the script that
/// imports them, and those do not belong among the sources.
///
/// # Errors
/// When a file cannot be read or written.
pub fn renew_copy(source: &Path, copy: &Path) -> Result<()> {
    if copy.is_dir() {
        for entry in fs::read_dir(copy)?.flatten().filter(|entry| entry.file_name() != "node_modules") {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    files::copy_below(source, copy)
}
