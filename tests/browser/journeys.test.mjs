// The journeys of the citizens, in a browser, on a phone and on a desk.

import assert from "node:assert/strict";

import { desktop, dose, download, heading, journey, lastSms, logIn, phone, picture, sendDoses, url, verifyPdf } from "./stage.mjs";

async function periksa(page, name, nik) {
  await page.getByLabel("Nama lengkap").fill(name);
  await page.getByLabel("NIK (16 digit)").fill(nik);
  await page.getByLabel("Saya bukan robot").check();
  await page.getByRole("button", { name: "Periksa", exact: true }).click();
}

journey("from the SMS to a PDF whose QR scans to a valid certificate", phone, async (page) => {
  sendDoses(dose({ event_id: "B1", nik: "3171016401891234", nama: "Siti Nurhaliza", no_hp: "081200000001" }));
  await page.goto(`${url}/_sms`);
  await picture(page, "sms-phone");
  const link = (await lastSms("+6281200000001")).match(/https?:\S+\/s\/\S+/)[0];
  await page.goto(link);
  await heading(page, "Unduh sertifikat");
  await picture(page, "link-phone");

  await page.getByRole("button", { name: "Buka sertifikat" }).click();
  await page.getByText("Ada yang perlu diperbaiki").waitFor();
  const fill = async (day, month, year) => {
    await page.getByLabel("Tanggal", { exact: true }).fill(day);
    await page.getByLabel("Bulan", { exact: true }).fill(month);
    await page.getByLabel("Tahun", { exact: true }).fill(year);
    await page.getByRole("button", { name: "Buka sertifikat" }).click();
  };
  await fill("25", "1", "1989");
  await page.getByText("Sisa percobaan: 4.").first().waitFor();
  await picture(page, "link-wrong-birth-date-phone");
  await fill("24", "1", "1989");
  await heading(page, "Sertifikat Anda");
  await page.getByText("Jangan unggah ke media sosial").waitFor();
  await picture(page, "link-opened-phone");

  const payload = verifyPdf(await download(page, page.getByRole("button", { name: "Unduh PDF" })));
  assert.equal(payload.nam.fnt, "NURHALIZA");
  assert.equal(payload.v[0].dn, 1);
});

for (const [size, viewport] of Object.entries({ phone, desktop })) {
  journey(`PERIKSA says why there is no certificate (${size})`, viewport, async (page) => {
    const nik = size === "phone" ? "3171016401891235" : "3171016401891236";
    const person = { nik, nama: "Siti Aminah", no_hp: "081200000002" };
    sendDoses(
      dose({ ...person, event_id: `B2-${size}` }),
      dose({ ...person, event_id: `B3-${size}`, dosis_ke: "2", batch: "", tanggal_vaksinasi: "2021-01-29" }),
    );
    await page.goto(url);
    await heading(page, "Cek status vaksinasi");
    await picture(page, `home-${size}`);
    await page.getByRole("button", { name: "Periksa", exact: true }).click();
    await page.getByText("Ada yang perlu diperbaiki").waitFor();
    await picture(page, `home-errors-${size}`);

    await periksa(page, "siti AMINAH", nik);
    await heading(page, "Hasil pemeriksaan");
    await page.getByText("Sertifikat sudah terbit").first().waitFor();
    await page.getByText("Data belum lengkap").first().waitFor();
    assert.match(await page.locator("body").innerText(), /nomor batch/);
    await picture(page, `status-${size}`);

    await periksa(page, "Orang Lain", nik);
    await page.getByText("Data vaksinasi belum kami terima").first().waitFor();
    await picture(page, `status-nothing-${size}`);
  });

  journey(`an account from registering to the PDF (${size})`, viewport, async (page) => {
    const [number, e164] = size === "phone" ? ["0812 0000 0003", "+6281200000003"] : ["0812 0000 0004", "+6281200000004"];
    const no_hp = number.replaceAll(" ", "");
    const niks = size === "phone" ? ["3171016401891237", "3171012401891237"] : ["3171016401891238", "3171012401891238"];
    sendDoses(
      dose({ event_id: `B4-${size}`, nik: niks[0], nama: "Dewi Lestari", no_hp }),
      dose({ event_id: `B5-${size}`, nik: niks[1], nama: "Budi Lestari", no_hp }),
    );
    await logIn(page, number, e164, "Dewi Lestari");
    await page.getByText("Sertifikat siapa yang ingin Anda lihat?").waitFor();
    await page.getByRole("button", { name: "Budi Lestari" }).click();
    const enlarge = page.getByRole("button", { name: /Perbesar/ });
    await enlarge.waitFor();
    await picture(page, `account-${size}`);

    await enlarge.click();
    await page.getByRole("dialog").waitFor();
    await picture(page, `account-enlarged-${size}`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.ok(await enlarge.evaluate((button) => button === document.activeElement), "the focus comes back");

    const payload = verifyPdf(await download(page, page.getByRole("button", { name: "Unduh PDF" })));
    assert.deepEqual([payload.nam.fnt, payload.nam.gnt], ["LESTARI", "BUDI"]);

    if (size === "desktop") {
      await page.getByRole("button", { name: "Dewi Lestari" }).first().click();
      await page.getByRole("link", { name: "Keluar" }).first().click();
    } else {
      await page.goto(`${url}/keluar`);
    }
    await page.getByText("Anda sudah keluar").waitFor();
    await page.goto(`${url}/akun`);
    await heading(page, "Masuk");
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage })).then((kept) => /Lestari|8120000/.test(kept)), false);
  });

  journey(`help and English (${size})`, viewport, async (page) => {
    await page.goto(`${url}/bantuan`);
    await heading(page, "Bantuan");
    assert.match(await page.locator("body").innerText(), /119 ext\. 9[\s\S]*sertifikat@pedulilindungi\.id/);
    await picture(page, `help-${size}`);
    await page.goto(`${url}/?lang=en`);
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    await picture(page, `home-english-${size}`);
    await page.goto(`${url}/nothing-here`);
    await heading(page, "Page not found");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.equal(wide, false, "nothing runs out of the page at the side");
  });
}

journey("the home page is readable before any script has run", phone, async (page) => {
  await page.goto(url);
  const text = await page.locator("body").innerText();
  assert.match(text, /vaksinasi/);
  assert.match(text, /119 ext\. 9/);
}, { javaScriptEnabled: false });

journey("in the dark", phone, async (page) => {
  await page.goto(url);
  await heading(page, "Cek status vaksinasi");
  await picture(page, "home-dark-phone");
}, { colorScheme: "dark" });
