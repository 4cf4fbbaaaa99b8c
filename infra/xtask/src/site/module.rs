//! From compiled WebAssembly to what a browser loads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::{Options, transform};

use crate::{Project, run};

/// Debian 12's wasm-opt (108) exports the table of functions under the name of wasm-bindgen's table of
/// references, and the site would not start. 120 (Debian 13) and later were seen to work. They save about 1 %
/// of the compressed size.
const WASM_OPT_FROM: u32 = 120;

/// What rustc and wasm-bindgen use; wasm-opt takes these for errors unless they are named.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The folder of the verifier, and the name of its files.
pub(super) const VERIFIER: &str = "verifier";

/// The parts of a site that are loaded when they are needed: by the name of each, its files.
pub type Parts = std::collections::HashMap<String, Vec<String>>;

/// The JavaScript that loads the parts, as the splitter writes it.
const LOADER: &str = "parts.js";

/// Cuts a site into the first part and those that are loaded when they are needed, and writes what a browser can load:
/// `NAME.js`, `NAME_bg.wasm` and the parts. `download` is the JavaScript function of that name, by which `NAME.js`
/// fetches the parts.
///
/// # Errors
/// When one of the tools cannot read the compiled site.
pub fn cut(compiled: &Path, name: &str, download: &str, folder: &Path) -> Result<Parts> {
    let wasm = fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let first = folder.join("first.wasm");
    let (main_module, link_name) = (format!("./{name}.js"), format!("./{LOADER}"));
    let mut options = Options::new(&wasm);
    options.output_dir = folder;
    options.main_out_path = &first;
    options.main_module = &main_module;
    options.link_name = &link_name;
    let split =
        transform(options).map_err(|error| anyhow!("the site cannot be cut into parts: {error:#}"))?;
    // The parts share the table of functions with the first one, which wasm-bindgen would hide.
    let mut bindgen = Bindgen::new();
    generate(bindgen.web(true)?.keep_lld_exports(true), &first, name, folder)?;
    fs::remove_file(&first)?;
    let (glue, loader) = (folder.join(format!("{name}.js")), folder.join(LOADER));
    let merged = merge(&fs::read_to_string(&glue)?, &fs::read_to_string(&loader)?, name, download)?;
    fs::remove_file(&loader)?;
    fs::write(&glue, merged)?;
    Ok(split.prefetch_map)
}

/// One JavaScript module of wasm-bindgen's and the splitter's, which import each other. A browser
/// keeps a module that it could not load, by its address: one that imports no other can be had under
/// another address at the next attempt. The parts are fetched by `download`, which does not hang.
fn merge(glue: &str, loader: &str, name: &str, download: &str) -> Result<String> {
    const FETCH: &str = "fetch(new URL(";
    const EXPORT: &str = "export const ";
    let unknown = |what: &str| anyhow!("the generated JavaScript has no `{what}`: it has another form now");
    let from_glue = format!("import {{ initSync }} from \"./{name}.js\";");
    let loader = loader.strip_prefix(&from_glue).ok_or_else(|| unknown(&from_glue))?;
    let exports: Vec<&str> =
        loader.lines().filter_map(|line| line.strip_prefix(EXPORT)?.split_whitespace().next()).collect();
    if exports.is_empty() || !loader.contains(FETCH) {
        return Err(unknown(if exports.is_empty() { EXPORT } else { FETCH }));
    }
    let from_loader = format!(" from \"./{LOADER}\"");
    let (imports, glue): (Vec<&str>, Vec<&str>) =
        glue.lines().partition(|line| line.starts_with("import ") && line.contains(&from_loader));
    let imported: Option<Vec<&str>> =
        imports.iter().map(|line| line.strip_prefix("import * as ")?.split_whitespace().next()).collect();
    let imported = imported.filter(|names| !names.is_empty()).ok_or_else(|| unknown(&from_loader))?;
    let parts: Vec<String> = imported.iter().map(|name| format!("const {name} = parts;\n")).collect();
    let loader = loader.replace(EXPORT, "const ").replace(FETCH, "download(new URL(");
    Ok(format!(
        "{download}\n{loader}\nconst parts = {{ {} }};\n{}{}\n",
        exports.join(", "),
        parts.concat(),
        glue.join("\n")
    ))
}

/// Takes names, places and notes of the compiler out of a module.
///
/// # Errors
/// When it is no module.
pub fn strip(module: &Path) -> Result<()> {
    let wasm = fs::read(module)?;
    let bare = without_custom_sections(&wasm).with_context(|| format!("{} is damaged", module.display()))?;
    Ok(fs::write(module, bare)?)
}

/// Writes `NAME.js`, a classic script for a worker (Firefox has module workers since 114 only), and
/// `NAME_bg.wasm`.
///
/// # Errors
/// When wasm-bindgen cannot read what was compiled.
pub fn bind(compiled: &Path, name: &str, folder: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    generate(bindgen.no_modules(true)?, compiled, name, folder)
}

fn generate(bindgen: &mut Bindgen, compiled: &Path, name: &str, work: &Path) -> Result<()> {
    bindgen.input_path(compiled).out_name(name).typescript(false).omit_default_module_path(true);
    bindgen.generate(work).context("wasm-bindgen cannot read the compiled site")
}

/// A wasm-opt that is new enough, if there is one.
pub fn optimiser(project: &Project) -> Option<PathBuf> {
    let path = run::found("wasm-opt")?;
    let version = run::capture(project.command(&path).arg("--version"), "").ok()?;
    let number: u32 = version.split_whitespace().find_map(|word| word.parse().ok())?;
    (number >= WASM_OPT_FROM).then_some(path)
}

/// Makes the wasm smaller by some percent, or says in a line why not.
pub fn optimise(project: &Project, optimiser: &Path, wasm: &Path) {
    let smaller = wasm.with_extension("opt.wasm");
    let mut command = project.command(optimiser);
    command.arg("-Oz").args(WASM_FEATURES).arg(wasm).arg("-o").arg(&smaller);
    let done = run::capture(&mut command, "").and_then(|_| Ok(fs::rename(&smaller, wasm)?));
    if let Err(error) = done {
        let error = format!("{error:#}");
        let first = error.lines().next().unwrap_or_default();
        run::say(format!("site: wasm-opt failed; the wasm stays a little larger: {first}"));
    }
}

/// A module without its custom sections. `None` where it is no module.
fn without_custom_sections(wasm: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 8;
    const CUSTOM: u8 = 0;
    let mut bare = wasm.get(..HEADER)?.to_vec();
    let mut at = HEADER;
    while at < wasm.len() {
        let (mut size, mut length) = (0_usize, 1);
        // The size is a LEB128 number.
        loop {
            let byte = *wasm.get(at + length)?;
            size |= usize::from(byte & 0x7f).checked_shl(7 * (u32::try_from(length).ok()? - 1))?;
            length += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = at.checked_add(length)?.checked_add(size)?;
        let section = wasm.get(at..end)?;
        if section[0] != CUSTOM {
            bare.extend_from_slice(section);
        }
        at = end;
    }
    Some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_module_imports_nothing_and_fetches_by_the_given_function() {
        let glue =
            "import * as import1 from \"./parts.js\"\nimport * as import2 from \"./parts.js\"\nlet wasm;";
        let loader = "import { initSync } from \"./bukti.js\";\nexport const load_a = () => fetch(new URL(\"./a.wasm\"));\n";
        let merged = merge(glue, loader, "bukti", "function download() {}").unwrap();
        assert!(!merged.contains("import {") && !merged.contains("import *"), "{merged}");
        assert!(merged.contains(
            "const parts = { load_a };\nconst import1 = parts;\nconst import2 = parts;\nlet wasm;"
        ));
        assert!(merged.contains("=> download(new URL(\"./a.wasm\"))"), "{merged}");
        assert!(merge(glue, "export const load_a = 1;", "bukti", "").is_err());
        assert!(merge("let wasm;", loader, "bukti", "").is_err());
    }

    #[test]
    fn custom_sections_go_and_others_stay() {
        let header = *b"\0asm\x01\0\0\0";
        let module =
            [&header[..], &[0, 5, 4, b'n', b'a', b'm', b'e'], &[1, 1, 0], &[0, 0x81, 0, 0], &[10, 1, 0]]
                .concat();
        assert_eq!(without_custom_sections(&module), Some([&header[..], &[1, 1, 0, 10, 1, 0]].concat()));
        assert_eq!(without_custom_sections(&module[..module.len() - 1]), None);
        assert_eq!(without_custom_sections(b"no"), None);
    }
}
