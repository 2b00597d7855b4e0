/** Returns a server as the test vectors describe it: without its URL, and without the cluster that it does not belong to. */
export function inVectors({ url, cluster, ...server }) {
  return cluster === null ? server : { ...server, cluster };
}
