/** Passkeys: the browser's two calls, with the bytes as base64url on the way there and back. */

import { boot } from "./dom.js";
import { t } from "./i18n.js";

const BASE = "/api/v1/passkeys";

/** Why passkeys cannot be used on this page, as the end of a text's key; null when they can. */
export function obstacle() {
  if (!("PublicKeyCredential" in globalThis) || !isSecureContext) return "none";
  return /^[\d.]+$|:/.test(location.hostname) ? "by_number" : null; // they are bound to a name
}

/**
 * A sign-in by passkey, or with `prove` the proof that it is still the same person.
 * @param {boolean} prove
 * @param {string} next
 * @returns {Promise<{ next?: string, left?: number }>}
 */
export async function use(prove, next) {
  const path = `${BASE}/${prove ? "prove" : "sign-in"}`;
  const { options } = await post(`${path}/ask`, {});
  return post(path, { next, credential: await answered(options) });
}

/**
 * Ask any passkey of ours for its answer.
 * @param {any} options  as the server gave them @param {AbortSignal} [signal]  takes the question back
 */
export async function answered(options, signal) {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  delete publicKey.allowCredentials;
  const made = await navigator.credentials.get({ publicKey, ...(signal ? { signal } : {}) });
  if (!(made instanceof PublicKeyCredential)) throw new Error(t("common.passkey.failed"));
  const answer = /** @type {AuthenticatorAssertionResponse} */ (made.response);
  return shape(made, {
    authenticatorData: text(answer.authenticatorData),
    signature: text(answer.signature),
    userHandle: answer.userHandle === null ? null : text(answer.userHandle),
  });
}

/** A new passkey of whoever is signed in. @param {string} name @returns {Promise<{ next?: string }>} */
export async function add(name) {
  const { options } = await post(`${BASE}/add/ask`, {});
  return post(`${BASE}/add`, { name, credential: await made(options) });
}

/** Have a passkey made. @param {any} options  as the server gave them @param {AbortSignal} [signal] */
export async function made(options, signal) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map((/** @type {{ id: string }} */ one) => ({ ...one, id: bytes(one.id) })),
  };
  const fresh = await navigator.credentials.create({ publicKey, ...(signal ? { signal } : {}) });
  if (!(fresh instanceof PublicKeyCredential)) throw new Error(t("common.passkey.failed"));
  const answer = /** @type {AuthenticatorAttestationResponse} */ (fresh.response);
  return shape(fresh, {
    attestationObject: text(answer.attestationObject), transports: answer.getTransports?.() ?? [],
  });
}

/** What went wrong, for people: the server's own words, or that nothing came of it. @param {unknown} error */
export function words(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError) return t("common.passkey.network");
  if (error instanceof DOMException && error.name === "InvalidStateError") return t("common.passkey.known");
  return t("common.passkey.failed"); // cancelled, too late, or refused by the device: the browser does not tell which
}

/** The server's own words, and the code that it gives them. */
export class Refused extends Error {
  /** @param {string} message @param {string} code */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 * @throws {Refused} with the server's words
 */
export async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": boot().csrf, Accept: "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.message ?? t("common.passkey.failed"), answer.code ?? "");
  return answer;
}

/** @param {PublicKeyCredential} made @param {Record<string, unknown>} response */
function shape(made, response) {
  const clientDataJSON = text(made.response.clientDataJSON);
  return { id: made.id, rawId: text(made.rawId), type: made.type, response: { clientDataJSON, ...response } };
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} encoded */
function bytes(encoded) {
  const letters = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}
