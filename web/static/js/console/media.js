/**
 * The clinician's camera, microphone and leg, kept in step with the session that they lead: up from the accept until the end.
 * Of several open pages of one clinician in a browser only one holds the call; another can take it over by a press.
 */

import { find } from "../lib/dom.js";
import { Peer } from "../lib/peer.js";
import * as devices from "../lib/devices.js";

/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/** @typedef {import("../lib/wire.js").Quality} Quality */
/**
 * @typedef {object} MediaOptions
 * @property {import("../lib/socket.js").Line} line
 * @property {() => ConsoleSession | null} session  the live one
 * @property {RTCIceServer[]} iceServers
 * @property {() => void} changed  something that is shown has changed
 */

const CAPTURE_PATIENCE_MS = 1500; // a permission question may stay open: then the leg starts without tracks

export class ConsoleMedia {
  /** @param {MediaOptions} options */
  constructor(options) {
    this.options = options;
    this.audio = find("#remote-audio", HTMLAudioElement);
    this.video = find("#remote-video", HTMLVideoElement);
    this.selfView = find("#self-view", HTMLVideoElement);
    /** @type {Peer | null} */
    this.peer = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {Promise<void> | null} */
    this.capturing = null;
    /** @type {devices.Why | null} */
    this.microphoneProblem = null;
    /** @type {devices.Why | null} */
    this.cameraProblem = null;
    this.muted = false;
    this.cameraOn = true;
    this.soundBlocked = false;
    this.elsewhere = false; // another page of ours holds this call
    /** @type {Quality} */
    this.quality = "good";
    /** @type {string | null} */
    this.sessionId = null;
    /** @type {(() => void) | null} */
    this.letGo = null;
    setInterval(() => this.#countFrames(), 500);
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void this.#wake(); });
    navigator.mediaDevices?.addEventListener("devicechange", () => { void this.#wake(); });
  }

  /** How our own leg is. */
  get link() {
    return this.peer?.word ?? "closed";
  }

  get hasCamera() {
    return (this.stream?.getVideoTracks().length ?? 0) > 0;
  }

  get hasMicrophone() {
    return (this.stream?.getAudioTracks().length ?? 0) > 0;
  }

  /** Open the devices; may be called within the press on Accept. @param {{ camera: boolean }} how */
  capture({ camera }) {
    if (this.capturing) return;
    this.cameraOn = camera;
    const capturing = devices.open({ camera }).then(async (opened) => {
      if (this.capturing !== capturing) return devices.release(opened.stream); // it ended meanwhile
      this.stream = opened.stream;
      this.microphoneProblem = opened.microphone;
      this.cameraProblem = opened.camera;
      for (const track of opened.stream?.getTracks() ?? []) track.addEventListener("ended", () => { void this.#wake(); });
      this.#showSelf();
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
    this.capture({ camera });
    await this.capturing;
  }

  /** Follow the snapshot. Safe to call as often as one likes. @param {ConsoleSession | null} session  the live one */
  follow(session) {
    if (session === null) {
      if (this.sessionId !== null) this.stop();
      return;
    }
    if (this.sessionId !== session.id) {
      if (this.sessionId !== null) this.stop();
      this.sessionId = session.id;
      void this.#hold(session.id, false);
    }
    if (this.peer) this.peer.expectMedia = session.state === "connected" && session.peer.connected;
  }

  /** Take the call over from our other page. */
  takeHere() {
    if (this.sessionId !== null && this.elsewhere) void this.#hold(this.sessionId, true);
  }

  /**
   * One page a call: two would replace each other's leg for ever.
   * @param {string} id @param {boolean} steal
   */
  async #hold(id, steal) {
    if (!navigator.locks) return this.#begin(id); // an insecure page: no camera either
    const name = `crisisbridge-call-${id}`;
    const held = (/** @type {Lock | null} */ lock) => {
      if (this.sessionId !== id) return undefined;
      this.elsewhere = lock === null;
      this.options.changed();
      if (lock === null) return undefined;
      void this.#begin(id);
      return /** @type {Promise<void>} */ (new Promise((resolve) => { this.letGo = resolve; }));
    };
    try {
      await navigator.locks.request(name, steal ? { steal: true } : { ifAvailable: true }, held);
      if (this.elsewhere && this.sessionId === id) await navigator.locks.request(name, held); // when that page closes, go on here
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
      if (this.sessionId !== id) return; // taken over by another page of ours
      this.#leave();
      this.elsewhere = true;
      this.options.changed();
    }
  }

  /** @param {string} id */
  async #begin(id) {
    const session = this.options.session();
    this.capture({ camera: session?.voice_only !== true });
    await Promise.race([this.capturing, new Promise((resolve) => setTimeout(resolve, CAPTURE_PATIENCE_MS))]);
    if (this.sessionId !== id || this.peer) return;
    const peer = new Peer({
      line: this.options.line,
      session: () => this.sessionId,
      epoch: () => this.options.session()?.epoch ?? 0,
      iceServers: this.options.iceServers,
      onRemote: (stream) => this.#showRemote(stream),
      onState: () => this.options.changed(),
      onQuality: (word) => {
        this.quality = word;
        this.tell();
        this.options.changed();
      },
    });
    this.peer = peer;
    peer.muted = this.muted;
    await peer.start(this.stream, { voiceOnly: !this.cameraOn });
    this.tell();
  }

  #leave() {
    this.peer?.close();
    this.peer = null;
    this.capturing = null;
    devices.release(this.stream);
    this.stream = null;
    this.selfView.srcObject = null;
    this.video.srcObject = null;
    this.audio.srcObject = null;
    delete this.video.dataset["frames"];
  }

  /** Let go of everything; no camera is on outside a call. */
  stop() {
    this.sessionId = null;
    this.elsewhere = false;
    this.letGo?.();
    this.letGo = null;
    this.#leave();
    this.muted = false;
    this.cameraOn = true;
    this.soundBlocked = false;
    this.microphoneProblem = null;
    this.cameraProblem = null;
    this.quality = "good";
    this.options.changed();
  }

  /** The accept was refused: what was opened for it goes out again. */
  release() {
    if (this.sessionId === null) this.stop();
  }

  /** The bridge lost our leg, or the server came back: describe ourselves anew. */
  rebuild() {
    this.peer?.restart();
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
      try {
        const track = await devices.openCamera("user");
        this.cameraProblem = null;
        this.stream ??= new MediaStream();
        this.stream.addTrack(track);
        if (this.peer) this.peer.cameraOn = true;
        await this.peer?.replaceStream(this.stream);
      } catch (error) {
        this.cameraOn = false;
        this.cameraProblem = devices.why(error);
      }
    } else await this.peer?.setCamera(on);
    this.#showSelf();
    this.tell();
    this.options.changed();
  }

  /** Say to the server, and so to the other side, what we send and how well we receive. */
  tell() {
    if (this.sessionId === null || this.peer === null) return;
    const fields = {
      session: this.sessionId,
      muted: this.muted || !this.hasMicrophone,
      camera: this.cameraOn && this.hasCamera,
      quality: this.quality,
    };
    this.options.line.send("media.state", fields).catch(() => { /* said again in 5 s */ });
  }

  /** A press, after the browser refused to play. */
  async playSound() {
    if (!this.audio.srcObject) return;
    try {
      await this.audio.play();
      this.soundBlocked = false;
    } catch {
      this.soundBlocked = true;
    }
    this.options.changed();
  }

  #showSelf() {
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

  /** The laptop slept, or a device was unplugged: open again what died. */
  async #wake() {
    const peer = this.peer;
    if (!peer) return;
    try {
      if (await peer.heal()) {
        const tracks = [peer.microphone, peer.camera].filter((track) => track !== null);
        this.stream = new MediaStream(tracks);
        this.#showSelf();
        this.options.changed();
      }
    } catch (error) {
      this.cameraProblem = devices.why(error);
      this.options.changed();
    }
    if (this.video.srcObject && this.video.paused) void this.video.play().catch(() => { /* on the next wake */ });
    if (this.audio.srcObject && this.audio.paused) await this.playSound();
  }

  /** How many pictures were really decoded: where tests, and people who help, can read it. */
  #countFrames() {
    const video = this.video;
    const painted = video.srcObject ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
    const frames = String(Math.max(painted, this.peer?.frames ?? 0));
    if (video.dataset["frames"] !== frames) video.dataset["frames"] = frames;
  }
}
