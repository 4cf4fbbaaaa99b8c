// Loads the site while the page can be read already. A file of its own, since the security policy
// forbids scripts in the page, and a classic script, so that old browsers run it too and say why
// the site does not start. The page has it three times: where one does not come, another does.

(() => {
  const html = document.documentElement;
  if (html.dataset.start) return;
  html.dataset.start = "loading";

  /** Pauses between the attempts, in milliseconds. */
  const PAUSES = [1000, 4000];
  /** Longest wait for a step that has all its files, in milliseconds. */
  const STEP = 30000;

  {{download}}
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function retry(attempt) {
    for (let number = 0; number < PAUSES.length; number += 1) {
      try {
        return await attempt(number);
      } catch (error) {
        await pause(PAUSES[number]);
      }
    }
    return attempt(PAUSES.length);
  }

  const within = (step) =>
    Promise.race([
      step,
      pause(STEP).then(() => {
        throw new Error("a step of the start timed out");
      }),
    ]);

  // A form that is sent before the site is there is sent once it is.
  let sent;
  const submit = (event) => {
    event.preventDefault();
    if (html.dataset.start === "failed" || html.dataset.start === "old") {
      return document.querySelector(".beginning").scrollIntoView();
    }
    sent = event.target.id;
    html.dataset.start = "waiting";
  };
  document.addEventListener("submit", submit);

  // A page that a browser keeps after it was left must not show a certificate to who presses Back.
  addEventListener("pagehide", (event) => {
    if (event.persisted) html.dataset.left = "";
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  /** Whether the browser compiles what the site needs: reference types, under the page's security policy. */
  function canCompile() {
    const module = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 111, 3, 2, 1, 0, 10, 6, 1, 4, 0, 208, 111, 11];
    try {
      return new WebAssembly.Module(new Uint8Array(module)) instanceof WebAssembly.Module;
    } catch (error) {
      return false;
    }
  }

  /** The style sheet's last rule, which one that was cut off lacks. */
  const isStyled = () => getComputedStyle(html).getPropertyValue("--is-whole").trim() === "1";

  async function loadStyles() {
    let link = document.querySelector('link[rel="stylesheet"]');
    const address = link.href;
    const isOver = (link) =>
      new Promise((resolve) => {
        link.addEventListener("load", resolve);
        link.addEventListener("error", resolve);
        // It may have failed before this script came.
        addEventListener("load", resolve);
      });
    for (let number = 1; ; number += 1) {
      if (!isStyled() && document.readyState !== "complete") await Promise.race([isOver(link), pause(STALL)]);
      if (isStyled() || number > PAUSES.length) return;
      const again = link.cloneNode();
      again.href = `${address}?${number}`;
      const loaded = isOver(again);
      link.replaceWith(again);
      link = again;
      await Promise.race([loaded, pause(STALL)]);
    }
  }

  async function load() {
    const files = Array.from(document.querySelectorAll('link[rel="preload"]'), (link) => link.href);
    const texts = document.querySelector(`meta[name="bukti-texts-${html.lang}"]`).content;
    for (let number = 0; ; number += 1) {
      const fetched = files.map((file) => retry((again) => download(file, number || again ? { cache: "reload" } : {})));
      const responses = await Promise.all(fetched);
      const response = (address) => responses[files.indexOf(new URL(address, location.href).href)];
      try {
        // A browser keeps a module that failed, by its address: each attempt has another one.
        const site = await within(import(number ? `{{js}}?${number}` : "{{js}}"));
        await within(site.default({ module_or_path: response("{{wasm}}") }));
        return await within(site.start(await response(texts).json()));
      } catch (error) {
        // Firefox takes a file that was cut off for whole: then all are fetched again.
        if (number === PAUSES.length) throw error;
        await pause(PAUSES[number]);
      }
    }
  }

  async function start() {
    if (document.readyState === "loading") {
      await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));
    }
    loadStyles();
    if (!canCompile()) {
      html.dataset.start = "old";
      return;
    }
    try {
      await load();
    } catch (error) {
      html.dataset.start = "failed";
      throw error;
    }
    document.removeEventListener("submit", submit);
    html.dataset.start = "done";
    const form = sent && document.getElementById(sent);
    const button = form && form.querySelector('[type="submit"]');
    if (button) button.click();
  }

  start();
})();
