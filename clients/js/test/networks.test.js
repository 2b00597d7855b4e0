// Search, list and link on networks with and without IPv4. HALLOO_EXPECTED_URL says how the URL of a server called `den` begins,
// which stops when it receives `stop`. The tests of the program make such networks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browse, connect, discover, find } from "halloo";
import { happens, within } from "../test-support/fixture.js";

const URL = process.env.HALLOO_EXPECTED_URL;

test("a server is found once, used and lost", { skip: URL === undefined }, async () => {
  const [server, ...others] = await discover({ timeout: 1000 });
  assert.deepEqual([server?.name, server?.url.slice(0, URL.length), others], ["den", URL, []]);
  const list = browse(), next = async type => {
    for (;;) {
      const { value } = await within(changes.next(), type);
      if (value.type === type) return value.server;
    }
  };
  const changes = list[Symbol.asyncIterator]();
  assert.equal((await next("found")).name, "den");
  assert.equal((await find(server.id)).id, server.id);
  const link = connect("den");
  await happens(link, "open");
  link.send("stop");
  // A goodbye from another link-local address of the server is not believed, so it is lost later.
  if (!URL.startsWith("ws://[fe80")) assert.equal((await next("lost")).url, server.url);
  link.close();
  list.close();
});
