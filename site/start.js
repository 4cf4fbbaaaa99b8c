// Loads the site while the pre-rendered page can be read. It is a file because the security policy
// forbids inline scripts, and a classic script so that old browsers run it, too, and can say why the
// site does not start. The page includes it three times, so that it starts even if one fails to load.

(() => {
  const html = document.documentElement;
  if (html.dataset.start) return;
  html.dataset.start = "loading";

  /** Milliseconds between two attempts. */
  const RETRY_DELAYS = [1000, 4000];
  /** Timeout, in milliseconds, of a step that needs no more downloads. */
  const STEP_TIMEOUT = 30000;

  {{download}}
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function retry(attempt) {
    for (let number = 0; number < RETRY_DELAYS.length; number += 1) {
      try {
        return await attempt(number);
      } catch (error) {
        await pause(RETRY_DELAYS[number]);
      }
    }
    return attempt(RETRY_DELAYS.length);
  }

  const within = (step) =>
    Promise.race([
      step,
      pause(STEP_TIMEOUT).then(() => {
        throw new Error("a step of the start timed out");
      }),
    ]);

  // A form that is submitted before the site runs is submitted again once it does.
  let submittedForm;
  const onSubmit = (event) => {
    event.preventDefault();
    if (html.dataset.start === "failed" || html.dataset.start === "old") {
      return document.querySelector(".beginning").scrollIntoView();
    }
    submittedForm = event.target.id;
    html.dataset.start = "waiting";
  };
  document.addEventListener("submit", onSubmit);

  // A page in the back/forward cache must not show a certificate to the next user of the device.
  addEventListener("pagehide", (event) => {
    if (event.persisted) html.dataset.left = "";
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  /** Whether the browser supports reference types in WebAssembly, and the security policy permits it. */
  function canCompile() {
    const module = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 111, 3, 2, 1, 0, 10, 6, 1, 4, 0, 208, 111, 11];
    try {
      return new WebAssembly.Module(new Uint8Array(module)) instanceof WebAssembly.Module;
    } catch (error) {
      return false;
    }
  }

  /** Whether the style sheet is complete: a truncated one lacks its last rule. */
  const isStyled = () => getComputedStyle(html).getPropertyValue("--is-whole").trim() === "1";

  async function loadStyles() {
    let link = document.querySelector('link[rel="stylesheet"]');
    const address = link.href;
    const settled = (link) =>
      new Promise((resolve) => {
        link.addEventListener("load", resolve);
        link.addEventListener("error", resolve);
        // It may have failed before this script ran.
        addEventListener("load", resolve);
      });
    for (let number = 1; ; number += 1) {
      if (!isStyled() && document.readyState !== "complete") await Promise.race([settled(link), pause(STALL_TIMEOUT)]);
      if (isStyled() || number > RETRY_DELAYS.length) return;
      const retryLink = link.cloneNode();
      retryLink.href = `${address}?${number}`;
      const loaded = settled(retryLink);
      link.replaceWith(retryLink);
      link = retryLink;
      await Promise.race([loaded, pause(STALL_TIMEOUT)]);
    }
  }

  async function load() {
    const files = Array.from(document.querySelectorAll('link[rel="preload"]'), (link) => link.href);
    const texts = document.querySelector(`meta[name="bukti-texts-${html.lang}"]`).content;
    for (let number = 0; ; number += 1) {
      const options = (attempt) => (number || attempt ? { cache: "reload" } : {});
      const downloads = files.map((file) => retry((attempt) => download(file, options(attempt))));
      const responses = await Promise.all(downloads);
      const response = (address) => responses[files.indexOf(new URL(address, location.href).href)];
      try {
        // Browsers cache a module that failed by its URL, so each attempt uses a different one.
        const site = await within(import(number ? `{{js}}?${number}` : "{{js}}"));
        await within(site.default({ module_or_path: response("{{wasm}}") }));
        return await within(site.start(await response(texts).json()));
      } catch (error) {
        // Firefox accepts a truncated file as complete, so all files are fetched again.
        if (number === RETRY_DELAYS.length) throw error;
        await pause(RETRY_DELAYS[number]);
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
    document.removeEventListener("submit", onSubmit);
    html.dataset.start = "done";
    const form = submittedForm && document.getElementById(submittedForm);
    const button = form && form.querySelector('[type="submit"]');
    if (button) button.click();
  }

  start();
})();
