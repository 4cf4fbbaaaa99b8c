//! The style sheets as browsers get them: one, and small.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::files::{files_below, has_extension};

/// The last rule: `start.js` finds by it whether the style sheet came whole.
const LAST_RULE: &str = ":root{--is-whole:1}";

/// All style sheets as one, without what browsers do not need: the foundation, then what each component and each page adds
/// to it, then [`LAST_RULE`].
///
/// # Errors
/// When one cannot be read.
pub fn all(source: &Path) -> Result<String> {
    let mut css = String::new();
    for folder in ["styles", "src/components", "src/pages"] {
        let files = files_below(&source.join(folder))?;
        for file in files.iter().filter(|file| has_extension(file, &["css"])) {
            css += &fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        }
    }
    Ok(minified(&css) + LAST_RULE)
}

/// A style sheet without comments and without the white space that means nothing.
///
/// Strings and addresses stay as they are. So does white space before a colon or a bracket, after a bracket, and around signs
/// that `calc()` knows: there it can mean something.
fn minified(css: &str) -> String {
    let mut small = String::with_capacity(css.len());
    let mut rest = css;
    let mut last = "";
    let mut is_apart = false;
    while let Some(first) = rest.chars().next() {
        let (next, after) = rest.split_at(length_of_next(rest, first));
        rest = after;
        if first.is_whitespace() || next.starts_with("/*") {
            is_apart = true;
            continue;
        }
        let is_needless = matches!(last, "" | "{" | "}" | ";" | "," | ">" | ":" | "(")
            || matches!(next, "{" | "}" | ";" | "," | ">" | ")");
        if is_apart && !is_needless {
            small.push(' ');
        }
        if next == "}" && last == ";" {
            small.pop();
        }
        small.push_str(next);
        (last, is_apart) = (next, false);
    }
    small
}

/// How many bytes belong together at the beginning of a style sheet: a comment, a string, a bare address, an escaped character,
/// or else one character.
fn length_of_next(css: &str, first: char) -> usize {
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
        // One in quotes is a string like others.
        'u' if css.starts_with("url(") && !css[4..].trim_start().starts_with(['"', '\'']) => through(")", 4),
        '\\' => first.len_utf8() + css.chars().nth(1).map_or(0, char::len_utf8),
        _ => first.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_that_mean_nothing_go() {
        let css = "/* Why. */\n.a,\n.b > li {\n  margin: 0 auto; /* Both. */\n  color: red;\n}\n\n@media (min-width: 40rem) {\n  a {\n    top: 0;\n  }\n}\n";
        assert_eq!(minified(css), ".a,.b>li{margin:0 auto;color:red}@media (min-width:40rem){a{top:0}}");
    }

    #[test]
    fn white_space_that_means_something_stays() {
        for css in [
            ".a .b :hover,.a + .b ~ p{margin:calc(-1 * var(--a) + (2px - 1em)) 0}",
            "@media (min-width:1px) and (max-width:2px){.a:not(.b) .c{grid:auto 1fr / repeat(2,1fr) 1px}}",
        ] {
            assert_eq!(minified(css), css);
        }
    }

    #[test]
    fn strings_addresses_and_escapes_stay() {
        for css in [
            r#"a::before{content:"  /* \" } ; ' */ "}"#,
            r"a{content:'a  \' , b\\'}",
            "a{background:url(  data:,/*a  ;b*/ ) no-repeat}",
            r#"a{background:url("a)  b")}"#,
            r#"[title="a > b"] .a\, .b\: .c{color:red}"#,
        ] {
            assert_eq!(minified(css), css);
        }
    }

    #[test]
    fn what_does_not_end_stays_as_it_is() {
        assert_eq!(minified("a { } /* "), "a{}");
        assert_eq!(minified("a { content: \"  b"), "a{content:\"  b");
        assert_eq!(minified("\\"), "\\");
    }

    #[test]
    fn styles_of_components_come_after_the_foundation_and_before_those_of_pages() {
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
        let all = all(folder.path()).unwrap();
        let all = all.strip_suffix(LAST_RULE).unwrap();
        assert_eq!(all.split_terminator(".css{}").collect::<Vec<_>>(), order);
    }
}
