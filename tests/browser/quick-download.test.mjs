// Quick download: a new link by SMS without an account, and "this was not me".

import assert from "node:assert/strict";

import { button, desktop, dose, heading, journey, lastSms, open, pages, phone, sendDoses, speaking, state, url } from "./stage.mjs";

async function fillDate(page, t, date) {
  const labels = [t("date.day"), t("date.month"), t("date.year")];
  for (const [at, part] of date.split(" ").entries()) await page.getByLabel(labels[at], { exact: true }).fill(part);
}

async function fillPerson(page, t, { nama, nik }) {
  await page.getByLabel(t("field.name.label")).fill(nama);
  await page.getByLabel(t("field.nik.label")).fill(nik);
  await fillDate(page, t, "24 1 1989");
  await button(page, t("download.next")).click();
}

/** Requests a link, from the first question to the response. */
async function ask(page, locale, person, vaccinated = "29 1 2021") {
  const t = speaking(locale);
  await open(page, pages.download[locale]);
  await fillPerson(page, t, person);
  await heading(page, t("download.vaccination"));
  await fillDate(page, t, vaccinated);
  await page.getByLabel(t("field.vaccine.label"), { exact: true }).selectOption("CoronaVac");
  await page.getByLabel(t("captcha.label")).check();
  await button(page, t("download.send")).click();
  await heading(page, t("download.asked.title"));
}

/** The path of the last link sent to a number, as soon as it differs from the known one. */
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
  const person = { nik: `317101640189${7000 + people}`, nama: "Rina Marlina", no_hp: `0812000070${10 + people}` };
  sendDoses(dose({ ...person, event_id: `Q${people}` }));
  return person;
};

for (const [size, viewport, locale] of [["phone", phone, "id"], ["desktop", desktop, "en"]]) {
  const t = speaking(locale);
  journey(`quick download sends a link to the phone on record (${size}, ${locale})`, viewport, async (page) => {
    const person = somebody();
    const first = await linkTo(person.no_hp);
    await open(page, pages.download[locale]);
    await state(page, "download");
    await button(page, t("download.next")).click();
    await page.getByText(t("errors.title")).waitFor();
    await state(page, "download-errors");

    await fillPerson(page, t, person);
    await heading(page, t("download.vaccination"));
    await button(page, t("download.send")).click();
    await page.getByText(t("errors.title")).waitFor();
    await state(page, "download-vaccination-errors");
    await button(page, t("download.back")).click();
    await heading(page, t("download.title"));
    assert.equal(await page.getByLabel(t("field.name.label")).inputValue(), person.nama, "the form is kept");

    await ask(page, locale, person);
    await state(page, "download-asked");
    assert.equal(page.url(), url + pages.download[locale], "the URL has no data");
    const link = await linkTo(person.no_hp, first);
    await open(page, (locale === "en" ? "/en" : "") + link);
    await fillDate(page, t, "24 1 1989");
    await button(page, t("link.open")).click();
    await page.getByText("Rina Marlina").first().waitFor();
  });
}

journey("quick download responds the same to wrong facts", phone, async (page) => {
  const [person, other] = [somebody(), somebody()];
  const [first, before] = [await linkTo(person.no_hp), await linkTo(other.no_hp)];
  const said = async () => (await page.locator("main").innerText()).trim();
  await ask(page, "id", person, "30 1 2021");
  const answer = await said();
  await ask(page, "id", other);
  assert.equal(await said(), answer);
  // The SMS of the later request has arrived, so one of the earlier request would have as well.
  await linkTo(other.no_hp, before);
  assert.equal(await linkTo(person.no_hp), first);
});

journey("a missing vaccine list offers a retry and keeps the form", phone, async (page) => {
  const t = speaking("id");
  await page.route("**/api/vaccines", (route) => route.abort());
  await open(page, pages.download.id);
  await fillPerson(page, t, { nama: "Rina Marlina", nik: "3171016401897000" });
  await page.getByRole("alert").waitFor();
  await fillDate(page, t, "29 1 2021");
  await state(page, "download-no-vaccines");
  await page.unroute("**/api/vaccines");
  await button(page, t("retry")).click();
  await page.getByLabel(t("field.vaccine.label"), { exact: true }).selectOption("CoronaVac");
  assert.equal(await page.getByLabel(t("date.year"), { exact: true }).inputValue(), "2021");
});

journey("somebody who did not request a link disables it", phone, async (page) => {
  const t = speaking("id");
  const link = await linkTo(somebody().no_hp);
  await open(page, link);
  await page.getByText(t("link.refusal.title")).click();
  await state(page, "link-refusal");
  await button(page, t("link.refusal.refuse")).click();
  await heading(page, t("link.refused.title"));
  await state(page, "link-refused");
  await open(page, link);
  await fillDate(page, t, "24 1 1989");
  await button(page, t("link.open")).click();
  await heading(page, "Tautan ini tidak berlaku lagi");
  await state(page, "link-dead");
});
