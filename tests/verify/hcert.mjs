// Verifies HCERT texts with implementations that share no code with Bukti or with hcert.py: packages of
// npm, and zlib and X.509 of Node.
//
// Reads {"signer": PEM, "root": PEM, "schema": path or null, "texts": [...]} from standard input.
// Prints for each text {"payload": ...} or {"refused": why}. Fails if the signer's certificate is wrong.

import assert from "node:assert/strict";
import { X509Certificate, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { inflateSync } from "node:zlib";

import { Sign1 } from "@auth0/cose";
import { decode as decodeBase45 } from "@digitalbazaar/base45";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { decode as decodeCbor } from "cborg";

const asked = await json(process.stdin);
const signer = new X509Certificate(asked.signer);
const root = new X509Certificate(asked.root);
assert(signer.checkIssued(root) && signer.verify(root.publicKey), "the root did not issue the signer");
assert(root.ca && !signer.ca);
const kid = createHash("sha256").update(signer.raw).digest().subarray(0, 8);

let schema = () => true;
if (asked.schema) {
  const ajv = new Ajv({ strict: false });
  addFormats(ajv);
  schema = ajv.compile(JSON.parse(readFileSync(asked.schema, "utf8")));
}

async function verify(text) {
  assert(text.startsWith("HC1:"));
  const message = Sign1.decode(inflateSync(decodeBase45(text.slice(4))));
  assert(kid.equals(message.protectedHeaders.get(4)), "the kid is not the signer's");
  await message.verify(signer.publicKey, { algorithms: [-7] });
  const claims = decodeCbor(message.payload, { useMaps: true, strict: true, rejectDuplicateMapKeys: true });
  const now = Date.now() / 1000;
  assert(claims.get(6) <= now && now < claims.get(4), "now is not within its time");
  assert(claims.get(4) * 1000 <= Date.parse(signer.validTo), "it outlives its signer");
  assert.equal(claims.get(1), "ID");
  const [[kind, content]] = claims.get(-260);
  const payload = plain(content);
  if (kind === 1) assert(schema(payload), schema.errors?.map((error) => error.message).join(", "));
  else assert.equal(kind, -6);
  return payload;
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, value]) => [key, plain(value)]));
}

const answers = asked.texts.map((text) =>
  verify(text).then(
    (payload) => ({ payload }),
    (error) => ({ refused: `${error.name}: ${error.message}`.split("\n")[0] }),
  ),
);
process.stdout.write(JSON.stringify(await Promise.all(answers)));
