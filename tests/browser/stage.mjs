// Shared by the journeys: a browser, imports by the command line, the SMS outbox, a QR scanner.
//
// A journey calls `state` in each state of the site: it takes a screenshot for people, checks the
// page with axe, and compares its structure with snapshots/. `UPDATE_SNAPSHOTS=1 cargo xtask test
// --only browser` updates the snapshots; review the diff.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { chromium } from "playwright-core";

const { ARTIFACTS, BUKTI_CLI, BUKTI_PYTHON, BUKTI_ROOT, CHROMIUM, UPDATE_SNAPSHOTS } = process.env;

export const url = process.env.BUKTI_URL;
export const phone = { width: 360, height: 740 };
export const desktop = { width: 1280, height: 800 };
export const locales = ["id", "en"];

/** Every size in every language. */
export const everyVariant = Object.entries({ phone, desktop }).flatMap(([size, viewport]) =>
  locales.map((locale) => ({ size, viewport, locale, variant: `${size}, ${locale}` })),
);

/** The pages: the key of each title, its path in each language, and whether it is public. */
export const pages = {
  home: { title: "home.title", id: "/", en: "/en", open: true },
  logIn: { title: "login.title", id: "/masuk", en: "/en/log-in", open: true },
  register: { title: "register.title", id: "/daftar", en: "/en/register", open: true },
  account: { title: "account.title", id: "/akun", en: "/en/account" },
  history: { title: "history.title", id: "/riwayat", en: "/en/history" },
  devices: { title: "devices.title", id: "/perangkat", en: "/en/devices" },
  looks: { title: "looks.title", id: "/dilihat", en: "/en/looks" },
  logOut: { title: "logout.title", id: "/keluar", en: "/en/log-out" },
  download: { title: "download.title", id: "/unduh", en: "/en/download", open: true },
  correction: { title: "correction.title", id: "/koreksi", en: "/en/correction", open: true },
  helpdesk: { title: "console.title", id: "/helpdesk", en: "/en/helpdesk" },
  help: { title: "nav.help", id: "/bantuan", en: "/en/help", open: true },
  privacy: { title: "privacy.title", id: "/privasi", en: "/en/privacy", open: true },
  verify: { title: "verify.title", id: "/verifikasi", en: "/en/verify", open: true },
  ticket: { title: "ticket.title", id: "/tiket", en: "/en/ticket" },
  link: { title: "link.title", id: "/s/abcdefghijklmnopqrstuv", en: "/en/s/abcdefghijklmnopqrstuv" },
  unknown: { title: "not_found.title", id: "/tidak-ada", en: "/en/not-there" },
};

const texts = Object.fromEntries(
  locales.map((locale) => [locale, JSON.parse(readFileSync(join(BUKTI_ROOT, `functions/lib/locales/texts/${locale}/site.json`)))]),
);

/** The site's texts in a language, by their keys. */
export const speaking = (locale) => (key) => texts[locale][key] ?? assert.fail(`no text ${key}`);

const columns =
  "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,tanggal_vaksinasi,kode_faskes,nama_faskes".split(",");

/** A complete first dose with these changes. */
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

/** Imports doses, and waits until certificates are issued and SMS are sent. */
export function sendDoses(...doses) {
  const file = join(tmpdir(), `bukti-feed-${process.pid}.csv`);
  const rows = doses.map((dose) => columns.map((column) => dose[column] ?? "").join(","));
  writeFileSync(file, [columns.join(","), ...rows, ""].join("\n"));
  bukti("import", file);
}

/** Runs the admin's command line and returns its output. */
export function bukti(...command) {
  return execFileSync(BUKTI_CLI, [...command, "--endpoint", url], { stdio: "pipe", encoding: "utf8" });
}

/** The last SMS to a number in national format. */
export async function lastSms(number) {
  const to = number.replace(/\D/g, "").replace(/^0/, "+62");
  const sent = await (await fetch(`${url}/_sms.json`)).json();
  return sent.filter((sms) => sms.to === to).at(-1)?.message;
}

/**
 * Opens a browser with one page. A script error, a violation of the security policy or a request to
 * another host than `at` fails the journey.
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
    // Chromium logs every response with an error status, including those that a journey expects.
    const expected = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !expected) faults.push(message.text());
  });
  context.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(at) && !address.startsWith("data:") && !address.startsWith("blob:")) {
      faults.push(`request to another host: ${address}`);
    }
  });
  return { browser, page, faults };
}

/** Runs a journey in a new browser. A journey that expects faults removes them from its list. */
export function journey(name, viewport, walk, options, launch) {
  test(name, async () => {
    const { browser, page, faults } = await openPage(viewport, options, await launch?.());
    try {
      await walk(page, faults);
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
export const button = (page, name) => page.getByRole("button", { name, exact: true });

/** Opens a page and waits until the site has replaced the pre-rendered page. */
export async function open(page, path) {
  const answer = await page.goto(url + path);
  await isReady(page);
  return answer;
}

export const isReady = (page) => page.locator(".beginning").waitFor({ state: "detached" });

export const hasFocus = (page, id) => page.waitForFunction((id) => document.activeElement?.id === id, id);

/** Presses the tab key until the element with this text has the focus. */
export async function tabTo(page, words) {
  for (let tab = 0; tab < 40; tab += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const { innerText, labels, ariaLabel } = document.activeElement;
      return innerText || labels?.[0]?.innerText || ariaLabel || "";
    });
    if (at.trim().toLowerCase() === words.toLowerCase()) return;
  }
  assert.fail(`the keyboard does not reach ${words}`);
}

/** Checks that nothing overflows the page horizontally. */
export async function fits(page) {
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(needed <= there, `${page.url()} needs ${needed} px and has ${there}`);
}

/** Records the requests from now on whose URL matches. */
export function requestsTo(page, pattern) {
  const sent = [];
  page.on("request", (request) => pattern.test(request.url()) && sent.push(request));
  return sent;
}

/** Blocks requests that match, and returns a function that releases them. */
export async function hold(page, pattern) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(pattern, async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

/** Logs in with the code of an SMS, or, with a name, creates an account. */
export async function logIn(page, number, { name, locale = "id" } = {}) {
  const t = speaking(locale);
  await open(page, pages[name ? "register" : "logIn"][locale]);
  if (name) await page.getByLabel(t("field.name.label")).fill(name);
  await page.getByLabel(t("field.phone.label")).fill(number);
  await button(page, t("login.send_code")).click();
  await heading(page, t("code.title"));
  const code = (await lastSms(number)).match(/#(\d{6})/)[1];
  await page.getByLabel(t("field.code.label")).fill(code);
  await button(page, t("code.enter")).click();
  await heading(page, t("account.title"));
}

/** The path of the last link sent to a number. */
export const linkOf = async (number) => new URL((await lastSms(number)).match(/https?:\S+\/s\/\S+/)[0]).pathname;

/** Fills in the birth date of all persons in the journeys. */
export async function fillBirthDate(page, t, [day, month, year] = ["24", "1", "1989"]) {
  await page.getByLabel(t("date.day"), { exact: true }).fill(day);
  await page.getByLabel(t("date.month"), { exact: true }).fill(month);
  await page.getByLabel(t("date.year"), { exact: true }).fill(year);
}

/** Requests a status. */
export async function periksa(page, t, name, nik) {
  await page.getByLabel(t("field.name.label")).fill(name);
  await page.getByLabel(t("field.nik.label")).fill(nik);
  await page.getByLabel(t("captcha.label")).check();
  await button(page, t("check")).click();
}

/**
 * Checks a state of the site, in the current size and language. `of` is the element whose structure
 * is compared: one snapshot for all sizes, unless `bySize`.
 */
export async function state(page, name, { of = "main", bySize = false } = {}) {
  const [locale, dark] = await page.evaluate(() => [document.documentElement.lang, matchMedia("(prefers-color-scheme: dark)").matches]);
  const size = page.viewportSize().width < 640 ? "phone" : "desktop";
  await picture(page, [name, locale === "id" ? "" : locale, dark ? "dark" : "", size].filter(Boolean).join("-"));
  await isAccessible(page, name);
  await matchesSnapshot(page.locator(of), `${bySize ? `${name}-${size}` : name}.${locale}`);
}

/** Takes a screenshot of the page, for people. */
export async function picture(page, name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`), fullPage: true });
}

const axe = readFileSync(new URL("axe.min.js", import.meta.resolve("axe-core")), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Fails with the findings of axe: the rule, the element, and how to fix it. */
async function isAccessible(page, name) {
  // The page's security policy does not apply to scripts that the debugger evaluates.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  // With a viewport as tall as the page, since people can scroll what the bar at the bottom covers.
  const screen = page.viewportSize();
  await page.setViewportSize({ ...screen, height: Math.max(screen.height, await page.evaluate(() => document.documentElement.scrollHeight)) });
  const { violations } = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), rules);
  await page.setViewportSize(screen);
  const found = violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id} at ${target}: ${help}. ${failureSummary}`));
  assert.deepEqual(found, [], `axe, ${name}`);
}

/** Text that differs between runs or appears temporarily, and its placeholder. */
const volatile = [
  [/\/s\/[\w-]{22}/g, "/s/TOKEN"],
  [/ Kartik\p{Ll}\b/gu, ""],
  [/\b([0-9A-Z]{4}-){3}[0-9A-Z]{4}\b/g, "ID"],
  [/\b[0-9A-Z]{5}-[0-9A-Z]{5}\b/g, "CASE"],
  [/(- textbox .*: )"?[0-9a-z]{5} [0-9a-z]{5}"?$/gm, "$1CASE"],
  [/(\[invalid\]: )"\d{6}"$/gm, "$1CODE"],
  [/\b(\d{4} ){3}\d{4}\b|\b\d{16}\b|•+\d{4}\b/g, "NIK"],
  [/(\b0|\+62)8\d{9,10}\b/g, "PHONE"],
  // As many as there are causes and questions: their texts have tests of their own.
  [/^( *)- group: .+(\n\1- group: .+){2,}$/gm, "$1- group: TOPICS"],
  // Presigned URLs.
  [/\/url: "?https?:\S+/g, "/url: ADDRESS"],
  [/\b\d{1,2} \p{L}+ 20(2[6-9]|[3-9]\d)( \d\d[.:]\d\d)?/gu, "DATE"],
  [/\((in )?\d+ (detik|seconds)/g, "($1N $2"],
  [/\n *- status(: (memeriksa…|checking…|selesai|done))?(?=\n)/g, ""],
];

async function matchesSnapshot(part, name) {
  const built = volatile.reduce((text, [what, stand]) => text.replace(what, stand), `${await part.ariaSnapshot()}\n`);
  const kept = join(BUKTI_ROOT, "tests/browser/snapshots", `${name}.yml`);
  if (UPDATE_SNAPSHOTS) {
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, built);
  }
  assert.ok(existsSync(kept), `${name} has no snapshot yet; run with UPDATE_SNAPSHOTS=1`);
  const was = readFileSync(kept, "utf8");
  if (built === was) return;
  const [now, before] = [built, was].map((text) => text.split("\n"));
  const line = now.findIndex((text, at) => text !== before[at]);
  const near = (lines) => lines.slice(Math.max(0, line - 2), line + 5).join("\n");
  assert.fail(`${name}.yml differs from line ${line + 1} on.\nSnapshot:\n${near(before)}\nNow:\n${near(now)}`);
}

/** Clicks a button that downloads a file, and returns its path. */
export async function download(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const path = join(ARTIFACTS, download.suggestedFilename());
  mkdirSync(ARTIFACTS, { recursive: true });
  await download.saveAs(path);
  return path;
}

/** Scans a PDF's QR, verifies it with independent implementations, and returns the payload. */
export function verifyPdf(path) {
  const python = (script, args, input) =>
    execFileSync(BUKTI_PYTHON, [join(BUKTI_ROOT, "tests/verify", script), ...args], { input, encoding: "utf8" });
  const texts = python("scan.py", [path]).trim().split("\n");
  assert.equal(new Set(texts).size, 1, "page and card have the same QR");
  const exported = (...what) =>
    execFileSync(BUKTI_CLI, ["signing-key", "export", ...what, "--endpoint", url], { encoding: "utf8" });
  const asked = { signer: exported(), root: exported("--root"), schema: null, value_sets: null, texts };
  const [answer] = JSON.parse(python("hcert.py", [], JSON.stringify(asked)));
  if (answer.refused) throw new Error(answer.refused);
  return answer.payload;
}
