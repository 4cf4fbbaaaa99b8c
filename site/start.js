// Loads the site while the page can be read already. A file of its own, since the security policy forbids scripts in the page.

const html = document.documentElement;
const PAUSES = [1_000, 4_000];

// Whoever is quicker than the net: the form is sent once the site is there.
let sent;
const early = (event) => {
  event.preventDefault();
  sent = event.target.id;
  html.dataset.start = "waiting";
};
document.addEventListener("submit", early);

async function load() {
  const texts = fetch(document.querySelector(`meta[name="bukti-texts-${html.lang}"]`).content);
  texts.catch(() => {});
  const { default: init, start } = await import("./{{js}}");
  await init({ module_or_path: new URL("./{{wasm}}", import.meta.url) });
  const answer = await texts;
  if (!answer.ok) throw new Error(`texts: ${answer.status}`);
  await start(await answer.json());
}

async function loadPatiently() {
  for (const pause of PAUSES) {
    try {
      return await load();
    } catch {
      await new Promise((soon) => setTimeout(soon, pause));
    }
  }
  return load();
}

loadPatiently().then(
  () => {
    document.removeEventListener("submit", early);
    delete html.dataset.start;
    if (sent) document.getElementById(sent)?.requestSubmit();
  },
  (error) => {
    html.dataset.start = "failed";
    throw error;
  },
);
