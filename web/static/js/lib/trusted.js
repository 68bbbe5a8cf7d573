/**
 * The one policy for Trusted Types: the page's own headers let no text become a script or markup, and
 * an address become a worker only through here. Browsers without Trusted Types check the same.
 */

/** @typedef {{ createScriptURL: (address: string) => unknown }} Policy */
/** @typedef {{ createPolicy: (name: string, rules: { createScriptURL: (address: string) => string }) => Policy }} Factory */

/** Only files of this server: nothing from elsewhere, no data: and no blob:. @param {string} address */
export function ownScript(address) {
  const found = new URL(address, location.href);
  const known = found.pathname === "/service-worker.js" || /^\/static\/[\w/.-]+\.js$/.test(found.pathname);
  if (found.origin !== location.origin || !known || found.search !== "" || found.username !== "") throw new TypeError("not a script of ours");
  return found.href;
}

const factory = /** @type {{ trustedTypes?: Factory }} */ (/** @type {unknown} */ (globalThis)).trustedTypes;
const policy = factory?.createPolicy("crisisbridge", { createScriptURL: ownScript });

/**
 * The address of a worker, checked. It is a string or what takes a string's place in this browser.
 * @param {string | URL} address
 * @returns {string}
 */
export function scriptAt(address) {
  return policy ? /** @type {string} */ (policy.createScriptURL(String(address))) : ownScript(String(address));
}
