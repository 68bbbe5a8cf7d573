/**
 * What is written during a session: each questionnaire, the recommendation's draft and the wrap-up's, each saving itself. Kept in memory by
 * session, so that nothing typed is lost when the session goes away and comes back.
 */

import { cardOf, fields } from "./card.js";
import { sentence } from "./errors.js";
import { Saver } from "./saver.js";
import { personFields, personOf } from "./person.js";
import { consentFields, saidOf } from "./consent.js";
import { draftOf, fields as wrapupFields } from "./wrapup.js";

/** @typedef {import("../lib/wire.js").ConsoleSession} ConsoleSession */
/**
 * One questionnaire's answers. `version`: the one that they were given to, or that is shown before the first of them.
 * @typedef {{ saver: Saver, version: string, result: Readonly<Record<string, unknown>>, resultRev: number }} FormBook
 */
/** @typedef {{ forms: Map<string, FormBook>, card: Saver, wrapup: Saver, person: Saver, consent: Saver }} Book */
/**
 * @typedef {object} RecordsOptions
 * @property {import("../lib/socket.js").Line} line
 * @property {ReadonlyMap<string, string>} versions  of the questionnaires, by code
 * @property {readonly string[]} actions
 * @property {() => ConsoleSession | null} session  the one in the newest snapshot
 * @property {() => void} changed
 */

/** @param {unknown} value @returns {Record<string, unknown> | null} */
function object(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}

/** @param {unknown} draft @returns {import("../lib/wire.js").WrapupDraft} */
function drafted(draft) {
  return { disposition: null, followups: [], flags: [], opioid: null, no_followup: null, .../** @type {Partial<import("../lib/wire.js").WrapupDraft> | null} */ (draft) };
}

/** @param {Book} book */
function savers(book) {
  return [...Array.from(book.forms.values(), (form) => form.saver), book.card, book.wrapup, book.person, book.consent];
}

/** @param {Book} book */
function unsaved(book) {
  return savers(book).some((saver) => saver.unsaved);
}

export class Records {
  /** @param {RecordsOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {Map<string, Book>} */
    this.books = new Map();
    /** @type {Book | null} */
    this.book = null;
  }

  /** A questionnaire's answers in the session that is shown. @param {string} code */
  form(code) {
    return this.book?.forms.get(code) ?? null;
  }

  get card() {
    return this.book?.card ?? null;
  }

  get wrapup() {
    return this.book?.wrapup ?? null;
  }

  get person() {
    return this.book?.person ?? null;
  }

  get consent() {
    return this.book?.consent ?? null;
  }

  get unsaved() {
    return this.book !== null && unsaved(this.book);
  }

  /** Why the last save was refused, or "". @param {Saver | null | undefined} saver */
  why(saver) {
    return saver?.error ? sentence(saver.error) : "";
  }

  /** A snapshot came. @param {ConsoleSession | null} session */
  take(session) {
    if (session === null) {
      this.book = null;
      return;
    }
    const book = this.books.get(session.id) ?? this.#open(session.id);
    this.book = book;
    for (const [id, other] of this.books) {
      if (other !== book && !unsaved(other)) this.books.delete(id);
    }
    const begun = new Map(session.assessments.map((one) => [one.instrument, one]));
    for (const code of begun.keys()) if (!book.forms.has(code)) book.forms.set(code, this.#form(session.id, code));
    for (const [code, form] of book.forms) {
      const saved = begun.get(code);
      if (saved && saved.rev >= form.resultRev) Object.assign(form, { version: saved.version, result: saved.result, resultRev: saved.rev });
      form.saver.seen({ rev: saved?.rev ?? 0, values: saved?.answers ?? {}, at: saved?.updated_at ?? null });
    }
    // The snapshot does not say when the draft was saved; when it was sent is the nearest.
    book.card.seen({ rev: session.card.rev, values: fields(session.card.card), at: session.card.sent_at ?? this.options.line.serverNow() });
    book.wrapup.seen({ rev: session.wrapup.rev, values: wrapupFields(session.wrapup.draft), at: session.wrapup.updated_at });
    book.person.seen({ rev: session.person.rev, values: personFields(session.person), at: session.person.updated_at });
    book.consent.seen({ rev: session.consent.rev, values: consentFields(session.consent.said), at: session.consent.updated_at });
  }

  /** The line is back: what waits is tried at once. */
  again() {
    if (this.book) for (const saver of savers(this.book)) saver.soon(0);
  }

  /** @param {string} id @returns {Book} */
  #open(id) {
    /** @type {Book} */
    const book = {
      forms: new Map(Array.from(this.options.versions.keys(), (code) => [code, this.#form(id, code)])),
      card: new Saver({
        changed: this.options.changed,
        // The card is saved whole: not before it is one, and not while a choice between two versions is open.
        ready: (form) => form.clash === null && cardOf(book.card.values, this.options.actions) !== null,
        current: (data) => "card" in data ? fields(/** @type {import("../lib/wire.js").Card | null} */ (data["card"])) : null,
        save: async (rev, _changes, all) => {
          const data = await this.#send(id, "card.save", { rev, card: cardOf(all, this.options.actions), send: false });
          return { rev: Number(data["rev"]), at: this.options.line.serverNow() };
        },
      }),
      wrapup: new Saver({
        changed: this.options.changed,
        ready: (form) => form.clash === null, // saved whole, like the card
        current: (data) => "draft" in data ? wrapupFields(drafted(data["draft"])) : null,
        save: async (rev, _changes, all) => {
          const data = await this.#send(id, "wrapup.save", { rev, draft: draftOf(all) });
          return { rev: Number(data["rev"]), at: this.options.line.serverNow() };
        },
      }),
      person: new Saver({
        changed: this.options.changed,
        ready: (form) => form.clash === null, // saved whole, like the card
        current: (data) => "person" in data ? personFields(personOf(object(data["person"]) ?? {})) : null,
        save: async (rev, _changes, all) => {
          const data = await this.options.line.send("person.save", { session: id, rev, ...personOf(all) });
          return { rev: Number(data["rev"]), at: Number(data["updated_at"]) };
        },
      }),
      consent: new Saver({
        changed: this.options.changed,
        ready: (form) => form.clash === null,
        current: (data) => "said" in data ? consentFields(object(data["said"]) ?? {}) : null,
        save: async (rev, changes) => {
          const data = await this.options.line.send("consent.save", { session: id, rev, ...saidOf(changes) });
          return { rev: Number(data["rev"]), at: Number(data["updated_at"]) };
        },
      }),
    };
    this.books.set(id, book);
    return book;
  }

  /** @param {string} id @param {string} code @returns {FormBook} */
  #form(id, code) {
    /** @type {FormBook} */
    const form = {
      version: this.options.versions.get(code) ?? "", result: {}, resultRev: 0,
      saver: new Saver({
        changed: this.options.changed,
        current: (data) => object(data["answers"]),
        save: async (rev, changes) => {
          const data = await this.#send(id, "assessment.save", { instrument: code, version: form.version, rev, answers: changes });
          const now = { rev: Number(data["rev"]), at: Number(data["updated_at"]) };
          if (now.rev >= form.resultRev) Object.assign(form, { result: object(data["result"]) ?? {}, resultRev: now.rev });
          return now;
        },
      }),
    };
    return form;
  }

  /** @param {string} id @param {string} type @param {Readonly<Record<string, unknown>>} rest */
  #send(id, type, rest) {
    return this.options.line.send(type, { session: id, epoch: this.#epoch(id), ...rest });
  }

  /** @param {string} id */
  #epoch(id) {
    const session = this.options.session();
    return session?.id === id ? session.epoch : 0;
  }

  /** Show the recommendation on the tablet. @returns {Promise<"sent" | "missing" | "refused">} */
  async send() {
    const session = this.options.session();
    const card = this.card;
    if (!session || !card || cardOf(card.values, this.options.actions) === null) return "missing";
    const sent = await card.directly(async (rev, all) => {
      const fields = { session: session.id, epoch: this.#epoch(session.id), rev, card: cardOf(all, this.options.actions), send: true };
      const data = await this.options.line.send("card.save", fields);
      return { rev: Number(data["rev"]), at: this.options.line.serverNow() };
    });
    return sent ? "sent" : "refused";
  }

  /** @returns {Promise<boolean>} whether everything is on the server */
  async flush() {
    const done = await Promise.all((this.book ? savers(this.book) : []).map((saver) => saver.flush()));
    return done.every(Boolean);
  }
}
