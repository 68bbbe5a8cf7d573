/**
 * The DOM through a few helpers that fail with the selector's name. Text only: nothing here makes markup
 * from strings, so nothing that a server sends can become an element.
 */

/**
 * The one element which the page must have.
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} [root]
 * @returns {T}
 * @throws {Error} naming the selector when there is none, or one of another type
 */
export function find(selector, type, root = document) {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`${selector}: no ${type.name} on this page`);
  return found;
}

/**
 * All elements of a type, in order; others that match are an error.
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} [root]
 * @returns {T[]}
 */
export function findAll(selector, type, root = document) {
  return Array.from(root.querySelectorAll(selector), (found) => {
    if (!(found instanceof type)) throw new Error(`${selector}: not a ${type.name}`);
    return found;
  });
}

/** @typedef {string | number | boolean | null | undefined | Readonly<Record<string, string>> | ((event: Event) => void)} Prop */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * A new element. `on…` functions become listeners, `class`, `dataset`, `text` mean what they say, booleans
 * set or leave out the attribute, all else is an attribute. Strings among the children become text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Readonly<Record<string, Prop>>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.replace(/^on/, "").toLowerCase(), value);
    else if (typeof value === "object") Object.assign(made.dataset, value);
    else if (name === "text") made.textContent = String(value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) made.append(child);
  return made;
}

/**
 * A small picture from the icon set; always beside a word, so hidden from screen readers.
 * @param {string} name  as in components.css
 * @returns {HTMLSpanElement}
 */
export function icon(name) {
  return el("span", { class: "icon", dataset: { icon: name }, "aria-hidden": "true" });
}

/**
 * Write text only when it changes, so that live regions do not speak twice and selections survive.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Replace children only when `key` changed since the last time; keeps focus and half-typed input.
 * @param {HTMLElement} parent
 * @param {string} key
 * @param {() => Node[]} make
 */
export function fill(parent, key, make) {
  if (parent.dataset["key"] === key) return;
  parent.dataset["key"] = key;
  parent.replaceChildren(...make());
}

/** @typedef {{ page: string, locale: string, csrf: string, ws: string, strings: Readonly<Record<string, string>> }} Boot */

/**
 * What the server put into the page's data island. Extra keys are the page's own.
 * @template {object} [T={}]
 * @returns {Boot & T}
 */
export function boot() {
  const island = document.getElementById("boot");
  if (!island) throw new Error("#boot: this page has no data island");
  return JSON.parse(island.textContent ?? "{}");
}
