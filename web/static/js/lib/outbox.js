/**
 * The numbered commands of one stream and what is still unanswered. Pure: no socket, no clock.
 * Rules (signaling/wire.py): ids are 1, 2, 3 … within a stream; a repeated id gets its stored answer.
 */

/** A command refused by the server, or one that cannot be answered any more (`closed`). */
export class WireError extends Error {
  /**
   * @param {string} code  stable, for programs
   * @param {string} message  for people
   * @param {Readonly<Record<string, unknown>>} [data]
   */
  constructor(code, message, data = {}) {
    super(message);
    this.name = "WireError";
    this.code = code;
    this.data = data;
  }
}

/**
 * @typedef {{ id: number, type: string, fields: Readonly<Record<string, unknown>>,
 *   resolve: (data: Record<string, unknown>) => void, reject: (error: WireError) => void }} Pending
 */

export class Outbox {
  constructor() {
    /** @type {number} */
    this.next = 1;
    /** @type {Map<number, Pending>} in order of their ids */
    this.pending = new Map();
  }

  /**
   * Number a command and keep it until it is answered.
   * @param {string} type
   * @param {Readonly<Record<string, unknown>>} fields
   * @param {(data: Record<string, unknown>) => void} resolve
   * @param {(error: WireError) => void} reject
   * @returns {string} the text to send
   */
  add(type, fields, resolve, reject) {
    const command = { id: this.next++, type, fields, resolve, reject };
    this.pending.set(command.id, command);
    return Outbox.text(command);
  }

  /**
   * An answer came.
   * @param {number} id
   * @returns {Pending | undefined} nothing when it was answered before
   */
  settle(id) {
    const found = this.pending.get(id);
    this.pending.delete(id);
    return found;
  }

  /**
   * What must be sent again after a reconnect, in order. While the server still knows the stream, under the same
   * ids: what it has done already is only answered again. When it has forgotten the stream (it expects a
   * number that cannot follow), the rest is numbered afresh; beats are left out, they mean nothing later.
   * @param {number} expect  the id that the server expects next
   * @returns {string[]}
   */
  again(expect) {
    const [oldest = this.next] = this.pending.keys();
    if (expect < oldest || expect > this.next) {
      const left = [...this.pending.values()];
      this.pending.clear();
      this.next = expect;
      for (const command of left) {
        if (command.type === "beat") {
          command.resolve({});
          continue;
        }
        command.id = this.next++;
        this.pending.set(command.id, command);
      }
    }
    return Array.from(this.pending.values(), Outbox.text);
  }

  /**
   * Give up on everything that is unanswered.
   * @param {WireError} error
   */
  abandon(error) {
    const left = [...this.pending.values()];
    this.pending.clear();
    for (const command of left) command.reject(error);
  }

  /** @param {Pending} command */
  static text(command) {
    return JSON.stringify({ ...command.fields, type: command.type, id: command.id });
  }
}

/**
 * How long to wait before try number `attempt` (0, 1, 2 …), in ms: doubling, never above 5 s (a patrol car
 * must come back fast), with jitter so that a hundred tablets do not come back at once.
 * @param {number} attempt
 * @param {number} chance  0 … 1
 */
export function backoff(attempt, chance) {
  const ceiling = Math.min(5000, 250 * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (ceiling / 2) * chance;
}
