// Keeps every file of the page in the browser, so that it works without a network. A new version is taken over whole or not
// at all: each file is checked by its hash, those that did not change are not downloaded again.

const FILES = {}; // path: sha256, written by `ursa export --web`
const VERSION = "ursa-page-none";
const MINE = new URL("./", self.location).pathname; // other pages of this host have caches, too
const name = (version) => `${version} ${MINE}`;

self.addEventListener("install", (event) => event.waitUntil(fill()));
self.addEventListener("activate", (event) => event.waitUntil(tidy()));
self.addEventListener("message", ({ data }) => { if (data === "take over") self.skipWaiting(); });
self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin || !pathname.startsWith(MINE)) return;
  const path = pathname.slice(MINE.length) || "index.html";
  if (Object.hasOwn(FILES, path)) event.respondWith(answer(event.request, path));
});

async function fill() {
  const cache = await caches.open(name(VERSION)), others = await mine();
  for (const [path, hash] of Object.entries(FILES)) {
    const found = (await known(others, path, hash)) ?? (await fetched(path, hash, "default")) ?? (await fetched(path, hash, "reload"));
    if (!found) throw new Error(`${path} is not of this version`); // half uploaded: the version before goes on
    await cache.put(path, found);
  }
}

async function known(others, path, hash) {
  for (const other of others) {
    const found = await (await caches.open(other)).match(path);
    if (found && (await sha256(found)) === hash) return found;
  }
  return null;
}

async function fetched(path, hash, cache) {
  const found = await fetch(path, { cache });
  return found.ok && (await sha256(found)) === hash ? new Response(found.body, { headers: { "content-type": found.headers.get("content-type") ?? "" } }) : null;
}

async function sha256(answer) {
  const digest = await crypto.subtle.digest("SHA-256", await answer.clone().arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const mine = async () => (await caches.keys()).filter((each) => each.startsWith("ursa-page-") && each.endsWith(` ${MINE}`));

async function tidy() {
  for (const each of await mine()) if (each !== name(VERSION)) await caches.delete(each);
  await self.clients.claim();
}

async function answer(request, path) {
  if (request.mode === "navigate" && self.registration.waiting && (await self.clients.matchAll()).length < 2) {
    self.registration.waiting.postMessage("take over"); // the only window is just being opened: nothing old is in it
    return new Response("", { headers: { refresh: "0", "content-type": "text/html" } });
  }
  return (await (await caches.open(name(VERSION))).match(path)) ?? fetch(request);
}
