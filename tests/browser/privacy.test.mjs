// What the site stores and sends, and the security headers of its pages.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  button, desktop, dose, fillBirthDate, heading, isReady, journey, linkOf, locales, logIn, open, pages, periksa, phone, requestsTo, sendDoses,
  speaking, url,
} from "./stage.mjs";

test("every page has its security headers", async () => {
  for (const { title, open, ...paths } of Object.values(pages)) {
    for (const path of Object.values(paths)) {
      const { headers } = await fetch(url + path);
      const policy = Object.fromEntries(headers.get("content-security-policy").split(";").map((rule) => rule.trim().split(/ (.*)/s)));
      assert.equal(policy["script-src"], "'self' 'wasm-unsafe-eval'", path);
      assert.equal(policy["default-src"], "'self'", path);
      for (const none of ["object-src", "base-uri", "form-action", "frame-ancestors"]) assert.equal(policy[none], "'none'", `${path} ${none}`);
      assert.doesNotMatch(headers.get("content-security-policy"), /unsafe-inline|unsafe-eval'(?<!'wasm-unsafe-eval')|https?:|\*/);
      assert.equal(headers.get("referrer-policy"), "no-referrer", path);
      assert.equal(headers.get("x-content-type-options"), "nosniff", path);
      assert.equal(headers.get("cross-origin-opener-policy"), "same-origin", path);
      assert.equal(headers.get("permissions-policy"), "camera=(self)", path);
      assert.equal(headers.get("cache-control"), "no-cache", path);
    }
  }
});

/** Everything that the browser stores for the site and scripts can read. */
const keptByBrowser = async (page) =>
  page.evaluate(async () => {
    const bodies = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) bodies.push(request.url, await (await cache.match(request)).text());
    }
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, databases, bodies]);
  });

/** The personal data of somebody, in the forms that may occur in a URL or a store. */
const traces = ({ nik, nama, no_hp }) => [nik, nik.replace(/(\d{4})(?=\d)/g, "$1 "), ...nama.split(" "), no_hp, no_hp.slice(1), "1989-01-24", "HC1:"];

const without = (text, words, what) => {
  const plain = decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25")).toLowerCase();
  for (const word of words) assert.equal(plain.includes(word.toLowerCase()), false, `${what} has ${word}`);
};

for (const [at, locale] of locales.entries()) {
  const t = speaking(locale);
  const person = { event_id: `P1-${locale}`, nik: `317101640189133${at}`, nama: "Zubaidah Maharani", no_hp: `08120000013${at}` };

  journey(`URLs, requests and browser stores have no personal data (${locale})`, at ? desktop : phone, async (page) => {
    sendDoses(dose(person));
    const path = await linkOf(person.no_hp);
    const token = path.split("/").at(-1);
    const sent = requestsTo(page, /./);
    await open(page, pages.home[locale]);
    await periksa(page, t, person.nama, person.nik);
    await heading(page, t("home.result"));
    without(await keptByBrowser(page), traces(person), "the browser after PERIKSA");

    await logIn(page, person.no_hp, { name: person.nama, locale });
    await button(page, t("certificate.download")).waitFor();
    assert.equal(await page.evaluate(() => document.cookie), "", "scripts see no cookie");
    const cookies = await page.context().cookies();
    assert.ok(cookies.length > 0 && cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === "Strict"), JSON.stringify(cookies));
    without(await keptByBrowser(page), traces(person), "the browser during a session");
    without(JSON.stringify(cookies), traces(person), "the cookie");

    await open(page, pages.logOut[locale]);
    await page.getByText(t("logout.left")).waitFor();
    assert.deepEqual(await page.context().cookies(), [], "no cookie after the log-out");
    const left = await page.evaluate(() => ({ ...localStorage, ...sessionStorage }));
    assert.deepEqual(left, {}, "no trace of the session");
    await page.goBack();
    await isReady(page);
    await heading(page, t("login.title"));
    without(await page.locator("body").innerText(), traces(person), "the page behind the back button");

    await open(page, locale === "id" ? path : `/en${path}`);
    await fillBirthDate(page, t);
    await button(page, t("link.open")).click();
    await heading(page, t("link.opened"));
    without(await keptByBrowser(page), [...traces(person), token], "the browser after the link of an SMS");
    assert.equal(await page.locator("meta[name=referrer]").getAttribute("content"), "no-referrer");

    for (const request of sent.filter((request) => !request.url().startsWith("data:"))) {
      without(request.url(), traces(person), "a URL");
      assert.equal((await request.allHeaders()).referer ?? "", "", request.url());
      assert.equal(request.url().includes(token) && !request.isNavigationRequest(), false, "only the page itself has the token in its URL");
    }
  });
}

journey("a late response does not undo a log-out", phone, async (page) => {
  const t = speaking("id");
  await logIn(page, "081200000139", { name: "Zubaidah Maharani" });
  const session = "**/api/sessions/current";
  // The response with the session is sent before the log-out and arrives after it.
  let answered;
  const answer = new Promise((fetched) => (answered = fetched));
  await page.route(session, async (route) => {
    if (route.request().method() === "GET") return answered({ route, response: await route.fetch() });
    await answer;
    await route.continue();
  });
  await page.goto(url + pages.logOut.id, { waitUntil: "domcontentloaded" });
  await page.getByText(t("logout.left")).waitFor();
  const { route, response } = await answer;
  assert.equal(response.status(), 200);
  await route.fulfill({ response });
  await page.waitForLoadState("networkidle");
  assert.deepEqual(await page.evaluate(() => ({ ...localStorage })), {});
  assert.equal(await page.getByText("Zubaidah").count(), 0);
});
