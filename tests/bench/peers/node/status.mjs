// The status request as a Node function with AWS SDK v3. It makes the checks, calls and responses of
// `functions/status`, but has none of its texts. Lambda's own Node runtime does more work than the
// loop here.

import { createDecipheriv, createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";

const { AWS_LAMBDA_RUNTIME_API, BUKTI_SECRETS, BUKTI_TABLE: TableName } = process.env;
const secrets = JSON.parse(readFileSync(BUKTI_SECRETS.replace("file:", ""), "utf8"));
const indexKey = Buffer.from(secrets.index_key, "base64url");
const sealingKeys = new Map(secrets.sealing_keys.map(({ id, key }) => [id, Buffer.from(key, "base64url")]));
const table = new DynamoDBClient({});

const HOUR = 3600;
const STATUS_REQUESTS = 1000;

const sha256 = (data) => createHash("sha256").update(data).digest();
const keyed = (prefix, purpose, value) =>
  prefix + createHmac("sha256", indexKey).update(`${purpose}\u001f${value}`).digest().subarray(0, 18).toString("base64url");
const window = () => Math.floor(Date.now() / 1000 / HOUR);
const rate = (name, address) => keyed("RATE#", "rate", `${name}\u001f${window()}\u001f${address}`);

class RequestError extends Error {
  constructor(status, code) {
    super(code);
    Object.assign(this, { status, code });
  }
}

/** Checks that an ALTCHA proof of work carries our signature, has not expired, and is solved. */
function verifyCaptcha(captcha) {
  const { challenge, solution } = JSON.parse(Buffer.from(captcha, "base64"));
  const { parameters, signature } = challenge;
  if (parameters.expiresAt < Date.now() / 1000) throw new RequestError(400, "captcha_expired");
  const sorted = JSON.stringify(Object.fromEntries(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))));
  const expected = createHmac("sha256", secrets.captcha_key).update(sorted).digest();
  const given = Buffer.from(signature, "hex");
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(solution.counter);
  let derived = Buffer.concat([parameters.salt, parameters.nonce].map((hex) => Buffer.from(hex, "hex")).concat(counter));
  for (let round = 0; round < Math.max(parameters.cost, 1); round++) derived = sha256(derived);
  const hex = derived.subarray(0, parameters.keyLength).toString("hex");
  const right = given.length === expected.length && timingSafeEqual(given, expected);
  if (!right || hex !== solution.derivedKey || !hex.startsWith(parameters.keyPrefix)) throw new RequestError(400, "captcha_wrong");
  return { signature: signature.toLowerCase(), expiresAt: parameters.expiresAt };
}

async function sendConditional(command, code, status) {
  try {
    return await table.send(command);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) throw new RequestError(status, code);
    throw error;
  }
}

async function admit(captcha, address) {
  const { signature, expiresAt } = verifyCaptcha(captcha);
  await table.send(
    new GetItemCommand({ TableName, Key: { pk: { S: rate("failures", address) }, sk: { S: "RATE" } }, ConsistentRead: true }),
  );
  const allowance = new UpdateItemCommand({
    TableName,
    Key: { pk: { S: rate("looks", address) }, sk: { S: "RATE" } },
    UpdateExpression: "SET taken = if_not_exists(taken, :zero) + :one, expires_at = :ends",
    ConditionExpression: "attribute_not_exists(taken) OR taken < :most",
    ExpressionAttributeValues: {
      ":zero": { N: "0" },
      ":one": { N: "1" },
      ":most": { N: `${STATUS_REQUESTS}` },
      ":ends": { N: `${(window() + 1) * HOUR}` },
    },
    ReturnValues: "ALL_NEW",
  });
  await sendConditional(allowance, "too_many_requests", 429);
  const used = new PutItemCommand({
    TableName,
    Item: {
      pk: { S: `CAPTCHA#${sha256(signature).toString("base64url")}` },
      sk: { S: "CAPTCHA" },
      expires_at: { N: `${expiresAt}` },
    },
    ConditionExpression: "attribute_not_exists(pk)",
  });
  await sendConditional(used, "captcha_reused", 400);
}

/** Decrypts a dose's row with AES-256-GCM; the item's key is the associated data. */
function openRow(item) {
  const sealed = Buffer.from(item.row.B);
  const decipher = createDecipheriv("aes-256-gcm", sealingKeys.get(sealed[1]), sealed.subarray(2, 14));
  decipher.setAAD(Buffer.from(`${item.pk.S} DOSE row`));
  decipher.setAuthTag(sealed.subarray(-16));
  return JSON.parse(Buffer.concat([decipher.update(sealed.subarray(14, -16)), decipher.final()]));
}

const normalised = (name) => name.normalize("NFKD").toUpperCase().replace(/[^A-Z]+/g, " ").trim();

async function status({ name, nik, captcha }, address) {
  if (!/^\d{16}$/.test(nik ?? "") || !normalised(name ?? "")) throw new RequestError(400, "invalid_fields");
  await admit(captcha, address);
  const found = await table.send(
    new QueryCommand({
      TableName,
      IndexName: "by_person",
      KeyConditionExpression: "#key = :value AND pk BETWEEN :first AND :last",
      ExpressionAttributeNames: { "#key": "person" },
      ExpressionAttributeValues: {
        ":value": { S: keyed("PERSON#", "person", `nik:${nik}`) },
        ":first": { S: "CERTIFICATE#" },
        ":last": { S: "EVENT#~" },
      },
    }),
  );
  const certificates = new Map(found.Items.filter((item) => item.sk.S === "CERTIFICATE").map((item) => [item.pk.S.slice("CERTIFICATE#".length), item]));
  const doses = found.Items.filter((item) => item.sk.S === "DOSE")
    .map((item) => ({ item, row: openRow(item) }))
    .filter(({ row }) => normalised(row.nama) === normalised(name))
    .sort((a, b) => (a.row.tanggal_vaksinasi < b.row.tanggal_vaksinasi ? -1 : 1))
    .map(({ item, row }) => {
      const certificate = certificates.get(item.certificate_id?.S);
      const issued = certificate && !certificate.revoked_at;
      return {
        dose_number: Number(row.dosis_ke),
        vaccine: row.vaksin,
        vaccination_date: row.tanggal_vaksinasi,
        facility: row.nama_faskes,
        diagnosis: { code: issued ? "certificate_issued" : certificate ? "certificate_revoked" : item.verdict.S },
      };
    });
  return { doses };
}

async function handle(event) {
  try {
    const answer = await status(JSON.parse(event.body), event.requestContext.http.sourceIp);
    return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(answer) };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { statusCode: error.status, headers: {}, body: JSON.stringify({ code: error.code }) };
  }
}

const agent = new Agent({ keepAlive: true });
const api = (method, path, body) =>
  new Promise((resolve, reject) => {
    const [host, port] = AWS_LAMBDA_RUNTIME_API.split(":");
    const call = request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part)).on("end", () => resolve({ headers: answer.headers, text }));
    });
    call.on("error", reject).end(body);
  });

for (;;) {
  const { headers, text } = await api("GET", "next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    await api("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(text))));
  } catch (error) {
    await api("POST", `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: `${error.stack}` }));
  }
}
