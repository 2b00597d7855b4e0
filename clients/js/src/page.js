// The package in a page.
import * as access from "./access.js";
import { Link, Page } from "./client.js";

/** Connects to a server, by default to that of this page, and reconnects until it is closed. */
export const connect = (target, options) => new Link(new Page(target, options, () => access), options);

const unable = () => Promise.reject(new Error("a page cannot search the network; connect to an address, or to the server of the page"));

export const discover = unable;
export const find = unable;
