// Runs the CloudFront functions of infra/template.yaml on URLs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const template = readFileSync(new URL("../../infra/template.yaml", import.meta.url), "utf8");

/** The function of the template with this logical id. */
function edge(id) {
  const [, after] = template.split(new RegExp(`^  ${id}:$`, "m"));
  const [, code] = after.match(/FunctionCode: \|\n((?: {8}.*\n|\n)+)/);
  return new Function(`${code}\nreturn handler;`)();
}

const findPage = edge("FindPage");
const found = (uri, encodings) =>
  findPage({ request: { uri, headers: encodings ? { "accept-encoding": { value: encodings } } : {} } }).uri;

test("every page has its file", () => {
  const places = readFileSync(new URL("../../site/src/place.rs", import.meta.url), "utf8");
  const [, paths] = places.match(/const PATHS[^=]*= \[\n([^;]*)\];/);
  const pages = [...paths.matchAll(/\["([^"]*)", "([^"]*)"\]/g)];
  assert.ok(pages.length > 10);
  const locales = readFileSync(new URL("../../functions/lib/locales/src/lib.rs", import.meta.url), "utf8");
  const [, languages] = locales.match(/^languages! \{\n([^}]*)\}/m);
  const tags = [...languages.matchAll(/ = "([a-z]+)" /g)].map(([, tag]) => tag).filter((tag) => tag !== "id");
  assert.ok(tags.includes("en"));
  for (const [, id, other] of pages) {
    assert.equal(found(`/${id}`), id ? `/${id}/index.html` : "/index.html");
    for (const tag of tags) assert.equal(found(`/${tag}${other && `/${other}`}`), other ? `/${tag}/${other}/index.html` : `/${tag}/index.html`);
    if (id) assert.equal(found(`/${id}/`), `/${id}/index.html`);
  }
});

test("links, the URL on certificates, files and missing pages have their files", () => {
  assert.equal(found("/s/abcdefghijklmnopqrstuv"), "/s/index.html");
  assert.equal(found("/en/s/abc.def-_g"), "/en/s/index.html");
  assert.equal(found("/verify"), "/verifikasi/index.html");
  for (const file of ["/settings.json", "/assets/site-1234.wasm", "/sw.js", "/masuk/index.html"]) assert.equal(found(file), file);
  for (const none of ["/s", "/s/a/b", "/help", "/masuk/x", "/404"]) assert.equal(found(none), "/404.html");
  assert.equal(found("/en/bantuan"), "/en/404.html");
});

test("serves brotli files only to browsers that accept them", () => {
  for (const file of ["/assets/a.wasm", "/sw.js", "/masuk/index.html"]) {
    assert.equal(found(file, "gzip, deflate, br"), `${file}.br`);
    assert.equal(found(file, "gzip, brx"), file);
  }
  assert.equal(found("/masuk", "br,gzip"), "/masuk/index.html.br");
  assert.equal(found("/help", "br,gzip"), "/404.html.br");
  assert.equal(found("/settings.json", "br"), "/settings.json");
});

test("missing pages get the status 404", () => {
  const setNotFoundStatus = edge("SetNotFoundStatus");
  const answer = (headers) => setNotFoundStatus({ response: { statusCode: 200, headers } });
  assert.deepEqual(answer({ "x-amz-meta-status": { value: "404" } }), { statusCode: 404, headers: {} });
  assert.deepEqual(answer({}), { statusCode: 200, headers: {} });
});

test("the client address overwrites a spoofed header", () => {
  const { headers } = edge("SetClientAddress")({ viewer: { ip: "36.68.1.2" }, request: { headers: { "x-bukti-viewer": { value: "1.1.1.1" } } } });
  assert.deepEqual(headers, { "x-bukti-viewer": { value: "36.68.1.2" } });
});
