// A fresh link by SMS without an account, and "this was not me".

import assert from "node:assert/strict";

import { desktop, dose, heading, journey, lastSms, phone, picture, sendDoses, url } from "./stage.mjs";

const words = {
  id: {
    path: "/unduh", title: "Unduh sertifikat tanpa akun", name: "Nama lengkap", nik: "NIK (16 digit)", parts: ["Tanggal", "Bulan", "Tahun"],
    next: "Lanjut", which: "Vaksinasi yang mana?", vaccine: "Vaksin", robot: "Saya bukan robot", send: "Kirim tautan", back: "Kembali",
    asked: "Permintaan Anda kami terima", wrong: "Ada yang perlu diperbaiki", nothing: "Tidak ada SMS setelah 5 menit?",
  },
  en: {
    path: "/en/download", title: "Download without an account", name: "Full name", nik: "NIK (16 digits)", parts: ["Day", "Month", "Year"],
    next: "Continue", which: "Which vaccination?", vaccine: "Vaccine", robot: "I am not a robot", send: "Send the link", back: "Back",
    asked: "We have your request", wrong: "Something needs correcting", nothing: "No SMS after 5 minutes?",
  },
};

async function fillDate(page, { parts }, date) {
  for (const [at, part] of date.split(" ").entries()) await page.getByLabel(parts[at], { exact: true }).fill(part);
}

/** From the first question to the answer. */
async function ask(page, words, { nama, nik, vaccinated = "29 1 2021", vaccine = "CoronaVac" }) {
  await page.goto(url + words.path);
  await heading(page, words.title);
  await page.getByLabel(words.name).fill(nama);
  await page.getByLabel(words.nik).fill(nik);
  await fillDate(page, words, "24 1 1989");
  await page.getByRole("button", { name: words.next }).click();
  await heading(page, words.which);
  await fillDate(page, words, vaccinated);
  await page.getByLabel(words.vaccine, { exact: true }).selectOption(vaccine);
  await page.getByLabel(words.robot).check();
  await page.getByRole("button", { name: words.send }).click();
  await heading(page, words.asked);
}

const linkTo = async (number, known) => {
  for (;;) {
    const link = (await lastSms(number)).match(/https?:\S+(\/s\/\S+)/)[1];
    if (link !== known) return link;
    await new Promise((soon) => setTimeout(soon, 200));
  }
};

let people = 0;
const somebody = () => {
  people += 1;
  const person = { event_id: `Q${people}`, nik: `317101640189${7000 + people}`, nama: "Rina Marlina", no_hp: `0812000070${10 + people}` };
  sendDoses(dose(person));
  return { ...person, e164: `+62812000070${10 + people}` };
};

for (const [size, viewport, language] of [["phone", phone, "id"], ["desktop", desktop, "en"]]) {
  const said = words[language];
  journey(`quick download sends a link to the registered phone (${size}, ${language})`, viewport, async (page) => {
    const person = somebody();
    const first = await linkTo(person.e164);
    await page.goto(url + said.path);
    await heading(page, said.title);
    await picture(page, `download-${size}-${language}`);
    await page.getByRole("button", { name: said.next }).click();
    await page.getByText(said.wrong).waitFor();
    await picture(page, `download-errors-${size}-${language}`);

    await page.getByLabel(said.name).fill(person.nama);
    await page.getByLabel(said.nik).fill(person.nik);
    await fillDate(page, said, "24 1 1989");
    await page.getByRole("button", { name: said.next }).click();
    await heading(page, said.which);
    await page.getByRole("button", { name: said.send }).click();
    await page.getByText(said.wrong).waitFor();
    await picture(page, `download-vaccination-errors-${size}-${language}`);
    await page.getByRole("button", { name: said.back }).click();
    await heading(page, said.title);
    assert.equal(await page.getByLabel(said.name).inputValue(), person.nama, "what was typed stays");

    await ask(page, said, person);
    await page.getByText(said.nothing).waitFor();
    await picture(page, `download-asked-${size}-${language}`);
    assert.equal(page.url(), url + said.path, "nothing stands in the address");
    const link = await linkTo(person.e164, first);
    await page.goto(url + (language === "en" ? "/en" : "") + link);
    await fillDate(page, said, "24 1 1989");
    await page.getByRole("button", { name: language === "en" ? "Open certificate" : "Buka sertifikat" }).click();
    await page.getByText("Rina Marlina").first().waitFor();
  });
}

journey("quick download says the same where the facts are wrong", phone, async (page) => {
  const person = somebody();
  const first = await linkTo(person.e164);
  const text = async () => (await page.locator("main").innerText()).trim();
  await ask(page, words.id, { ...person, vaccinated: "30 1 2021" });
  const answer = await text();
  const other = somebody();
  const before = await linkTo(other.e164);
  await ask(page, words.id, other);
  assert.equal(await text(), answer);
  // The SMS of the later request is there, so that of the earlier one would be, too.
  await linkTo(other.e164, before);
  assert.equal(await linkTo(person.e164), first);
});

journey("without the list of vaccines one can try again, and nothing typed is lost", phone, async (page) => {
  const person = somebody();
  await page.route("**/api/vaccines", (route) => route.abort());
  await page.goto(`${url}/unduh`);
  await heading(page, "Unduh sertifikat tanpa akun");
  await page.getByLabel("Nama lengkap").fill(person.nama);
  await page.getByLabel("NIK (16 digit)").fill(person.nik);
  await fillDate(page, words.id, "24 1 1989");
  await page.getByRole("button", { name: "Lanjut" }).click();
  await page.getByRole("alert").waitFor();
  await fillDate(page, words.id, "29 1 2021");
  await picture(page, "download-no-vaccines-phone");
  await page.unroute("**/api/vaccines");
  await page.getByRole("button", { name: "Coba lagi" }).click();
  await page.getByLabel("Vaksin", { exact: true }).selectOption("CoronaVac");
  assert.equal(await page.getByLabel("Tahun", { exact: true }).inputValue(), "2021");
});

journey("who did not ask for a link ends it", phone, async (page) => {
  const person = somebody();
  const link = await linkTo(person.e164);
  await page.goto(url + link);
  await page.getByText("Bukan Anda yang meminta tautan ini?").click();
  await picture(page, "link-refusal-phone");
  await page.getByRole("button", { name: "Bukan saya" }).click();
  await heading(page, "Tautan ini sudah mati");
  await picture(page, "link-refused-phone");
  await page.goto(url + link);
  await fillDate(page, words.id, "24 1 1989");
  await page.getByRole("button", { name: "Buka sertifikat" }).click();
  await heading(page, "Tautan ini tidak berlaku lagi");
  await picture(page, "link-dead-phone");
});
