// The pre-rendered pages without scripts, and the language switch.

import assert from "node:assert/strict";

import { button, desktop, everyVariant, heading, isReady, journey, locales, open, pages, phone, requestsTo, speaking, state, url } from "./stage.mjs";

const titleOf = (locale, key) => `${speaking(locale)(key)} – Bukti`;

for (const locale of locales) {
  const t = speaking(locale);

  journey(`without scripts every page is readable and no form submits (${locale})`, phone, async (page) => {
    const posted = requestsTo(page, /\/api\//);
    for (const [name, { title, open, ...paths }] of Object.entries(pages)) {
      const answer = await page.goto(url + paths[locale]);
      assert.equal(answer.status(), name === "unknown" ? 404 : 200, paths[locale]);
      assert.deepEqual(await page.getByRole("heading", { level: 1 }).allInnerTexts(), [t(title)]);
      assert.equal(await page.title(), titleOf(locale, title));
      assert.equal(await page.locator("html").getAttribute("lang"), locale);
      await heading(page, t("beginning.no_script.title"));
      assert.match(await page.locator("footer").innerText(), /119 ext\. 9/);

      const alternates = page.locator("link[rel=alternate]");
      const found = await alternates.evaluateAll((links) => links.map(({ hreflang, href }) => [hreflang, new URL(href).pathname]));
      assert.deepEqual(found.sort(), open ? [["en", paths.en], ["id", paths.id]] : []);
      assert.equal(await page.locator("meta[name=robots][content=noindex]").count(), open ? 0 : 1, paths[locale]);

      for (const submit of await page.locator("form button[type=submit]").all()) {
        if (await submit.isVisible()) await submit.click();
        assert.equal(page.url(), url + paths[locale]);
      }
    }
    assert.equal(posted.length, 0);
  }, { javaScriptEnabled: false });
}

journey("the language switch works without scripts, and so does the verification URL", phone, async (page) => {
  await page.goto(url + pages.help.id);
  await page.getByRole("link", { name: "EN, English" }).click();
  await heading(page, speaking("en")("help.title"));
  assert.equal(page.url(), url + pages.help.en);
  await page.goto(`${url}/verify`);
  await heading(page, speaking("id")("verify.title"));
}, { javaScriptEnabled: false });

for (const { viewport, locale, variant } of everyVariant) {
  const other = locale === "id" ? "en" : "id";

  journey(`the language switch keeps the form, and Back undoes it (${variant})`, viewport, async (page) => {
    const [t, o] = [speaking(locale), speaking(other)];
    await open(page, pages.home[locale]);
    await page.getByLabel(t("field.name.label")).fill("Siti");
    await button(page, t("identity.use_passport")).click();
    await page.getByLabel(t("field.passport.label")).fill("C12");
    await button(page, t("check")).click();
    await heading(page, t("errors.title"));

    await page.locator(`.languages a[hreflang=${other}]`).click();
    await heading(page, o("home.title"));
    await heading(page, o("errors.title"));
    assert.equal(page.url(), url + pages.home[other]);
    assert.equal(await page.locator("html").getAttribute("lang"), other);
    assert.equal(await page.title(), titleOf(other, "home.title"));
    assert.equal(await page.getByLabel(o("field.name.label")).inputValue(), "Siti");
    assert.equal(await page.getByLabel(o("field.passport.label")).inputValue(), "C12");
    assert.equal(await page.locator(".languages [aria-current]").innerText(), other.toUpperCase());

    await page.goBack();
    await heading(page, t("home.title"));
    assert.equal(await page.locator("html").getAttribute("lang"), locale);
    assert.equal(await page.getByLabel(t("field.name.label")).inputValue(), "Siti");
  });
}

journey("Back and Forward navigate between pages", desktop, async (page) => {
  const t = speaking("en");
  await open(page, pages.home.en);
  await page.locator("header").getByRole("link", { name: t("nav.help") }).click();
  await heading(page, t("help.title"));
  await page.locator("header").getByRole("link", { name: t("nav.verify") }).click();
  await heading(page, t("verify.title"));
  await page.goBack();
  await heading(page, t("help.title"));
  assert.equal(await page.title(), titleOf("en", "help.title"));
  await page.goBack();
  await heading(page, t("home.title"));
  await page.goForward();
  await heading(page, t("help.title"));
  assert.equal(page.url(), url + pages.help.en);
});

journey("the language switch loads the page if its texts fail to load", phone, async (page) => {
  await open(page, pages.help.id);
  await page.route("**/texts-en-*", (route) => route.abort(), { times: 1 });
  await page.locator(".languages a[hreflang=en]").click();
  await heading(page, speaking("en")("help.title"));
  await isReady(page);
  assert.equal(page.url(), url + pages.help.en);
});

for (const { viewport, locale, variant } of everyVariant) {
  journey(`every page is accessible and matches its snapshot (${variant})`, viewport, async (page) => {
    const t = speaking(locale);
    for (const [name, { title, ...paths }] of Object.entries(pages)) {
      if (["account", "history", "devices", "looks", "logOut"].includes(name)) continue;
      await open(page, paths[locale]);
      await heading(page, t(title));
      await page.waitForLoadState("networkidle");
      await state(page, `page-${name}`, { bySize: name === "verify" });
    }
  });
}
