// A bad net: parts that do not come, answers that come late, wrong or not at all, and fingers that tap twice.

import assert from "node:assert/strict";
import { before } from "node:test";

import {
  button, desktop, dose, everyWay, fits, hasFocus, heading, isReady, journey, locales, open, pages, periksa, phone, requestsTo, sendDoses, speaking,
  state, url,
} from "./stage.mjs";

const person = { event_id: "N1", nik: "3171016401891311", nama: "Siti Nurhaliza", no_hp: "081200000111" };

before(() => sendDoses(dose(person)));

const abort = (route) => route.abort();
/** The files without which the site cannot begin. */
const files = { wasm: "**/bukti_bg.wasm", texts: "**/texts-id-*", script: "**/bukti.js", part: "**/split_account.wasm" };

for (const [name, file] of Object.entries(files)) {
  journey(`the site begins although its ${name} comes at the second try`, phone, async (page, faults) => {
    await page.route(file, abort, { times: 1 });
    await page.goto(url + pages.logIn.id);
    await isReady(page);
    await button(page, "Kirim kode").click();
    await heading(page, "Ada yang perlu diperbaiki");
    // The loader of parts says it before it is tried again.
    faults.splice(0);
  });
}

for (const { viewport, locale, way } of everyWay) {
  const t = speaking(locale);

  journey(`who cannot load the site is told, and reloads (${way})`, viewport, async (page, faults) => {
    await page.route(files.wasm, abort);
    await page.goto(url + pages.home[locale]);
    await page.getByLabel(t("field.name.label")).fill("Siti");
    await heading(page, t("beginning.failed.title"));
    await state(page, "start-failed");
    assert.equal(faults.splice(0).length, 1, "and the browser's log says why");
    await page.unroute(files.wasm);
    await page.getByRole("link", { name: t("beginning.failed.reload") }).click();
    await isReady(page);
    assert.equal(await page.getByText(t("beginning.failed.title")).count(), 0);
  });
}

for (const { viewport, locale, way } of everyWay) {
  const t = speaking(locale);

  journey(`a browser that cannot run the site says so and sends nothing (${way})`, viewport, async (page) => {
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

/** What can go wrong with an answer: the title that is shown, and how it is brought about and mended. */
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

for (const [at, [trouble, bring]] of Object.entries(troubles).entries()) {
  const { viewport, locale, way } = everyWay[at];
  const t = speaking(locale);

  journey(`an answer that is ${trouble} leaves what was typed and can be tried again (${way})`, viewport, async (page, faults) => {
    await page.clock.install();
    await open(page, pages.home[locale]);
    const mend = await bring(page);
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
    await mend();
    await button(page, t("retry")).click();
    await heading(page, t("home.result"));
    await page.getByRole("article").waitFor();
    assert.equal(await page.locator("#failure").count(), 0);
    faults.splice(0);
  });
}

for (const locale of locales) {
  const t = speaking(locale);

  journey(`what is tapped twice is sent once (${locale})`, phone, async (page) => {
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

  journey(`a part of the site that does not come is tried again (${locale})`, viewport, async (page, faults) => {
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

  journey(`a result whose part of the site does not come is tried again (${locale})`, viewport, async (page, faults) => {
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

journey("who logs in with a browser that refuses cookies is told so", phone, async (page) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "cookieEnabled", { get: () => false }));
  await open(page, pages.logIn.id);
  await page.getByRole("alert").getByText(speaking("id")("login.no_cookies")).waitFor();
  await fits(page);
});
