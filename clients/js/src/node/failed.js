/** A failed attempt to connect. `kind` and `number` are as in vectors/endings.json; the message is for the person. */
export class Failed extends Error {
  constructor(kind, message, { number, namedId, isRefused } = {}) {
    super(message);
    Object.assign(this, { kind, number, namedId, isRefused });
  }
}
