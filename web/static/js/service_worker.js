/**
 * Shows pages while no console is open. It keeps nothing and answers no requests of pages. A classic script at a fixed
 * address (/service-worker.js), because its address is its scope.
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

const worker = /** @type {SwWorker} */ (/** @type {unknown} */ (self));

/** What became of a page, for the officer and the clinician. @param {string} token @param {string} state */
async function tell(token, state) {
  try {
    await fetch("/api/v1/alert", { method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token, state }) });
  } catch {
    // no network any more: the page was shown all the same
  }
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
