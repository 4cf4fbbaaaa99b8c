//! Extracts everything that a PDF contains, including content that no page shows.

use lopdf::content::Content;
use lopdf::{Dictionary, Object, Stream, decode_text_string};

use crate::Paper;

impl Paper {
    /// Returns the whole content of the file in searchable form: its bytes, every string and name
    /// (as bytes and as text), every stream (decompressed), and the text of all pages. Bytes are
    /// decoded as ISO 8859-1.
    pub fn everything(&self) -> String {
        let mut all = String::new();
        push(&mut all, &self.bytes);
        dictionary(&mut all, &self.objects.trailer);
        for object in self.objects.objects.values() {
            walk(&mut all, object);
        }
        for (page, id) in self.objects.get_pages().into_values().enumerate() {
            operations(&mut all, &self.objects.get_page_content(id));
            all.push_str(&self.text(page));
        }
        all
    }

    /// Returns the dictionaries of the fonts that the file uses but does not embed.
    pub fn missing_fonts(&self) -> Vec<String> {
        let dictionaries = self.objects.objects.values().filter_map(|object| object.as_dict().ok());
        let fonts = dictionaries.filter(|dictionary| dictionary.has_type(b"Font"));
        let missing = fonts.filter(|font| {
            // The descendants of a composite font (type 0) are checked instead, and a type 3 font
            // consists of drawing operators, so neither needs a font file.
            let kind = font.get(b"Subtype").and_then(Object::as_name).unwrap_or_default();
            let descriptor = font.get_deref(b"FontDescriptor", &self.objects).and_then(Object::as_dict);
            let is_embedded = descriptor.is_ok_and(|descriptor| {
                [&b"FontFile"[..], b"FontFile2", b"FontFile3"].iter().any(|key| {
                    let file = descriptor.get_deref(key, &self.objects).and_then(Object::as_stream);
                    file.is_ok_and(|file| !file.content.is_empty())
                })
            });
            !is_embedded && kind != b"Type0" && kind != b"Type3"
        });
        missing.map(|font| format!("{font:?}")).collect()
    }
}

fn walk(all: &mut String, object: &Object) {
    match object {
        Object::String(bytes, _) => {
            push(all, bytes);
            all.push_str(&decode_text_string(object).unwrap_or_default());
            all.push('\n');
        }
        Object::Name(bytes) => push(all, bytes),
        Object::Array(objects) => objects.iter().for_each(|object| walk(all, object)),
        Object::Dictionary(entries) => dictionary(all, entries),
        Object::Stream(found) => stream(all, found),
        Object::Null | Object::Boolean(_) | Object::Integer(_) | Object::Real(_) | Object::Reference(_) => {}
    }
}

fn dictionary(all: &mut String, entries: &Dictionary) {
    for (key, value) in entries {
        push(all, key);
        walk(all, value);
    }
}

fn stream(all: &mut String, found: &Stream) {
    let content = found.get_plain_content().unwrap();
    dictionary(all, &found.dict);
    push(all, &content);
    if found.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|kind| kind == b"Form") {
        operations(all, &content);
    }
}

/// Appends the operands of all operators of a page or form. They can contain text that is not
/// drawn.
fn operations(all: &mut String, content: &[u8]) {
    for operation in Content::decode(content).unwrap().operations {
        operation.operands.iter().for_each(|operand| walk(all, operand));
    }
}

fn push(all: &mut String, bytes: &[u8]) {
    all.extend(bytes.iter().copied().map(char::from));
    all.push('\n');
}

#[cfg(test)]
mod tests {
    use lopdf::{Document, StringFormat, dictionary, text_string};

    use super::*;

    #[test]
    fn everything_includes_hidden_content() {
        let mut document = Document::with_version("1.7");
        let hidden = b"/Span <</ActualText <FEFF0041006E0064>>> BDC EMC";
        let mut content = Stream::new(Dictionary::new(), hidden.repeat(20));
        content.compress().unwrap();
        let content = document.add_object(content);
        let pages = document.new_object_id();
        let page = document.add_object(dictionary! {
            "Type" => "Page", "Parent" => pages, "Contents" => content,
            "MediaBox" => vec![0.into(), 0.into(), 72.into(), 144.into()],
        });
        document
            .set_object(pages, dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 });
        let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
        let mut loose = Stream::new(Dictionary::new(), b"3171012401896246 ".repeat(20));
        loose.compress().unwrap();
        document.add_object(loose);
        document.add_object(dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier" });
        document.trailer.set("Root", catalog);
        let info = dictionary! {
            "Title" => text_string("Łukasz"), "Subject" => Object::String(b"0812".to_vec(), StringFormat::Hexadecimal),
        };
        let info = document.add_object(info);
        document.trailer.set("Info", info);
        let mut file = Vec::new();
        document.save_to(&mut file).unwrap();

        let paper = Paper::read(file);
        assert_eq!(paper.sizes(), [(72.0, 144.0)]);
        let everything = paper.everything();
        for hidden in ["And", "3171012401896246", "Łukasz", "0812"] {
            assert!(everything.contains(hidden), "{hidden}");
        }
        assert!(!everything.contains("Budi"));
        assert_eq!(paper.missing_fonts().len(), 1);
    }
}
