// Runs in every engine: the site starts although files fail, no typed text gets into a URL, and the
// main journeys work.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";

import { engines, spoiledLine, until } from "./engines.mjs";
import { desktop, dose, lastSms, linkOf, openPage, pages, sendDoses, speaking, url } from "./stage.mjs";

const t = speaking("id");

/** One person per engine, because a phone gets one code a minute. */
const people = Object.fromEntries(Object.keys(engines).map((engine, at) => [engine, {
  event_id: `E1-${engine}`, nik: `317101640189125${at}`, nama: "Siti Nurhaliza", no_hp: `08120000016${at}`,
}]));

/** The path of the link that each person got by SMS. */
const links = {};

before(async () => {
  sendDoses(...Object.values(people).map(dose));
  for (const [engine, { no_hp }] of Object.entries(people)) links[engine] = await linkOf(no_hp);
});

/** The files that the site needs to start, by parts of their URLs. */
const files = {
  start: /^\/assets\/start-/,
  styles: /^\/assets\/bukti-/,
  texts: /^\/assets\/texts-/,
  script: /\/bukti\.js$/,
  wasm: /\/bukti_bg\.wasm$/,
  part: /\/split_account\.wasm$/,
};
// A browser opens six HTTP/1.1 connections to a host, so only a few may hang at once.
const together = [["start", "styles"], ["texts", "script"], ["wasm", "part"]];
const all = [Object.keys(files)];

const stage = "document.documentElement.dataset.start";
const hasStarted = `${stage} === "done" && !document.querySelector(".beginning")
  && getComputedStyle(document.documentElement).getPropertyValue("--is-whole").trim() === "1"`;
const isVisible = (selector) => `getComputedStyle(document.querySelector("${selector}")).visibility === "visible"
  && document.querySelector("${selector}").getClientRects().length > 0`;

/**
 * Opens a page through a proxy that injects faults, and closes everything after the walk. A walk that
 * fails because the engine's driver is stuck is repeated once.
 */
async function visit(engine, path, options, walk, attempts = 2) {
  const line = await spoiledLine(options.spoil);
  const browser = await engines[engine](options);
  let repeat = false;
  try {
    await browser.go(line.at + path);
    await walk(browser, line);
  } catch (error) {
    repeat = attempts > 1 && browser.isStuck?.();
    if (!repeat) throw error;
    console.log(`# ${engine}: ${error.message}: the walk is repeated`);
  } finally {
    await browser.close();
    line.close();
  }
  if (repeat) await visit(engine, path, options, walk, attempts - 1);
}

/** The certificate behind the link of an SMS. */
async function opened(link) {
  const answer = await fetch(`${url}/api/links`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: link.split("/").at(-1), birth_date: "1989-01-24" }),
  });
  return (await answer.json()).certificate;
}

// Two engines at a time, since much of a walk is waiting for files that hang.
describe("in every engine", { concurrency: 2 }, () => {
  for (const engine of Object.keys(engines)) describe(engine, () => walks(engine));
});

/** The tests of each engine, one after the other. */
function walks(engine) {
  const faults = engine === "chromium103" ? [["status", all]] : [["status", all], ["cut", all], ["hang", together]];
  for (const [fault, groups] of faults) {
    for (const [times, often] of [[1, "once"], [2, "twice"]]) {
      test(`${engine}: starts although every file fails ${often} (${fault})`, async () => {
        const visits = groups.map((group) => {
          const spoil = (file, number) =>
            number <= times && group.some((name) => files[name].test(file)) ? fault : undefined;
          return visit(engine, pages.logIn.id, { spoil }, async (browser, line) => {
            await until(`the site starts without ${group}`, () => browser.evaluate(hasStarted).catch(() => false), 90_000);
            const spoiled = new Set(line.requests.filter((request) => request.fault).map(({ path }) => path.split("?")[0]));
            for (const name of group) assert.ok([...spoiled].some((file) => files[name].test(file)), `a fault was injected into ${name}`);
            await browser.click(`//button[@type="submit"]`);
            await until("the form answers", () => browser.evaluate(`!!document.querySelector(".message")`));
          });
        });
        await Promise.all(visits);
      });
    }
  }

  test(`${engine}: shows a message when a file never loads, whatever is clicked`, () =>
    visit(engine, pages.home.id, { spoil: (file) => (files.wasm.test(file) ? "status" : undefined) }, async (browser) => {
      await until("the notice", () => browser.evaluate(`${stage} === "failed"`).catch(() => false), 30_000);
      await browser.click(`//button[@type="submit"]`);
      assert.equal(await browser.evaluate(isVisible(".start-failed")), true);
      assert.equal(await browser.evaluate(isVisible(".starting")), false);
      assert.ok(await browser.evaluate(`!!document.querySelector('.start-failed a[href^="tel:"]')`));
    }));

  test(`${engine}: shows a message when no script loads`, () =>
    visit(engine, pages.home.id, { spoil: (file) => (files.start.test(file) ? "status" : undefined) }, async (browser) => {
      await until("the notice", () => browser.evaluate(isVisible(".start-failed")).catch(() => false), 30_000);
    }));

  // Puppeteer finds no elements in Firefox when scripts are off.
  for (const scripts of engine === "firefox" ? ["late", "absent"] : ["late", "absent", "off"]) {
    test(`${engine}: sends no typed text before the site has started (scripts ${scripts})`, () => {
      const missing = scripts === "late" ? files.wasm : files.start;
      // Without the security policy as well: the page itself must send nothing.
      const spoil = (file) => (missing.test(file) ? "hang" : "bare");
      return visit(engine, pages.home.id, { spoil, scripts: scripts !== "off" }, async (browser, line) => {
        await browser.type(`//input[@id="field-name"]`, "Zainuddin");
        await browser.type(`//input[@id="field-nik"]`, "3171016401899999");
        await browser.click(`//button[@type="submit"]`);
        await browser.type(`//input[@id="field-name"]`, "X");
        await browser.enter();
        await new Promise((soon) => setTimeout(soon, 1_000));
        const sent = JSON.stringify(line.requests);
        assert.ok(line.requests.length > 0 && !/Zainuddin|3171|9999/.test(sent), sent);
      });
    });
  }

  const person = people[engine];
  const shows = (browser, text) => until(`"${text}" is shown`, () =>
    browser.evaluate(`document.body.innerText.includes(${JSON.stringify(text)})`).catch(() => false));
  const field = (label) => `//*[@id=//label[normalize-space()="${label}"]/@for]`;
  const button = (name) => `//button[normalize-space()="${name}"]`;
  const askForCode = async (browser, number) => {
    await browser.type(field(t("field.phone.label")), number);
    await browser.click(button(t("login.send_code")));
    await shows(browser, t("code.title"));
  };
  const enterCode = async (browser, number) => {
    await browser.type(field(t("field.code.label")), (await lastSms(number)).match(/#(\d{6})/)[1]);
    await browser.click(button(t("code.enter")));
  };
  const value = (browser, label) => browser.evaluate(
    `document.evaluate(${JSON.stringify(field(label))}, document, null, 9).singleNodeValue?.value`).catch(() => undefined);
  /** Clicks until it is open, because WebKit loses a click while the layout shifts. */
  const unfold = async (browser, summary) => {
    const path = `//summary[normalize-space()="${summary}"]`;
    const isOpen = `document.evaluate(${JSON.stringify(path)}, document, null, 9).singleNodeValue.parentElement.open`;
    await until(`"${summary}" is open`, async () => {
      await browser.click(path);
      return browser.evaluate(isOpen);
    });
  };
  const fillBirthDate = async (browser) => {
    await browser.type(field(t("date.day")), "24");
    await browser.type(field(t("date.month")), "1");
    await browser.type(field(t("date.year")), "1989");
  };

  test(`${engine}: PERIKSA shows a status; reload and language switch return to the form`, () =>
    visit(engine, pages.home.id, {}, async (browser) => {
      await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
      await browser.type(field(t("field.name.label")), person.nama);
      await browser.type(field(t("field.nik.label")), person.nik);
      await browser.click(`//input[@id="field-captcha"]`);
      await browser.click(`//button[@type="submit"]`);
      await shows(browser, t("home.result"));
      await until("the dose", () => browser.evaluate(`!!document.querySelector("article")`));
      await browser.evaluate("window.isBefore = true");
      await browser.reload();
      await until("the site starts again", () => browser.evaluate(`!window.isBefore && ${hasStarted}`).catch(() => false));
      assert.equal(await browser.evaluate(`document.querySelectorAll("article").length`), 0);
      await browser.click(`//a[@hreflang="en"]`);
      await shows(browser, speaking("en")("home.title"));
    }));

  test(`${engine}: logs in, enlarges and downloads a certificate`, () =>
    visit(engine, pages.logIn.id, {}, async (browser, line) => {
      await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
      await askForCode(browser, person.no_hp);
      await enterCode(browser, person.no_hp);
      await shows(browser, t("account.title"));
      await browser.click(`//button[@aria-label="${t("certificate.enlarge")}" or normalize-space()="${t("certificate.enlarge")}"]`);
      await until("it is enlarged", () => browser.evaluate(`document.querySelector("dialog").open`));
      await browser.click(`//dialog//button`);
      await until("it is closed", () => browser.evaluate(`!document.querySelector("dialog").open`));
      await browser.click(button(t("certificate.download")));
      await until("the PDF is asked for", async () => line.requests.some(({ path }) => path.includes("document")));
    }));

  test(`${engine}: reports a wrong phone, and Back returns to the previous question`, () =>
    visit(engine, pages.correction.id, {}, async (browser, line) => {
      const number = `08120000026${Object.keys(engines).indexOf(engine)}`;
      await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
      await askForCode(browser, number);
      await browser.back();
      await until("the number stays", async () => (await value(browser, t("field.phone.label"))) === number);
      // The code is still valid; another one can be requested in a minute.
      await browser.evaluate("history.forward()");
      await shows(browser, t("code.title"));
      await enterCode(browser, number);

      await shows(browser, t("correction.what.title"));
      await browser.click(`//label[normalize-space()="${t("case.correction.phone")}"]`);
      await browser.click(button(t("download.next")));
      await shows(browser, t("correction.person.title"));
      await browser.type(field(t("field.name.label")), person.nama);
      await browser.type(field(t("field.nik.label")), person.nik);
      await fillBirthDate(browser);
      await browser.click(button(t("download.next")));
      await shows(browser, t("correction.last.title"));
      await browser.back();
      await shows(browser, t("correction.person.title"));
      assert.equal(await value(browser, t("field.name.label")), person.nama);
      await browser.back();
      await shows(browser, t("correction.what.title"));
      await browser.click(button(t("download.next")));
      await shows(browser, t("correction.person.title"));
      await browser.click(button(t("download.next")));
      await shows(browser, t("correction.last.title"));
      // The Back buttons of the page and of the browser do the same.
      await browser.click(button(t("download.back")));
      await shows(browser, t("correction.person.title"));
      await browser.click(button(t("download.next")));
      await shows(browser, t("correction.last.title"));
      await browser.click(button(t("correction.send")));
      await shows(browser, t("correction.sent.title"));
      assert.equal(line.requests.filter(({ method, path }) => method === "POST" && path === "/api/cases").length, 1);
      assert.equal(await browser.evaluate("location.pathname"), pages.correction.id, "the URL has no data");
    }));

  test(`${engine}: Back returns from the vaccination to the person, and then to the previous page`, () =>
    visit(engine, pages.help.id, {}, async (browser, line) => {
      await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
      await browser.go(line.at + pages.download.id);
      await until("the form is there", () =>
        browser.evaluate(`location.pathname === "${pages.download.id}" && ${hasStarted}`).catch(() => false));
      await browser.type(field(t("field.name.label")), person.nama);
      await browser.type(field(t("field.nik.label")), person.nik);
      await fillBirthDate(browser);
      await browser.click(button(t("download.next")));
      await shows(browser, t("download.vaccination"));
      await browser.back();
      await until("the name stays", async () => (await value(browser, t("field.name.label"))) === person.nama);
      await browser.back();
      await until("the page before", () => browser.evaluate(`location.pathname === "${pages.help.id}"`).catch(() => false));
    }));

  test(`${engine}: a link shows its certificate, but not again after Back`, () =>
    visit(engine, links[engine], {}, async (browser) => {
      await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
      await fillBirthDate(browser);
      await browser.click(button(t("link.open")));
      await shows(browser, t("certificate.warning"));
      await browser.go(`${(await browser.evaluate("location.origin"))}/robots.txt`);
      const says = (text) => browser.evaluate(`document.body.innerText.includes(${JSON.stringify(text)})`);
      await until("it is left", () => says(t("certificate.warning")).then((shown) => !shown, () => false));
      await browser.back();
      // A page from the back-forward cache reloads, so the document may change in between.
      await until("it asks for the birth date again", async () =>
        (await says(t("link.open")).catch(() => false)) && (await browser.evaluate(hasStarted).catch(() => false)));
      assert.equal(await says(t("certificate.warning")), false);
    }));

  test(`${engine}: verifies a certificate by its text and by its picture`, async () => {
    const certificate = await opened(links[engine]);
    const picture = join(tmpdir(), `bukti-${engine}-${process.pid}.png`);
    const { browser, page } = await openPage(desktop);
    await page.goto(`data:image/svg+xml,${encodeURIComponent(certificate.picture)}`);
    await page.screenshot({ path: picture });
    await browser.close();
    await visit(engine, pages.verify.id, {}, async (browser) => {
      await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
      await unfold(browser, t("verify.paste"));
      await browser.type(field(t("verify.text")), certificate.qr_text);
      await browser.click(button(t("check")));
      await shows(browser, "Berlaku");
      await browser.click(button(t("verify.next")));
      await browser.upload("picture", picture);
      await shows(browser, "Berlaku");
    });
  });

  for (const [times, often] of [[2, "twice"], [Infinity, "always"]]) {
    test(`${engine}: the verifier gives a result although its files fail ${often}`, async () => {
      const { qr_text } = await opened(links[engine]);
      const spoil = (file, number) => (/\/verifier[-_]/.test(file) && number <= times ? "status" : undefined);
      await visit(engine, pages.verify.id, { spoil }, async (browser) => {
        await until("the site starts", () => browser.evaluate(hasStarted).catch(() => false));
        await unfold(browser, t("verify.paste"));
        await browser.type(field(t("verify.text")), qr_text);
        await browser.click(button(t("check")));
        await shows(browser, often === "twice" ? "Berlaku" : t("verify.broken.title"));
      });
    });
  }
}
