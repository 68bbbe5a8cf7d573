/** Web Push on this browser: what stands in its way, and the subscription. `label` is pure. */

import { scriptAt } from "./trusted.js";

/**
 * Why this browser cannot be alerted while it is closed; null when it can, as far as one can tell before asking.
 * @returns {"unsupported" | "ios" | "insecure" | "denied" | null}
 */
export function obstacle() {
  if (!window.isSecureContext) return "insecure";
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    return /iPhone|iPad/.test(navigator.userAgent) || (navigator.maxTouchPoints > 1 && /Macintosh/.test(navigator.userAgent)) ? "ios" : "unsupported";
  }
  return Notification.permission === "denied" ? "denied" : null;
}

/** @param {string} text  base64url */
function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/**
 * This browser's subscription for the server's key; an older one for another key is ended first.
 * @param {string} vapid
 * @returns {Promise<PushSubscriptionJSON>}
 */
export async function subscribe(vapid) {
  const registration = await navigator.serviceWorker.register(scriptAt("/service-worker.js"), { scope: "/" });
  await navigator.serviceWorker.ready;
  const key = bytes(vapid);
  const before = await registration.pushManager.getSubscription();
  const known = before?.options.applicationServerKey;
  if (before && known && String(new Uint8Array(known)) !== String(key)) await before.unsubscribe();
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  return made.toJSON();
}

/**
 * A short name for a browser, so that its owner can tell it from the others: "Firefox, Windows".
 * @param {string} agent
 * @returns {string}
 */
export function label(agent) {
  const browser = [["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([mark]) => agent.includes(mark ?? ""))?.[1];
  const system = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Macintosh", "Mac"], ["CrOS", "Chromebook"], ["Linux", "Linux"]]
    .find(([mark]) => agent.includes(mark ?? ""))?.[1];
  return [browser, system].filter(Boolean).join(", ");
}
