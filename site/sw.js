// Lets the page of verifiers open without the net. It keeps public files only: the page as every visitor gets it, and the scripts,
// styles and settings that belong to it. What the functions answer, the links of SMS and all other pages go by it, as if it were
// not there. The trust and revocation lists are kept by the verifier (worker.js), which knows whether they are whole.

const CACHE = "bukti-{{version}}";
const TRUST = "bukti-trust";
const FILES = {{files}};
/** The pages that open without the net, by their paths: the first address stands on every certificate. */
const PAGES = { "/verify": "/verifikasi", "/verifikasi": "/verifikasi", "/en/verify": "/en/verify" };
{{download}}

/** Longest wait for the net where there is a kept file, in milliseconds. */
const PATIENCE = 3_000;

async function install() {
  const cache = await caches.open(CACHE);
  // What has a hash in its name may come from the browser's own cache.
  const request = (path) =>
    new Request(path, { credentials: "omit", cache: path.startsWith("/assets/") ? "default" : "no-cache" });
  await cache.addAll(FILES.map(request));
  await self.skipWaiting();
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith("bukti-") && ![CACHE, TRUST].includes(name));
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

const kept = async (path) => (await caches.open(CACHE)).match(path);

async function fromNet(request, path) {
  try {
    return await download(request, {}, PATIENCE);
  } catch {
    return (await kept(path)) ?? fetch(request);
  }
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    const page = PAGES[pathname.replace(/\/$/, "")];
    if (page) event.respondWith(fromNet(request, page));
  } else if (pathname.startsWith("/assets/")) {
    event.respondWith(kept(pathname).then((file) => file ?? fetch(request)));
  } else if (FILES.includes(pathname)) {
    event.respondWith(fromNet(request, pathname));
  }
});
