/**
 * The messages of the WebSocket, as types: the JavaScript twin of signaling/wire.py, which is the source.
 * Nothing runs here.
 *
 * @typedef {"good" | "fair" | "poor" | "none"} Quality
 * @typedef {"720p" | "360p" | "180p" | "stills" | "voice" | "phone"} PictureStep  how much picture a side sends; the best first
 * @typedef {{ no: number, at: number, sender: "officer" | "clinician", text: string }} ChatLine
 * @typedef {{ connected: boolean, muted: boolean, camera: boolean, quality: Quality, blocked: boolean, step: PictureStep }} PeerView
 * @typedef {{ code: string, text: string }} CardAction
 * @typedef {{ level: "routine" | "soon" | "now", disposition: string, actions: CardAction[], words: string, resources: CardResource[] }} Card
 * @typedef {{ id: string, name: string, kind: string, phone: string, text_line: string, address: string, website: string, hours: string, hours_es: string, accepts: string, accepts_es: string }} CardResource
 * @typedef {{ rev: number, card: Card, clinician: string, licence: string, sent_at: number, acknowledged: boolean }} CardView
 *
 * @typedef {"waiting" | "answering" | "connected" | "recovering" | "wrap_up" | "closed"} SessionState
 * @typedef {"brief" | "handed_over" | "debrief"} Phase
 * @typedef {{ name: string, state: "alerted" | "ringing" | "opening" | "coming" }} Alerted  nearest to coming first
 * @typedef {{ party: string, link: string | null, seat: string, role: "receiver" | "interpreter" | "supervisor", mode: "speak" | "listen" | "whisper", name: string, connected: boolean, held: boolean }} PartyView
 * @typedef {{ link: string, role: "interpreter" | "supervisor", expires_at: number, name: string | null }} LinkView
 * @typedef {"alerting" | "still-trying" | "more-people" | "call-instead"} Step
 * @typedef {{ at: number | null, product: "nasal-4" | "nasal-8" | "injection" | "unknown", by: "officer" | "ems" | "bystander" | "unknown" }} Dose  of naloxone
 * @typedef {"safe" | "medical" | "intoxicated" | "willing"} Question
 * @typedef {{ answers: Partial<Record<Question, "yes" | "no">>, activity: { before?: number, after?: number }, doses: Dose[], response: "awake" | "drowsy" | "none" | null }} SceneView
 * @typedef {{
 *   id: string, code: string, state: SessionState, phase: Phase, epoch: number, pressed_at: number,
 *   accepted_at: number | null, media_at: number | null, ended_at: number | null, phase_since: number | null,
 *   voice_only: boolean, saver: boolean, held_at: number | null, test: boolean, intake: string[], language: string | null, place: number, otherwise: string | null, body_camera: string | null, alerted: Alerted[], step: Step, requeued: boolean,
 *   handed_back: boolean, clinician: string | null, licence: string | null, peer: PeerView | null, company: PartyView[], chat: ChatLine[],
 *   card: CardView | null, close_reason: string | null, recommended: string | null, actual: string | null, consent: ConsentAsk | null, scene: SceneView | null,
 * }} TabletSession
 * @typedef {{
 *   type: "tablet", n?: number, agency: string, unit: string, officer: string | null, regional_line: string,
 *   provider_line: string, tiles: string[], ready_clinicians: number, on_call: boolean, comes_on: number | null, timezone: string, places: string[],
 *   session: TabletSession | null, owed: string | null,
 * }} TabletView
 *
 * @typedef {{ id: string, name: string, activity: string, reason: string | null, work: string, on_call: boolean, tier: number | null, licensed: boolean }} Me
 * @typedef {{ session: string, code: string, agency: string, county: string, place_state: string | null, unit: string, intake: string[], pressed_at: number, requeued: boolean, ringing: number, alerted: Alerted[] }} WaitingRow
 * @typedef {{
 *   offer: string, token: string, session: string, epoch: number, expires_at: number, agency: string, county: string, place_state: string | null,
 *   unit: string, officer: string | null, intake: string[], language: string | null, pressed_at: number, requeued: boolean, voice_only: boolean,
 *   purpose: "answer" | "transfer", by: string | null, relaxed: string[], scene: "go" | "stop" | "open" | null, stops: Question[],
 * }} OfferView
 * @typedef {{
 *   id: string, stage: "ringing" | "sitting" | "ended", to: string | null, receiver: string | null, ringing: string[], expires_at: number | null,
 *   joined: boolean, lead_ready: boolean, receiver_ready: boolean, note: string, outcome: string | null, reason: string | null,
 * }} TransferView
 * @typedef {{
 *   session: string, code: string, agency: string, county: string, place_state: string | null, unit: string, state: SessionState, phase: Phase, epoch: number,
 *   lead: string, pressed_at: number, media_at: number | null, company: PartyView[],
 * }} LiveRow
 * @typedef {{ instrument: string, version: string, rev: number, answers: Record<string, unknown>, result: Record<string, unknown>, updated_at: number }} AssessmentView
 * @typedef {{ rev: number, card: Card | null, sent_rev: number | null, sent_at: number | null, acknowledged_rev: number | null, acknowledged_at: number | null }} CardDraft
 * @typedef {{ key: string, kind: string, owner: string, due_at: number | null, note: string }} FollowupSketch
 * @typedef {{ disposition: string | null, followups: FollowupSketch[], flags: string[], opioid: string | null, no_followup: string | null }} WrapupDraft
 * @typedef {{ rev: number, said: Readonly<Record<string, string>>, giver: string, updated_at: number | null, signed: string[], asked: ConsentAsk | null }} ConsentView
 * @typedef {{ id: string, participant: string, purpose: string, language: string, wording: string }} ConsentAsk  waits on the tablet for a signature
 * @typedef {{ rev: number, name: string, born: string, alias: string, updated_at: number | null, earlier: { code: string, at: number }[] }} PersonView
 * @typedef {{
 *   id: string, code: string, state: SessionState, phase: Phase, epoch: number, agency: string, county: string, place_state: string | null, unit: string,
 *   officer: string | null, intake: string[], voice_only: boolean, saver: boolean, held_at: number | null, test: boolean, pressed_at: number,
 *   accepted_at: number | null, media_at: number | null, ended_at: number | null, phase_since: number | null,
 *   brief_seconds: number, handed_over_seconds: number, debrief_seconds: number,
 *   role: "lead" | "receiver" | "supervisor", party: string | null, page: string | null, lead: string, company: PartyView[], links: LinkView[], transfer: TransferView | null, tablet_online: boolean, tablet_revoked: boolean, peer: PeerView,
 *   chat: ChatLine[], card: CardDraft, assessments: AssessmentView[],
 *   wrapup: { rev: number, draft: WrapupDraft, updated_at: number | null }, person: PersonView, consent: ConsentView, body_camera: string | null, scene: SceneView | null, recommended: string | null, actual: string | null,
 * }} ConsoleSession
 * @typedef {{ offer: string, code: string, agency: string, at: number, state: "declined" | "expired" | "undelivered" }} MissedRow
 * @typedef {{ id: string, name: string }} Option
 * @typedef {{
 *   type: "console", n?: number, me: Me, waiting: WaitingRow[], waiting_total: number, offers: OfferView[], missed: MissedRow[], session: ConsoleSession | null,
 *   colleagues: Me[], colleagues_total: number, live: LiveRow[], owners: Option[], covered: boolean,
 * }} ConsoleView
 *
 * @typedef {{
 *   id: string, epoch: number, state: SessionState, phase: Phase, agency: string, unit: string, lead: string, voice_only: boolean, saver: boolean,
 *   seat: string | null, party: string | null, mode: "speak" | "listen" | "whisper" | null, held_at: number | null, peer: PeerView, company: PartyView[],
 * }} GuestSession
 * @typedef {{ type: "guest", n?: number, role: "interpreter" | "supervisor", name: string, session: GuestSession }} GuestView
 *
 * @typedef {{ type: "challenge", n?: number, subject: string, nonce: string, bind: boolean }} Challenge
 * @typedef {{ type: "welcome", n?: number, protocol: number, now: number, resumed: boolean, expect: number, beat_seconds: number }} Welcome
 * @typedef {{ type: "ack", n?: number, re: number, data: Record<string, unknown> }} Ack
 * @typedef {{ type: "error", n?: number, re: number | null, code: string, message: string, data: Record<string, unknown> }} ErrorMessage
 * @typedef {{ type: "offer", n?: number, offer: OfferView }} OfferRung
 * @typedef {{ type: "offer.gone", n?: number, offer: string, session: string, reason: string, by: string | null }} OfferGone
 * @typedef {{ type: "session.moved", n?: number, session: string, how: string, by: string | null }} SessionMoved
 * @typedef {{ type: "media.rebuild", n?: number, session: string }} MediaRebuild
 * @typedef {{ type: "passed", n?: number }} Passed  in the place of a snapshot that a later one replaces
 * @typedef {{ type: "still", n?: number, session: string, seat: string, picture: string }} Still
 * @typedef {{ type: "bye", n?: number, reason: string, retry: boolean }} Bye
 * @typedef {Challenge | Welcome | Ack | ErrorMessage | TabletView | ConsoleView | GuestView | OfferRung | OfferGone | SessionMoved | MediaRebuild | Passed | Still | Bye} ServerMessage
 * @typedef {TabletView | ConsoleView | GuestView | OfferRung | OfferGone | SessionMoved | MediaRebuild | Still | ErrorMessage} PageMessage  what a page gets from its Line
 */

export const PROTOCOL = 1;
