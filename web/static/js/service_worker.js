/**
 * Shows pages while no console is open; and, for a tablet that is loaded anew while nothing answers, one page that it has kept:
 * numbers to call and what to do at an overdose, nothing of any session. A classic script at a fixed address
 * (/service-worker.js), because its address is its scope: "/" for alerts, "/tablet" for the page that is kept.
 */

/** @typedef {{ purpose: string, title: string, body: string, token: string }} SwPage */
/** @typedef {Event & { waitUntil: (work: Promise<unknown>) => void }} SwLasting */
/** @typedef {SwLasting & { data: { json: () => SwPage } | null }} SwPushMessage */
/** @typedef {SwLasting & { notification: Notification & { data: { token: string, purpose: string } } }} SwPressed */
/** @typedef {{ url: string, focus: () => Promise<unknown> }} SwOpenPage */
/**
 * @typedef {object} SwWorker
 * @property {ServiceWorkerRegistration} registration
 * @property {{ matchAll: (options: object) => Promise<SwOpenPage[]>, openWindow: (url: string) => Promise<unknown>, claim: () => Promise<void> }} clients
 * @property {() => Promise<void>} skipWaiting
 * @property {(type: string, act: (event: never) => void) => void} addEventListener
 */

/** @typedef {SwLasting & { request: Request, respondWith: (answer: Promise<Response>) => void }} SwAsked */

const OFFLINE = "/tablet/offline";
const KEPT = "cb-tablet-offline";
const GATEWAY = 502; // and above: somebody else answers in the server's place

const worker = /** @type {SwWorker} */ (/** @type {unknown} */ (self));

/** What became of a page, for the officer and the clinician. @param {string} token @param {string} state */
async function tell(token, state) {
  try {
    await fetch("/api/v1/alert", { method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token, state }) });
  } catch {
    // no network any more: the page was shown all the same
  }
}

/** Keep the page as it is now, with what it is made of; what an older one was made of goes. */
async function keep() {
  const page = await fetch(OFFLINE, { credentials: "same-origin", redirect: "error" });
  if (!page.ok) return;
  const parts = [...(await page.clone().text()).matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map((found) => String(found[1]));
  const cache = await caches.open(KEPT);
  await cache.addAll(parts);
  await cache.put(OFFLINE, page);
  for (const one of await cache.keys()) {
    const { pathname } = new URL(one.url);
    if (pathname !== OFFLINE && !parts.includes(pathname)) await cache.delete(one);
  }
}

/** @param {SwAsked} event @returns {Promise<Response>} */
async function tabletPage(event) {
  const answer = await fetch(event.request).catch(() => null);
  if (answer !== null && answer.status < GATEWAY) {
    event.waitUntil(keep().catch(() => {})); // the next time
    return answer;
  }
  return (await caches.match(OFFLINE)) ?? answer ?? Response.error();
}

/** @param {Request} request @returns {Promise<Response>} */
async function part(request) {
  const answer = await fetch(request).catch(() => null);
  return answer ?? (await caches.match(request)) ?? Response.error();
}

const forTablet = new URL(worker.registration.scope).pathname === "/tablet";

if (forTablet) {
  worker.addEventListener("activate", (/** @type {SwLasting} */ event) => event.waitUntil(keep().catch(() => {})));
  worker.addEventListener("fetch", (/** @type {SwAsked} */ event) => {
    const { pathname } = new URL(event.request.url);
    if (event.request.mode === "navigate" && pathname === "/tablet") event.respondWith(tabletPage(event));
    else if (pathname.startsWith("/static/")) event.respondWith(part(event.request));
  });
}

worker.addEventListener("install", (/** @type {SwLasting} */ event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (/** @type {SwLasting} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("push", (/** @type {SwPushMessage} */ event) => {
  const page = event.data?.json();
  if (!page) return;
  const { purpose, title, body, token } = page;
  const shown = worker.registration.showNotification(title, /** @type {NotificationOptions} */ ({
    body,
    tag: purpose === "test" ? "cb-test" : "cb-call", // a stand-down takes the call's place
    renotify: true,
    requireInteraction: purpose === "call",
    silent: purpose === "stand_down",
    data: { token, purpose },
  }));
  event.waitUntil(shown.then(() => tell(token, "delivered")));
});

worker.addEventListener("notificationclick", (/** @type {SwPressed} */ event) => {
  const { token } = event.notification.data;
  event.notification.close();
  event.waitUntil((async () => {
    const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
    const open = pages.find((one) => new URL(one.url).pathname === "/console");
    if (!open) return worker.clients.openWindow(`/alert#${token}`);
    await tell(token, "acknowledged");
    return open.focus();
  })());
});
