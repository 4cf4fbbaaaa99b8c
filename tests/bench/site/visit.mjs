// Measures what pages load. `node visit.mjs SITE` prints one line of JSON per visit. Each visit has its
// own browser context, so nothing is cached. All pages except the two home pages are opened through a
// link on a home page, and only the files that the link loads are counted.

import { launch } from "./browser.mjs";

const [, , site] = process.argv;
const LINKED_PAGES = {
  "/": ["/masuk", "/akun", "/verifikasi", "/bantuan", "/en"],
  "/en": ["/en/log-in", "/en/account", "/en/verify", "/en/help", "/"],
};
/** A visit ends after this time without traffic, in milliseconds. The time is long, since the icon loads late. */
const IDLE_MS = 2_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Records the traffic of the page, its workers and the service worker, each of which has its own session. */
class Traffic {
  #files = new Map();
  #lastEvent = 0;

  constructor(browserSession) {
    browserSession.connection().on("sessionattached", (session) => {
      const on = (name, handle) =>
        session.on(`Network.${name}`, (event) => {
          const file = this.#files.get(event.requestId);
          // Both the page and the worker report a worker's script, so only the first session counts.
          if (!file || (file.session ?? session) !== session) return;
          this.#lastEvent = performance.now();
          handle(event, file);
        });
      session.on("Network.requestWillBeSent", ({ requestId, request, type }) => {
        // Chromium's internal pages are reported here as well.
        if (!request.url.startsWith(site) || this.#files.has(requestId)) return;
        this.#lastEvent = performance.now();
        const name = request.url.slice(site.length);
        this.#files.set(requestId, { name, type, priority: request.initialPriority, raw: 0 });
      });
      on("responseReceived", ({ response }, file) => {
        const { protocol, fromDiskCache, fromServiceWorker, encodedDataLength } = response;
        const headers = new Headers(response.headers);
        // The transfer of a service worker's response is recorded in the service worker's session.
        const cached = fromDiskCache || fromServiceWorker;
        const encoding = headers.get("content-encoding");
        Object.assign(file, { session, cached, protocol, encoding, headers: encodedDataLength });
        // This size is preliminary until `loadingFinished`, which is not sent for a service worker's script.
        file.wire = response.status === 304 ? 0 : Number(headers.get("content-length"));
      });
      on("dataReceived", ({ dataLength }, file) => (file.raw += dataLength));
      on("loadingFailed", ({ requestId }) => this.#files.delete(requestId));
      on("loadingFinished", ({ encodedDataLength }, file) => {
        const body = encodedDataLength - file.headers;
        // For a worker's script, Chromium reports only the size of the headers.
        if (body || file.type !== "Script") file.wire = body;
      });
      // Unless this is sent before puppeteer resumes the session, the first request is missed.
      session.send("Network.enable").catch(() => {});
    });
    // Puppeteer detaches from service workers immediately, so they must be resumed here.
    browserSession.on("sessionattached", (session) => session.send("Runtime.runIfWaitingForDebugger").catch(() => {}));
  }

  /** Records the traffic of a browser, including its service workers. */
  static async of(browser) {
    const browserSession = await browser.target().createCDPSession();
    const traffic = new Traffic(browserSession);
    const filter = [{ type: "service_worker" }];
    const attach = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true, filter };
    await browserSession.send("Target.setAutoAttach", attach);
    return traffic;
  }

  /** Waits until the traffic ends, and returns the files that were loaded. */
  async all() {
    this.#lastEvent = performance.now();
    while (performance.now() - this.#lastEvent < IDLE_MS) await sleep(50);
    const files = [...this.#files.values()].filter((file) => !file.cached);
    this.#files.clear();
    return Promise.all(files.map(({ session, cached, ...file }) => (session ? file : withResponse(file))));
  }
}

/** Requests the size of a file whose response was not reported, such as a service worker's script. */
async function withResponse(file) {
  const options = { method: "HEAD", headers: { "accept-encoding": "br" } };
  const { headers } = await fetch(site + file.name, options);
  const [encoding, wire] = [headers.get("content-encoding"), Number(headers.get("content-length"))];
  return { ...file, protocol: "", encoding, headers: 0, wire };
}

const browser = await launch();
try {
  const traffic = await Traffic.of(browser);
  const print = (visit) => console.log(JSON.stringify(visit));

  /** Opens a home page in a new context and returns the files that it loads, or that `action` loads. */
  const visit = async (home, action) => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error));
    await page.evaluateOnNewDocument(() =>
      document.addEventListener("DOMContentLoaded", () => (window.readable = document.getElementById("app"))),
    );
    await page.goto(site + home);
    const first = await traffic.all();
    if (!(await page.evaluate(() => window.readable && document.getElementById("app") !== window.readable))) {
      errors.push("the site's code has not replaced the pre-rendered page");
    }
    await action?.(page);
    const files = action ? await traffic.all() : first;
    await context.close();
    if (errors.length) throw new Error(`${home}: ${errors.join("; ")}`);
    return files;
  };

  for (const [home, pages] of Object.entries(LINKED_PAGES)) {
    print({ page: home, files: await visit(home) });
    for (const page of pages) {
      const follow = (path) => {
        const link = Object.assign(document.createElement("a"), { href: path });
        document.body.append(link);
        link.click();
        link.remove();
      };
      print({ page, from: home, files: await visit(home, (tab) => tab.evaluate(follow, page)) });
    }
  }
  print({ page: "the first letter typed", from: "/", files: await visit("/", (tab) => tab.type("#field-name", "S")) });
} finally {
  await browser.close();
}
