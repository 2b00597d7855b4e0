// A question over TCP, for what a server says about itself.
import { dial } from "./dial.js";
import { get } from "./responses.js";

const CHECK_TIMEOUT = 2000;

/** Requests `/discovery.json`, and does not reject. A server that requires TLS answers this without. */
export async function check(address, ended) {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(CHECK_TIMEOUT)]);
  let socket;
  try {
    ({ socket } = await dial([address], signal, CHECK_TIMEOUT));
    // A zone is of use on this machine only.
    const { status, body } = await get(socket, "/discovery.json", address.replace(/%[^\]]*/, ""), signal);
    return status === 200 ? { body } : { unexpected: true };
  } catch (error) {
    return socket ? { unexpected: true } : { refused: error.isRefused === true };
  } finally {
    socket?.destroy();
  }
}
