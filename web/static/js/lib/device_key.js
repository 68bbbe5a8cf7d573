/**
 * The key pair that makes this browser the tablet: its private half cannot be read, not even by this page (WebCrypto, not
 * extractable), and is kept in IndexedDB. A browser may forget it, or not be able to keep it: each question has an answer then too.
 */

/** @typedef {{ subject: string, nonce: string, bind: boolean }} Challenge */
/** @typedef {{ type: "proof", signature?: string, key?: string }} Proof */

const DATABASE = "crisisbridge";
const STORE = "keys";
const KEPT = "tablet";
const DRAFT = "draft"; // made for a set-up whose answer we do not know yet
const PATIENCE_MS = 2000; // a database that hangs (Safari's does now and then) must not hold up a tablet
const ASKED_MS = 1000;
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };

/**
 * What is signed, as auth/possession.py has it.
 * @param {string} purpose @param {string} subject @param {string} stream @param {string} nonce
 */
export function signedText(purpose, subject, stream, nonce) {
  return ["crisisbridge tablet proof 1", purpose, subject, stream, nonce].join("\n");
}

/** @param {ArrayBuffer} bytes */
export function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * @template T
 * @param {(store: IDBObjectStore) => IDBRequest<T>} act
 * @param {IDBTransactionMode} mode
 * @returns {Promise<T>} rejects when this browser keeps nothing, or does not answer
 */
function inStore(act, mode) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("the browser's store does not answer")), PATIENCE_MS);
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => { opening.result.createObjectStore(STORE); };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const change = database.transaction(STORE, mode);
      const request = act(change.objectStore(STORE));
      change.oncomplete = () => { database.close(); resolve(request.result); };
      change.onabort = () => { database.close(); reject(change.error); };
    };
  });
}

/** @param {unknown} found @returns {CryptoKeyPair | null} */
function pairOf(found) {
  const { privateKey, publicKey } = /** @type {Partial<CryptoKeyPair>} */ (found ?? {});
  return privateKey instanceof CryptoKey && publicKey instanceof CryptoKey ? { privateKey, publicKey } : null;
}

/** @param {string} name @returns {Promise<CryptoKeyPair | null>} */
async function read(name) {
  try {
    return pairOf(await inStore((store) => store.get(name), "readonly"));
  } catch {
    return null; // private mode, a wiped or broken store: the same as no key
  }
}

export class DeviceKey {
  constructor() {
    /** @type {CryptoKeyPair | null} kept in memory too: a store that is emptied under an open page loses nothing */
    this.pair = null;
  }

  /** @returns {Promise<boolean>} whether this browser holds a key */
  async load() {
    this.pair ??= await read(KEPT);
    return this.pair !== null;
  }

  /**
   * A fresh key for a set-up, beside the one that is in use: what fails must not cost the old one.
   * @returns {Promise<string | null>} the public half; null: this browser cannot make or keep a key
   */
  async draft() {
    try {
      const pair = await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
      await inStore((store) => store.put(pair, DRAFT), "readwrite");
      return await read(DRAFT) === null ? null : await publicHalf(pair);
    } catch {
      return null;
    }
  }

  /** The set-up worked: the draft is the key now. @returns {Promise<boolean>} false: there was none */
  async promote() {
    const pair = await read(DRAFT);
    if (pair === null) return false;
    this.pair = pair;
    await inStore((store) => { store.put(pair, KEPT); return store.delete(DRAFT); }, "readwrite");
    return true;
  }

  /** The set-up was refused. */
  async discard() {
    await inStore((store) => store.delete(DRAFT), "readwrite").catch(() => { /* then there is none either */ });
  }

  /** Put back what the browser has thrown away while this page was open. */
  async mend() {
    const { pair } = this;
    if (pair === null || await read(KEPT) !== null) return;
    try {
      await inStore((store) => store.put(pair, KEPT), "readwrite");
    } catch { /* it keeps nothing now; the page goes on with the key in memory */ }
  }

  /** @param {string} text @returns {Promise<string | null>} null without a key */
  async sign(text) {
    if (!await this.load() || this.pair === null) return null;
    return base64url(await crypto.subtle.sign(SIGNING, this.pair.privateKey, new TextEncoder().encode(text)));
  }

  /**
   * The answer to a challenge of the line. A first key is made when one is asked for.
   * @param {Challenge} challenge @param {string} stream
   * @returns {Promise<Proof>}
   */
  async prove({ subject, nonce, bind }, stream) {
    await this.load();
    if (bind && this.pair === null && await this.draft() !== null) await this.promote();
    const signature = await this.sign(signedText("socket", subject, stream, nonce));
    if (signature === null || this.pair === null) return { type: "proof" };
    return { type: "proof", signature, ...(bind ? { key: await publicHalf(this.pair) } : {}) };
  }

  /**
   * The header that proves where one request comes from; none without a key.
   * @param {string} method @param {string} path
   * @returns {Promise<Record<string, string>>}
   */
  async headers(method, path) {
    if (!await this.load()) return {};
    const asked = await fetch(`/api/v1/tablet/challenge?for=${encodeURIComponent(`${method} ${path}`)}`, { headers: { Accept: "application/json" } });
    if (!asked.ok) return {}; // the request itself says what is wrong
    /** @type {{ challenge: string, subject: string }} */
    const { challenge, subject } = await asked.json();
    return { "X-Tablet-Proof": `${challenge}~${await this.sign(signedText(`${method} ${path}`, subject, "", challenge)) ?? ""}` };
  }
}

/** @type {Promise<boolean> | undefined} once for each page: a person is not asked again and again */
let asked;

/** @param {CryptoKeyPair} pair */
async function publicHalf(pair) {
  return base64url(await crypto.subtle.exportKey("raw", pair.publicKey));
}

/**
 * Ask the browser to keep what we store, and say whether it will. Firefox asks the person, and its promise waits for the
 * answer, perhaps for ever: nothing of ours may wait with it.
 * @returns {Promise<"lasting" | "passing" | "none">} passing: it may forget, as Safari does after seven days without use
 */
export async function keeping() {
  try {
    if (await navigator.storage.persisted()) return "lasting";
    /** @type {Promise<boolean>} */
    const patience = new Promise((resolve) => { setTimeout(() => resolve(false), ASKED_MS); });
    asked ??= navigator.storage.persist();
    return await Promise.race([asked, patience]) ? "lasting" : "passing";
  } catch {
    return "none";
  }
}
