/** What the console shows, from the server's snapshot and the little that only this page knows. Pure. */

/** @typedef {import("../lib/wire.js").ConsoleView} ConsoleView */
/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {"idle" | "ringing" | "call" | "wrap_up"} Screen */

const LIVE = new Set(["answering", "connected", "recovering"]);

/**
 * The session that goes on, so that our leg must be up.
 * @param {ConsoleView | null} view
 * @returns {ConsoleSession | null}
 */
export function liveSession(view) {
  const session = view?.session ?? null;
  return session !== null && LIVE.has(session.state) ? session : null;
}

/**
 * @param {ConsoleView | null} view
 * @param {boolean} ringing
 * @returns {Screen}
 */
export function screenOf(view, ringing) {
  if (liveSession(view)) return "call";
  if (ringing) return "ringing";
  return view?.session?.state === "wrap_up" ? "wrap_up" : "idle";
}

/**
 * What to say about the other side, as a key of the page's texts, or null when all is well.
 * @param {ConsoleSession} session
 * @param {import("../lib/peer.js").PeerWord} link  our own leg
 * @param {boolean} [frozen]  the tablet's picture should move and does not
 * @param {boolean} [thin]  our own line carries less than a full picture: that it arrives badly says nothing of theirs
 * @returns {string | null}
 */
export function peerWords(session, link, frozen = false, thin = false) {
  if (link === "refused" || link === "blocked" || link === "full") return `console.peer.${link}`;
  if (link === "reconnecting") return "console.peer.own_link";
  if (session.peer.blocked && !session.peer.connected) return "console.peer.tablet_blocked";
  if (!session.tablet_online && !session.peer.connected) return session.tablet_revoked ? "console.peer.tablet_revoked" : "console.peer.tablet_lost";
  if (session.state === "answering" || link === "connecting") return "console.peer.joining";
  if (!session.peer.connected || link === "silent") return "console.peer.reconnecting";
  if (session.voice_only && !session.peer.camera && !session.peer.muted) return "console.peer.voice_only";
  if (session.peer.muted && !session.peer.camera) return "console.peer.muted_no_camera";
  if (session.peer.muted) return "console.peer.muted";
  if (!session.peer.camera) return "console.peer.no_camera";
  if (frozen) return "console.peer.frozen";
  if (session.peer.step !== "720p") return session.peer.step === "stills" && session.saver ? "console.peer.saver" : `console.peer.${session.peer.step}`;
  return !thin && (session.peer.quality === "poor" || session.peer.quality === "none") ? "console.peer.weak" : null;
}

/**
 * Seconds in the present phase; the server keeps the sum of the phases before.
 * @param {ConsoleSession} session
 * @param {number} now
 */
export function phaseSeconds(session, now) {
  const before = { brief: session.brief_seconds, handed_over: session.handed_over_seconds, debrief: session.debrief_seconds };
  return before[session.phase] + (session.phase_since === null ? 0 : Math.max(0, now - session.phase_since));
}

/**
 * The disposition to begin the wrap-up with: what was sent, else what stands in the draft.
 * @param {ConsoleSession} session
 * @param {unknown} drafted
 */
export function advised(session, drafted) {
  return typeof drafted === "string" && drafted ? drafted : session.recommended ?? session.card.card?.disposition ?? "";
}
