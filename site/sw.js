// Service worker that makes /verify work offline. It caches public files only: the page, which is
// the same for every visitor, and its scripts, styles and settings. API responses, SMS links and all
// other pages bypass it. worker.js caches the trust and revocation lists, because it knows whether
// they are complete.

const CACHE = "bukti-{{version}}";
const TRUST = "bukti-trust";
const FILES = {{files}};
/** Paths of the pages that work offline, with their files. The first path is in every certificate. */
const PAGES = { "/verify": "/verifikasi", "/verifikasi": "/verifikasi", "/en/verify": "/en/verify" };
{{download}}

/** Milliseconds without new bytes after which a cached file is used. */
const NETWORK_TIMEOUT = 3_000;

async function install() {
  const cache = await caches.open(CACHE);
  // Files with a hash in their name never change, so the browser's HTTP cache may serve them.
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

const cachedFile = async (path) => (await caches.open(CACHE)).match(path);

async function networkFirst(request, path) {
  try {
    return await download(request, {}, NETWORK_TIMEOUT);
  } catch {
    return (await cachedFile(path)) ?? fetch(request);
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
    if (page) event.respondWith(networkFirst(request, page));
  } else if (pathname.startsWith("/assets/")) {
    event.respondWith(cachedFile(pathname).then((file) => file ?? fetch(request)));
  } else if (FILES.includes(pathname)) {
    event.respondWith(networkFirst(request, pathname));
  }
});
