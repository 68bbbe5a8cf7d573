/**
 * One person's camera, microphone and leg in a call, with the page's elements for them: what tablet and console share.
 * The page gives the snapshot to `follow`, and everything else follows from it; each page's own class adds what differs.
 */

import { find } from "./dom.js";
import { More } from "./more.js";
import { Peer } from "./peer.js";
import { PICTURES } from "./ladder.js";
import { Relay } from "./relay.js";
import { StillSender, StillView } from "./stills.js";
import * as devices from "./devices.js";

/** @typedef {import("./wire.js").Quality} Quality */
/**
 * @typedef {object} CallSession  what both pages' sessions have
 * @property {string} id
 * @property {string} state
 * @property {number} epoch
 * @property {boolean} voice_only
 * @property {boolean} saver
 * @property {number | null} [held_at]  since when the tablet, or this guest, is on hold
 * @property {{ connected: boolean, muted: boolean, camera: boolean, blocked: boolean, step: import("./wire.js").PictureStep } | null} peer
 */
/**
 * @typedef {object} MediaOptions
 * @property {import("./socket.js").Line} line
 * @property {() => CallSession | null} session  the one that is open now
 * @property {import("./relay.js").Known} relay
 * @property {() => void} changed  something that is shown has changed
 */

const CAPTURE_PATIENCE_MS = 1500; // a permission question may stay open: then the leg starts without tracks
const FRAMES_MS = 500;
const HEAL_AGAIN_MS = 60_000; // a device that fails again so soon is not healed by opening it anew
const PROBLEM = /** @type {const} */ ({ microphone: "microphoneProblem", camera: "cameraProblem" });
/** @type {readonly (devices.Why | null)[]} what may be over when the page is looked at again, or a device is plugged in */
const PASSES = ["missing", "busy", "failed"];

export class CallMedia {
  /** @param {MediaOptions} options */
  constructor(options) {
    this.options = options;
    this.relay = new Relay(options.line, options.relay);
    this.audio = find("#remote-audio", HTMLAudioElement);
    this.video = find("#remote-video", HTMLVideoElement);
    this.selfView = find("#self-view", HTMLVideoElement);
    this.stillView = new StillView(find("#remote-still", HTMLCanvasElement));
    this.stills = new StillSender({
      source: this.selfView, send: (picture) => this.options.line.send("media.still", { session: this.sessionId, picture }),
    });
    this.more = new More();
    /** @type {Peer | null} */
    this.peer = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {Promise<void> | null} */
    this.capturing = null;
    this.captured = false; // the devices have answered, one way or the other
    /** @type {devices.Why | null} */
    this.microphoneProblem = null;
    /** @type {devices.Why | null} */
    this.cameraProblem = null;
    this.muted = false;
    this.cameraOn = true;
    this.facing = /** @type {devices.Facing} */ ("user");
    /** @type {Record<"camera" | "microphone", number>} ms: when it was last opened anew by itself */
    this.healedAt = { camera: -HEAL_AGAIN_MS, microphone: -HEAL_AGAIN_MS };
    this.soundBlocked = false;
    this.blocked = false; // this network lets nothing through, or the server has no room
    /** @type {Quality} */
    this.quality = "good";
    /** @type {string | null} */
    this.sessionId = null;
    setInterval(() => this.#countFrames(), FRAMES_MS);
    this.waking = Promise.resolve(); // one look after another: two would open a device twice
    this.onEnded = () => { void this.wake(); };
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void this.wake(); });
    // something was pulled out or plugged in, or the laptop slept
    navigator.mediaDevices?.addEventListener("devicechange", this.onEnded);
  }

  /** Whether the other side's picture should move and does not. */
  /** Whether a further party's small picture stands still: a still face must not look like a living one. @param {number} slot */
  stands(slot) {
    return this.peer?.stands(slot) === true;
  }

  get frozen() {
    return this.peer?.found.frozen === true;
  }

  /** @returns {import("./peer.js").PeerWord} how our own leg is */
  get link() {
    return this.peer?.word ?? "closed";
  }

  /** @returns {import("./wire.js").PictureStep} how much picture we send, as our line allows */
  get step() {
    return this.peer?.step ?? "720p";
  }

  /** @returns {number | null} bit/s that our line carries upwards, as far as is known */
  get upload() {
    return this.peer?.upload ?? null;
  }

  /** Sound and picture have no way, or none that carries a voice. What is written still goes through, and so do stills. */
  get stranded() {
    return this.step === "phone" || this.blocked;
  }

  /** Whether the other side's stills stand in the place of their video now. */
  get seesStills() {
    const peer = this.options.session()?.peer;
    return peer?.camera === true && (peer.step === "stills" || this.stranded || strands(peer)) && this.stillView.fresh;
  }

  /** Whether anything should come to us. @protected @param {CallSession} _session @returns {boolean} */
  hears(_session) {
    return true;
  }

  /** Which of several windows of one person this is, where there may be several. @protected @returns {Pick<import("./peer.js").PeerOptions, "page" | "take" | "onElsewhere">} */
  get window() {
    return {};
  }

  /** Whether our stills are for somebody: only tablet and lead are seen large. @protected @returns {boolean} */
  get sendsStills() {
    return false;
  }

  /** Whether a camera is open. */
  get hasCamera() {
    return lives(this.stream?.getVideoTracks());
  }

  /** Whether a microphone is open. */
  get hasMicrophone() {
    return lives(this.stream?.getAudioTracks());
  }

  /**
   * Open the devices; may be called within a press, before there is a session.
   * @param {{ camera: boolean }} how
   */
  capture({ camera }) {
    if (this.capturing) return;
    this.cameraOn = camera;
    const capturing = devices.open({ camera, facing: this.facing }).then(async (opened) => {
      if (this.capturing !== capturing) return devices.release(opened.stream); // it ended meanwhile
      this.stream = opened.stream;
      this.captured = true;
      this.microphoneProblem = opened.microphone;
      this.cameraProblem = opened.camera;
      this.#mind();
      this.showSelf();
      await this.peer?.replaceStream(this.stream);
      this.tell();
      this.options.changed();
    });
    this.capturing = capturing;
  }

  /** Ask for the devices again, after a permission was given or another program let go of them. */
  async again() {
    const camera = this.cameraOn;
    devices.release(this.stream);
    this.stream = null;
    this.capturing = null;
    this.captured = false;
    this.capture({ camera });
    await this.capturing;
  }

  /**
   * Follow the snapshot. Safe to call as often as one likes.
   * @param {CallSession | null} session  the open one, or null
   */
  follow(session) {
    if (session === null) {
      if (this.sessionId !== null) this.stop();
      return;
    }
    if (this.sessionId !== session.id) {
      if (this.sessionId !== null) this.stop();
      this.sessionId = session.id;
      this.join(session);
    }
    if (this.peer) {
      this.peer.expectMedia = session.state === "connected" && session.peer?.connected === true && sends(session.peer) && this.hears(session);
      this.peer.expectPicture = session.peer?.camera === true && PICTURES[session.peer.step] !== undefined;
      this.peer.expectSlow = session.peer?.step === "180p";
      if (this.peer.saver !== session.saver) this.peer.setSaver(session.saver);
    }
    this.#wantStills();
    this.#placeStills();
  }

  #placeStills() {
    const { canvas } = this.stillView;
    if (canvas.hidden === this.seesStills) canvas.hidden = !this.seesStills;
  }

  /**
   * A session is there which we did not follow before.
   * @protected @param {CallSession} session
   */
  join(session) {
    void this.begin(session.id, { camera: !session.voice_only });
  }

  /**
   * Devices, then the leg, unless the session has ended by then.
   * @protected @param {string} id  of the session @param {{ camera: boolean }} how
   */
  async begin(id, how) {
    this.capture(how);
    await Promise.race([this.capturing, new Promise((resolve) => setTimeout(resolve, CAPTURE_PATIENCE_MS))]);
    await this.connect(id);
  }

  /**
   * The leg alone, with whatever devices are open.
   * @protected @param {string} id  of the session
   */
  async connect(id) {
    if (this.sessionId !== id || this.peer) return;
    const peer = new Peer({
      line: this.options.line,
      session: () => this.sessionId,
      epoch: () => this.options.session()?.epoch ?? 0,
      relay: this.relay,
      sending: () => this.sending(),
      ...this.window,
      onRemote: (stream) => this.#showRemote(stream),
      onMore: (slot, track) => this.more.take(slot, track),
      onState: (word) => {
        const blocked = word === "blocked" || word === "full";
        if (blocked !== this.blocked) {
          this.blocked = blocked;
          this.#wantStills();
          this.tell(); // the other side reads it, too
        }
        this.options.changed();
      },
      onDoubt: (sure) => this.options.line.suspect(sure),
      onLost: () => this.options.line.renew(),
      onFound: (found) => this.#found(found),
      onStep: () => {
        this.#wantStills();
        this.tell();
        this.options.changed();
      },
      onQuality: (word) => {
        this.quality = this.frozen && word !== "none" ? "poor" : word; // sound alone may be good: the call is not
        this.tell();
        this.options.changed();
      },
    });
    this.peer = peer;
    peer.muted = this.muted;
    peer.saver = this.options.session()?.saver === true;
    peer.facing = this.facing;
    await peer.start(this.stream, { voiceOnly: !this.cameraOn });
    this.tell();
  }

  #wantStills() {
    const peer = this.options.session()?.peer;
    const wanted = this.step === "stills" || this.stranded || (peer ? strands(peer) : false);
    const thin = peer !== undefined && peer !== null && PICTURES[peer.step] === undefined && this.options.session()?.saver !== true;
    this.stills.want(this.sendsStills && wanted && this.cameraOn && this.hasCamera, thin);
  }

  /** A still of the other side has come. @param {import("./wire.js").Still} message */
  async takeStill({ session, picture }) {
    this.options.line.send("still.got").catch(() => { /* the next one comes all the same, later */ });
    if (session !== this.sessionId) return;
    await this.stillView.show(picture);
    this.#placeStills();
    this.options.changed();
  }

  /** Close the leg and let go of the devices; what the person chose stays. @protected */
  leave() {
    this.peer?.close();
    this.peer = null;
    this.capturing = null;
    this.captured = false;
    devices.release(this.stream);
    this.stream = null;
    this.selfView.srcObject = null;
    this.video.srcObject = null;
    this.audio.srcObject = null;
    this.more.clear();
    this.stills.want(false);
    this.stillView.clear();
    this.stillView.canvas.hidden = true;
    delete this.video.dataset["frames"];
  }

  /** Who only listens speaks: the microphone opens, the camera does not. */
  speak() {
    this.setMuted(false);
    this.capture({ camera: false });
  }

  /** Whether devices are open, or being opened: for who mostly listens, whether they speak now. */
  get speaks() {
    return this.capturing !== null;
  }

  /** And only listens again: nothing is sent, and no device is open for it. */
  async hush() {
    this.capturing = null;
    this.captured = false;
    devices.release(this.stream);
    this.stream = null;
    this.microphoneProblem = this.cameraProblem = null;
    await this.peer?.replaceStream(null);
    this.tell();
    this.options.changed();
  }

  /** Let go of everything: no camera is on outside a call, and the next one starts afresh. */
  stop() {
    this.sessionId = null;
    this.leave();
    this.muted = false;
    this.cameraOn = true;
    this.facing = "user";
    this.soundBlocked = false;
    this.microphoneProblem = null;
    this.cameraProblem = null;
    this.quality = "good";
    this.blocked = false;
    this.options.changed();
  }

  /** The bridge lost our leg, or the server came back: describe ourselves anew. */
  rebuild() {
    if (!this.peer) return; // a page that takes no part: another tab of the same person
    this.peer.restart();
    this.tell();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.muted = muted;
    this.peer?.setMuted(muted);
    this.tell();
    this.options.changed();
  }

  /** @param {boolean} on */
  async setCamera(on) {
    this.cameraOn = on;
    if (on && !this.hasCamera) {
      await this.#openCamera();
    } else {
      await this.peer?.setCamera(on);
    }
    this.showSelf();
    this.#wantStills();
    this.tell();
    this.options.changed();
  }

  async #openCamera() {
    try {
      const track = await devices.openCamera(this.facing);
      this.cameraProblem = null;
      const others = this.stream?.getTracks().filter(({ kind }) => kind !== "video") ?? [];
      this.stream = new MediaStream([...others, track]);
      this.#mind();
      if (this.peer) this.peer.cameraOn = true;
      await this.peer?.replaceStream(this.stream);
    } catch (error) {
      this.cameraOn = false;
      this.cameraProblem = devices.why(error);
    }
  }

  /** Say to the server, and so to the other side, what we send and how well we receive. */
  tell() {
    if (this.sessionId === null) return;
    const fields = { session: this.sessionId, ...this.sending(), quality: this.quality, blocked: this.blocked, step: this.step };
    this.options.line.send("media.state", fields).catch(() => { /* said again in 5 s */ });
  }

  /** @protected @returns {{ muted: boolean, camera: boolean }} what the other side is told that we send */
  sending() {
    return { muted: this.muted || !this.hasMicrophone, camera: this.cameraOn && this.hasCamera };
  }

  /** A press, after the browser refused to play. */
  async playSound() {
    try {
      await Promise.all([this.audio.play(), this.more.play()]);
      this.soundBlocked = false;
    } catch {
      this.soundBlocked = true;
    }
    this.options.changed();
  }

  /** @protected */
  showSelf() {
    this.selfView.srcObject = this.hasCamera && this.cameraOn ? this.stream : null;
    if (this.selfView.srcObject) void this.selfView.play().catch(() => { /* muted: it starts by itself when shown */ });
  }

  /** @param {MediaStream} stream */
  #showRemote(stream) {
    if (this.video.srcObject !== stream) this.video.srcObject = stream;
    if (this.audio.srcObject !== stream) this.audio.srcObject = stream;
    void this.video.play().catch(() => { /* muted: as above */ });
    this.audio.play().then(
      () => { this.#sound(false); },
      (error) => { if (error instanceof DOMException && error.name === "NotAllowedError") this.#sound(true); },
    );
  }

  /** @param {boolean} blocked */
  #sound(blocked) {
    if (this.soundBlocked === blocked) return;
    this.soundBlocked = blocked;
    this.options.changed();
  }

  /** The page was away, or a device went or came: open what is not there any more, and play again what was paused. @protected */
  async wake() {
    if (!this.peer) return;
    this.waking = this.waking.then(async () => {
      for (const what of /** @type {const} */ (["microphone", "camera"])) {
        if (this.peer && this.#misses(this.peer, what)) await this.#reopen(this.peer, what);
      }
    });
    await this.waking;
    if (this.video.srcObject && this.video.paused) void this.video.play().catch(() => { /* on the next wake */ });
    if (this.audio.srcObject && this.audio.paused) await this.playSound();
  }

  /** Whether a device that is wanted died, or could not be opened for a reason that passes. @param {Peer} peer @param {"camera" | "microphone"} what */
  #misses(peer, what) {
    if (!this.captured || (what === "camera" && !this.cameraOn)) return false;
    return peer.died(what) || (peer[what] === null && PASSES.includes(this[PROBLEM[what]]));
  }

  /** @param {Peer} peer @param {"camera" | "microphone"} what */
  async #reopen(peer, what) {
    const { capturing } = this;
    /** @type {devices.Why | null} */
    let problem = null;
    try {
      await peer.reopen(what);
    } catch (error) {
      problem = devices.why(error);
    }
    if (peer !== this.peer) return peer[what]?.stop(); // the call has ended meanwhile
    if (capturing === this.capturing) {
      this[PROBLEM[what]] = problem;
      return this.adopt(peer);
    }
    if (!this.stream?.getTracks().some((track) => track === peer[what])) peer[what]?.stop(); // let go of, or asked for anew, meanwhile
    await peer.replaceStream(this.stream);
  }

  /** The peer has opened devices anew, or could not: its tracks are ours now, and the other side reads what we send. @protected @param {Peer} peer */
  adopt(peer) {
    this.stream = new MediaStream([peer.microphone, peer.camera].filter((track) => track !== null));
    this.#mind();
    this.showSelf();
    this.tell();
    this.options.changed();
  }

  /** Hear of it when one of our devices ends. */
  #mind() {
    for (const track of this.stream?.getTracks() ?? []) track.addEventListener("ended", this.onEnded);
  }

  /** What gives nothing is opened anew by itself, once; after that somebody must look. @param {import("./watchdog.js").Found} found */
  #found({ cameraStuck, microphoneDead }) {
    if (cameraStuck) void this.#heal("camera");
    else if (this.cameraProblem === "silent") this.cameraProblem = null;
    if (microphoneDead) void this.#heal("microphone");
    else if (this.microphoneProblem === "silent") this.microphoneProblem = null;
    this.options.changed();
  }

  /** @param {"camera" | "microphone"} what */
  async #heal(what) {
    const peer = this.peer;
    const now = performance.now();
    if (!peer || this[PROBLEM[what]] === "silent") return;
    if (now - this.healedAt[what] < HEAL_AGAIN_MS) this[PROBLEM[what]] = "silent";
    else {
      this.healedAt[what] = now;
      await this.#reopen(peer, what);
    }
    this.options.changed();
  }

  /** How many pictures were really decoded: where tests, and people who help, can read it. */
  #countFrames() {
    const video = this.video;
    // Firefox counts only what an element on screen paints, so the decoder's own count stands in.
    const painted = video.srcObject ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
    const frozen = String(this.frozen); // a still face must not look like a living one
    if (document.documentElement.dataset["frozen"] !== frozen) document.documentElement.dataset["frozen"] = frozen;
    if (this.selfView.dataset["step"] !== this.step) this.selfView.dataset["step"] = this.step;
    this.#placeStills(); // an old one goes
    const frames = String(Math.max(painted, this.peer?.frames ?? 0));
    if (video.dataset["frames"] !== frames) video.dataset["frames"] = frames;
  }
}

/** @param {readonly MediaStreamTrack[]} [tracks] */
function lives(tracks = []) {
  return tracks.some(({ readyState }) => readyState === "live");
}

/** Whether anything should come of the other side. @param {{ muted: boolean, camera: boolean, step: import("./wire.js").PictureStep }} peer */
function sends({ muted, camera, step }) {
  return !muted || (camera && PICTURES[step] !== undefined);
}

/** Whether the other side's sound and picture have no way. @param {{ step: string, blocked: boolean }} peer */
function strands(peer) {
  return peer.step === "phone" || peer.blocked;
}
