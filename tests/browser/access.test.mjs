// Accessibility: keyboard only, large text, a narrow screen, reduced motion.

import assert from "node:assert/strict";
import { before } from "node:test";

import {
  button, desktop, dose, everyVariant, fillBirthDate, fits, hasFocus, heading, journey, linkOf, locales, open, pages, periksa, phone, sendDoses,
  speaking, tabTo,
} from "./stage.mjs";

const person = { event_id: "K1", nik: "3171016401891321", nama: "Siti Nurhaliza", no_hp: "081200000121" };

before(() => sendDoses(dose(person)));

for (const { viewport, locale, variant } of everyVariant) {
  const t = speaking(locale);

  journey(`works by keyboard only, from the form to the result (${variant})`, viewport, async (page) => {
    const { keyboard } = page;
    await open(page, pages.home[locale]);
    await keyboard.press("Tab");
    const skip = page.getByRole("link", { name: t("skip") });
    assert.ok((await skip.boundingBox()).y >= 0, "the first tab shows the skip link");
    await keyboard.press("Enter");
    await hasFocus(page, "isi");

    await tabTo(page, t("check"));
    await keyboard.press("Enter");
    await hasFocus(page, "error-summary");
    assert.equal(await page.locator("#error-summary").getAttribute("role"), "alert");
    await tabTo(page, t("field.nik.missing"));
    await keyboard.press("Enter");
    await hasFocus(page, "field-nik");
    const described = await page.evaluate(() => {
      const { ariaInvalid, attributes } = document.activeElement;
      const ids = attributes["aria-describedby"].value.split(" ");
      return [ariaInvalid, ...ids.map((id) => document.getElementById(id).innerText)];
    });
    assert.deepEqual([described[0], described.at(-1)], ["true", t("field.nik.missing")]);

    await keyboard.type(person.nik);
    await keyboard.press("Shift+Tab");
    await hasFocus(page, "field-name");
    await keyboard.type(person.nama);
    await tabTo(page, t("captcha.label"));
    await keyboard.press("Space");
    await tabTo(page, t("check"));
    await keyboard.press("Enter");
    await hasFocus(page, "result");
    const result = page.getByRole("region", { name: t("home.result") });
    await result.getByRole("article").waitFor();
    assert.equal(await page.locator("#error-summary").count(), 0);
  });

  journey(`each opened page has its title and the focus on its heading (${variant})`, viewport, async (page) => {
    await open(page, pages.home[locale]);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "BODY", "the first page does not move the focus");
    for (const [label, { title }] of [["nav.help", pages.help], ["nav.verify", pages.verify], ["nav.log_in", pages.logIn]]) {
      const links = page.locator("header a, nav.tabs a").filter({ hasText: t(label), visible: true });
      await (await links.count() ? links.first() : page.locator(`nav.tabs a[href="${pages.logIn[locale]}"]`)).focus();
      await page.keyboard.press("Enter");
      await heading(page, t(title));
      // The chunk of the page may load after its heading.
      await page.getByText(t("loading")).waitFor({ state: "detached" });
      await page.waitForFunction((title) => document.activeElement?.textContent === title, t(title));
      await hasFocus(page, "page-heading");
      assert.equal(await page.title(), `${t(title)} – Bukti`);
      assert.equal(await page.evaluate(() => window.scrollY), 0);
    }
  });
}

journey("the enlarged certificate traps the focus, and returns it", desktop, async (page) => {
  const t = speaking("en");
  await open(page, `/en${await linkOf(person.no_hp)}`);
  await fillBirthDate(page, t);
  await page.keyboard.press("Enter");
  await heading(page, t("link.opened"));
  await hasFocus(page, "page-heading");
  const enlarge = page.locator("button.picture");
  const isInside = () => page.evaluate(() => document.querySelector("dialog").contains(document.activeElement));
  for (const key of ["Escape", "Enter"]) {
    await enlarge.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    assert.ok(await isInside());
    await page.keyboard.press("Tab");
    // From the last element the focus may leave for the browser, but not for the page behind.
    assert.ok((await isInside()) || (await page.evaluate(() => document.activeElement === document.body)));
    await button(page, t("close")).focus();
    await page.keyboard.press(key);
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.ok(await enlarge.evaluate((button) => button === document.activeElement), `${key} returns the focus`);
  }
});

/** Elements whose text is clipped or squeezed, or that are outside the viewport. */
const cut = () => {
  // Text scrolls inside an input.
  const isHidden = (element) => element.closest("svg, .skip, input, dialog:not([open])");
  const all = [...document.body.querySelectorAll("*")].filter((element) => element.checkVisibility() && !isHidden(element));
  const wrong = all.filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    const { overflowX, fontSize } = getComputedStyle(element);
    const clips = overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1;
    // Text squeezed into a column of letters.
    const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim().length > 20);
    const squeezes = words.length > 0 && right - left < 4 * parseFloat(fontSize) && getComputedStyle(element).display !== "inline";
    return left < -1 || right > document.documentElement.clientWidth + 1 || clips || squeezes;
  });
  return wrong.map((element) => `${element.tagName} ${element.className} ${element.innerText?.slice(0, 40)}`);
};

const narrow = { name: "on a screen of 320 px", viewport: { width: 320, height: 640 } };
const large = { name: "with text of 200 %", viewport: phone, args: ["--blink-settings=defaultFontSize=32"] };

for (const { name, viewport, args } of [narrow, large]) {
  for (const locale of locales) {
    const t = speaking(locale);

    journey(`no text is clipped ${name} (${locale})`, viewport, async (page) => {
      const isWhole = async (what) => {
        await fits(page);
        assert.deepEqual(await page.evaluate(cut), [], what);
      };
      for (const [page_name, paths] of Object.entries(pages)) {
        await open(page, paths[locale]);
        await isWhole(page_name);
      }
      await open(page, pages.home[locale]);
      await button(page, t("check")).click();
      await hasFocus(page, "error-summary");
      await isWhole("errors");
      await periksa(page, t, person.nama, person.nik);
      await page.getByRole("article").waitFor();
      await isWhole("result");
      await open(page, locale === "id" ? await linkOf(person.no_hp) : `/en${await linkOf(person.no_hp)}`);
      await fillBirthDate(page, t);
      await page.keyboard.press("Enter");
      await heading(page, t("link.opened"));
      await isWhole("certificate");
    }, {}, async () => ({ args }));
  }
}

journey("respects the setting for reduced motion", phone, async (page) => {
  const t = speaking("id");
  const moving = () => {
    const styles = [document.documentElement, ...document.querySelectorAll("*")].map((element) => getComputedStyle(element));
    const takesTime = ({ transitionDuration, animationName, scrollBehavior }) =>
      /[1-9]/.test(transitionDuration) || animationName !== "none" || scrollBehavior === "smooth";
    return styles.filter(takesTime).length + document.getAnimations().length;
  };
  await open(page, pages.home.id);
  assert.equal(await page.evaluate(moving), 0);
  await periksa(page, t, person.nama, person.nik);
  assert.equal(await page.evaluate(moving), 0, "during the request");
  await heading(page, t("home.result"));
  assert.equal(await page.evaluate(moving), 0);
  await open(page, pages.verify.id);
  assert.equal(await page.evaluate(moving), 0);
}, { reducedMotion: "reduce" });
