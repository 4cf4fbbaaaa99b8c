//! Processes compiled WebAssembly for browsers: splits it, generates JavaScript bindings, and
//! reduces its size.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::{Options, transform};

use crate::{Project, run};

/// The oldest usable version of wasm-opt, which Debian 13 provides. Version 108 of Debian 12
/// exports the function table under the name of wasm-bindgen's reference table, which breaks the
/// site. wasm-opt reduces the compressed size by about 1 %.
const MIN_WASM_OPT: u32 = 120;

/// The wasm features that rustc and wasm-bindgen use. wasm-opt rejects modules that use them unless
/// they are enabled.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The name of the verifier's output folder and files.
pub(super) const VERIFIER: &str = "verifier";

/// The lazy-loaded chunks of a site: file names, by the page or feature that needs them.
pub type Chunks = std::collections::HashMap<String, Vec<String>>;

/// The name of the splitter's JavaScript file, which loads the chunks.
const LOADER: &str = "parts.js";

/// Splits a site into the main module and lazy-loaded chunks. Writes `NAME.js`, `NAME_bg.wasm` and
/// the chunks. `download` is the source of the JavaScript function with which `NAME.js` fetches the
/// chunks.
///
/// # Errors
/// If a tool cannot process the compiled site.
pub fn split(compiled: &Path, name: &str, download: &str, folder: &Path) -> Result<Chunks> {
    let wasm = fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let main_wasm = folder.join("main.wasm");
    let (main_module, link_name) = (format!("./{name}.js"), format!("./{LOADER}"));
    let mut options = Options::new(&wasm);
    options.output_dir = folder;
    options.main_out_path = &main_wasm;
    options.main_module = &main_module;
    options.link_name = &link_name;
    let split = transform(options).map_err(|error| anyhow!("cannot split the site: {error:#}"))?;
    // The chunks import the function table of the main module, which wasm-bindgen would otherwise
    // not export.
    let mut bindgen = Bindgen::new();
    generate(bindgen.web(true)?.keep_lld_exports(true), &main_wasm, name, folder)?;
    fs::remove_file(&main_wasm)?;
    let (glue, loader) = (folder.join(format!("{name}.js")), folder.join(LOADER));
    let merged = merge(&fs::read_to_string(&glue)?, &fs::read_to_string(&loader)?, name, download)?;
    fs::remove_file(&loader)?;
    fs::write(&glue, merged)?;
    Ok(split.prefetch_map)
}

/// Merges the JavaScript modules of wasm-bindgen and the splitter, which import each other, into
/// one.
///
/// Browsers cache a failed module load by its URL, so a retry needs a different URL. This works
/// only for a module without imports. Chunks are fetched with `download`, which has a timeout.
fn merge(glue: &str, loader: &str, name: &str, download: &str) -> Result<String> {
    const FETCH: &str = "fetch(new URL(";
    const EXPORT: &str = "export const ";
    let missing = |what: &str| {
        anyhow!("the generated JavaScript has no `{what}`: adapt `merge` to the new version of the tools")
    };
    let from_glue = format!("import {{ initSync }} from \"./{name}.js\";");
    let loader = loader.strip_prefix(&from_glue).ok_or_else(|| missing(&from_glue))?;
    let exports: Vec<&str> =
        loader.lines().filter_map(|line| line.strip_prefix(EXPORT)?.split_whitespace().next()).collect();
    if exports.is_empty() || !loader.contains(FETCH) {
        return Err(missing(if exports.is_empty() { EXPORT } else { FETCH }));
    }
    let from_loader = format!(" from \"./{LOADER}\"");
    let (imports, glue): (Vec<&str>, Vec<&str>) =
        glue.lines().partition(|line| line.starts_with("import ") && line.contains(&from_loader));
    let imported: Option<Vec<&str>> =
        imports.iter().map(|line| line.strip_prefix("import * as ")?.split_whitespace().next()).collect();
    let imported = imported.filter(|names| !names.is_empty()).ok_or_else(|| missing(&from_loader))?;
    let aliases: Vec<String> = imported.iter().map(|name| format!("const {name} = parts;\n")).collect();
    let loader = loader.replace(EXPORT, "const ").replace(FETCH, "download(new URL(");
    Ok(format!(
        "{download}\n{loader}\nconst parts = {{ {} }};\n{}{}\n",
        exports.join(", "),
        aliases.concat(),
        glue.join("\n")
    ))
}

/// Removes the custom sections of a module: names, debug information, relocations and metadata.
///
/// # Errors
/// If the file is not a wasm module.
pub fn strip(module: &Path) -> Result<()> {
    let wasm = fs::read(module)?;
    let stripped = without_custom_sections(&wasm)
        .with_context(|| format!("{} is not a wasm module", module.display()))?;
    Ok(fs::write(module, stripped)?)
}

/// Writes `NAME.js`, a classic worker script, and `NAME_bg.wasm`. A module worker would require
/// Firefox 114.
///
/// # Errors
/// If wasm-bindgen cannot process the compiled module.
pub fn generate_worker(compiled: &Path, name: &str, folder: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    generate(bindgen.no_modules(true)?, compiled, name, folder)
}

fn generate(bindgen: &mut Bindgen, compiled: &Path, name: &str, work: &Path) -> Result<()> {
    bindgen.input_path(compiled).out_name(name).typescript(false).omit_default_module_path(true);
    bindgen.generate(work).context("wasm-bindgen cannot process the compiled module")
}

/// Finds a sufficiently recent wasm-opt; `None` if there is none.
pub fn find_optimiser(project: &Project) -> Option<PathBuf> {
    let path = run::find_program("wasm-opt")?;
    let version = run::capture(project.command(&path).arg("--version"), "").ok()?;
    let number: u32 = version.split_whitespace().find_map(|word| word.parse().ok())?;
    (number >= MIN_WASM_OPT).then_some(path)
}

/// Reduces the size of a module with wasm-opt. If that fails, prints the reason and keeps the
/// module unchanged.
pub fn optimise(project: &Project, optimiser: &Path, wasm: &Path) {
    let optimised = wasm.with_extension("opt.wasm");
    let mut command = project.command(optimiser);
    command.arg("-Oz").args(WASM_FEATURES).arg(wasm).arg("-o").arg(&optimised);
    let result = run::capture(&mut command, "").and_then(|_| Ok(fs::rename(&optimised, wasm)?));
    if let Err(error) = result {
        let error = format!("{error:#}");
        let first_line = error.lines().next().unwrap_or_default();
        run::print_status(format!("site: wasm-opt failed, so the wasm is about 1 % larger: {first_line}"));
    }
}

/// Removes the custom sections; `None` if the bytes are not a wasm module.
fn without_custom_sections(wasm: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 8;
    const CUSTOM: u8 = 0;
    let mut stripped = wasm.get(..HEADER)?.to_vec();
    let mut at = HEADER;
    while at < wasm.len() {
        let (mut size, mut length) = (0_usize, 1);
        // The section size is encoded as LEB128.
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
            stripped.extend_from_slice(section);
        }
        at = end;
    }
    Some(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_module_has_no_imports_and_fetches_by_download() {
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
    fn removes_custom_sections_only() {
        let header = *b"\0asm\x01\0\0\0";
        let module =
            [&header[..], &[0, 5, 4, b'n', b'a', b'm', b'e'], &[1, 1, 0], &[0, 0x81, 0, 0], &[10, 1, 0]]
                .concat();
        assert_eq!(without_custom_sections(&module), Some([&header[..], &[1, 1, 0, 10, 1, 0]].concat()));
        assert_eq!(without_custom_sections(&module[..module.len() - 1]), None);
        assert_eq!(without_custom_sections(b"no"), None);
    }
}
