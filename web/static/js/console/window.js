/**
 * What the windows of one browser call themselves to the server, for one call. They share the name, because only one of them has
 * the call at a time; windows of another browser, or on another device, have another one.
 */

import { randomKey } from "../lib/socket.js";

const KEY = "crisisbridge-call";

/**
 * The name that a window of this browser has given itself in this call, if one has.
 * @param {string} session
 * @returns {string | null}
 */
export function nameIn(session) {
  const [known, name] = (read() ?? "").split(" ");
  return known === session && name ? name : null;
}

/**
 * The same, made if there is none. It stands for this call alone, and the next one's takes its place.
 * @param {string} session
 */
export function takeName(session) {
  const name = nameIn(session) ?? randomKey();
  try {
    localStorage.setItem(KEY, `${session} ${name}`);
  } catch {
    // a browser that keeps nothing: this window alone knows its name
  }
  return name;
}

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
