//! The searched places, and the personal data that each place may contain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_records::{CaptchaKey, ItemKey};
use bukti_store::Endpoint;
use bukti_tests::caller::RawResponse;
use serde_json::{Value, json};

use crate::needles::{Kind, MIN_WORD_IN_BINARY, MIN_WORD_IN_TEXT, Match, Needle, Searcher, words};
use crate::scenario::{RecordedResponse, Scenario};

/// The needles that a place may contain.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Kinds for which any value is allowed.
    pub kinds: Vec<Kind>,
    /// Individual values that are allowed. An allowed name also allows its words.
    pub values: BTreeSet<Needle>,
}

impl Allowed {
    /// Allows any value of these kinds, and no other needles.
    pub fn of_kinds(kinds: &[Kind]) -> Self {
        Self { kinds: kinds.to_vec(), values: BTreeSet::new() }
    }

    fn permits(&self, (kind, value): &Needle) -> bool {
        let is_in_allowed_name = || {
            let mut names = self.values.iter().filter(|(kind, _)| *kind == Kind::Name);
            names.any(|(_, name)| name == value || words(name).any(|word| word == *value))
        };
        self.kinds.contains(kind)
            || self.values.contains(&(*kind, value.clone()))
            || (matches!(kind, Kind::Word | Kind::Name) && is_in_allowed_name())
    }
}

/// A searched place and the needles found there. Each place is a row of the printed table.
pub struct Place {
    pub name: &'static str,
    items: usize,
    bytes: usize,
    /// The number of needles that were found and are allowed in this place.
    allowed: usize,
    /// The item and the match for each needle that is not allowed.
    pub findings: Vec<(String, Match)>,
}

/// A search, and the places that it has covered so far.
pub struct Search<'a> {
    searcher: &'a Searcher,
    pub places: Vec<Place>,
}

impl<'a> Search<'a> {
    /// Searches all places of an idle stack.
    pub fn run(searcher: &'a Searcher, scenario: &Scenario) -> Self {
        let mut search = Self { searcher, places: Vec::new() };
        runtime().block_on(search.services(&stack_info(scenario)));
        search.files(&scenario.stack.data);
        search.search(
            "logs",
            "log",
            &std::fs::read(&scenario.stack.log).unwrap(),
            MIN_WORD_IN_TEXT,
            &Allowed::default(),
        );
        for (command, output) in &scenario.cli_output {
            search.search("command line", command, output, MIN_WORD_IN_TEXT, &Allowed::default());
        }
        for response in &scenario.responses {
            search.response(response);
        }
        search
    }

    fn search(
        &mut self,
        name: &'static str,
        item: &str,
        bytes: &[u8],
        shortest_word: usize,
        allowed: &Allowed,
    ) {
        let at = self.places.iter().position(|place| place.name == name).unwrap_or_else(|| {
            self.places.push(Place { name, items: 0, bytes: 0, allowed: 0, findings: Vec::new() });
            self.places.len() - 1
        });
        let place = &mut self.places[at];
        place.items += 1;
        place.bytes += bytes.len();
        for found in self.searcher.find(bytes, shortest_word) {
            if allowed.permits(&found.needle) {
                place.allowed += 1;
            } else {
                place.findings.push((item.to_owned(), found));
            }
        }
    }

    /// Searches the table and the buckets through their services.
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
                    self.search("bucket: keys", &key, key.as_bytes(), MIN_WORD_IN_TEXT, &Allowed::default());
                    let head = s3.head_object().bucket(bucket).key(&key).send().await.unwrap();
                    let head = format!("{head:?}");
                    self.search(
                        "bucket: metadata",
                        &key,
                        head.as_bytes(),
                        MIN_WORD_IN_TEXT,
                        &Allowed::default(),
                    );
                }
            }
        }
    }

    fn attribute(&mut self, name: &str, value: &AttributeValue) {
        let none = Allowed::default();
        self.search("table: names", name, name.as_bytes(), MIN_WORD_IN_TEXT, &none);
        match value {
            AttributeValue::S(text) | AttributeValue::N(text) => {
                self.search("table: texts", name, text.as_bytes(), MIN_WORD_IN_TEXT, &none);
            }
            AttributeValue::B(bytes) => {
                self.search("table: bytes", name, bytes.as_ref(), MIN_WORD_IN_BINARY, &none)
            }
            AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => {
                for text in texts {
                    self.search("table: texts", name, text.as_bytes(), MIN_WORD_IN_TEXT, &none);
                }
            }
            AttributeValue::Bs(all) => {
                for bytes in all {
                    self.search("table: bytes", name, bytes.as_ref(), MIN_WORD_IN_BINARY, &none);
                }
            }
            AttributeValue::L(all) => all.iter().for_each(|value| self.attribute(name, value)),
            AttributeValue::M(all) => {
                all.iter().for_each(|(part, value)| self.attribute(&format!("{name}.{part}"), value));
            }
            _ => {}
        }
    }

    /// Searches the names and the contents of the files in the data folder.
    fn files(&mut self, data: &Path) {
        let none = Allowed::default();
        for file in files_in(data) {
            let name = file.strip_prefix(data).unwrap().to_str().unwrap();
            self.search("file names", name, name.as_bytes(), MIN_WORD_IN_TEXT, &none);
            let documents = ["bucket/bukti-documents/certificates/", "bucket/bukti-documents/copies/"];
            if documents.iter().any(|folder| name.starts_with(folder)) {
                // Certificates contain personal data by design, so only their names and metadata
                // are searched.
                continue;
            }
            let bytes = std::fs::read(&file).unwrap();
            if name.starts_with("table.sqlite") {
                self.search("table's file", name, &bytes, MIN_WORD_IN_BINARY, &none);
            } else if name == "outbox.jsonl" {
                let sms = Allowed::of_kinds(&[Kind::Phone, Kind::LinkToken, Kind::Code]);
                self.search("SMS outbox", name, &bytes, MIN_WORD_IN_TEXT, &sms);
            } else if name.starts_with("bucket/bukti-public/") {
                self.search("public bucket", name, &bytes, MIN_WORD_IN_TEXT, &none);
            } else if name.starts_with("bucket/bukti-documents/intake/") {
                // Processed feeds are deleted, so only reports remain.
                self.search("intake: reports", name, &bytes, MIN_WORD_IN_TEXT, &none);
            } else {
                self.search("other files", name, &bytes, MIN_WORD_IN_TEXT, &none);
            }
        }
    }

    fn response(&mut self, response: &RecordedResponse) {
        let headers: Vec<String> =
            response.raw.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.search(
            "answers: headers",
            &response.what,
            headers.join("\n").as_bytes(),
            MIN_WORD_IN_TEXT,
            &response.allowed_in_headers,
        );
        if response.is_document {
            self.search(
                "documents",
                &response.what,
                &response.raw.body,
                MIN_WORD_IN_BINARY,
                &response.allowed,
            );
            return;
        }
        self.search(
            "answers: bodies",
            &response.what,
            &response.raw.body,
            MIN_WORD_IN_TEXT,
            &response.allowed,
        );
        let json = response.raw.json();
        for address in [&json["url"], &json["document"]["url"]] {
            if let Some(address) = address.as_str() {
                self.search(
                    "answers: addresses",
                    &response.what,
                    address.as_bytes(),
                    MIN_WORD_IN_TEXT,
                    &Allowed::default(),
                );
            }
        }
    }

    /// All matches that are not allowed, each with its place and item.
    pub fn findings(&self) -> impl Iterator<Item = (&'static str, &str, &Match)> {
        self.places
            .iter()
            .flat_map(|place| place.findings.iter().map(|(item, found)| (place.name, &**item, found)))
    }

    /// Prints a table with one row per place.
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

/// The description of the stack's services from `/_stack.json`, with the access keys.
fn stack_info(scenario: &Scenario) -> Value {
    let mut stack = scenario.stack.json("/_stack.json");
    let keys: Value =
        serde_json::from_slice(&std::fs::read(scenario.stack.data.join("access-keys.json")).unwrap())
            .unwrap();
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

/// Plants a needle that is not allowed in each place, in various encodings.
pub fn plant(scenario: &mut Scenario) {
    let stack = stack_info(scenario);
    runtime().block_on(async {
        let (dynamodb, s3) = endpoint(&stack).clients().await;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let within = AttributeValue::L(vec![AttributeValue::M(
            // The first person's NIK, in base64.
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
    let data = &scenario.stack.data;
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
    append(&scenario.stack.log, "GET /api/Kuncoro%20Wiradinata");
    scenario.cli_output.push(("planted".to_owned(), b"ZX8401177".to_vec()));
    let token = scenario.needles.first(Kind::SessionToken);
    let link = scenario.needles.first(Kind::LinkToken);
    let body = json!({"url": format!("/document?of={link}")}).to_string().into_bytes();
    let raw = RawResponse { status: 200, headers: vec![("location".to_owned(), token)], body };
    let response = RecordedResponse {
        what: "planted".to_owned(),
        raw,
        is_document: false,
        allowed: Allowed::default(),
        allowed_in_headers: Allowed::default(),
    };
    let document = scenario.needles.first(Kind::QrText).into_bytes();
    let mut foreign_document = response.clone();
    (foreign_document.is_document, foreign_document.raw.body) = (true, document);
    scenario.responses.extend([response, foreign_document]);
}

/// All files in a folder and its subfolders.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
