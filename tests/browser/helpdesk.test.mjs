// Corrections, from the request to the new certificate: the citizen, and the officers who decide.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import {
  bukti, button, desktop, dose, fillBirthDate, fits, hasFocus, heading, isReady, journey, lastSms, linkOf, logIn, open, openPage, pages, phone,
  sendDoses, speaking, state, url,
} from "./stage.mjs";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of an authenticator (RFC 6238: SHA-1, 30 seconds, six digits). */
function authenticatorCode(secret) {
  const bits = [...secret].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  const at = hash.at(-1) & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Adds an officer and returns the secret of the authenticator. */
function appoint(number, name, role) {
  const said = bukti("officer", "add", number, "--name", name, "--role", role);
  return said.match(/otpauth:\S*[?&]secret=([A-Z2-7]+)/)[1];
}

/** Requests a code and logs in with it on the open page. */
async function enter(page, t, number) {
  await page.getByLabel(t("field.phone.label")).fill(number);
  await button(page, t("login.send_code")).click();
  await heading(page, t("code.title"));
  const code = (await lastSms(number)).match(/#(\d{6})/)[1];
  await page.getByLabel(t("field.code.label")).fill(code);
  await button(page, t("code.enter")).click();
}

/** Enters the second factor. Each code is valid once, so an officer logs in once. */
async function showFactor(page, t, code) {
  await page.getByLabel(t("field.authenticator.label")).fill(code);
  await button(page, t("console.factor.send")).click();
}

/** Runs a walk in a new browser without a session. */
async function elsewhere(viewport, walk) {
  const { browser, page, faults } = await openPage(viewport);
  try {
    await walk(page);
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
}

let officers = 0;

/** Runs a walk as an officer at the console, in a new browser. */
const atConsole = (viewport, locale, name, role, walk) =>
  elsewhere(viewport, async (page) => {
    const t = speaking(locale);
    officers += 1;
    const number = `0812000091${String(officers).padStart(2, "0")}`;
    const secret = appoint(number, name, role);
    await open(page, pages.helpdesk[locale]);
    await enter(page, t, number);
    await heading(page, t("console.factor.title"));
    await showFactor(page, t, authenticatorCode(secret));
    await heading(page, t("console.queue.title"));
    await walk(page);
  });

/** Opens a case from the queue. */
async function openCase(page, t, number) {
  const row = page.getByRole("button", { name: number });
  await button(page, t("console.queue.title")).click();
  const more = button(page, t("console.queue.more"));
  while (!(await row.count()) && (await more.count())) {
    await more.click();
    await page.getByText(t("loading")).waitFor({ state: "detached" });
  }
  await row.click();
  await heading(page, t("console.decide.title"));
}

async function decide(page, t, label, why) {
  await page.getByLabel(t("field.why.label"), { exact: true }).fill(why);
  await button(page, t(label)).click();
  await page.getByText(t("console.case.done")).waitFor();
  await hasFocus(page, "case-news");
}

let people = 0;

/** Imports a first dose of a new person, with these changes to the recorded data. */
function somebody(wrong = {}, number = (people += 1)) {
  // A unique name, because the search for similar people matches name and birth date. After a
  // consonant, because that search treats `aa` and `ae` as one letter.
  const family = `Kartik${String.fromCharCode(96 + number)}`;
  const person = { nik: `317101640189${9000 + number}`, nama: `Sri Wahyuni ${family}`, no_hp: `0812000092${String(number).padStart(2, "0")}` };
  const changes = wrong.nama ? { ...wrong, nama: `${wrong.nama} ${family}` } : wrong;
  sendDoses(dose({ ...person, event_id: `C${number}`, ...changes }));
  return person;
}

async function fillDate(page, t, date) {
  const labels = [t("date.day"), t("date.month"), t("date.year")];
  for (const [at, part] of date.split(" ").entries()) await page.getByLabel(labels[at], { exact: true }).fill(part);
}

/** Logs in on the correction page, which without a case starts with the question what is wrong. */
async function beginCorrection(page, locale, number) {
  const t = speaking(locale);
  await open(page, pages.correction[locale]);
  await enter(page, t, number);
  await heading(page, t("correction.what.title"));
}

/** Answers the questions what is wrong and who the person is. */
async function sayWhatAndWho(page, t, what, person, birthDate) {
  await page.getByLabel(t(`case.correction.${what}`), { exact: true }).check();
  await button(page, t("download.next")).click();
  await heading(page, t("correction.person.title"));
  await page.getByLabel(t("field.name.label")).fill(person.nama);
  await page.getByLabel(t("field.nik.label")).fill(person.nik);
  await fillBirthDate(page, t, birthDate);
  await button(page, t("download.next")).click();
}

/** Sends the correction, and returns the number of the case. */
async function sendCorrection(page, t) {
  await button(page, t("correction.send")).click();
  await heading(page, t("correction.sent.title"));
  return (await page.locator(".case-number").innerText()).trim();
}

/** A picture of one pixel. */
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const picture = (name) => ({ name, mimeType: "image/png", buffer: PNG });
const evidence = (page) => page.locator("#field-evidence");

/** The path of the last link sent to a number, as soon as it differs from the known one. */
async function nextLink(number, known) {
  for (;;) {
    const sms = await lastSms(number);
    const link = sms?.match(/https?:\S+(\/s\/\S+)/)?.[1];
    if (link && link !== known) return link;
    await new Promise((soon) => setTimeout(soon, 200));
  }
}

async function openLink(page, locale, link) {
  const t = speaking(locale);
  await open(page, (locale === "en" ? "/en" : "") + link);
  await fillBirthDate(page, t);
  await button(page, t("link.open")).click();
}

for (const [size, viewport, locale] of [["phone", phone, "id"], ["desktop", desktop, "en"]]) {
  const t = speaking(locale);

  journey(`a wrong phone is corrected with evidence (${size}, ${locale})`, viewport, async (page) => {
    const person = somebody();
    const right = `0812000093${String(people).padStart(2, "0")}`;
    const old = await nextLink(person.no_hp);

    await open(page, pages.correction[locale]);
    await state(page, "correction");
    await fits(page);
    await enter(page, t, right);
    await heading(page, t("correction.what.title"));
    await hasFocus(page, "page-heading");
    await state(page, "correction-what");
    await button(page, t("download.next")).click();
    await heading(page, t("errors.title"));
    await state(page, "correction-what-errors");
    await page.getByLabel(t("case.correction.phone"), { exact: true }).check();
    await button(page, t("download.next")).click();
    await heading(page, t("correction.person.title"));
    await button(page, t("download.next")).click();
    await heading(page, t("errors.title"));
    await state(page, "correction-person-errors");
    await button(page, t("download.back")).click();
    await heading(page, t("correction.what.title"));
    await sayWhatAndWho(page, t, "phone", person);
    await heading(page, t("correction.last.title"));

    await evidence(page).setInputFiles({ name: "kartu.txt", mimeType: "text/plain", buffer: Buffer.from("kartu") });
    await page.getByText(t("correction.evidence.wrong_kind").replace("{file}", "kartu.txt")).waitFor();
    await evidence(page).setInputFiles({ name: "besar.png", mimeType: "image/png", buffer: Buffer.alloc(5_242_881) });
    await page.getByText(t("correction.evidence.too_large").replace("{file}", "besar.png")).waitFor();
    await state(page, "correction-last-refused");
    await evidence(page).setInputFiles([picture("kartu.png"), picture("ktp.png")]);
    await button(page, t("correction.evidence.remove").replace("{file}", "ktp.png")).click();
    await state(page, "correction-last");
    await fits(page);
    const number = await sendCorrection(page, t);
    await page.getByText(t("correction.evidence.gone").replace("{file}", "kartu.png")).waitFor();
    await hasFocus(page, "page-heading");
    await state(page, "correction-sent");
    assert.equal(page.url(), url + pages.correction[locale], "the URL has no data");
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    for (const trace of [person.nik, "Wahyuni", right, number]) assert.equal(kept.includes(trace), false, trace);

    await atConsole(viewport, locale, "Rina Officer", "officer", async (console) => {
      await console.getByRole("button", { name: number }).waitFor();
      await openCase(console, t, number);
      await state(console, "console-case");
      await fits(console);
      const piece = t("console.case.piece").replace("{n}", "1").replace("{kind}", "image/png");
      const [tab] = await Promise.all([console.context().waitForEvent("page"), console.getByRole("link", { name: piece }).click()]);
      await tab.close();
      await button(console, t("console.decide.grant")).click();
      await heading(console, t("errors.title"));
      await state(console, "console-case-errors");
      await decide(console, t, "console.decide.grant", "Kartu vaksin cocok.");
      // Without the dose below, whose certificate is being issued.
      await state(console, "console-granted", { of: "main article >> nth=0" });
    });

    await openLink(page, locale, await nextLink(right));
    await heading(page, t("link.opened"));
    await page.getByText("Sri Wahyuni").first().waitFor();
    await openLink(page, locale, old);
    await page.getByRole("alert").waitFor();
    await heading(page, { id: "Tautan ini tidak berlaku lagi", en: "This link is no longer valid" }[locale]);
    await page.getByRole("link", { name: t("rows.correction") }).first().waitFor();
  });

  journey(`a name correction needs two officers (${size}, ${locale})`, viewport, async (page) => {
    const person = somebody({ nama: "Sri Wahyni" });
    const old = await nextLink(person.no_hp);
    await beginCorrection(page, locale, person.no_hp);
    await sayWhatAndWho(page, t, "name", person);
    await heading(page, t("correction.last.title"));
    await page.getByLabel(t("field.note.label")).fill("Satu huruf kurang.");
    const number = await sendCorrection(page, t);

    await atConsole(viewport, locale, "Rina Officer", "officer", async (console) => {
      await openCase(console, t, number);
      await console.getByText(t("console.dose.differs")).first().waitFor();
      await button(console, t("console.decide.propose")).click();
      await console.getByText(t("field.facility_word.missing")).first().waitFor();
      await console.getByLabel(t("field.facility_word.label")).fill("Bidan Tuti, Puskesmas Kebayoran Baru");
      await decide(console, t, "console.decide.propose", "Faskes membenarkan ejaannya.");
      await state(console, "console-proposed");
    });
    await atConsole(viewport, locale, "Sinta Supervisor", "supervisor", async (console) => {
      await openCase(console, t, number);
      await console.getByText("Rina Officer").first().waitFor();
      await state(console, "console-approve");
      await decide(console, t, "console.decide.approve", "Sesuai KTP.");
    });

    const link = await nextLink(person.no_hp, old);
    await button(page, t("correction.sent.cases")).click();
    await heading(page, t("correction.title"));
    await page.getByText(t("case.state.granted")).waitFor();
    await page.getByText("Sesuai KTP.").waitFor();
    await state(page, "correction-cases");
    await openLink(page, locale, link);
    await heading(page, t("link.opened"));
    await page.getByText("Sri Wahyuni").first().waitFor();
  });

  journey(`two officers confirm data corrected by law (${size}, ${locale})`, viewport, async (page) => {
    // The NIK encodes 1989.
    // Separate phone numbers, so that those in the snapshots do not change.
    const person = somebody({ tanggal_lahir: "1990-01-24" }, size === "phone" ? 20 : 21);
    await beginCorrection(page, locale, person.no_hp);
    await page.getByLabel(t("case.correction.data_corrected_by_law"), { exact: true }).check();
    await button(page, t("download.next")).click();
    await page.getByText(t("correction.person.law")).waitFor();
    await button(page, t("download.back")).click();
    await heading(page, t("correction.what.title"));
    await sayWhatAndWho(page, t, "data_corrected_by_law", person, ["24", "1", "1990"]);
    await page.getByText(t("correction.last.law")).waitFor();
    await evidence(page).setInputFiles(picture("penetapan.png"));
    const number = await sendCorrection(page, t);
    await page.getByText(t("correction.sent.confirmed")).waitFor();

    const releases = t("console.confirm.releases").replace("{n}", "1");
    await atConsole(viewport, locale, "Rina Officer", "officer", async (console) => {
      await openCase(console, t, number);
      await heading(console, t("console.confirm.title"));
      await console.getByText(releases).waitFor();
      await console.getByLabel(t("field.right.label")).fill("1989-01-24");
      await console.getByText(t("console.confirm.agrees")).waitFor();
      await console.getByLabel(t("field.right.label")).fill("1990-01-24");
      await console.getByText(releases).waitFor();
      await fits(console);
      await decide(console, t, "console.decide.propose", "Penetapan pengadilan cocok.");
    });
    await atConsole(viewport, locale, "Sinta Supervisor", "supervisor", async (console) => {
      await openCase(console, t, number);
      await console.getByText(releases).waitFor();
      await decide(console, t, "console.decide.approve", "Sesuai penetapan.");
    });

    await open(page, (locale === "en" ? "/en" : "") + (await nextLink(person.no_hp)));
    await fillBirthDate(page, t, ["24", "1", "1990"]);
    await button(page, t("link.open")).click();
    await heading(page, t("link.opened"));
  });

  journey(`an officer asks a question, and a refused case shows the reason (${size}, ${locale})`, viewport, async (page) => {
    const person = somebody();
    await beginCorrection(page, locale, person.no_hp);
    await sayWhatAndWho(page, t, "dose_missing", person);
    await heading(page, t("correction.dose.title"));
    await button(page, t("download.next")).click();
    await heading(page, t("errors.title"));
    await state(page, "correction-dose-errors");
    await page.getByLabel(t("field.dose_number.label")).fill("2");
    await page.getByLabel(t("field.vaccine.label"), { exact: true }).selectOption("CoronaVac");
    await fillDate(page, t, "26 2 2021");
    await page.getByLabel(t("field.facility.label")).fill("Puskesmas Kebayoran Baru");
    await button(page, t("download.next")).click();
    await heading(page, t("correction.last.title"));
    const number = await sendCorrection(page, t);

    await atConsole(viewport, locale, "Rina Officer", "officer", async (console) => {
      await openCase(console, t, number);
      await console.getByLabel(t("console.decide.new_dose")).check();
      await console.getByLabel(t("field.batch.label")).waitFor();
      await state(console, "console-missing-dose");
      await decide(console, t, "console.decide.ask_back", "Apakah ada foto kartu vaksin?");

      await button(page, t("correction.sent.cases")).click();
      await page.getByText("Apakah ada foto kartu vaksin?").waitFor();
      await button(page, t("correction.reply.begin").replace("{number}", number)).click();
      await hasFocus(page, "field-text");
      await state(page, "correction-reply");
      await page.getByLabel(t("field.text.label")).fill("Kartunya hilang.");
      await evidence(page).setInputFiles(picture("ktp.png"));
      await button(page, t("correction.reply.send")).click();
      await page.getByText(t("correction.reply.sent")).waitFor();
      await hasFocus(page, "cases-news");

      await openCase(console, t, number);
      await console.getByText("Kartunya hilang.").waitFor();
      await decide(console, t, "console.decide.refuse", "Faskes tidak punya catatan dosis ini.");
    });

    await elsewhere(viewport, async (page) => {
      await open(page, pages.correction[locale]);
      await button(page, t("correction.look_up.begin")).click();
      await heading(page, t("correction.look_up.title"));
      await page.getByLabel(t("field.number.label")).fill(number.toLowerCase().replace("-", " "));
      await fillBirthDate(page, t, ["25", "1", "1989"]);
      await button(page, t("correction.look_up.send")).click();
      await page.getByText(t("field.number.refused")).first().waitFor();
      await state(page, "correction-look-up-wrong");
      await fillBirthDate(page, t);
      await button(page, t("correction.look_up.send")).click();
      await page.getByText("Faskes tidak punya catatan dosis ini.").waitFor();
      await page.getByText(t("case.state.refused")).waitFor();
      await state(page, "correction-refused");
      assert.equal(page.url(), url + pages.correction[locale]);
    });
  });

  journey(`an officer finds a person, who sees the view in the audit (${size}, ${locale})`, viewport, async (page) => {
    const person = somebody();
    const old = await linkOf(person.no_hp);
    await atConsole(viewport, locale, "Rina Officer", "officer", async (console) => {
      await button(console, t("console.search.title")).click();
      await button(console, t("console.search.send")).click();
      await heading(console, t("errors.title"));
      await state(console, "console-search-errors");
      await console.getByLabel(t("field.identity.label")).fill(person.nik);
      await console.getByLabel(t("field.why.label"), { exact: true }).fill("Telepon dari pemilik data.");
      await button(console, t("console.search.send")).click();
      await hasFocus(console, "found");
      await console.getByText("CoronaVac").first().waitFor();
      await state(console, "console-found");
      await fits(console);
      await button(console, t("console.resend.begin")).click();
      await console.getByLabel(t("field.resend_why.label")).fill("SMS terhapus.");
      await button(console, t("console.resend.send")).click();
      await console.getByText(t("console.resend.sent")).waitFor();
      assert.equal(console.url(), url + pages.helpdesk[locale], "the URL has no personal data");
    });
    assert.ok(await nextLink(person.no_hp, old));

    await logIn(page, person.no_hp, { locale });
    await page.getByRole("navigation", { name: t("account.menu") }).getByRole("link", { name: t("nav.looks") }).click();
    await heading(page, t("looks.title"));
    await page.getByText("Rina Officer").first().waitFor();
    await page.getByText(t("case.action.resent")).waitFor();
    assert.equal(new URL(page.url()).pathname, pages.looks[locale]);
    await state(page, "looks");
  });

  journey(`the console requires an officer and both factors (${size}, ${locale})`, viewport, async (page) => {
    await open(page, pages.helpdesk[locale]);
    await state(page, "console");
    await enter(page, t, `08120000940${size.length}`);
    await page.getByRole("alert").waitFor();
    await state(page, "console-not-an-officer");
    await elsewhere(viewport, async (page) => {
      const number = `08120000941${size.length}`;
      const secret = appoint(number, "Rina Officer", "officer");
      await open(page, pages.helpdesk[locale]);
      await enter(page, t, number);
      await heading(page, t("console.factor.title"));
      await showFactor(page, t, String((Number(authenticatorCode(secret)) + 500_000) % 1_000_000).padStart(6, "0"));
      await page.getByText(t("field.authenticator.refused")).first().waitFor();
      await state(page, "console-factor-wrong");
      await showFactor(page, t, authenticatorCode(secret));
      await heading(page, t("console.queue.title"));
      await page.reload();
      await isReady(page);
      await heading(page, t("console.queue.title"));
    });
  });
}

journey("a failed upload is retried without a second case", phone, async (page) => {
  const t = speaking("id");
  const person = somebody();
  await beginCorrection(page, "id", person.no_hp);
  await sayWhatAndWho(page, t, "birth_date", person);
  await heading(page, t("correction.last.title"));
  await evidence(page).setInputFiles(picture("kartu.png"));
  const cases = [];
  page.on("request", (request) => request.method() === "POST" && /\/api\/cases$/.test(request.url()) && cases.push(request));
  await page.route("**/api/cases/*/evidence", (route) => route.abort(), { times: 1 });
  const number = await sendCorrection(page, t);
  await page.getByText(t("correction.evidence.failed").replace("{file}", "kartu.png")).waitFor();
  await state(page, "correction-sent-without-file");
  await button(page, t("correction.evidence.again")).click();
  await page.getByText(t("correction.evidence.gone").replace("{file}", "kartu.png")).waitFor();
  assert.equal((await page.locator(".case-number").innerText()).trim(), number);
  assert.equal(cases.length, 1);
});
