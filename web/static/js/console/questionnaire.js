/** A FHIR R4 Questionnaire as the console needs it: which questions apply, and what an answer is called. Pure. */

/** @typedef {{ code: string, display?: string, system?: string }} Coding */
/**
 * @typedef {object} Condition
 * @property {string} question
 * @property {"=" | "!=" | "exists"} operator
 * @property {Coding} [answerCoding]
 * @property {boolean} [answerBoolean]
 * @property {string} [answerString]
 * @property {number} [answerInteger]
 */
/**
 * @typedef {object} Item
 * @property {string} linkId
 * @property {"group" | "display" | "choice" | "boolean" | "string" | "text" | "integer" | "time"} type
 * @property {string} [text]
 * @property {boolean} [required]
 * @property {boolean} [repeats]
 * @property {number} [maxLength]
 * @property {{ valueCoding: Coding }[]} [answerOption]
 * @property {Condition[]} [enableWhen]
 * @property {"any" | "all"} [enableBehavior]
 * @property {{ url: string, valueInteger?: number }[]} [extension]
 * @property {Item[]} [item]
 */
/** @typedef {{ id: string, version: string, title: string, description?: string, item: Item[] }} Questionnaire */
/** @typedef {Readonly<Record<string, unknown>>} Answers  by linkId */

/**
 * All items in order, groups before what is in them.
 * @param {readonly Item[]} items
 * @returns {Item[]}
 */
export function flat(items) {
  return items.flatMap((item) => [item, ...flat(item.item ?? [])]);
}

/** @param {unknown} value */
export function answered(value) {
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}

/** @param {Condition} condition */
function wanted(condition) {
  return condition.answerCoding?.code ?? condition.answerBoolean ?? condition.answerString ?? condition.answerInteger;
}

/** @param {Condition} condition @param {Answers} answers */
function met(condition, answers) {
  const given = answers[condition.question];
  const value = wanted(condition);
  const equal = Array.isArray(given) ? given.includes(value) : given === value;
  switch (condition.operator) {
    case "=":
      return answered(given) && equal;
    case "!=":
      return answered(given) && !equal;
    case "exists":
      return answered(given) === (value ?? true);
    default:
      return false;
  }
}

/**
 * The linkIds that apply. An answer to a question that does not apply itself enables nothing, and what stands in
 * a group that does not apply does not apply either.
 * @param {readonly Item[]} items
 * @param {Answers} answers
 * @returns {Set<string>}
 */
export function enabled(items, answers) {
  const byId = new Map(flat(items).map((item) => [item.linkId, item]));
  /** @type {Map<string, string>} */
  const parent = new Map();
  for (const item of byId.values()) for (const child of item.item ?? []) parent.set(child.linkId, item.linkId);
  /** @type {Map<string, boolean>} also stops a circle of conditions */
  const known = new Map();
  /** @param {string} id @returns {boolean} */
  const applies = (id) => {
    const before = known.get(id);
    if (before !== undefined) return before;
    known.set(id, false);
    const item = byId.get(id);
    if (!item) return false;
    const above = parent.get(id);
    const conditions = item.enableWhen ?? [];
    const holds = (/** @type {Condition} */ one) => applies(one.question) && met(one, answers);
    const own = conditions.length === 0 || (item.enableBehavior === "all" ? conditions.every(holds) : conditions.some(holds));
    const result = own && (above === undefined || applies(above));
    known.set(id, result);
    return result;
  };
  return new Set([...byId.keys()].filter(applies));
}

/**
 * How many required questions that apply have an answer, and how many there are.
 * @param {readonly Item[]} items
 * @param {Answers} answers
 */
export function progress(items, answers) {
  const applies = enabled(items, answers);
  const asked = flat(items).filter((item) => item.required && item.type !== "group" && applies.has(item.linkId));
  return { done: asked.filter((item) => answered(answers[item.linkId])).length, of: asked.length };
}

/**
 * What an answer is called: the options' own words, or what was written. `yes` and `no` are the page's words.
 * @param {Item} item
 * @param {unknown} value
 * @param {{ yes: string, no: string, nothing: string }} words
 * @returns {string}
 */
export function display(item, value, words) {
  if (!answered(value)) return words.nothing;
  if (typeof value === "boolean") return value ? words.yes : words.no;
  const name = (/** @type {unknown} */ code) =>
    item.answerOption?.find((option) => option.valueCoding.code === code)?.valueCoding.display ?? String(code);
  return Array.isArray(value) ? value.map(name).join(", ") : name(value);
}
