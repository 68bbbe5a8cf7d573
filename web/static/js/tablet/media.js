/**
 * The tablet's camera, microphone and leg, kept in step with the session: up as soon as there is a session, so that
 * the picture is there when somebody accepts; gone when it ends.
 */

import { find } from "../lib/dom.js";
import { Peer } from "../lib/peer.js";
import * as devices from "../lib/devices.js";

/** @typedef {import("../lib/wire.js").TabletSession} TabletSession */
/** @typedef {import("../lib/wire.js").Quality} Quality */

const CAPTURE_PATIENCE_MS = 1500; // a permission question may stay open: then the leg starts without tracks

/**
 * @typedef {object} MediaOptions
 * @property {import("../lib/socket.js").Line} line
 * @property {() => TabletSession | null} session  the open one
 * @property {RTCIceServer[]} iceServers
 * @property {() => void} changed  something that is shown has changed
 */

export class TabletMedia {
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
    this.captured = false; // the devices have answered, one way or the other
    /** @type {devices.Why | null} */
    this.microphoneProblem = null;
    /** @type {devices.Why | null} */
    this.cameraProblem = null;
    this.muted = false;
    this.cameraOn = true;
    this.facing = /** @type {devices.Facing} */ ("user");
    this.soundBlocked = false;
    /** @type {Quality} */
    this.quality = "good";
    /** @type {string | null} */
    this.sessionId = null;
    this.#countFrames();
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void this.#wake(); });
  }

  /** @returns {import("../lib/peer.js").PeerWord} how our own leg is */
  get link() {
    return this.peer?.word ?? "closed";
  }

  /** Whether a camera track is there at all. */
  get hasCamera() {
    return (this.stream?.getVideoTracks().length ?? 0) > 0;
  }

  /** Whether a microphone track is there at all. */
  get hasMicrophone() {
    return (this.stream?.getAudioTracks().length ?? 0) > 0;
  }

  /** Make later sound possible: browsers allow an element to play which was started within a press. */
  unlock() {
    void this.audio.play().catch(() => { /* nothing to play yet; the press still counts */ });
  }

  /**
   * Open the devices; may be called within the press, before there is a session.
   * @param {{ voiceOnly: boolean }} how
   */
  capture({ voiceOnly }) {
    if (this.capturing) return;
    this.cameraOn = !voiceOnly;
    const capturing = devices.open({ camera: !voiceOnly, facing: this.facing }).then(async (opened) => {
      if (this.capturing !== capturing) return devices.release(opened.stream); // it ended meanwhile
      this.stream = opened.stream;
      this.captured = true;
      this.microphoneProblem = opened.microphone;
      this.cameraProblem = opened.camera;
      for (const track of opened.stream?.getTracks() ?? []) {
        track.addEventListener("ended", () => { void this.#wake(); });
      }
      this.#showSelf();
      await this.peer?.replaceStream(this.stream);
      this.tell();
      this.options.changed();
    });
    this.capturing = capturing;
  }

  /** Ask for the devices again, after a permission was given or another program let go of them. */
  async again() {
    const voiceOnly = !this.cameraOn;
    devices.release(this.stream);
    this.stream = null;
    this.capturing = null;
    this.capture({ voiceOnly });
    await this.capturing;
  }

  /**
   * Follow the snapshot. Safe to call as often as one likes.
   * @param {TabletSession | null} session  the open one, or null
   */
  follow(session) {
    if (session === null) {
      if (this.sessionId !== null) this.stop();
      return;
    }
    if (this.sessionId !== session.id) {
      if (this.sessionId !== null) this.stop();
      this.sessionId = session.id;
      void this.#begin(session);
    }
    if (this.peer?.word === "refused") this.peer.restart(); // refused by an older state of things
    if (this.peer) this.peer.expectMedia = session.state === "connected" && session.peer?.connected === true;
  }

  /** @param {TabletSession} session */
  async #begin(session) {
    this.capture({ voiceOnly: session.voice_only });
    await Promise.race([this.capturing, new Promise((resolve) => setTimeout(resolve, CAPTURE_PATIENCE_MS))]);
    if (this.sessionId !== session.id || this.peer) return;
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
    peer.facing = this.facing;
    await peer.start(this.stream, { voiceOnly: !this.cameraOn });
    this.tell();
  }

  /** Let go of everything; the screens that follow need no camera. */
  stop() {
    this.sessionId = null;
    this.peer?.close();
    this.peer = null;
    this.capturing = null;
    this.captured = false;
    devices.release(this.stream);
    this.stream = null;
    this.muted = false;
    this.cameraOn = true;
    this.facing = "user";
    this.soundBlocked = false;
    this.microphoneProblem = null;
    this.cameraProblem = null;
    this.quality = "good";
    this.selfView.srcObject = null;
    this.video.srcObject = null;
    this.audio.srcObject = null;
    delete this.video.dataset["frames"];
    this.options.changed();
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
      await this.#openCamera();
    } else {
      await this.peer?.setCamera(on);
    }
    this.#showSelf();
    this.tell();
    this.options.changed();
  }

  async #openCamera() {
    try {
      const track = await devices.openCamera(this.facing);
      this.cameraProblem = null;
      this.stream ??= new MediaStream();
      this.stream.addTrack(track);
      if (this.peer) this.peer.cameraOn = true;
      await this.peer?.replaceStream(this.stream);
    } catch (error) {
      this.cameraOn = false;
      this.cameraProblem = devices.why(error);
    }
  }

  /** The other camera. */
  async flip() {
    const peer = this.peer;
    if (!peer || !this.stream) return;
    try {
      await peer.flip();
      this.cameraProblem = null;
    } catch (error) {
      this.cameraProblem = devices.why(error);
    }
    this.facing = peer.facing;
    this.#adopt(peer.camera);
  }

  /**
   * Put a track which the peer opened into our own stream.
   * @param {MediaStreamTrack | null} track
   */
  #adopt(track) {
    if (!this.stream || !track) return;
    for (const old of this.stream.getTracks()) {
      if (old.kind === track.kind && old !== track) this.stream.removeTrack(old);
    }
    if (!this.stream.getTracks().includes(track)) this.stream.addTrack(track);
    this.#showSelf();
    this.options.changed();
  }

  /** Say to the server, and so to the other side, what we send and how well we receive. */
  tell() {
    if (this.sessionId === null) return;
    const fields = {
      session: this.sessionId,
      // Nothing is said to be off while the devices are still being opened.
      muted: this.muted || (this.captured && !this.hasMicrophone),
      camera: this.cameraOn && (this.hasCamera || !this.captured),
      quality: this.quality,
    };
    this.options.line.send("media.state", fields).catch(() => { /* said again in 5 s */ });
  }

  /** A tap, after the browser refused to play. */
  async playSound() {
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
    this.selfView.dataset["facing"] = this.facing;
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

  /** The page was away: iPads stop cameras and pause elements at a lock, often without an event. */
  async #wake() {
    if (!this.peer) return;
    try {
      if (await this.peer.heal()) {
        this.#adopt(this.peer.microphone);
        this.#adopt(this.peer.camera);
      }
    } catch (error) {
      this.cameraProblem = devices.why(error);
      this.options.changed();
    }
    if (this.video.srcObject && this.video.paused) void this.video.play().catch(() => { /* shown again on the next wake */ });
    if (this.audio.srcObject && this.audio.paused) await this.playSound();
  }

  /** How many pictures were really decoded: where tests, and people who help, can read it. */
  #countFrames() {
    const video = this.video;
    setInterval(() => {
      // Firefox counts only what an element on screen paints, so the decoder's own count stands in.
      const painted = video.srcObject ? video.getVideoPlaybackQuality().totalVideoFrames : 0;
      const frames = Math.max(painted, this.peer?.frames ?? 0);
      if (video.dataset["frames"] !== String(frames)) video.dataset["frames"] = String(frames);
    }, 500);
  }
}
