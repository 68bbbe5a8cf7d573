/** What the live table shows after news: pure, so that it can be tried without a page. */

/**
 * @typedef {{ id: string, code: string, unit: string, agency: string, county: string, state: string, step: string | null,
 *   clinician: string | null, again: boolean, pressed: string, clock: string, seconds: number }} SceneRow
 */

/**
 * In which order rows stand, and which of them are over but kept. While somebody's keyboard is in the table
 * (`held`) nothing moves and nothing goes: what is new comes at the end, what is over is only marked.
 * @param {readonly string[]} shown  the ids that stand there now, in order
 * @param {readonly string[]} wanted  the ids of the news, in order
 * @param {boolean} held
 * @returns {{ order: string[], over: string[] }}
 */
export function arrange(shown, wanted, held) {
  if (!held) return { order: [...wanted], over: [] };
  const there = new Set(shown);
  const now = new Set(wanted);
  return { order: [...shown, ...wanted.filter((id) => !there.has(id))], over: shown.filter((id) => !now.has(id)) };
}

/**
 * What a screen reader should hear of the news.
 * @param {ReadonlyMap<string, { code: string, state: string }>} before
 * @param {readonly SceneRow[]} after
 * @returns {{ kind: "new" | "state" | "over", code: string, unit: string, state: string }[]}
 */
export function changes(before, after) {
  /** @type {{ kind: "new" | "state" | "over", code: string, unit: string, state: string }[]} */
  const found = [];
  for (const { id, code, unit, state } of after) {
    const old = before.get(id);
    if (old?.state !== state) found.push({ kind: old ? "state" : "new", code, unit, state });
  }
  const there = new Set(after.map((row) => row.id));
  for (const [id, { code, state }] of before) if (!there.has(id)) found.push({ kind: "over", code, unit: "", state });
  return found;
}
