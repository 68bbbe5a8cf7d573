/** Ringing, as a state: what is offered, what this page has done about it, what became of it. Pure: times are passed in. */

/** @typedef {import("../lib/wire.js").OfferView} OfferView */
/** @typedef {{ offer: string, reason: string, by: string | null, at: number }} Notice */
/**
 * @typedef {object} Offers
 * @property {readonly OfferView[]} open  as the server says, oldest session first
 * @property {readonly string[]} told  offers for which `offer.delivered` was sent
 * @property {Readonly<Record<string, "accepting" | "declining">>} answers  pressed, and not answered yet
 * @property {readonly string[]} over  offers that are gone, whatever an older snapshot says
 * @property {Readonly<Record<string, number>>} early  when offers came before a snapshot had them
 * @property {Notice | null} notice  why the last one stopped ringing
 */

export const NOTICE_SECONDS = 20;
const REMEMBERED = 50;
const EARLY_SECONDS = 2; // a snapshot read before the offer was made may still come this much later

/** @type {Readonly<Offers>} */
export const NONE = { open: [], told: [], answers: {}, over: [], early: {}, notice: null };

/** @param {readonly string[]} ids @param {string} id */
function remember(ids, id) {
  return ids.includes(id) ? ids : [...ids, id].slice(-REMEMBERED);
}

/**
 * It rings, told before the snapshot.
 * @param {Offers} state
 * @param {OfferView} offer
 * @param {number} now
 * @returns {Offers}
 */
export function rung(state, offer, now) {
  if (state.over.includes(offer.offer) || state.open.some((one) => one.offer === offer.offer)) return state;
  return snapshot({ ...state, early: { ...state.early, [offer.offer]: now } }, [...state.open, offer], now);
}

/**
 * The newest snapshot.
 * @param {Offers} state
 * @param {readonly OfferView[]} offers
 * @param {number} now
 * @returns {Offers}
 */
export function snapshot(state, offers, now) {
  const told = new Set(offers.map((one) => one.offer));
  const early = Object.fromEntries(Object.entries(state.early).filter(([, at]) => now - at < EARLY_SECONDS));
  const missing = state.open.filter((one) => early[one.offer] !== undefined && !told.has(one.offer));
  const open = [...offers, ...missing].filter((one) => !state.over.includes(one.offer)).sort((a, b) => a.pressed_at - b.pressed_at);
  const still = new Set(open.map((one) => one.offer));
  const answers = Object.fromEntries(Object.entries(state.answers).filter(([id]) => still.has(id)));
  return { ...state, open, answers, early, notice: open.length > 0 && fresh(state, open) ? null : state.notice };
}

/** @param {Offers} state @param {readonly OfferView[]} open whether something rings that did not ring before */
function fresh(state, open) {
  return open.some((one) => !state.open.some((old) => old.offer === one.offer));
}

/**
 * The offer on the screen: the one that waits longest, of those that are not run out and not being declined.
 * @param {Offers} state
 * @param {number} now
 * @returns {OfferView | null}
 */
export function shown(state, now) {
  return state.open.find((one) => state.answers[one.offer] !== "declining" && one.expires_at > now - 2) ?? null;
}

/**
 * Those for which the server must be told that they ring here. Once each.
 * @param {Offers} state
 * @returns {{ state: Offers, tell: string[] }}
 */
export function deliver(state) {
  const tell = state.open.map((one) => one.offer).filter((id) => !state.told.includes(id));
  return { state: tell.length > 0 ? { ...state, told: [...state.told, ...tell].slice(-REMEMBERED) } : state, tell };
}

/**
 * A press.
 * @param {Offers} state
 * @param {string} offer
 * @param {"accepting" | "declining"} how
 * @returns {Offers} the same state when it was answered before: a second press does nothing
 */
export function answer(state, offer, how) {
  if (state.answers[offer] !== undefined || !state.open.some((one) => one.offer === offer)) return state;
  return { ...state, answers: { ...state.answers, [offer]: how }, notice: null };
}

/**
 * The press was refused for a reason that leaves the offer open.
 * @param {Offers} state
 * @param {string} offer
 * @returns {Offers}
 */
export function refused(state, offer) {
  const { [offer]: _pressed, ...answers } = state.answers;
  return { ...state, answers };
}

/**
 * It stopped ringing. Our own accept and decline need no notice; a better reason replaces a vague one.
 * @param {Offers} state
 * @param {{ offer: string, reason: string, by: string | null }} message
 * @param {number} now
 * @returns {Offers}
 */
export function gone(state, { offer, reason, by }, now) {
  const vague = by === null && state.over.includes(offer);
  const quiet = reason === "declined" || reason === "accepted";
  // The page where Accept was pressed goes from the ring to the call, not by way of the empty screen: the snapshot takes it down.
  const held = reason === "accepted" && state.answers[offer] === "accepting";
  const open = held ? state.open : state.open.filter((one) => one.offer !== offer);
  const { [offer]: pressed, ...others } = state.answers;
  const answers = held && pressed ? { ...others, [offer]: pressed } : others;
  const notice = quiet || vague ? state.notice : { offer, reason, by, at: now };
  return { ...state, open, answers, over: remember(state.over, offer), notice };
}

/**
 * The notice to show; it goes away by itself.
 * @param {Offers} state
 * @param {number} now
 * @returns {Notice | null}
 */
export function notice(state, now) {
  return state.notice && now - state.notice.at < NOTICE_SECONDS ? state.notice : null;
}
