/** Texts of the page's language: the server puts them into the boot island, `t` fills them in. */

/** @type {Readonly<Record<string, string>> | null} */
let strings = null;
/** @type {string | null} */
let language = null;

/** Read the boot island once; without one (tests, node) there are no texts and keys show as they are. */
function load() {
  if (strings !== null) return strings;
  strings = {};
  if (typeof document !== "undefined") {
    const island = document.getElementById("boot");
    if (island) {
      /** @type {{ strings?: Readonly<Record<string, string>>, locale?: string }} */
      const data = JSON.parse(island.textContent ?? "{}");
      strings = data.strings ?? {};
      language = data.locale ?? null;
    }
  }
  return strings;
}

/**
 * Give the texts by hand (tests, or a page that changes its language).
 * @param {Readonly<Record<string, string>>} texts
 * @param {string} [locale]
 */
export function use(texts, locale) {
  strings = texts;
  language = locale ?? language;
}

/**
 * The text of a key, with `{name}` replaced by values. An unknown key shows itself: ugly, but never empty.
 * @param {string} key
 * @param {Readonly<Record<string, string | number>>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = load()[key] ?? key;
  return text.replace(/\{([a-z_]+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : String(value);
  });
}

/**
 * Does the page have this text?
 * @param {string} key
 */
export function has(key) {
  return key in load();
}

/**
 * The sentence for a refusal: the page's own, else the one that all pages have, else the server's.
 * @param {"console" | "tablet"} page
 * @param {{ code: string, message: string }} error
 */
export function refusal(page, { code, message }) {
  const name = code.replaceAll("-", "_");
  const key = [`${page}.error.${name}`, `common.error.${name}`].find(has);
  return key === undefined ? message : t(key);
}

/**
 * A text with a form for one: `key.one` when the count is 1 and that text exists, else `key`.
 * @param {string} key
 * @param {number} count
 * @param {Readonly<Record<string, string | number>>} [values]
 */
export function plural(key, count, values = {}) {
  const one = `${key}.one`;
  return t(count === 1 && has(one) ? one : key, { count, ...values });
}

/** The page's language, for Intl. */
export function locale() {
  load();
  return language ?? "en";
}

/**
 * "Dana", "Dana and Miguel", "Dana, Miguel and Priya", in the page's language.
 * @param {readonly string[]} names
 */
export function list(names) {
  return new Intl.ListFormat(locale(), { type: "conjunction" }).format(names);
}
