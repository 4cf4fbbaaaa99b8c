// The journeys of citizens, on phone and desktop, in both languages.

import assert from "node:assert/strict";

import {
  button, desktop, dose, download, everyVariant, fillBirthDate, fits, heading, journey, linkOf, logIn, open, pages, periksa, phone,
  picture, sendDoses, speaking, state, url, verifyPdf,
} from "./stage.mjs";

for (const [at, locale] of ["id", "en"].entries()) {
  journey(`the link of an SMS leads to a PDF with a valid QR (${locale})`, phone, async (page) => {
    const t = speaking(locale);
    const number = `08120000007${at}`;
    sendDoses(dose({ event_id: `B1-${locale}`, nik: `317101640189127${at}`, no_hp: number }));
    await page.goto(`${url}/_sms`);
    await picture(page, "sms-phone");
    const path = await linkOf(number);
    await open(page, locale === "id" ? path : `/en${path}`);
    await heading(page, t("link.title"));
    await state(page, "link");

    await button(page, t("link.open")).click();
    await heading(page, t("errors.title"));
    await state(page, "link-errors");
    await fillBirthDate(page, t, ["25", "1", "1989"]);
    await button(page, t("link.open")).click();
    await page.getByText(t("field.tries_left").replace("{n}", "4")).first().waitFor();
    await state(page, "link-wrong-birth-date");
    await fillBirthDate(page, t);
    await button(page, t("link.open")).click();
    await heading(page, t("link.opened"));
    await page.getByText(t("certificate.warning")).waitFor();
    await state(page, "link-opened");

    const payload = verifyPdf(await download(page, button(page, t("certificate.download"))));
    assert.equal(payload.nam.fnt, "NURHALIZA");
    assert.equal(payload.v[0].dn, 1);
  });
}

for (const [at, { size, viewport, locale, variant }] of everyVariant.entries()) {
  const t = speaking(locale);

  journey(`PERIKSA shows why there is no certificate (${variant})`, viewport, async (page) => {
    const nik = `317101640189128${at}`;
    const person = { nik, nama: "Siti Aminah", no_hp: "081200000002" };
    sendDoses(
      dose({ ...person, event_id: `B2-${size}-${locale}` }),
      dose({ ...person, event_id: `B3-${size}-${locale}`, dosis_ke: "2", batch: "" }),
    );
    await open(page, pages.home[locale]);
    await heading(page, t("home.title"));
    await state(page, "home");
    await button(page, t("check")).click();
    await heading(page, t("errors.title"));
    await state(page, "home-errors");

    await periksa(page, t, "siti AMINAH", nik);
    await heading(page, t("home.result"));
    await page.getByText({ id: "Sertifikat sudah terbit", en: "Certificate ready" }[locale]).first().waitFor();
    assert.match(await page.locator("main").innerText(), { id: /nomor batch/, en: /batch number/ }[locale]);
    await state(page, "status");

    await periksa(page, t, "Orang Lain", nik);
    await page.getByRole("article").nth(1).waitFor({ state: "detached" });
    await state(page, "status-nothing");
  });

  journey(`an account, from registration to the PDF (${variant})`, viewport, async (page) => {
    const no_hp = `08120000008${at}`;
    sendDoses(
      dose({ event_id: `B4-${size}-${locale}`, nik: `317101640189129${at}`, nama: "Dewi Lestari", no_hp }),
      dose({ event_id: `B5-${size}-${locale}`, nik: `317101240189129${at}`, nama: "Budi Lestari", no_hp }),
    );
    await logIn(page, no_hp.replace(/(\d{4})(\d{4})/, "$1 $2 "), { name: "Dewi Lestari", locale });
    await page.getByText(t("account.choose")).waitFor();
    await state(page, "account-choice");
    await button(page, "Budi Lestari").click();
    const enlarge = page.getByRole("button", { name: t("certificate.enlarge") });
    await enlarge.waitFor();
    await state(page, "account");

    await enlarge.click();
    await page.getByRole("dialog").waitFor();
    await state(page, "account-enlarged", { of: "dialog" });
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.ok(await enlarge.evaluate((button) => button === document.activeElement), "the focus returns");

    const payload = verifyPdf(await download(page, button(page, t("certificate.download"))));
    assert.deepEqual([payload.nam.fnt, payload.nam.gnt], ["LESTARI", "BUDI"]);

    await button(page, "Dewi Lestari").first().click();
    await state(page, "menu", { of: "header.top", bySize: true });
    await page.locator("#user-menu").getByRole("link", { name: t("nav.log_out") }).click();
    await page.getByText(t("logout.left")).waitFor();
    await state(page, "log-out");
    await open(page, pages.account[locale]);
    await heading(page, t("login.title"));
    assert.equal(new URL(page.url()).pathname, pages.logIn[locale]);
  });

  journey(`public pages (${variant})`, viewport, async (page) => {
    for (const name of ["register", "help", "unknown"]) {
      await open(page, pages[name][locale]);
      await heading(page, t(pages[name].title));
      await state(page, name);
      await fits(page);
    }
    // Header and footer of each page.
    await state(page, "frame", { of: "body", bySize: true });
    assert.match(await page.locator("footer").innerText(), /119 ext\. 9[\s\S]*sertifikat@pedulilindungi\.id/);

    await open(page, pages.logIn[locale]);
    await state(page, "log-in");
    await button(page, t("login.send_code")).click();
    await heading(page, t("errors.title"));
    await state(page, "log-in-errors");
    await page.getByLabel(t("field.phone.label")).fill(`08120000009${at}`);
    await button(page, t("login.send_code")).click();
    await heading(page, t("code.title"));
    await state(page, "code");
    await page.getByLabel(t("field.code.label")).fill("000000");
    await button(page, t("code.enter")).click();
    await heading(page, t("errors.title"));
    await state(page, "code-wrong");
  });
}

for (const [size, viewport] of Object.entries({ phone, desktop })) {
  journey(`dark colour scheme (${size})`, viewport, async (page) => {
    for (const name of ["home", "help"]) {
      await open(page, pages[name].id);
      await state(page, name);
    }
  }, { colorScheme: "dark" });
}
