/**
 * Which screen the tablet shows, and its words, from the server's snapshot and the little that only this page knows.
 * Pure: no document, no clock. The server's snapshot always wins over what the page believes.
 */

import { momentOf } from "../lib/clock.js";

/** @typedef {import("../lib/wire.js").TabletView} TabletView */
/** @typedef {import("../lib/wire.js").TabletSession} TabletSession */
/** @typedef {{ key: string, test: boolean, at: number, away?: boolean }} Press  away: the server cannot write it down yet */
/** @typedef {"loading" | "key" | "checkout" | "ready" | "connecting" | "call" | "handed-over" | "give-back" | "card" | "outcome" | "reason"} Screen */

const UNHEARD_SECONDS = 8; // a press is taken in a hundredth of that

/**
 * What the page knows and the server does not (yet).
 * @typedef {object} Local
 * @property {Press | null} press  sent, and no snapshot shows it yet
 * @property {boolean} skipCheckout  the officer goes on without checking out
 * @property {string | null} later  the session whose outcome was put off on this page
 * @property {boolean} recordOwed  the officer opened the reminder
 * @property {string | null} chosen  the disposition tapped, while its reason is asked
 * @property {readonly string[]} flags  what else is true, tapped before the disposition
 * @property {readonly string[]} recorded  sessions whose outcome is sent
 * @property {readonly string[]} acknowledged  "session:rev" of cards whose acknowledgement is sent
 * @property {readonly string[]} takenBack  sessions that ended while handed over, and the officer has the tablet again
 * @property {boolean} keyLost  the server takes this browser for another device: it must be set up again
 * @property {string | null} clinician  the last clinician's name in this session
 */

/** @type {Readonly<Local>} */
export const FRESH = {
  press: null, skipCheckout: false, later: null, recordOwed: false, chosen: null, flags: [], recorded: [], acknowledged: [], takenBack: [], keyLost: false, clinician: null,
};

const OPEN = new Set(["waiting", "answering", "connected", "recovering"]);

/**
 * The session that is going on, so that the tablet's leg must be up.
 * @param {TabletView | null} view
 * @returns {TabletSession | null}
 */
export function openSession(view) {
  const session = view?.session ?? null;
  return session !== null && session.ended_at === null && OPEN.has(session.state) ? session : null;
}

/**
 * The card that still asks for an acknowledgement.
 * @param {TabletSession | null} session
 * @param {Local} local
 */
export function cardToShow(session, local) {
  const card = session?.card;
  if (!session || !card || card.acknowledged || local.acknowledged.includes(`${session.id}:${card.rev}`)) return null;
  return card;
}

/**
 * The finished session that the officer should say the outcome of now, on the screen rather than as a reminder.
 * @param {TabletView} view
 * @param {Local} local
 * @returns {string | null}
 */
export function outcomeFor(view, local) {
  const owed = view.owed;
  if (owed === null || local.recorded.includes(owed)) return null;
  if (local.recordOwed) return owed;
  const ended = view.session;
  if (ended && ended.id === owed && openSession(view) === null && ended.actual === null && local.later !== owed) return owed;
  return null;
}

/**
 * @param {TabletView | null} view
 * @param {Local} local
 * @returns {Screen}
 */
export function screenOf(view, local) {
  if (local.keyLost) return "key";
  if (!view) return local.press ? "connecting" : "loading";
  const open = openSession(view);
  if (open) {
    if (open.phase === "handed_over") return "handed-over";
    return open.state === "waiting" || open.state === "answering" ? "connecting" : "call";
  }
  if (local.press) return "connecting";
  const session = view.session;
  if (session) {
    if (session.phase === "handed_over" && !local.takenBack.includes(session.id)) return "give-back";
    if (cardToShow(session, local)) return "card";
  }
  if (outcomeFor(view, local) !== null) return local.chosen === null ? "outcome" : "reason";
  return view.officer === null && !local.skipCheckout ? "checkout" : "ready";
}

/**
 * Does this outcome need a reason?
 * @param {string} actual
 * @param {string | null} recommended
 */
export function differs(actual, recommended) {
  return recommended !== null && recommended !== actual;
}

/**
 * What the connecting screen says: keys and values, for `t`. `number` is set when the words end in "call this number".
 * @typedef {{ words: string, next: string, values: Record<string, string>, number: string | null, tone: "quiet" | "wait" }} Words
 */

/**
 * @param {{ view: TabletView | null, local: Local, online: boolean, now: number, names: (names: readonly string[]) => string, number: string }} given
 *   number: the phone number to name when no snapshot has one
 * @returns {Words}
 */
export function connectingWords({ view, local, online, now, names, number: fallback }) {
  const open = openSession(view);
  /** @type {Record<string, string>} */
  const values = { code: open?.code ?? "", number: view?.provider_line ?? fallback };
  /** @param {string} words @param {string} next @param {"quiet" | "wait"} [tone] @param {string | null} [number] @returns {Words} */
  const say = (words, next, tone = "quiet", number = null) => ({
    words: `tablet.status.${words}`, next: `tablet.next.${next}`, values, number, tone,
  });
  if (!open) {
    const unheard = local.press !== null && now - local.press.at > UNHEARD_SECONDS;
    if (online && !local.press?.away && !unheard) return say("starting", "starting");
    const why = online ? "not_written" : "no_network";
    return say(why, why, "wait", values["number"] ?? null);
  }
  if (open.test) return say("test", "test");
  const alerted = open.alerted;
  values["names"] = names(alerted.map((one) => one.name));
  values["count"] = String(alerted.length);
  const nearest = alerted.find((one) => one.state === "coming") ?? alerted.find((one) => one.state === "opening");
  values["nearest"] = nearest?.name ?? "";
  values["name"] = open.clinician ?? local.clinician ?? "";
  if (open.state === "answering") return say("joining", "joining");
  const late = open.step === "call-instead";
  const nobody = view !== null && !view.on_call && alerted.length === 0; // at the clinicians' own number neither
  const line = nobody ? view.regional_line : (values["number"] ?? null);
  if (open.requeued) {
    const why = open.handed_back ? "handed_back" : "requeued"; // these words stay
    const next = nobody ? "nobody_on_call" : alerted.length > 0 ? "requeued_alerting" : why;
    return say(values["name"] ? why : `${why}_unnamed`, next, "wait", late || nobody ? line : null);
  }
  if (nobody) return say(late ? "call_instead" : "finding", "nobody_on_call", "wait", line);
  if (late) return say("call_instead", nearest ? "call_instead_coming" : "call_instead", "wait", values["number"] ?? null);
  if (nearest) return say(alerted.length > 1 ? nearest.state : `${nearest.state}_alone`, nearest.state);
  const words = alerted.length > 0 ? "alerting" : "finding";
  switch (open.step) {
    case "more-people":
      return say(alerted.length > 0 ? "more_people" : "finding", "more_people", "wait");
    case "still-trying":
      return say(alerted.length > 0 ? "still_trying" : "finding", "still_trying", "wait");
    default:
      return say(words, words);
  }
}

/**
 * What stands above the button while the roster has nobody: when the next clinician comes on. Null while somebody is on call.
 * @param {TabletView} view
 * @param {number} now  the server's clock
 * @param {string} locale
 * @returns {{ key: string, values: Record<string, string> } | null}
 */
export function closedWords(view, now, locale) {
  if (view.on_call) return null;
  if (view.comes_on === null) return { key: "tablet.closed.unknown", values: {} };
  return { key: "tablet.closed.next", values: { when: momentOf(view.comes_on, now, locale, view.timezone) } };
}

/**
 * What to say about the other side during the call, as a key of the page's texts, or null when all is well.
 * @param {TabletSession} session
 * @param {import("../lib/peer.js").PeerWord} link  our own leg
 * @param {boolean} [frozen]  the other side's picture should move and does not
 * @param {boolean} [thin]  our own line carries less than a full picture: that it arrives badly says nothing of theirs
 * @returns {string | null}
 */
export function peerWords(session, link, frozen = false, thin = false) {
  if (session.state === "recovering") return "tablet.peer.recovering";
  if (session.state === "waiting") return "tablet.peer.finding";
  if (link === "blocked" || link === "full") return `tablet.peer.${link}`;
  if (session.state === "answering") return "tablet.peer.joining";
  if (link === "reconnecting" || link === "connecting") return "tablet.peer.own_link";
  if (session.held_at !== null) return "tablet.peer.held";
  const peer = session.peer;
  if (!peer || !peer.connected || link === "silent") return "tablet.peer.reconnecting";
  if (peer.muted && !peer.camera) return "tablet.peer.muted_no_camera";
  if (peer.muted) return "tablet.peer.muted";
  if (!peer.camera) return "tablet.peer.no_camera";
  if (frozen) return "tablet.peer.frozen";
  if (peer.step !== "720p") return peer.step === "stills" && session.saver ? "tablet.peer.saver" : `tablet.peer.${peer.step}`;
  return !thin && (peer.quality === "poor" || peer.quality === "none") ? "tablet.peer.weak" : null;
}

/** What stands over the other side's picture; all other words stand in its place. */
export const OVER_THE_PICTURE = ["muted", "weak", "360p", "180p", "stills", "saver"].map((word) => `tablet.peer.${word}`);

/** How long the tablet says who has just taken over. */
export const NEW_FACE_SECONDS = 12;

/**
 * Who else is in the call, as keys and values for `t`: nobody listens unseen, whoever holds the tablet.
 * @param {TabletSession} session
 * @param {{ name: string, at: number } | null} came  the clinician who took over last, seen by this page
 * @param {number} now
 * @returns {{ key: string, values: Record<string, string> }[]}
 */
export function companyWords(session, came, now) {
  const words = session.company.map((one) => ({
    key: `tablet.company.${one.held ? "held" : one.role === "receiver" ? "handing" : one.role === "supervisor" && one.mode === "whisper" ? "whisper" : one.role}`,
    values: { name: one.name, lead: session.clinician ?? "" },
  }));
  if (came && now - came.at < NEW_FACE_SECONDS) words.unshift({ key: "tablet.company.now", values: { name: came.name, lead: "" } });
  return words;
}

/**
 * The tiles after a tap; never more than `most`, the newest tap wins over nothing.
 * @param {readonly string[]} tapped
 * @param {string} tile
 * @param {number} most
 */
export function toggleTile(tapped, tile, most) {
  if (tapped.includes(tile)) return tapped.filter((one) => one !== tile);
  return tapped.length < most ? [...tapped, tile] : [...tapped];
}
