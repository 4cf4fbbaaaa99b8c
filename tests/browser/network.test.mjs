// An unreliable network: chunks that fail to load, late, wrong or missing responses, double taps.

import assert from "node:assert/strict";
import { before } from "node:test";

import {
  button, desktop, dose, everyVariant, fits, hasFocus, heading, isReady, journey, locales, open, pages, periksa, phone, requestsTo, sendDoses, speaking,
  state, url,
} from "./stage.mjs";

const person = { event_id: "N1", nik: "3171016401891311", nama: "Siti Nurhaliza", no_hp: "081200000111" };

before(() => sendDoses(dose(person)));

const abort = (route) => route.abort();
/** The files that the site needs to start. */
const files = { wasm: "**/bukti_bg.wasm", texts: "**/texts-id-*", script: "**/bukti.js", part: "**/split_account.wasm" };

for (const [name, file] of Object.entries(files)) {
  journey(`the site starts although its ${name} loads on the second attempt`, phone, async (page, faults) => {
    await page.route(file, abort, { times: 1 });
    await page.goto(url + pages.logIn.id);
    await isReady(page);
    await button(page, "Kirim kode").click();
    await heading(page, "Ada isian yang perlu diperbaiki");
    // The loader of chunks logs the failure before the retry.
    faults.splice(0);
  });
}

for (const { viewport, locale, variant } of everyVariant) {
  const t = speaking(locale);

  journey(`a failed start shows a message and a reload link (${variant})`, viewport, async (page, faults) => {
    await page.route(files.wasm, abort);
    await page.goto(url + pages.home[locale]);
    await page.getByLabel(t("field.name.label")).fill("Siti");
    await heading(page, t("beginning.failed.title"));
    await state(page, "start-failed");
    assert.equal(faults.splice(0).length, 1, "the browser's log has the reason");
    await page.unroute(files.wasm);
    await page.getByRole("link", { name: t("beginning.failed.reload") }).click();
    await isReady(page);
    assert.equal(await page.getByText(t("beginning.failed.title")).count(), 0);
  });
}

for (const { viewport, locale, variant } of everyVariant) {
  const t = speaking(locale);

  journey(`an old browser shows a message and sends nothing (${variant})`, viewport, async (page) => {
    await page.addInitScript(() => delete window.WebAssembly);
    await page.goto(url + pages.home[locale]);
    await heading(page, t("beginning.old.title"));
    await state(page, "start-old");
    const sent = requestsTo(page, /./);
    await page.getByLabel(t("field.name.label")).fill("Siti");
    await button(page, t("check")).click();
    await heading(page, t("beginning.old.title"));
    assert.equal(sent.length, 0);
  });
}

/** Faults of a response: the key of the title, and a function that causes it and returns the undo. */
const troubles = {
  unreachable: async (page) => {
    await page.context().setOffline(true);
    return () => page.context().setOffline(false);
  },
  unreadable: async (page) => {
    await page.route("**/api/status", (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }));
    return () => page.unroute("**/api/status");
  },
  timed_out: async (page) => {
    await page.route("**/api/status", () => {});
    return () => page.unroute("**/api/status");
  },
};

for (const [at, [trouble, cause]] of Object.entries(troubles).entries()) {
  const { viewport, locale, variant } = everyVariant[at];
  const t = speaking(locale);

  journey(`a response that is ${trouble} keeps the form and offers a retry (${variant})`, viewport, async (page, faults) => {
    await page.clock.install();
    await open(page, pages.home[locale]);
    const restore = await cause(page);
    await periksa(page, t, person.nama, person.nik);
    if (trouble === "timed_out") {
      await button(page, t("home.checking")).waitFor();
      await page.waitForRequest("**/api/status").catch(() => {});
      await page.clock.fastForward(16_000);
    }
    await heading(page, t(`failure.${trouble}.title`));
    await hasFocus(page, "failure");
    await state(page, `failure-${trouble}`);
    assert.equal(await page.getByLabel(t("field.name.label")).inputValue(), person.nama);
    assert.equal(await page.getByLabel(t("field.nik.label")).inputValue(), "3171 0164 0189 1311");
    await restore();
    await button(page, t("retry")).click();
    await heading(page, t("home.result"));
    await page.getByRole("article").waitFor();
    assert.equal(await page.locator("#failure").count(), 0);
    faults.splice(0);
  });
}

for (const locale of locales) {
  const t = speaking(locale);

  journey(`a double tap sends one request (${locale})`, phone, async (page) => {
    const asked = requestsTo(page, /\/api\/(status|otp)$/);
    await open(page, pages.home[locale]);
    await page.getByLabel(t("field.name.label")).fill(person.nama);
    await page.getByLabel(t("field.nik.label")).fill(person.nik);
    await page.getByLabel(t("captcha.label")).check();
    await button(page, t("check")).dblclick();
    await heading(page, t("home.result"));
    assert.equal(asked.splice(0).length, 1);

    await open(page, pages.logIn[locale]);
    await page.getByLabel(t("field.phone.label")).fill(locale === "id" ? "081200000112" : "081200000113");
    await button(page, t("login.send_code")).dblclick();
    await heading(page, t("code.title"));
    assert.equal(asked.length, 1);
  });
}

for (const [viewport, locale] of [[phone, "id"], [desktop, "en"]]) {
  const t = speaking(locale);

  journey(`a chunk that fails to load offers a retry (${locale})`, viewport, async (page, faults) => {
    await open(page, pages.home[locale]);
    await page.route("**/split_reading.wasm", abort);
    await page.getByRole("link", { name: t("nav.help") }).filter({ visible: true }).first().click();
    await heading(page, t("failure.unreachable.title"));
    await hasFocus(page, "failure");
    await state(page, "part-failed");
    await page.unroute("**/split_reading.wasm");
    await button(page, t("retry")).click();
    await heading(page, t("help.title"));
    assert.ok(faults.splice(0).length > 0);
  });

  journey(`a result whose chunk fails to load offers a retry (${locale})`, viewport, async (page, faults) => {
    await page.route("**/split_outcome.wasm", abort);
    await open(page, pages.home[locale]);
    await periksa(page, t, person.nama, person.nik);
    await heading(page, t("failure.unreachable.title"));
    await page.unroute("**/split_outcome.wasm");
    await button(page, t("retry")).click();
    await heading(page, t("home.result"));
    await page.getByRole("article").waitFor();
    assert.ok(faults.splice(0).length > 0);
  });
}

journey("the log-in shows a message when cookies are disabled", phone, async (page) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "cookieEnabled", { get: () => false }));
  await open(page, pages.logIn.id);
  await page.getByRole("alert").getByText(speaking("id")("login.no_cookies")).waitFor();
  await fits(page);
});
