//! Where it is looked, and what may be where.

use bukti_records::{CaptchaKey, ItemKey};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_store::Endpoint;
use bukti_tests::caller::RawResponse;
use serde_json::{Value, json};

use crate::needles::{Find, IN_NOISE, IN_TEXT, Kind, Needle, Searcher, words};
use crate::walk::{Seen, Walk};

/// What may be found in a place.
#[derive(Clone, Debug, Default)]
pub struct May {
    /// Any of these kinds.
    pub kinds: Vec<Kind>,
    /// These and no others. With a name its words.
    pub own: BTreeSet<Needle>,
}

impl May {
    /// Anything of these kinds.
    pub fn of_kinds(kinds: &[Kind]) -> Self {
        Self { kinds: kinds.to_vec(), own: BTreeSet::new() }
    }

    fn hold(&self, (kind, value): &Needle) -> bool {
        let in_own_name = || {
            let mut names = self.own.iter().filter(|(kind, _)| *kind == Kind::Name);
            names.any(|(_, name)| name == value || words(name).any(|word| word == *value))
        };
        self.kinds.contains(kind)
            || self.own.contains(&(*kind, value.clone()))
            || (matches!(kind, Kind::Word | Kind::Name) && in_own_name())
    }
}

/// A line of the table.
pub struct Place {
    pub name: &'static str,
    items: usize,
    bytes: usize,
    /// What was found that may be there.
    allowed: usize,
    /// And what may not.
    pub findings: Vec<(String, Find)>,
}

/// A search through all places.
pub struct Search<'a> {
    searcher: &'a Searcher,
    pub places: Vec<Place>,
}

impl<'a> Search<'a> {
    /// Looks everywhere, once the stack has come to rest.
    pub fn everywhere(searcher: &'a Searcher, walk: &Walk) -> Self {
        let mut search = Self { searcher, places: Vec::new() };
        runtime().block_on(search.services(&with_keys(walk)));
        search.files(&walk.stack.data);
        search.look("logs", "log", &std::fs::read(&walk.stack.log).unwrap(), IN_TEXT, &May::default());
        for (command, output) in &walk.output {
            search.look("command line", command, output, IN_TEXT, &May::default());
        }
        for seen in &walk.seen {
            search.answer(seen);
        }
        search
    }

    fn look(&mut self, name: &'static str, item: &str, bytes: &[u8], shortest_word: usize, may: &May) {
        let at = self.places.iter().position(|place| place.name == name).unwrap_or_else(|| {
            self.places.push(Place { name, items: 0, bytes: 0, allowed: 0, findings: Vec::new() });
            self.places.len() - 1
        });
        let place = &mut self.places[at];
        place.items += 1;
        place.bytes += bytes.len();
        for find in self.searcher.find(bytes, shortest_word) {
            if may.hold(&find.needle) {
                place.allowed += 1;
            } else {
                place.findings.push((item.to_owned(), find));
            }
        }
    }

    /// Table and buckets, by their services.
    async fn services(&mut self, stack: &Value) {
        let text = |field: &str| stack[field].as_str().unwrap();
        let (dynamodb, s3) = endpoint(stack).clients().await;
        let mut pages = dynamodb.scan().table_name(text("table")).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item.unwrap();
            let sk = item["sk"].as_s().unwrap().clone();
            for (name, value) in &item {
                self.attribute(&format!("{sk} {name}"), value);
            }
        }
        for bucket in [text("bucket"), text("public_bucket")] {
            let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
            while let Some(page) = pages.next().await {
                for object in page.unwrap().contents.unwrap_or_default() {
                    let key = object.key.unwrap_or_default();
                    self.look("bucket: keys", &key, key.as_bytes(), IN_TEXT, &May::default());
                    let head = s3.head_object().bucket(bucket).key(&key).send().await.unwrap();
                    let head = format!("{head:?}");
                    self.look("bucket: metadata", &key, head.as_bytes(), IN_TEXT, &May::default());
                }
            }
        }
    }

    fn attribute(&mut self, name: &str, value: &AttributeValue) {
        let none = May::default();
        self.look("table: names", name, name.as_bytes(), IN_TEXT, &none);
        match value {
            AttributeValue::S(text) | AttributeValue::N(text) => {
                self.look("table: texts", name, text.as_bytes(), IN_TEXT, &none);
            }
            AttributeValue::B(bytes) => self.look("table: bytes", name, bytes.as_ref(), IN_NOISE, &none),
            AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => {
                for text in texts {
                    self.look("table: texts", name, text.as_bytes(), IN_TEXT, &none);
                }
            }
            AttributeValue::Bs(all) => {
                for bytes in all {
                    self.look("table: bytes", name, bytes.as_ref(), IN_NOISE, &none);
                }
            }
            AttributeValue::L(all) => all.iter().for_each(|value| self.attribute(name, value)),
            AttributeValue::M(all) => {
                all.iter().for_each(|(part, value)| self.attribute(&format!("{name}.{part}"), value));
            }
            _ => {}
        }
    }

    /// The data folder: names, and what is in the files.
    fn files(&mut self, data: &Path) {
        let none = May::default();
        for file in files_in(data) {
            let name = file.strip_prefix(data).unwrap().to_str().unwrap();
            self.look("file names", name, name.as_bytes(), IN_TEXT, &none);
            let documents = ["bucket/bukti-documents/certificates/", "bucket/bukti-documents/copies/"];
            if documents.iter().any(|folder| name.starts_with(folder)) {
                // They are the certificates. What their names and metadata say was looked at.
                continue;
            }
            let bytes = std::fs::read(&file).unwrap();
            if name.starts_with("table.sqlite") {
                self.look("table's file", name, &bytes, IN_NOISE, &none);
            } else if name == "outbox.jsonl" {
                let sms = May::of_kinds(&[Kind::Phone, Kind::LinkToken, Kind::Code]);
                self.look("SMS outbox", name, &bytes, IN_TEXT, &sms);
            } else if name.starts_with("bucket/bukti-public/") {
                self.look("public bucket", name, &bytes, IN_TEXT, &none);
            } else if name.starts_with("bucket/bukti-documents/intake/") {
                // Of feeds there is none left.
                self.look("intake: reports", name, &bytes, IN_TEXT, &none);
            } else {
                self.look("other files", name, &bytes, IN_TEXT, &none);
            }
        }
    }

    fn answer(&mut self, seen: &Seen) {
        let headers: Vec<String> =
            seen.raw.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.look("answers: headers", &seen.what, headers.join("\n").as_bytes(), IN_TEXT, &seen.headers_may);
        if seen.is_document {
            self.look("documents", &seen.what, &seen.raw.body, IN_NOISE, &seen.may);
            return;
        }
        self.look("answers: bodies", &seen.what, &seen.raw.body, IN_TEXT, &seen.may);
        let json = seen.raw.json();
        for address in [&json["url"], &json["document"]["url"]] {
            if let Some(address) = address.as_str() {
                self.look("answers: addresses", &seen.what, address.as_bytes(), IN_TEXT, &May::default());
            }
        }
    }

    /// Everything that was found where it may not be.
    pub fn findings(&self) -> impl Iterator<Item = (&'static str, &str, &Find)> {
        self.places
            .iter()
            .flat_map(|place| place.findings.iter().map(|(item, find)| (place.name, &**item, find)))
    }

    /// Prints the table.
    pub fn print(&self) {
        println!(
            "{:<20}{:>9}{:>14}{:>9}{:>9}{:>10}",
            "place", "items", "bytes", "needles", "allowed", "findings"
        );
        for place in &self.places {
            let (items, bytes, found) = (place.items, place.bytes, place.findings.len());
            let needles = self.searcher.len();
            println!("{:<20}{items:>9}{bytes:>14}{needles:>9}{:>9}{found:>10}", place.name, place.allowed);
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Description of the embedded stack, with its access keys.
fn with_keys(walk: &Walk) -> Value {
    let mut stack = walk.stack.json("/_stack.json");
    let keys: Value =
        serde_json::from_slice(&std::fs::read(walk.stack.data.join("access-keys.json")).unwrap()).unwrap();
    for name in ["access_key", "secret_key"] {
        stack[name] = keys[name].clone();
    }
    stack
}

fn endpoint(stack: &Value) -> Endpoint<'_> {
    let text = |field: &str| stack[field].as_str().unwrap();
    let credentials = (text("access_key"), text("secret_key"));
    Endpoint { url: text("endpoint"), region: text("region"), credentials }
}

/// Puts something into each place that may not be there, in many forms.
pub fn plant(walk: &mut Walk) {
    let stack = with_keys(walk);
    runtime().block_on(async {
        let (dynamodb, s3) = endpoint(&stack).clients().await;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let within = AttributeValue::L(vec![AttributeValue::M(
            // The number of the first of the walk, in base64.
            [("082106699000".to_owned(), text(&STANDARD.encode("is 3171041403718300")))].into(),
        )]);
        let put = dynamodb.put_item().table_name(stack["table"].as_str().unwrap());
        let key = ItemKey::captcha(&CaptchaKey::of_id("planted"));
        put.item("pk", text(key.pk()))
            .item("sk", text(key.sk()))
            .item("within", within)
            .item("sealed", AttributeValue::B(b"\x01\x02kuncoro wiradinata\xff".to_vec().into()))
            .send()
            .await
            .unwrap();
        let put = s3.put_object().bucket(stack["bucket"].as_str().unwrap());
        put.key("certificates/7KQ2/KUNCORO.pdf")
            .metadata("of", "33313731303431343033373138333030")
            .send()
            .await
            .unwrap();
    });
    let data = &walk.stack.data;
    std::fs::write(data.join("628210669900"), "14/03/1971").unwrap();
    std::fs::write(data.join("bucket/bukti-public/list"), "19710314").unwrap();
    std::fs::write(data.join("bucket/bukti-documents/intake/reports/planted.csv"), "2,WALK-0,wiradinata")
        .unwrap();
    let append = |file: &Path, text: &str| {
        let mut content = std::fs::read(file).unwrap();
        content.extend(text.as_bytes());
        std::fs::write(file, content).unwrap();
    };
    append(&data.join("outbox.jsonl"), "Kuncoro");
    append(&walk.stack.log, "GET /api/Kuncoro%20Wiradinata");
    walk.output.push(("planted".to_owned(), b"ZX8401177".to_vec()));
    let token = walk.needles.first(Kind::SessionToken);
    let link = walk.needles.first(Kind::LinkToken);
    let body = json!({"url": format!("/document?of={link}")}).to_string().into_bytes();
    let raw = RawResponse { status: 200, headers: vec![("location".to_owned(), token)], body };
    let seen = Seen {
        what: "planted".to_owned(),
        raw,
        is_document: false,
        may: May::default(),
        headers_may: May::default(),
    };
    let document = walk.needles.first(Kind::QrText).into_bytes();
    let mut of_another = seen.clone();
    (of_another.is_document, of_another.raw.body) = (true, document);
    walk.seen.extend([seen, of_another]);
}

/// The files below a folder.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
