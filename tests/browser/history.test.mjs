// Every dose of everyone on a family phone, tickets for the next ones, and what a ticket's QR says.

import assert from "node:assert/strict";

import { desktop, dose, heading, journey, logIn, phone, picture, sendDoses, url } from "./stage.mjs";

for (const [at, [size, viewport]] of Object.entries({ phone, desktop }).entries()) {
  journey(`history and tickets of a family (${size})`, viewport, async (page) => {
    const [number, e164] = [`08120000800${at}`, `+628120000800${at}`];
    sendDoses(
      dose({ event_id: `H1-${at}`, nik: `317101640189800${at}`, nama: "Wati Lestari", no_hp: number }),
      dose({ event_id: `H2-${at}`, nik: `317101640189801${at}`, nama: "Agus Lestari", no_hp: number, vaksin: "Pfizer" }),
      dose({ event_id: `H3-${at}`, nik: `317101640189801${at}`, nama: "Agus Lestari", no_hp: number, vaksin: "Pfizer", dosis_ke: "2", batch: "", tanggal_vaksinasi: "2021-01-29" }),
    );
    await logIn(page, number, e164);
    await page.getByRole("button", { name: "Wati Lestari" }).click();
    await page.getByRole("heading", { name: "Dosis 1 dari 2" }).waitFor();
    const asked = [];
    page.on("request", (request) => request.url().includes("/api/") && asked.push(request.url()));
    await page.getByRole("navigation", { name: "Menu akun" }).getByRole("link", { name: "Riwayat dan Tiket Vaksin" }).click();
    await heading(page, "Riwayat dan Tiket Vaksin");
    assert.equal(new URL(page.url()).pathname, "/riwayat");
    assert.deepEqual(asked, [], "what was loaded for the certificates stays");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Riwayat dan Tiket Vaksin");
    const main = page.getByRole("main");
    assert.match(await main.innerText(), /Dosis 2 dari 2\s+sudah bisa sejak 26 Februari 2021[\s\S]*CoronaVac[\s\S]*AZ56327A[\s\S]*29 Januari 2021[\s\S]*Puskesmas Kebayoran Baru/);
    const qr = page.getByAltText("QR tiket: Dosis 2 dari 2, vaksin CoronaVac");
    assert.ok((await qr.boundingBox()).width >= 200);
    await picture(page, `history-${size}`);

    await page.getByRole("button", { name: "Agus Lestari" }).click();
    await page.getByText("Saat ini tidak ada dosis berikutnya").waitFor();
    assert.match(await main.innerText(), /belum dicatat[\s\S]*Data belum lengkap/);
    await picture(page, `history-no-ticket-${size}`);
    await page.getByRole("link", { name: "EN, English" }).click();
    await heading(page, "History and tickets");
    assert.equal(new URL(page.url()).pathname, "/en/history");
    await page.getByText("Data incomplete").or(page.getByText("not recorded yet")).first().waitFor();
    await picture(page, `history-english-${size}`);
  });
}

journey("a ticket's QR says what is next, without the server", phone, async (page) => {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`${url}/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226`);
  await heading(page, "Tiket vaksin");
  await page.getByText("7KQ2-M4XD-9TRA-6HVC").waitFor();
  assert.match(await page.getByRole("main").innerText(), /CoronaVac[\s\S]*26 Februari 2021/);
  await picture(page, "ticket-phone");
  assert.equal(asked.some((address) => /7KQ2|\/api\//.test(address)), false, "nobody is told");
  await page.goto("about:blank");
  await page.goto(`${url}/en/ticket#nonsense`);
  await page.getByText("This ticket cannot be read").waitFor();
  await picture(page, "ticket-unreadable-phone-en");
});

for (const [size, viewport] of Object.entries({ phone, desktop })) {
  journey(`privacy in both languages (${size})`, viewport, async (page) => {
    await page.goto(`${url}/privasi`);
    await heading(page, "Privasi");
    await picture(page, `privacy-${size}`);
    await page.getByRole("link", { name: "EN, English" }).click();
    await heading(page, "Privacy");
    assert.equal(await page.getByRole("term").count(), await page.getByRole("definition").count());
    await picture(page, `privacy-${size}-en`);
  });
}
