/** A text, or bytes. */
export type Message = string | ArrayBuffer;

/** A connection that lasts: it finds its server, and connects again after a failure. */
export interface Link extends Omit<EventTarget, "addEventListener" | "removeEventListener">, AsyncIterable<Message> {
  /** `searching` is only used outside of pages. */
  readonly state: "searching" | "connecting" | "connected" | "waiting" | "closed";
  /** The address of the WebSocket, without the token; outside of pages, that of the last connection. */
  readonly url: string | undefined;
  /** Milliseconds to the server and back, when it was last measured. */
  readonly rtt: number | undefined;
  /** How many messages wait for a connection, and how many the server has not confirmed. */
  readonly pending: { readonly queued: number; readonly unconfirmed: number };
  /** How many messages were dropped because `for await` was too slow. */
  readonly missed: number;
  /** Sends a text or bytes. With "full" and "closed", nothing happened. */
  send(data: string | ArrayBuffer | ArrayBufferView | Blob): "sent" | "queued" | "full" | "closed";
  /** Closes for good, by default with 1000. Messages that wait for a connection are discarded. */
  close(code?: number, reason?: string): void;
  /** Yields the messages until the link is closed for good, in one loop at a time. */
  [Symbol.asyncIterator](): AsyncGenerator<Message, void, void>;
  addEventListener<K extends keyof LinkEvents>(
    type: K,
    listener: (event: LinkEvents[K]) => void,
    options?: boolean | { once?: boolean; capture?: boolean; signal?: AbortSignal },
  ): void;
  removeEventListener<K extends keyof LinkEvents>(
    type: K, listener: (event: LinkEvents[K]) => void, options?: boolean | { capture?: boolean },
  ): void;
}

export interface LinkEvents {
  /** A connection is open: the first one, and each one after it. */
  open: Event;
  message: Event & { readonly data: Message };
  /** The connection ended; another one follows, unless `close()` was called or `gaveup` follows. */
  close: Event & { readonly code: number; readonly reason: string };
  /** The next attempt follows in `delay` milliseconds. Outside of pages, `reason` says why the last one failed. */
  retry: Event & { readonly delay: number; readonly reason?: string };
  /** Another attempt would fail in the same way. `code` is set if a connection was closed with it. */
  gaveup: Event & { readonly reason: string; readonly code?: number };
  /** Messages were confirmed, or queued again. */
  pending: Event;
  /** It cannot be known whether these messages arrived. */
  unconfirmed: Event & { readonly messages: readonly (string | ArrayBuffer | ArrayBufferView | Blob)[] };
}

export interface ConnectOptions {
  /**
   * The token. It is proven, and never sent without TLS. The default is that of the target; outside of pages, else
   * that in the environment, HALLOO_TOKEN.
   */
  token?: string;
  /** The room to join. */
  room?: string;
  /** Subprotocols to offer. */
  protocols?: readonly string[];
  /** The limits of each queue. The default is 1,024 messages and 1 MiB in a page, and 16,384 and 16 MiB elsewhere. */
  queue?: { messages?: number; bytes?: number };
  /** Closes the link. */
  signal?: AbortSignal;
  /** Not in pages: the only certificate to accept, by the fingerprint that the server shows. */
  fingerprint?: string;
  /** Not in pages: how many attempts in a row may fail. The default is no limit. */
  attempts?: number;
  /** Not in pages: the application id of the server to search for. */
  app?: string;
  /** Not in pages: searches on this machine only. */
  local?: boolean;
  /** Not in pages: the UDP port of discovery, by default 8766. */
  discoveryPort?: number;
  /** Not in pages: milliseconds of one search, by default 3,000. */
  searchTimeout?: number;
  /** Not in pages: the largest message to receive, by default 1 MiB. */
  maxMessageBytes?: number;
}

/** A server that was found. Everything but `sources` is what the server says about itself. */
export interface Server {
  /** Random for each start of the server; its address if it sends none. */
  readonly id: string;
  /** At most 64 characters, without characters that could deceive; empty if it has none. */
  readonly name: string;
  /** The address to connect to. */
  readonly url: string;
  /** All addresses to try, best first. */
  readonly addresses: readonly string[];
  /** The addresses that it was heard from. */
  readonly sources: readonly string[];
  /** The number of connected clients, if it is known. */
  readonly clients: number | null;
  /** Whether a token is required. */
  readonly auth: boolean;
  /** Whether TLS is required. */
  readonly tls: boolean;
  /** The application id, if there is one. */
  readonly app: string | null;
  /** The cluster that it belongs to, if it belongs to one. */
  readonly cluster: string | null;
  /** The properties. */
  readonly meta: Readonly<Record<string, string>>;
}

export interface BrowseOptions {
  /** Leaves out servers with another application id. */
  app?: string;
  /** Searches on this machine only. */
  local?: boolean;
  /** The UDP port of discovery, by default 8766. */
  port?: number;
  /** Ends the search. */
  signal?: AbortSignal;
}

export interface SearchOptions extends BrowseOptions {
  /** Milliseconds, by default 3,000. */
  timeout?: number;
}

export interface Change {
  readonly type: "found" | "updated" | "lost";
  readonly server: Server;
}

/** A live list of servers. */
export interface Browser extends AsyncIterable<Change> {
  /** The servers that are there now. */
  readonly servers: readonly Server[];
  /** Changes that the loop was too slow for. */
  readonly missed: number;
  /** Ends the search, and the loop. */
  close(): void;
}

/**
 * Connects to a server, and reconnects until it is closed. The target is an address or an invitation link; outside of pages,
 * also a name, an id, or a server that was found. Without one, it is the server of the page, or the only server on the network.
 */
export function connect(target?: string | URL | Server | null, options?: ConnectOptions): Link;

/** Resolves to the servers that are found in time. Not in pages. */
export function discover(options?: SearchOptions): Promise<Server[]>;

/** Resolves to the server with this name or id, or rejects with an error that says what to do. Not in pages. */
export function find(name: string, options?: SearchOptions): Promise<Server>;

/** Starts a live list of servers. Not in pages. */
export function browse(options?: BrowseOptions): Browser;
