// The history of all people of a family phone, tickets for the next doses, and the ticket's QR.

import assert from "node:assert/strict";

import { button, desktop, dose, hasFocus, heading, journey, locales, logIn, open, openPage, pages, phone, sendDoses, speaking, state } from "./stage.mjs";

const t = speaking("id");

/** Other devices that are logged in with the same phones. */
const others = [];
for (const [at, locale] of locales.entries()) {
  const userAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0";
  const number = `08120000810${at}`;
  const { page } = await openPage(desktop, { userAgent });
  await logIn(page, number, { locale });
  others.push({ number, strange: page, since: Date.now() });
}

for (const [at, [size, viewport]] of Object.entries({ phone, desktop }).entries()) {
  journey(`history and tickets of a family (${size})`, viewport, async (page) => {
    const number = `08120000800${at}`;
    const wati = { nik: `317101640189800${at}`, nama: "Wati Lestari", no_hp: number };
    const agus = { nik: `317101640189801${at}`, nama: "Agus Lestari", no_hp: number, vaksin: "Pfizer" };
    sendDoses(
      dose({ ...wati, event_id: `H1-${at}` }),
      dose({ ...agus, event_id: `H2-${at}` }),
      dose({ ...agus, event_id: `H3-${at}`, dosis_ke: "2", batch: "" }),
    );
    await logIn(page, number);
    await button(page, "Wati Lestari").click();
    await page.getByRole("heading", { name: "Dosis 1 dari 2" }).waitFor();
    const asked = [];
    page.on("request", (request) => request.url().includes("/api/") && asked.push(request.url()));
    await page.getByRole("navigation", { name: t("account.menu") }).getByRole("link", { name: t("nav.history") }).click();
    await heading(page, t("history.title"));
    assert.equal(new URL(page.url()).pathname, pages.history.id);
    assert.deepEqual(asked, [], "the data loaded for the certificates are reused");
    await hasFocus(page, "page-heading");
    const main = page.getByRole("main");
    assert.match(await main.innerText(), /Dosis 2 dari 2\s+sudah bisa diberikan sejak 26 Februari 2021[\s\S]*CoronaVac[\s\S]*AZ56327A[\s\S]*29 Januari 2021[\s\S]*Puskesmas Kebayoran Baru/);
    const qr = page.getByAltText("QR tiket: Dosis 2 dari 2, vaksin CoronaVac");
    assert.ok((await qr.boundingBox()).width >= 200, "a camera can read it");
    await state(page, "history");

    await button(page, "Agus Lestari").click();
    await page.getByText(t("history.no_ticket")).waitFor();
    assert.match(await main.innerText(), /belum dicatat[\s\S]*Data belum lengkap/);
    await state(page, "history-no-ticket");
    await page.getByRole("link", { name: "EN, English" }).click();
    await heading(page, speaking("en")("history.title"));
    assert.equal(new URL(page.url()).pathname, pages.history.en);
    await state(page, "history-no-ticket");
  });
}

journey("a ticket shows the next dose without sending data", phone, async (page) => {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await open(page, `${pages.ticket.id}#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226`);
  await page.getByText("7KQ2-M4XD-9TRA-6HVC").waitFor();
  assert.match(await page.getByRole("main").innerText(), /CoronaVac[\s\S]*26 Februari 2021/);
  await state(page, "ticket");
  assert.equal(asked.some((address) => address.includes("7KQ2")), false, "the ticket id is not sent");
  // Navigating to another fragment of the same page loads nothing.
  await page.goto("about:blank");
  await open(page, `${pages.ticket.id}#7KQ2M4XD9TRA6HVC.2.Telepon~200811234567.20210226`);
  await page.getByText(speaking("id")("ticket.unknown_vaccine")).waitFor();
  assert.doesNotMatch(await page.getByRole("main").innerText(), /0811234567/, "an invented vaccine is not shown");
  await open(page, `${pages.ticket.en}#nonsense`);
  await page.getByText(speaking("en")("ticket.unreadable")).waitFor();
  await state(page, "ticket-unreadable");
});

for (const [at, locale] of locales.entries()) {
  journey(`the owner of a phone sees its sessions and ends others (${locale})`, at ? desktop : phone, async (page) => {
    const t = speaking(locale);
    const { number, strange, since } = others[at];
    // Codes to one phone are a minute apart.
    await page.waitForTimeout(Math.max(0, since + 61_000 - Date.now()));
    await logIn(page, number, { locale });
    await page.locator("header.top button[aria-controls=user-menu]").click();
    await page.locator("#user-menu").getByRole("link", { name: t("nav.devices") }).click();
    await heading(page, t("devices.title"));
    assert.equal(new URL(page.url()).pathname, pages.devices[locale]);
    await hasFocus(page, "page-heading");
    const name = (browser, system) => t("devices.on").replace("{browser}", browser).replace("{system}", system);
    const main = page.getByRole("main");
    const out = button(page, t("devices.end").replace("{device}", name("Firefox", "Windows")));
    await out.waitFor();
    assert.match(await main.innerText(), new RegExp(`${name("Chrome", "Linux")}[^]*${t("devices.this")}[^]*${name("Firefox", "Windows")}`));
    await state(page, "devices");
    await out.click();
    await page.getByText(t("devices.only")).waitFor();
    await page.getByText(t("devices.ended")).waitFor();
    await hasFocus(page, "devices-news");
    assert.equal(await out.count(), 0);
    await state(page, "devices-ended");
    await open(strange, pages.account[locale]);
    await heading(strange, t("login.title"));
    await strange.context().browser().close();
  });
}
