//! The template of a form: the content that all its certificates share, prepared once.
//!
//! printpdf writes the fixed content of the pages and subsets and embeds the fonts; lopdf assembles
//! and writes the document. Each certificate is the template plus an incremental update, which
//! contains the pages with filled slots, the QR code, the placement of the guilloche, and the
//! document information.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bukti_domain::Publisher;
use bukti_locales::{Locale, text};
use lopdf::{Dictionary, Document, Object, ObjectId, Stream, dictionary};

use super::draft::{Draft, ElementRole, waves};
use super::render::{RenderedPieces, render_pieces};
use super::stream::{Piece, ZlibWriter, compressed, literal, operator, text_string};
use super::update::{Base, Update};
use super::{BAND, QR};
use crate::canvas::{Align, Slot, Weight};
use crate::display_text::for_display;
use crate::field::{Language, PRINTED_IN};
use crate::font::{CAPITALS, Codes, Face, Fonts, LEADING, REPLACEMENT, fonts};
use crate::qr::{PIXELS, Qr};
use crate::{Certificate, DocumentError, Form, a4, card, guilloche, sheet};

/// The letters that the regular font contains in addition to the letters of the fixed texts. A
/// certificate with other letters gets its own template.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,-'\"&/()·•…\u{FFFD}";

/// The additional letters of the bold font, which among the values only the dose uses.
const BOLD_LETTERS: &str = "0123456789 /…\u{FFFD}";
const DOSES: [&str; 3] = ["common.dose", "common.dose_booster", "common.dose_uncounted"];

/// The compression levels of texts and of the QR code, whose many zeros compress fast. At higher
/// levels, the smaller size is not worth the time.
const TEXT_LEVEL: u32 = 2;
const QR_LEVEL: u32 = 4;

/// The document's default language; elements in other languages declare theirs.
const LANGUAGE: Locale = Locale::Id;

/// A bounding box that contains every ribbon: left, bottom, right, top.
const RIBBON_BOX: [f32; 4] = [-9.0, -9.0, 999.0, 99.0];

/// The resource names of the cards on a print sheet, which are form XObjects.
const CARDS: [&str; 2] = ["Front", "Back"];

/// A form of the certificate with empty slots.
pub(crate) struct Template {
    fonts: &'static Fonts,
    /// The glyph codes of the embedded fonts, first regular, then bold.
    codes: [Codes; 2],
    base: Base,
    contents: Vec<Content>,
    qr: u32,
    band: u32,
    information: u32,
    /// The band's stream dictionary without the entry `Length`.
    band_dictionary: String,
    catalog: u32,
    title: &'static str,
    author: String,
}

/// The content stream of a page or of a card on a print sheet.
struct Content {
    object: u32,
    /// The stream dictionary without the entry `Length`.
    dictionary: String,
    height: f32,
    /// The chunk before the first slot.
    first: Piece,
    between: Vec<Vec<u8>>,
    /// The chunk after the last slot.
    last: Piece,
    slots: Vec<Slot>,
}

/// A drawn page or a drawn card of a print sheet.
struct DrawnPage {
    draft: Draft,
    size: (f32, f32),
    /// The resource name of a card on a print sheet; `None` for a page.
    form: Option<&'static str>,
}

impl DrawnPage {
    fn new(
        size: (f32, f32),
        form: Option<&'static str>,
        draw: impl FnOnce(&mut Draft),
    ) -> Result<Self, DocumentError> {
        let mut draft = Draft::new(size.1)?;
        draw(&mut draft);
        draft.finish();
        Ok(Self { draft, size, form })
    }
}

fn draw(form: Form, publisher: &Publisher, icvp: bool) -> Result<Vec<DrawnPage>, DocumentError> {
    let page = || {
        DrawnPage::new(a4::SIZE, None, |draft| {
            a4::page(draft, publisher, icvp);
        })
    };
    let front =
        |form| DrawnPage::new(card::SIZE, form, |draft| card::front(draft, publisher, icvp, Language::Both));
    let back = |form| DrawnPage::new(card::SIZE, form, |draft| card::back(draft, publisher, Language::Both));
    let sheet = |side| {
        DrawnPage::new(a4::SIZE, None, |draft| {
            sheet::draw(draft, |draft, at, rotated| draft.draw_card(CARDS[side], at, rotated));
        })
    };
    Ok(match form {
        Form::Complete => vec![page()?, front(None)?, back(None)?],
        Form::A4 => vec![page()?],
        Form::Card => vec![front(None)?, back(None)?],
        Form::CardSheet => vec![sheet(0)?, sheet(1)?, front(Some(CARDS[0]))?, back(Some(CARDS[1]))?],
    })
}

impl Template {
    /// Prepares a form. `more` contains the letters that the regular and the bold font must have in
    /// addition to the usual letters.
    pub(crate) fn new(
        form: Form,
        publisher: &Publisher,
        icvp: bool,
        more: &[BTreeSet<char>; 2],
    ) -> Result<Self, DocumentError> {
        let fonts = fonts()?;
        let mut drawn = draw(form, publisher, icvp)?;
        let mut letters = [LETTERS, BOLD_LETTERS].map(|letters| letters.chars().collect::<BTreeSet<char>>());
        for (at, letters) in letters.iter_mut().enumerate() {
            letters.extend(more[at].iter());
            letters.extend(drawn.iter().flat_map(|drawn| drawn.draft.texts[at].chars()));
        }
        for (key, locale) in DOSES.iter().flat_map(|key| PRINTED_IN.map(|locale| (key, locale))) {
            letters[1].extend(text(locale, key).chars());
        }
        let codes = [fonts.regular.codes(&letters[0]), fonts.bold.codes(&letters[1])];
        let pieces = drawn.iter_mut().flat_map(|drawn| std::mem::take(&mut drawn.draft.pieces)).collect();
        let RenderedPieces { streams, mut document, fonts: used } =
            render_pieces(fonts, &letters, &codes, pieces)?;
        let mut streams = streams.into_iter();

        // Reserves the numbers of the objects that each certificate's update contains.
        let first = document.max_id + 1;
        let [qr, band, information] = [(); 3].map(|()| document.new_object_id());
        let objects: Vec<_> = drawn.iter().map(|_| document.new_object_id()).collect();
        let cross_references = document.new_object_id();

        let ribbons = guilloche::ribbons().map(|ribbon| {
            let period = document.add_object(form_object(Dictionary::new(), waves(&ribbon)));
            let repeated = format!("/R Do 1 0 0 1 {} 0 cm\n", ribbon.period).repeat(ribbon.repeats);
            let resources = dictionary! { "XObject" => dictionary! { "R" => period } };
            document.add_object(form_object(resources, repeated.into_bytes()))
        });
        let [(first_ribbon, _), (second_ribbon, _)] = ribbons;
        let [left, bottom, right, top] = RIBBON_BOX;
        let band_dictionary = format!(
            "/Subtype/Form/BBox[{left} {bottom} {right} {top}]\
             /Resources<</XObject<</R0 {first_ribbon} 0 R/R1 {second_ribbon} 0 R>>>>"
        );

        let mut forms = dictionary! { QR => qr, BAND => band };
        for (drawn, object) in drawn.iter().zip(&objects) {
            if let Some(name) = drawn.form {
                forms.set(name, *object);
            }
        }
        let resources = document.add_object(dictionary! { "Font" => used, "XObject" => forms });
        let tree = document.new_object_id();
        let (mut contents, mut pages) = (Vec::new(), Vec::new());
        for (at, (drawn, object)) in drawn.iter_mut().zip(&objects).enumerate() {
            let mut dictionary = "/Filter/FlateDecode".to_owned();
            let (width, height) = drawn.size;
            if drawn.form.is_some() {
                let (resources, bleed) = (resources.0, card::BLEED);
                dictionary += &format!(
                    "/Subtype/Form/BBox[{} {} {} {}]/Resources {resources} 0 R",
                    -bleed,
                    -bleed,
                    width + bleed,
                    height + bleed
                );
            } else {
                let bounds = rectangle([0.0, 0.0, width, height]);
                pages.push(document.add_object(dictionary! {
                    "Type" => "Page",
                    "Parent" => tree,
                    "MediaBox" => bounds.clone(),
                    "TrimBox" => bounds,
                    "Resources" => resources,
                    "Contents" => *object,
                    "StructParents" => at as i64,
                    "Tabs" => "S",
                }));
            }
            let slots = std::mem::take(&mut drawn.draft.slots);
            let first = Piece::new(&streams.next().unwrap_or_default())?;
            let mut after: Vec<_> = streams.by_ref().take(slots.len()).collect();
            let last = Piece::new(&after.pop().unwrap_or_default())?;
            contents.push(Content {
                object: object.0,
                dictionary,
                height,
                first,
                between: after,
                last,
                slots,
            });
        }
        let kids: Vec<Object> = pages.iter().map(|page| Object::Reference(*page)).collect();
        document.set_object(
            tree,
            dictionary! { "Type" => "Pages", "Count" => pages.len() as i64, "Kids" => kids },
        );
        let mut catalog = dictionary! {
            "Type" => "Catalog",
            "Pages" => tree,
            "Lang" => Object::string_literal(LANGUAGE.tag()),
            "ViewerPreferences" => dictionary! { "DisplayDocTitle" => true },
        };
        // A print sheet has no structure tree, since screen readers would read the same card ten
        // times.
        if form != Form::CardSheet {
            catalog.set("MarkInfo", dictionary! { "Marked" => true });
            catalog.set("StructTreeRoot", add_structure(&mut document, &drawn, &pages));
        }
        *document.catalog_mut()? = catalog;
        let (catalog, _) = document.trailer.get(b"Root")?.as_reference()?;
        let base = Base::new(document, first..cross_references.0 + 1)?;
        let title = if icvp { "common.title_icvp" } else { "common.title" };
        Ok(Self {
            fonts,
            codes,
            base,
            contents,
            qr: qr.0,
            band: band.0,
            information: information.0,
            band_dictionary,
            catalog,
            title,
            author: for_display(&publisher.issuer),
        })
    }

    /// Returns the certificate's values for the slots, in order.
    pub(crate) fn texts(&self, certificate: &Certificate<'_>) -> Vec<String> {
        let slots = self.contents.iter().flat_map(|content| &content.slots);
        let text = |slot: &Slot| {
            let text = slot.field.text(certificate, slot.language);
            match self.face(slot.style.weight).drawable(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(drawable) => drawable,
            }
        };
        slots.map(text).collect()
    }

    /// Returns the letters of these texts that the template's regular and bold fonts lack.
    pub(crate) fn missing_letters(&self, texts: &[String]) -> [BTreeSet<char>; 2] {
        let slots = self.contents.iter().flat_map(|content| &content.slots);
        let mut missing = [BTreeSet::new(), BTreeSet::new()];
        for (slot, text) in slots.zip(texts) {
            let weight = slot.style.weight as usize;
            let is_missing = |letter: &char| !self.codes[weight].has(*letter) && *letter != REPLACEMENT;
            missing[weight].extend(text.chars().filter(is_missing));
        }
        missing
    }

    /// Builds the certificate's PDF, with these texts in the slots.
    pub(crate) fn fill(
        &self,
        certificate: &Certificate<'_>,
        qr: &Qr,
        texts: &[String],
    ) -> Result<Vec<u8>, DocumentError> {
        let mut update = Update::new(&self.base);
        let mut texts = texts.iter();
        for content in &self.contents {
            let stream = self.content_stream(content, &mut texts)?;
            update.stream(content.object, content.dictionary.as_bytes(), &stream);
        }

        // An image of the QR code compresses far better and faster than rectangles. `Columns`
        // counts bytes here, since the predictor works on bytes, and a module is one byte wide.
        let modules = qr.width_with_quiet_zone();
        let side = modules * PIXELS;
        let dictionary = format!(
            "/Subtype/Image/Width {side}/Height {side}/ColorSpace/DeviceGray/BitsPerComponent 1\
             /Filter/FlateDecode/DecodeParms<</Predictor 15/Columns {modules}>>"
        );
        update.stream(self.qr, dictionary.as_bytes(), &compressed(&qr.filtered_pixels(), QR_LEVEL)?);

        let mut ribbons = Vec::new();
        for (at, placement) in guilloche::placements(certificate.id).iter().enumerate() {
            operator(&mut ribbons, "q", &[]);
            operator(&mut ribbons, "cm", &[placement.stretch, 0.0, 0.0, 1.0, placement.shift, 0.0]);
            ribbons.extend(format!("/R{at} Do Q\n").as_bytes());
        }
        update.stream(self.band, self.band_dictionary.as_bytes(), &ribbons);

        update.object(self.information, &self.information(certificate));
        // The file identifier is derived from the certificate, so that the output is deterministic.
        let id = [certificate.qr_text, certificate.id].map(|text| guilloche::fingerprint(text).to_be_bytes());
        Ok(update.finish(self.catalog, self.information, &id.concat()))
    }

    fn content_stream<'t>(
        &self,
        content: &Content,
        texts: &mut impl Iterator<Item = &'t String>,
    ) -> Result<Vec<u8>, DocumentError> {
        let mut plain = Vec::with_capacity(8 * 1024);
        let mut between = content.between.iter();
        // The slots must come first in the zip. In the reverse order, the zip would consume a text
        // of the next page before it ends.
        for (slot, text) in content.slots.iter().zip(texts) {
            plain.push(b'\n');
            self.write_slot(&mut plain, slot, content.height, text);
            plain.extend(between.next().into_iter().flatten());
        }
        let mut zlib = ZlibWriter::new();
        zlib.append(&content.first);
        zlib.append(&Piece::with_level(plain, TEXT_LEVEL)?);
        zlib.append(&content.last);
        Ok(zlib.finish())
    }

    /// Writes the text of a slot, fitted to its box.
    fn write_slot(&self, out: &mut Vec<u8>, slot: &Slot, page: f32, text: &str) {
        let face = self.face(slot.style.weight);
        let fitted = face.fit(text, (slot.width, slot.height), slot.style.size, slot.min_size);
        let codes = &self.codes[slot.style.weight as usize];
        let mut y = page - slot.y - CAPITALS * fitted.size;
        for line in &fitted.lines {
            let x = match slot.style.align {
                Align::Left => slot.x,
                Align::Middle => slot.x - face.width(line) * fitted.size / 2.0,
                Align::Right => slot.x - face.width(line) * fitted.size,
            };
            out.extend(b"BT/");
            out.extend(face.id.0.as_bytes());
            out.push(b' ');
            operator(out, "Tf", &[fitted.size]);
            out.extend(b"1 0 0 1 ");
            operator(out, "Tm", &[x, y]);
            literal(out, line.chars().flat_map(|letter| codes.code(letter).to_be_bytes()));
            out.extend(b"Tj ET\n");
            y -= LEADING * fitted.size;
        }
    }

    /// Returns the document information: title, issuer and day of issue. It omits the holder's
    /// name, since file lists and search indexes show this information.
    fn information(&self, certificate: &Certificate<'_>) -> Vec<u8> {
        let mut out = b"<</Title".to_vec();
        text_string(&mut out, &format!("{} {}", text(Locale::Id, self.title), for_display(certificate.id)));
        out.extend(b"/Subject");
        text_string(&mut out, text(Locale::En, self.title));
        out.extend(b"/Author");
        text_string(&mut out, &self.author);
        for key in ["/Creator", "/Producer"] {
            out.extend(key.as_bytes());
            text_string(&mut out, text(Locale::Id, "document.wordmark"));
        }
        let day = certificate.issued_on;
        let day = format!("D:{:04}{:02}{:02}", day.year(), day.month(), day.day());
        for key in ["/CreationDate", "/ModDate"] {
            out.extend(key.as_bytes());
            text_string(&mut out, &day);
        }
        out.extend(b">>");
        out
    }

    fn face(&self, weight: Weight) -> &'static Face {
        match weight {
            Weight::Regular => &self.fonts.regular,
            Weight::Bold => &self.fonts.bold,
        }
    }
}

/// Creates a form XObject that draws a ribbon.
fn form_object(resources: Dictionary, content: Vec<u8>) -> Stream {
    let bounds = rectangle(RIBBON_BOX);
    let mut dictionary = dictionary! { "Subtype" => "Form", "BBox" => bounds };
    if !resources.is_empty() {
        dictionary.set("Resources", resources);
    }
    Stream::new(dictionary, content)
}

/// Converts left, bottom, right and top to a PDF rectangle, rounded to a thousandth of a point.
fn rectangle(bounds: [f32; 4]) -> Vec<Object> {
    bounds.map(|bound| Object::Real((bound * 1000.0).round() / 1000.0)).into()
}

/// Adds the structure tree for screen readers (ISO 32000-1, 14.7) and returns its root.
fn add_structure(document: &mut Document, drawn: &[DrawnPage], pages: &[ObjectId]) -> ObjectId {
    let (root, whole) = (document.new_object_id(), document.new_object_id());
    let (mut all, mut by_page) = (Vec::new(), Vec::new());
    for (at, (drawn, page)) in drawn.iter().zip(pages).enumerate() {
        let mut of_page = Vec::new();
        for (id, element) in drawn.draft.elements.iter().enumerate() {
            let mut object =
                dictionary! { "S" => element.tag(), "P" => whole, "Pg" => *page, "K" => id as i64 };
            if let Some(locale) = element.locale.filter(|locale| *locale != LANGUAGE) {
                object.set("Lang", Object::string_literal(locale.tag()));
            }
            if let ElementRole::Qr(bounds) = element.role {
                object.set("Alt", lopdf::text_string(text(Locale::Id, "document.qr")));
                object.set("A", dictionary! { "O" => "Layout", "BBox" => rectangle(bounds) });
            }
            of_page.push(Object::Reference(document.add_object(object)));
        }
        all.extend(of_page.iter().cloned());
        by_page.extend([Object::from(at as i64), Object::from(of_page)]);
    }
    let parents = document.add_object(dictionary! { "Nums" => by_page });
    document.set_object(whole, dictionary! { "S" => "Document", "P" => root, "K" => all });
    let tree = dictionary! {
        "Type" => "StructTreeRoot",
        "K" => whole,
        "ParentTree" => parents,
        "ParentTreeNextKey" => pages.len() as i64,
    };
    document.set_object(root, tree);
    root
}
