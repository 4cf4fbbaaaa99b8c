// What pages load: `node visit.mjs SITE` prints a line of JSON for each visit. Each visit has its own
// context, so nothing is cached. All pages except the two home pages are opened by a link from there,
// and only what the link loads counts.

import { launch } from "./browser.mjs";

const [, , site] = process.argv;
const FURTHER = {
  "/": ["/masuk", "/akun", "/verifikasi", "/bantuan", "/en"],
  "/en": ["/en/log-in", "/en/account", "/en/verify", "/en/help", "/"],
};
/** A visit has ended after this time without traffic, in milliseconds. The icon loads late. */
const SILENCE = 2_000;

const pause = (ms) => new Promise((soon) => setTimeout(soon, ms));

/** The traffic of the page, its workers and the service worker: each has its own session. */
class Wire {
  #files = new Map();
  #heard = 0;

  constructor(own) {
    own.connection().on("sessionattached", (session) => {
      const on = (name, hear) =>
        session.on(`Network.${name}`, (event) => {
          const file = this.#files.get(event.requestId);
          // Page and worker both report the script of a worker.
          if (!file || (file.teller ?? session) !== session) return;
          this.#heard = performance.now();
          hear(event, file);
        });
      session.on("Network.requestWillBeSent", ({ requestId, request, type }) => {
        // Chromium's own pages are reported here as well.
        if (!request.url.startsWith(site) || this.#files.has(requestId)) return;
        this.#heard = performance.now();
        const name = request.url.slice(site.length);
        this.#files.set(requestId, { name, type, priority: request.initialPriority, raw: 0 });
      });
      on("responseReceived", ({ response }, file) => {
        const { protocol, fromDiskCache, fromServiceWorker, encodedDataLength } = response;
        const headers = new Headers(response.headers);
        // Responses from a service worker were transferred in its session.
        const cached = fromDiskCache || fromServiceWorker;
        const encoding = headers.get("content-encoding");
        Object.assign(file, { teller: session, cached, protocol, encoding, headers: encodedDataLength });
        // Until it is complete, which is not reported for the script of a service worker.
        file.wire = response.status === 304 ? 0 : Number(headers.get("content-length"));
      });
      on("dataReceived", ({ dataLength }, file) => (file.raw += dataLength));
      on("loadingFailed", ({ requestId }) => this.#files.delete(requestId));
      on("loadingFinished", ({ encodedDataLength }, file) => {
        const body = encodedDataLength - file.headers;
        // For the script of a worker, Chromium counts the headers only.
        if (body || file.type !== "Script") file.wire = body;
      });
      // Sent before puppeteer resumes the first request of the session.
      session.send("Network.enable").catch(() => {});
    });
    // Puppeteer detaches from service workers at once.
    own.on("sessionattached", (session) => session.send("Runtime.runIfWaitingForDebugger").catch(() => {}));
  }

  /** Attaches to service workers as well. */
  static async of(browser) {
    const own = await browser.target().createCDPSession();
    const wire = new Wire(own);
    const filter = [{ type: "service_worker" }];
    await own.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true, filter });
    return wire;
  }

  /** Waits until there is no more traffic, and returns what was loaded. */
  async all() {
    this.#heard = performance.now();
    while (performance.now() - this.#heard < SILENCE) await pause(50);
    const files = [...this.#files.values()].filter((file) => !file.cached);
    this.#files.clear();
    return Promise.all(files.map(({ teller, cached, ...file }) => (teller ? file : answered(file))));
  }
}

/** Chromium does not always report the response with a service worker's script, so fetch it. */
async function answered(file) {
  const asked = { method: "HEAD", headers: { "accept-encoding": "br" } };
  const { headers } = await fetch(site + file.name, asked);
  const [encoding, wire] = [headers.get("content-encoding"), Number(headers.get("content-length"))];
  return { ...file, protocol: "", encoding, headers: 0, wire };
}

const browser = await launch();
try {
  const wire = await Wire.of(browser);
  const say = (visit) => console.log(JSON.stringify(visit));

  /** Opens a home page in a new context, and continues from there. */
  const visit = async (home, further) => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(error));
    await page.evaluateOnNewDocument(() =>
      document.addEventListener("DOMContentLoaded", () => (window.readable = document.getElementById("app"))),
    );
    await page.goto(site + home);
    const first = await wire.all();
    if (!(await page.evaluate(() => window.readable && document.getElementById("app") !== window.readable))) {
      faults.push("the site has not taken over");
    }
    await further?.(page);
    const files = further ? await wire.all() : first;
    await context.close();
    if (faults.length) throw new Error(`${home}: ${faults.join("; ")}`);
    return files;
  };

  for (const [home, pages] of Object.entries(FURTHER)) {
    say({ page: home, files: await visit(home) });
    for (const page of pages) {
      const follow = (path) => {
        const link = Object.assign(document.createElement("a"), { href: path });
        document.body.append(link);
        link.click();
        link.remove();
      };
      say({ page, from: home, files: await visit(home, (tab) => tab.evaluate(follow, page)) });
    }
  }
  say({ page: "the first letter typed", from: "/", files: await visit("/", (tab) => tab.type("#field-name", "S")) });
} finally {
  await browser.close();
}
