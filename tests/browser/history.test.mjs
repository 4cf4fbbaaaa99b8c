// Every dose of everyone on a family phone, tickets for the next ones, and what a ticket's QR says.

import assert from "node:assert/strict";

import { button, desktop, dose, hasFocus, heading, journey, logIn, open, pages, phone, sendDoses, speaking, state } from "./stage.mjs";

const t = speaking("id");

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
    assert.deepEqual(asked, [], "what was loaded for the certificates stays");
    await hasFocus(page, "page-heading");
    const main = page.getByRole("main");
    assert.match(await main.innerText(), /Dosis 2 dari 2\s+sudah bisa sejak 26 Februari 2021[\s\S]*CoronaVac[\s\S]*AZ56327A[\s\S]*29 Januari 2021[\s\S]*Puskesmas Kebayoran Baru/);
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

journey("a ticket's QR says what is next, without the server", phone, async (page) => {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await open(page, `${pages.ticket.id}#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226`);
  await page.getByText("7KQ2-M4XD-9TRA-6HVC").waitFor();
  assert.match(await page.getByRole("main").innerText(), /CoronaVac[\s\S]*26 Februari 2021/);
  await state(page, "ticket");
  assert.equal(asked.some((address) => /7KQ2|\/api\//.test(address)), false, "nobody is told");
  await open(page, `${pages.ticket.en}#nonsense`);
  await page.getByText(speaking("en")("ticket.unreadable")).waitFor();
  await state(page, "ticket-unreadable");
});
