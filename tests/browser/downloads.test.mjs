// Downloads each form of a certificate, on phone and desktop, by touch and by keyboard.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

import {
  button, desktop, dose, download, fillBirthDate, fits, heading, journey, linkOf, logIn, open, pages, phone, sendDoses, speaking, state,
} from "./stage.mjs";

const main = "Unduh PDF";
const files = {
  [main]: "sertifikat-vaksin-covid-19-dosis-1.pdf",
  "A4 saja": "sertifikat-vaksin-covid-19-dosis-1-a4.pdf",
  "Kartu (ukuran KTP)": "sertifikat-vaksin-covid-19-dosis-1-kartu.pdf",
  "Lembar cetak 10 kartu": "sertifikat-vaksin-covid-19-dosis-1-lembar-kartu.pdf",
};
const wallpaper = "Gambar layar kunci";
const copy = "Salin teks QR";

async function everyFormIsDownloaded(page) {
  for (const [name, file] of Object.entries(files)) {
    assert.equal(basename(await download(page, button(page, name))), file);
  }
}

async function openLink(page, number) {
  await open(page, await linkOf(number));
  await fillBirthDate(page, speaking("id"));
  await button(page, "Buka sertifikat").click();
  await heading(page, "Sertifikat Anda");
}

for (const [size, viewport, at] of [["phone", phone, 1], ["desktop", desktop, 2]]) {
  journey(`downloads every form from the account (${size})`, viewport, async (page) => {
    const person = { event_id: `D1-${size}`, nik: `317101640189126${at}`, nama: "Dewi Lestari", no_hp: `08120000006${at}` };
    sendDoses(dose(person));
    await logIn(page, person.no_hp, { name: "Dewi Lestari" });
    await button(page, main).waitFor();
    await everyFormIsDownloaded(page);

    await page.getByText("Rincian", { exact: true }).click();
    const details = await page.locator(".certificate details").innerText();
    for (const fact of ["Dewi Lestari", "AZ56327A", "Puskesmas Kebayoran Baru", "29 Januari 2021", "24 Januari 1989"]) {
      assert.ok(details.includes(fact), fact);
    }
    await state(page, "downloads-account");
    for (const name of [...Object.keys(files), wallpaper, copy]) {
      const { height } = await button(page, name).boundingBox();
      assert.ok(height >= 48, `${name}: ${height}`);
    }
    await fits(page);

    await page.getByRole("link", { name: "EN, English" }).click();
    await page.getByText("Other formats").waitFor();
    await state(page, "downloads-account");
  });

  journey(`downloads every form from the link of an SMS (${size})`, viewport, async (page) => {
    const no_hp = `08120000006${at + 2}`;
    sendDoses(dose({ event_id: `D2-${size}`, nik: `317101640189126${at + 2}`, no_hp }));
    await openLink(page, no_hp);
    await state(page, "downloads-link");
    await everyFormIsDownloaded(page);
  });
}

journey("keyboard downloads send one request, and retry after a failure", phone, async (page) => {
  sendDoses(dose({ event_id: "D3", nik: "3171016401891265", no_hp: "081200000065" }));
  await openLink(page, "081200000065");
  await button(page, main).focus();
  const names = ["A4 saja", "Kartu (ukuran KTP)", "Lembar cetak 10 kartu", wallpaper, copy];
  for (const name of names) {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), name);
  }

  let asked = 0;
  const answers = [];
  await page.route("**/api/links", (route) => {
    asked += 1;
    answers.push(route);
  });
  const waiting = async (n) => {
    while (answers.length < n) await new Promise((later) => setTimeout(later, 20));
    return answers[n - 1];
  };
  const card = button(page, "Kartu (ukuran KTP)");
  await card.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  const busy = button(page, "Menyiapkan…");
  await busy.waitFor();
  assert.equal(await busy.getAttribute("aria-disabled"), "true");
  assert.ok(await busy.evaluate((button) => button === document.activeElement), "the focus stays");
  await button(page, "A4 saja").click();
  await state(page, "downloads-busy");
  await (await waiting(1)).abort();
  await heading(page, "Tidak bisa tersambung");
  await state(page, "downloads-failed");
  assert.equal(asked, 1, "one request at a time");

  const [saved] = await Promise.all([
    page.waitForEvent("download"),
    page.keyboard.press("Tab").then(() => page.keyboard.press("Enter")).then(async () => (await waiting(2)).continue()),
  ]);
  assert.equal(saved.suggestedFilename(), files["Kartu (ukuran KTP)"], "the requested form");
  assert.equal(asked, 2);
});

journey("copies the text of the QR, which verifies", phone, async (page) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  sendDoses(dose({ event_id: "D4", nik: "3171016401891266", no_hp: "081200000066" }));
  await openLink(page, "081200000066");
  await button(page, copy).click();
  await page.getByText("Teks QR disalin").waitFor();
  await state(page, "downloads-copied");
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(text, /^HC1:/);
  await open(page, pages.verify.id);
  await page.getByText("Tempel teks QR").click();
  await page.getByLabel("Teks QR, diawali dengan HC1:").fill(text);
  await button(page, "Periksa").click();
  await heading(page, "Berlaku");

  // A browser without a clipboard shows a message.
  await openLink(page, "081200000066");
  await page.evaluate(() => Object.defineProperty(navigator.clipboard, "writeText", { value: () => Promise.reject(new Error()) }));
  await button(page, copy).click();
  await page.getByText("Teks QR tidak bisa disalin").waitFor();
});

journey("the wallpaper fits the screen, and its QR verifies", phone, async (page) => {
  sendDoses(dose({ event_id: "D5", nik: "3171016401891267", no_hp: "081200000067" }));
  await openLink(page, "081200000067");
  const path = await download(page, button(page, wallpaper));
  assert.equal(basename(path), "sertifikat-vaksin-covid-19-dosis-1.png");
  await page.getByText("Gambar disimpan di perangkat Anda.").waitFor();
  const png = readFileSync(path);
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const screen = await page.evaluate(() => window.screen.height / window.screen.width);
  assert.ok(width >= 1080 && Math.abs(height / width - screen) < 0.01, `${width} x ${height}`);
  await open(page, pages.verify.id);
  await page.locator("input[type=file]").setInputFiles(path);
  await heading(page, "Berlaku");
});
