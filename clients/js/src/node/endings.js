// After which end a client connects again.

/** Returns whether another connection would be closed in the same way. */
export const isFinalCode = code => [1002, 1003, 1007, 1008, 1009, 1010].includes(code) || code >= 3000;

/** Returns whether another handshake would be refused in the same way. */
export const isFinalStatus = status => status < 500 && ![408, 425, 429].includes(status);

/**
 * Returns whether a client ends. `ending` has a `kind` as in vectors/endings.json, and its `number`; `known` says what is
 * certain about the peer: `given`, `found`, `proven`, `stable`, and whether there are `others` to try.
 */
export function isFinal({ kind, number }, known) {
  const isServer = known.given || known.found;
  switch (kind) {
    case "closed": return Boolean(isServer || known.proven || known.stable) && isFinalCode(number);
    case "refused": {
      const isOurs = [401, 403, 404, 426].includes(number) ? isServer : known.given;
      return Boolean(isOurs) && isFinalStatus(number);
    }
    case "certificate not trusted": return Boolean(isServer);
    case "lost": return false;
    default: return Boolean(known.given) && !known.others;
  }
}
