// The replacement of the pre-rendered page by the site. On slow networks people type before it.

import assert from "node:assert/strict";
import { before } from "node:test";

import { button, dose, everyVariant, heading, hold, isReady, journey, pages, phone, requestsTo, sendDoses, speaking, url } from "./stage.mjs";

const person = { event_id: "T1", nik: "3171016401891301", nama: "Siti Nurhaliza", no_hp: "081200000101" };
const wasm = "**/bukti_bg.wasm";

before(() => sendDoses(dose(person)));

/** A pre-rendered page whose site is held back, and a function that releases it. */
async function begin(page, path) {
  const release = await hold(page, wasm);
  await page.goto(url + path, { waitUntil: "domcontentloaded" });
  await page.locator(".beginning").waitFor({ state: "attached" });
  return release;
}

/** How many pixels of two screenshots differ. Letters may move by part of a pixel if a line is split
 * into other text nodes. */
function differing(page, ...screenshots) {
  const sources = screenshots.map((png) => `data:image/png;base64,${png.toString("base64")}`);
  return page.evaluate(async (sources) => {
    const [one, other] = await Promise.all(
      sources.map(async (src) => {
        const image = Object.assign(new Image(), { src });
        await image.decode();
        const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
        context.drawImage(image, 0, 0);
        return new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
      }),
    );
    return one.reduce((count, pixel, at) => count + (pixel !== other[at]), 0);
  }, sources);
}

for (const { viewport, locale, variant } of everyVariant) {
  const t = speaking(locale);

  journey(`keeps typed text, ticks and focus (${variant})`, viewport, async (page) => {
    const release = await begin(page, pages.home[locale]);
    const name = page.getByLabel(t("field.name.label"));
    await page.getByLabel(t("field.nik.label")).fill(person.nik);
    await page.getByLabel(t("captcha.label")).check();
    await name.fill("Siti");
    await name.evaluate((field) => field.setSelectionRange(2, 2));
    await page.evaluate(() => window.scrollTo(0, 40));
    const scrolled = await page.evaluate(() => window.scrollY);
    release();
    await isReady(page);
    assert.equal(await name.inputValue(), "Siti");
    assert.equal(await page.getByLabel(t("field.nik.label")).inputValue(), "3171 0164 0189 1301");
    assert.ok(await page.getByLabel(t("captcha.label")).isChecked());
    assert.equal(await page.evaluate(() => window.scrollY), scrolled);
    assert.equal(await name.evaluate((field) => document.activeElement === field), true);
    await page.keyboard.type("_");
    assert.equal(await name.inputValue(), "Si_ti", "the caret stays");
    await page.getByText(t("captcha.done"), { exact: true }).waitFor();
  });

  journey(`an early tap on PERIKSA is sent after the start (${variant})`, viewport, async (page) => {
    const asked = requestsTo(page, /\/api\/status$/);
    const release = await begin(page, pages.home[locale]);
    await page.getByLabel(t("field.name.label")).fill(person.nama);
    await page.getByLabel(t("field.nik.label")).fill(person.nik);
    await page.getByLabel(t("captcha.label")).check();
    await button(page, t("check")).dblclick();
    await page.getByText(t("beginning.waiting")).waitFor();
    release();
    await heading(page, t("home.result"));
    await page.getByRole("article").waitFor();
    assert.equal(asked.length, 1);
    assert.equal(await page.getByText(t("beginning.waiting")).count(), 0);
  });

  journey(`no layout shift and no flash (${variant})`, viewport, async (page) => {
    await page.addInitScript(() => {
      window.moved = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.moved += value))).observe({ type: "layout-shift", buffered: true });
      // From the first frame with a heading on, every frame has one.
      window.frames_without = 0;
      let seen = false;
      const look = () => {
        const there = document.querySelector("h1")?.getBoundingClientRect().height > 0;
        seen ||= there;
        if (seen && !there) window.frames_without += 1;
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    for (const name of ["home", "logIn", "register", "help", "link", "unknown"]) {
      const release = await begin(page, pages[name][locale]);
      await heading(page, t(pages[name].title));
      const before = await page.screenshot();
      release();
      await isReady(page);
      await page.waitForLoadState("networkidle");
      const pixels = await differing(page, before, await page.screenshot());
      assert.ok(pixels < 500, `${name} looks as before but for ${pixels} pixels`);
      const [moved, without] = await page.evaluate(() => [window.moved, window.frames_without]);
      assert.ok(moved < 0.02, `${name} moved by ${moved}`);
      assert.equal(without, 0, `${name} flashes`);
      await page.unrouteAll();
    }
  });
}

journey("opened details stay open", phone, async (page) => {
  const t = speaking("id");
  const release = await begin(page, pages.verify.id);
  await page.getByText(t("verify.paste")).click();
  await page.getByLabel(t("verify.text")).fill("HC1:abc");
  release();
  await isReady(page);
  assert.ok(await page.getByLabel(t("verify.text")).isVisible());
  assert.equal(await page.getByLabel(t("verify.text")).inputValue(), "HC1:abc");
});
