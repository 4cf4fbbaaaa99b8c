//! Merges and minifies the style sheets of the site.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::files::{files_below, has_extension};

/// The last rule of the style sheet. `start.js` uses it to check that the style sheet has loaded
/// completely.
const LAST_RULE: &str = ":root{--is-whole:1}";

/// Merges and minifies all style sheets, in this order: foundation, components, pages,
/// [`LAST_RULE`].
///
/// # Errors
/// If a style sheet cannot be read.
pub fn merge(source: &Path) -> Result<String> {
    let mut css = String::new();
    for folder in ["styles", "src/components", "src/pages"] {
        let files = files_below(&source.join(folder))?;
        for file in files.iter().filter(|file| has_extension(file, &["css"])) {
            css += &fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        }
    }
    Ok(minify(&css) + LAST_RULE)
}

/// Removes comments and insignificant white space.
///
/// Keeps strings, URLs, and white space that may be significant: before a colon or bracket, after a
/// bracket, and around the operators of `calc()`.
fn minify(css: &str) -> String {
    let mut output = String::with_capacity(css.len());
    let mut rest = css;
    let mut last = "";
    let mut has_space_before = false;
    while let Some(first) = rest.chars().next() {
        let (next, after) = rest.split_at(token_length(rest, first));
        rest = after;
        if first.is_whitespace() || next.starts_with("/*") {
            has_space_before = true;
            continue;
        }
        let is_insignificant = matches!(last, "" | "{" | "}" | ";" | "," | ">" | ":" | "(")
            || matches!(next, "{" | "}" | ";" | "," | ">" | ")");
        if has_space_before && !is_insignificant {
            output.push(' ');
        }
        if next == "}" && last == ";" {
            output.pop();
        }
        output.push_str(next);
        (last, has_space_before) = (next, false);
    }
    output
}

/// Returns the length of the first token in bytes. A token is a comment, string, unquoted URL,
/// escaped character, or any other single character.
fn token_length(css: &str, first: char) -> usize {
    let through =
        |end: &str, from: usize| css[from..].find(end).map_or(css.len(), |at| from + at + end.len());
    match first {
        '/' if css.starts_with("/*") => through("*/", 2),
        '"' | '\'' => {
            let mut is_escaped = false;
            let end = css.char_indices().skip(1).find(|(_, it)| {
                let ends = *it == first && !is_escaped;
                is_escaped = *it == '\\' && !is_escaped;
                ends
            });
            end.map_or(css.len(), |(at, _)| at + 1)
        }
        // The string in a quoted URL is a separate token.
        'u' if css.starts_with("url(") && !css[4..].trim_start().starts_with(['"', '\'']) => through(")", 4),
        '\\' => first.len_utf8() + css.chars().nth(1).map_or(0, char::len_utf8),
        _ => first.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_comments_and_insignificant_white_space() {
        let css = "/* Why. */\n.a,\n.b > li {\n  margin: 0 auto; /* Both. */\n  color: red;\n}\n\n@media (min-width: 40rem) {\n  a {\n    top: 0;\n  }\n}\n";
        assert_eq!(minify(css), ".a,.b>li{margin:0 auto;color:red}@media (min-width:40rem){a{top:0}}");
    }

    #[test]
    fn keeps_significant_white_space() {
        for css in [
            ".a .b :hover,.a + .b ~ p{margin:calc(-1 * var(--a) + (2px - 1em)) 0}",
            "@media (min-width:1px) and (max-width:2px){.a:not(.b) .c{grid:auto 1fr / repeat(2,1fr) 1px}}",
        ] {
            assert_eq!(minify(css), css);
        }
    }

    #[test]
    fn keeps_strings_urls_and_escapes() {
        for css in [
            r#"a::before{content:"  /* \" } ; ' */ "}"#,
            r"a{content:'a  \' , b\\'}",
            "a{background:url(  data:,/*a  ;b*/ ) no-repeat}",
            r#"a{background:url("a)  b")}"#,
            r#"[title="a > b"] .a\, .b\: .c{color:red}"#,
        ] {
            assert_eq!(minify(css), css);
        }
    }

    #[test]
    fn keeps_unterminated_tokens() {
        assert_eq!(minify("a { } /* "), "a{}");
        assert_eq!(minify("a { content: \"  b"), "a{content:\"  b");
        assert_eq!(minify("\\"), "\\");
    }

    #[test]
    fn merges_foundation_then_components_then_pages() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "src/components/tab/tab.css",
            "src/pages/home.css",
            "styles/2.css",
            "styles/1/b.css",
            "styles/1/a.css",
        ];
        for file in files.into_iter().chain(["src/pages/home.rs"]) {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{file} {{}}\n")).unwrap();
        }
        let order = ["styles/1/a", "styles/1/b", "styles/2", "src/components/tab/tab", "src/pages/home"];
        let merged = merge(folder.path()).unwrap();
        let merged = merged.strip_suffix(LAST_RULE).unwrap();
        assert_eq!(merged.split_terminator(".css{}").collect::<Vec<_>>(), order);
    }
}
