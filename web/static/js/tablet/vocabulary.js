/** Codes which the tablet offers; their words are in the page's texts, their source is records/vocabulary.py. */

export const DISPOSITIONS = /** @type {const} */ ([
  "remain_in_place", "voluntary_transport", "crisis_stabilisation", "medical_ed", "involuntary_hold", "arrest_custody", "other",
]);

export const REASONS = /** @type {const} */ ([
  "person_declined", "scene_changed", "medical_need", "legal_requirement", "no_transport_or_bed", "officer_judgement",
]);

/** Quick phrases of the private text: keys of the page's texts. */
export const PHRASES = /** @type {const} */ ([
  "tablet.phrase.weapon", "tablet.phrase.calm", "tablet.phrase.handing", "tablet.phrase.alone", "tablet.phrase.cannot_hear", "tablet.phrase.medical",
]);

export const MAX_TILES = 3;
