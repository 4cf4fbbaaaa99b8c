// What the journeys have in common: a browser, feeds through the command line, the outbox, a scanner.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { chromium } from "playwright-core";

export const url = process.env.BUKTI_URL;
export const phone = { width: 360, height: 740 };
export const desktop = { width: 1280, height: 800 };

const { ARTIFACTS, BUKTI_CLI, BUKTI_PYTHON, BUKTI_ROOT, CHROMIUM } = process.env;
const columns =
  "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,tanggal_vaksinasi,kode_faskes,nama_faskes".split(",");

/** A complete first dose; journeys change what they are about. */
export function dose(changes) {
  return {
    sent_at: "2021-01-29T08:41:34+07:00",
    nama: "Siti Nurhaliza",
    tanggal_lahir: "1989-01-24",
    dosis_ke: "1",
    vaksin: "CoronaVac",
    batch: "AZ56327A",
    tanggal_vaksinasi: "2021-01-29",
    kode_faskes: "P3174020101",
    nama_faskes: "Puskesmas Kebayoran Baru",
    ...changes,
  };
}

/** Sends doses in, as a facility does, and waits until certificates and SMS are made. */
export function sendDoses(...doses) {
  const file = join(tmpdir(), `bukti-feed-${process.pid}.csv`);
  const rows = doses.map((dose) => columns.map((column) => dose[column] ?? "").join(","));
  writeFileSync(file, [columns.join(","), ...rows, ""].join("\n"));
  bukti("import", file);
}

/** The admin's command line. */
export function bukti(...command) {
  execFileSync(BUKTI_CLI, [...command, "--endpoint", url], { stdio: "pipe" });
}

/** The last SMS to a number in E.164. */
export async function lastSms(to) {
  const sent = await (await fetch(`${url}/_sms.json`)).json();
  return sent.filter((sms) => sms.to === to).at(-1)?.message;
}

/**
 * Opens a browser with one page. A script error or a breach of the security policy on it fails the journey, and so does a
 * request to another host than `at`.
 */
export async function openPage(viewport, options = {}, { at = url, args = [] } = {}) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", ...args],
  });
  const context = await browser.newContext({ viewport, locale: "id-ID", acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // Chromium reports every answer with an error status, also those that a journey is about.
    const expected = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !expected) faults.push(message.text());
  });
  context.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(at) && !address.startsWith("data:") && !address.startsWith("blob:")) {
      faults.push(`a request to another host: ${address}`);
    }
  });
  return { browser, page, faults };
}

/** Runs a journey in a browser of its own. */
export function journey(name, viewport, walk, options, launch) {
  test(name, async () => {
    const { browser, page, faults } = await openPage(viewport, options, await launch?.());
    try {
      await walk(page);
      assert.deepEqual(faults, []);
    } catch (error) {
      await picture(page, `failed-${name.replace(/\W+/g, "-")}`).catch(() => {});
      throw error;
    } finally {
      await browser.close();
    }
  });
}

export const heading = (page, name) => page.getByRole("heading", { name }).first().waitFor();

/** Logs in with the code of an SMS, or, with a name, makes an account. */
export async function logIn(page, number, e164, name) {
  await page.goto(`${url}/${name ? "daftar" : "masuk"}`);
  if (name) await page.getByLabel("Nama lengkap").fill(name);
  await page.getByLabel("Nomor HP").fill(number);
  await page.getByRole("button", { name: "Kirim kode", exact: true }).click();
  await heading(page, "Masukkan kode dari SMS");
  const code = (await lastSms(e164)).match(/#(\d{6})/)[1];
  await page.getByLabel("Kode 6 angka").fill(code);
  await page.getByRole("button", { name: "Masuk", exact: true }).click();
  await heading(page, "Sertifikat Vaksin");
}

/** A picture of the page as it is, for people to look at. */
export async function picture(page, name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`), fullPage: true });
}

/** Presses a button that downloads, and returns the file's path. */
export async function download(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const path = join(ARTIFACTS, download.suggestedFilename());
  mkdirSync(ARTIFACTS, { recursive: true });
  await download.saveAs(path);
  return path;
}

/** Scans a PDF's QR and has it verified by implementations that are not ours; returns the payload. */
export function verifyPdf(path) {
  const python = (script, args, input) =>
    execFileSync(BUKTI_PYTHON, [join(BUKTI_ROOT, "tests/verify", script), ...args], { input, encoding: "utf8" });
  const texts = python("scan.py", [path]).trim().split("\n");
  assert.equal(new Set(texts).size, 1, "page and card have the same QR");
  const exported = (...what) =>
    execFileSync(BUKTI_CLI, ["keys", "export", ...what, "--endpoint", url], { encoding: "utf8" });
  const asked = { signer: exported(), root: exported("--root"), schema: null, value_sets: null, texts };
  const [answer] = JSON.parse(python("hcert.py", [], JSON.stringify(asked)));
  if (answer.refused) throw new Error(answer.refused);
  return answer.payload;
}
