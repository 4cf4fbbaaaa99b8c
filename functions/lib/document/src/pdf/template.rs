//! What all certificates of a form have in common, prepared once.
//!
//! printpdf writes the pages with all that is fixed, and subsets and embeds the fonts. What differs from certificate to
//! certificate is put in for each: the text of the slots, the QR, how the guilloche lies, the document's information.
//!
//! ```text
//! head       fonts, ribbons, pages, structure    the same bytes for all
//! contents   pages and cards                     fixed pieces, and between them what differs
//! QR, band, information                          written for each
//! xref       where everything is                 the rows of those patched
//! ```

use std::borrow::Cow;
use std::collections::BTreeSet;

use bukti_domain::Publisher;
use bukti_locales::{Locale, text};

use super::draft::{Draft, ElementRole, MARKED, waves};
use super::objects::{Objects, Row};
use super::printed::print;
use super::stream::{Piece, Zlib, compressed, integer, literal, operator, text_string};
use super::{BAND, QR};
use crate::canvas::{Align, CAPITALS, LEADING, Slot, Weight};
use crate::field::Language;
use crate::font::{Codes, Face, Fonts, REPLACEMENT, fonts};
use crate::qr::{PIXELS, Qr};
use crate::words::shown;
use crate::{Certificate, DocumentError, Form, a4, card, guilloche, sheet};

/// The letters that the regular font has beside those of the fixed words. A certificate with others gets a template of its
/// own.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,-'\"&/()·•…\u{FFFD}";

/// The same for the bold font, in which only doses are written.
const BOLD_LETTERS: &str = "0123456789 /…\u{FFFD}";
const DOSES: [&str; 3] = ["common.dose", "common.dose_booster", "common.dose_uncounted"];

/// How well texts and the QR are compressed: further levels take longer than they are worth.
const LEVEL: u32 = 2;

/// The cards of a print sheet, as forms.
const CARDS: [&str; 2] = ["Front", "Back"];

/// A form of certificates, all but what differs.
pub(crate) struct Template {
    fonts: &'static Fonts,
    /// The codes of the glyphs that its fonts have, regular and bold.
    codes: [Codes; 2],
    head: Vec<u8>,
    rows: Vec<Row>,
    contents: Vec<Content>,
    qr: u32,
    band: u32,
    ribbons: [u32; 2],
    information: u32,
    catalog: u32,
    title: &'static str,
    author: String,
}

/// A page's stream, or a card's on a print sheet.
struct Content {
    object: u32,
    /// What its dictionary says beside the length.
    dictionary: String,
    height: f32,
    /// Before the first slot, between them, after the last.
    first: Piece,
    between: Vec<Vec<u8>>,
    last: Piece,
    slots: Vec<Slot>,
}

/// A drawn page, or a card that sheets are made of.
struct Drawn {
    draft: Draft,
    size: (f32, f32),
    /// The form's name where it is no page.
    form: Option<&'static str>,
}

impl Drawn {
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

fn draw(form: Form, publisher: &Publisher, icvp: bool) -> Result<Vec<Drawn>, DocumentError> {
    let page = || {
        Drawn::new(a4::SIZE, None, |draft| {
            a4::page(draft, publisher, icvp);
        })
    };
    let front =
        |form| Drawn::new(card::SIZE, form, |draft| card::front(draft, publisher, icvp, Language::Both));
    let back = |form| Drawn::new(card::SIZE, form, |draft| card::back(draft, publisher, Language::Both));
    let sheet = |side| {
        Drawn::new(a4::SIZE, None, |draft| {
            sheet::draw(draft, |draft, at, turned| draft.card(CARDS[side], at, turned));
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
    /// Prepares a form. `more` are letters that its fonts must have beside the usual ones.
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
            letters.extend(drawn.iter().flat_map(|drawn| drawn.draft.words[at].chars()));
        }
        for (key, locale) in DOSES.iter().flat_map(|key| Locale::ALL.map(|locale| (key, locale))) {
            letters[1].extend(text(locale, key).chars());
        }
        if let Some(last) = drawn.last_mut() {
            last.draft.specimen(&letters);
        }
        let pages =
            drawn.iter_mut().map(|drawn| (drawn.size, std::mem::take(&mut drawn.draft.operations))).collect();
        let codes = [fonts.regular.codes(&letters[0]), fonts.bold.codes(&letters[1])];
        // In reverse, so that where letters are drawn alike the code means the plain one, a space and no other blank.
        let meanings = [0, 1]
            .map(|at| letters[at].iter().rev().map(|letter| (codes[at].of(*letter), *letter)).collect());
        let printed = print(fonts, &letters, meanings, pages)?;

        let mut objects = Objects::after(printed.objects);
        let [qr, band, information, catalog, tree, resources] = objects.numbers();
        let ribbons = objects.numbers();
        let ribbon_form = "/Type/XObject/Subtype/Form/BBox[-9 -9 999 99]/Filter/FlateDecode";
        for (number, ribbon) in ribbons.into_iter().zip(guilloche::ribbons()) {
            let [period] = objects.numbers();
            objects.stream(period, ribbon_form, &compressed(&waves(&ribbon), 9)?);
            let again = format!("/R Do 1 0 0 1 {} 0 cm\n", ribbon.period).repeat(ribbon.repeats);
            let dictionary = format!("{ribbon_form}/Resources<</XObject<</R {period} 0 R>>>>");
            objects.stream(number, &dictionary, &compressed(again.as_bytes(), 9)?);
        }

        let mut contents = Vec::new();
        let mut cards = String::new();
        for (drawn, stream) in drawn.iter_mut().zip(printed.streams) {
            let [object] = objects.numbers();
            let mut dictionary = "/Filter/FlateDecode".to_owned();
            if let Some(name) = drawn.form {
                cards += &format!("/{name} {object} 0 R");
                let (bleed, (width, height)) = (card::BLEED, card::SIZE);
                dictionary += &format!(
                    "/Type/XObject/Subtype/Form/BBox[{} {} {} {}]/Resources {resources} 0 R",
                    -bleed,
                    -bleed,
                    width + bleed,
                    height + bleed
                );
            }
            let slots = std::mem::take(&mut drawn.draft.slots);
            // Behind the last slot's mark there may be one more, of the specimen, which has done its work.
            let mut pieces = split(&stream, slots.len() + 1);
            let last = Piece::new(&pieces.pop().unwrap_or_default())?;
            let mut pieces = pieces.into_iter();
            let first = Piece::new(&pieces.next().unwrap_or_default())?;
            let between = pieces.collect();
            contents.push(Content { object, dictionary, height: drawn.size.1, first, between, last, slots });
        }

        let fonts_of: String =
            printed.fonts.iter().map(|(name, number)| format!("/{name} {number} 0 R")).collect();
        objects.plain(
            resources,
            &format!("<</Font<<{fonts_of}>>/XObject<</{QR} {qr} 0 R/{BAND} {band} 0 R{cards}>>>>"),
        );
        let mut pages = Vec::new();
        for (at, (drawn, content)) in drawn.iter().zip(&contents).enumerate() {
            if drawn.form.is_none() {
                let [page] = objects.numbers();
                let (width, height) = drawn.size;
                let box_ = format!("[0 0 {width:.3} {height:.3}]");
                let stream = content.object;
                objects.plain(
                    page,
                    &format!(
                        "<</Type/Page/Parent {tree} 0 R/MediaBox{box_}/TrimBox{box_}/Resources {resources} 0 R\
                         /Contents {stream} 0 R/StructParents {at}/Tabs/S>>"
                    ),
                );
                pages.push(page);
            }
        }
        let kids: String = pages.iter().map(|page| format!("{page} 0 R ")).collect();
        objects.plain(tree, &format!("<</Type/Pages/Count {}/Kids[{kids}]>>", pages.len()));
        // The cards of a sheet would be read ten times over.
        let structure = match form {
            Form::CardSheet => String::new(),
            _ => {
                let root = structure(&mut objects, &drawn, &pages);
                format!("/MarkInfo<</Marked true>>/StructTreeRoot {root} 0 R")
            }
        };
        let lang = Locale::Id.tag();
        objects.plain(
            catalog,
            &format!(
                "<</Type/Catalog/Pages {tree} 0 R/Lang({lang})/ViewerPreferences<</DisplayDocTitle true>>{structure}>>"
            ),
        );
        let (head, rows) = objects.finish()?;
        let title = if icvp { "common.title_icvp" } else { "common.title" };
        Ok(Self {
            fonts,
            codes,
            head,
            rows,
            contents,
            qr,
            band,
            ribbons,
            information,
            catalog,
            title,
            author: shown(&publisher.issuer),
        })
    }

    /// What a certificate says in each slot, in order.
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

    /// The letters of these texts that the fonts of this template lack, regular and bold.
    pub(crate) fn lacks(&self, texts: &[String]) -> [BTreeSet<char>; 2] {
        let slots = self.contents.iter().flat_map(|content| &content.slots);
        let mut lacks = [BTreeSet::new(), BTreeSet::new()];
        for (slot, text) in slots.zip(texts) {
            let weight = slot.style.weight as usize;
            let lacking = |letter: &char| !self.codes[weight].has(*letter) && *letter != REPLACEMENT;
            lacks[weight].extend(text.chars().filter(lacking));
        }
        lacks
    }

    /// The document of a certificate, with these texts in the slots.
    pub(crate) fn fill(
        &self,
        certificate: &Certificate<'_>,
        qr: &Qr,
        texts: &[String],
    ) -> Result<Vec<u8>, DocumentError> {
        let mut file = File { out: Vec::with_capacity(self.head.len() + 16 * 1024), rows: self.rows.clone() };
        file.out.extend(&self.head);
        let mut texts = texts.iter();
        for content in &self.contents {
            let stream = self.stream(content, &mut texts)?;
            file.stream(content.object, &content.dictionary, &stream);
        }

        // Pixels compress far better and faster than as many rectangles, and each is but an eighth of a module.
        let side = qr.width_with_quiet_zone() * PIXELS;
        let dictionary = format!(
            "/Type/XObject/Subtype/Image/Width {side}/Height {side}/ColorSpace/DeviceGray/BitsPerComponent 1\
             /Filter/FlateDecode"
        );
        file.stream(self.qr, &dictionary, &compressed(&qr.pixels(), LEVEL)?);

        let mut ribbons = Vec::new();
        for (at, place) in guilloche::places(certificate.id).iter().enumerate() {
            operator(&mut ribbons, "q", &[]);
            operator(&mut ribbons, "cm", &[place.stretch, 0.0, 0.0, 1.0, place.shift, 0.0]);
            ribbons.extend(format!("/R{at} Do Q\n").as_bytes());
        }
        let [first, second] = self.ribbons;
        let dictionary = format!(
            "/Type/XObject/Subtype/Form/BBox[-9 -9 999 99]/Resources<</XObject<</R0 {first} 0 R/R1 {second} 0 R>>>>"
        );
        file.stream(self.band, &dictionary, &ribbons);

        file.object(self.information, &self.information(certificate));
        file.finish(self.catalog, self.information, certificate)?;
        Ok(file.out)
    }

    fn stream<'t>(
        &self,
        content: &Content,
        texts: &mut impl Iterator<Item = &'t String>,
    ) -> Result<Vec<u8>, DocumentError> {
        let mut plain = Vec::with_capacity(8 * 1024);
        let mut between = content.between.iter();
        // The slots first, since no text may be taken after the last: it is the next page's.
        for (slot, text) in content.slots.iter().zip(texts) {
            self.write(&mut plain, slot, content.height, text);
            plain.extend(between.next().into_iter().flatten());
        }
        let mut zlib = Zlib::new();
        zlib.piece(&content.first);
        zlib.piece(&Piece::of_level(plain, LEVEL)?);
        zlib.piece(&content.last);
        Ok(zlib.finish())
    }

    /// Writes what stands in a slot.
    fn write(&self, out: &mut Vec<u8>, slot: &Slot, page: f32, text: &str) {
        let face = self.face(slot.style.weight);
        let fitted = face.fit(text, (slot.width, slot.height), slot.style.size, slot.smallest);
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
            literal(out, line.chars().flat_map(|letter| codes.of(letter).to_be_bytes()));
            out.extend(b"Tj ET\n");
            y -= LEADING * fitted.size;
        }
    }

    /// Title, issuer and day of issue. The person's name stays out of it: it shows up in file lists and search indexes.
    fn information(&self, certificate: &Certificate<'_>) -> Vec<u8> {
        let mut out = b"<</Title".to_vec();
        text_string(&mut out, &format!("{} {}", text(Locale::Id, self.title), shown(certificate.id)));
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

/// The pieces of a stream before, between and after its marks, so many.
fn split(stream: &[u8], count: usize) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    while pieces.len() < count {
        let at = rest.windows(MARKED.len()).position(|window| window == MARKED);
        let (piece, after) = rest.split_at(at.unwrap_or(rest.len()));
        pieces.push(piece.to_vec());
        rest = after.strip_prefix(MARKED).unwrap_or_default();
    }
    pieces
}

/// The structure by which the pages are read aloud (ISO 32000-1, 14.7). Gives its root.
fn structure(objects: &mut Objects, drawn: &[Drawn], pages: &[u32]) -> u32 {
    let [root, document, parents] = objects.numbers();
    let (mut all, mut by_page) = (String::new(), String::new());
    for (at, (drawn, page)) in drawn.iter().zip(pages).enumerate() {
        let mut of_page = String::new();
        for (id, element) in drawn.draft.elements.iter().enumerate() {
            let [number] = objects.numbers();
            let tag = element.tag();
            let mut body = format!("<</S/{tag}/P {document} 0 R/Pg {page} 0 R/K {id}").into_bytes();
            if let Some(locale) = element.locale {
                body.extend(format!("/Lang({})", locale.tag()).as_bytes());
            }
            if let ElementRole::Qr([left, bottom, right, top]) = element.role {
                body.extend(b"/Alt");
                text_string(&mut body, text(Locale::Id, "document.qr"));
                body.extend(format!("/A<</O/Layout/BBox[{left} {bottom} {right} {top}]>>").as_bytes());
            }
            body.extend(b">>");
            objects.plain_bytes(number, body);
            of_page += &format!("{number} 0 R ");
        }
        by_page += &format!("{at}[{of_page}]");
        all += &of_page;
    }
    objects.plain(
        root,
        &format!(
            "<</Type/StructTreeRoot/K {document} 0 R/ParentTree {parents} 0 R/ParentTreeNextKey {}>>",
            pages.len()
        ),
    );
    objects.plain(document, &format!("<</S/Document/P {root} 0 R/K[{all}]>>"));
    objects.plain(parents, &format!("<</Nums[{by_page}]>>"));
    root
}

/// A document while it is written.
struct File {
    out: Vec<u8>,
    rows: Vec<Row>,
}

impl File {
    fn begin(&mut self, number: u32) {
        if let Some(row) = self.rows.get_mut(number as usize) {
            *row = Row::At(self.out.len());
        }
        integer(&mut self.out, number as usize);
        self.out.extend(b" 0 obj\n");
    }

    fn object(&mut self, number: u32, body: &[u8]) {
        self.begin(number);
        self.out.extend(body);
        self.out.extend(b"\nendobj\n");
    }

    fn stream(&mut self, number: u32, dictionary: &str, bytes: &[u8]) {
        self.begin(number);
        super::objects::stream(&mut self.out, dictionary, bytes);
        self.out.extend(b"\nendobj\n");
    }

    /// The cross-references (ISO 32000-1, 7.5.8) and where they are.
    fn finish(
        &mut self,
        catalog: u32,
        information: u32,
        certificate: &Certificate<'_>,
    ) -> Result<(), DocumentError> {
        let (start, number) = (self.out.len(), self.rows.len());
        self.rows.push(Row::At(start));
        let rows: Vec<u8> = self.rows.iter().flat_map(|row| row.bytes()).collect();
        // The same certificate always has the same id, so that the same bytes come out each time.
        let id = format!(
            "{:016X}{:016X}",
            guilloche::fingerprint(certificate.qr_text),
            guilloche::fingerprint(certificate.id)
        );
        let dictionary = format!(
            "/Type/XRef/Size {}/W[1 3 1]/Root {catalog} 0 R/Info {information} 0 R/ID[<{id}><{id}>]/Filter/FlateDecode",
            number + 1
        );
        integer(&mut self.out, number);
        self.out.extend(b" 0 obj\n");
        super::objects::stream(&mut self.out, &dictionary, &compressed(&rows, LEVEL)?);
        self.out.extend(b"\nendobj\nstartxref\n");
        integer(&mut self.out, start);
        self.out.extend(b"\n%%EOF\n");
        Ok(())
    }
}
