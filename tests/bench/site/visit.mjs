// What pages load: `node visit.mjs SITE` prints a line of JSON for each visit. Each has a context of its own, so nothing is
// cached. All pages but the two home pages are reached by a link from there, and only what that loads counts.

import { launch } from "./browser.mjs";

const [, , site] = process.argv;
const FURTHER = {
  "/": ["/masuk", "/akun", "/verifikasi", "/bantuan", "/en"],
  "/en": ["/en/log-in", "/en/account", "/en/verify", "/en/help", "/"],
};
/** Nothing more comes after so long a silence, in milliseconds. The icon comes late. */
const SILENCE = 2_000;

const pause = (ms) => new Promise((soon) => setTimeout(soon, ms));

/** What came over the wire, for the page, its workers and the service worker alike: each has a session of its own. */
class Wire {
  #files = new Map();
  #heard = 0;

  constructor(own) {
    own.connection().on("sessionattached", (session) => {
      const on = (name, hear) =>
        session.on(`Network.${name}`, (event) => {
          const file = this.#files.get(event.requestId);
          // Of a worker's script, the page and the worker tell.
          if (!file || (file.teller ?? session) !== session) return;
          this.#heard = performance.now();
          hear(event, file);
        });
      session.on("Network.requestWillBeSent", ({ requestId, request, type }) => {
        // Chromium's own pages go by here as well.
        if (!request.url.startsWith(site) || this.#files.has(requestId)) return;
        this.#heard = performance.now();
        const name = request.url.slice(site.length);
        this.#files.set(requestId, { name, type, priority: request.initialPriority, raw: 0 });
      });
      on("responseReceived", ({ response }, file) => {
        const { protocol, fromDiskCache, fromServiceWorker, encodedDataLength } = response;
        const headers = new Headers(response.headers);
        // What a service worker hands on came over the wire in its session.
        const cached = fromDiskCache || fromServiceWorker;
        const encoding = headers.get("content-encoding");
        Object.assign(file, { teller: session, cached, protocol, encoding, headers: encodedDataLength });
        // Until all of it has come, which of a service worker's script is not told.
        file.wire = response.status === 304 ? 0 : Number(headers.get("content-length"));
      });
      on("dataReceived", ({ dataLength }, file) => (file.raw += dataLength));
      on("loadingFailed", ({ requestId }) => this.#files.delete(requestId));
      on("loadingFinished", ({ encodedDataLength }, file) => {
        const body = encodedDataLength - file.headers;
        // Of a worker's script, Chromium counts the headers alone.
        if (body || file.type !== "Script") file.wire = body;
      });
      // Sent before puppeteer lets the session's first request go.
      session.send("Network.enable").catch(() => {});
    });
    // Puppeteer leaves service workers at once.
    own.on("sessionattached", (session) => session.send("Runtime.runIfWaitingForDebugger").catch(() => {}));
  }

  /** Hears service workers too. */
  static async of(browser) {
    const own = await browser.target().createCDPSession();
    const wire = new Wire(own);
    const filter = [{ type: "service_worker" }];
    await own.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true, filter });
    return wire;
  }

  /** Waits for silence and gives what came until then. */
  async all() {
    this.#heard = performance.now();
    while (performance.now() - this.#heard < SILENCE) await pause(50);
    const files = [...this.#files.values()].filter((file) => !file.cached);
    this.#files.clear();
    return Promise.all(files.map(({ teller, cached, ...file }) => (teller ? file : answered(file))));
  }
}

/** Chromium does not always tell what the answer to a service worker's script was, so the site itself is asked. */
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

  /** Opens a home page in a fresh context, and then goes on from there. */
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
