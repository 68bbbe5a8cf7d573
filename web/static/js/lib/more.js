/**
 * The further parties of a call: each slot has an audio element of its own, and a small picture where the page has a place for it
 * (`#more-video-1` …). Which seat a slot carries is fixed: those of the call in order, without our own and the large picture's.
 */

import { MORE } from "./peer.js";

const SEATS = ["tablet", "clinician", "side1", "side2", "side3", "side4"];

/**
 * The slot in which a seat arrives; 0 is the large picture, -1 our own seat.
 * @param {string} own  our seat @param {string} seat
 */
export function slotOf(own, seat) {
  const first = own === "tablet" ? "clinician" : "tablet";
  return [first, ...SEATS.filter((one) => one !== own && one !== first)].indexOf(seat);
}

export class More {
  constructor() {
    /** @type {{ audio: HTMLAudioElement, video: HTMLVideoElement | null, stream: MediaStream }[]} */
    this.slots = Array.from({ length: MORE }, (_, index) => {
      const audio = document.createElement("audio");
      audio.id = `more-audio-${index + 1}`;
      audio.autoplay = true;
      document.body.append(audio);
      const video = document.querySelector(`#more-video-${index + 1}`);
      return { audio, video: video instanceof HTMLVideoElement ? video : null, stream: new MediaStream() };
    });
  }

  /** @param {number} slot @param {MediaStreamTrack} track */
  take(slot, track) {
    const at = this.slots[slot - 1];
    if (!at) return;
    for (const old of at.stream.getTracks()) if (old.kind === track.kind) at.stream.removeTrack(old);
    at.stream.addTrack(track);
    const element = track.kind === "audio" ? at.audio : at.video;
    if (!element) return;
    if (element.srcObject !== at.stream) element.srcObject = at.stream;
    void element.play().catch(() => { /* with the next press */ });
  }

  async play() {
    await Promise.all(this.slots.map(({ audio }) => (audio.srcObject ? audio.play() : undefined)));
  }

  clear() {
    for (const { audio, video, stream } of this.slots) {
      for (const track of stream.getTracks()) stream.removeTrack(track);
      audio.srcObject = null;
      if (video) video.srcObject = null;
    }
  }
}
