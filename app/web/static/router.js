/**
 * Addresses: everything after `#` says which view is shown and with what, so that each view is a link.
 *
 * @typedef {{path: string, query: Record<string, string>}} Address `#/series/one?id=a%2Fb` → path `series/one`, query {id: "a/b"}
 */

/** The first part of the address that is read where none is given. */
export const HOME = "series";

/** @param {string} hash @returns {Address} */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path || HOME, query: Object.fromEntries(new URLSearchParams(search)) };
}

/**
 * Return the address of a view, for `href`. What is null, undefined or empty is left out.
 * @param {string} path @param {Record<string, unknown>} [query] @returns {string}
 */
export function link(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length ? `#/${path}?${search}` : `#/${path}`;
}

/** @returns {Address} the address that is shown */
export function current() {
  return parse(location.hash);
}

/** Go to another view, as a click on its link does. @param {string} path @param {Record<string, unknown>} [query] */
export function go(path, query = {}) {
  location.hash = link(path, query);
}

/**
 * Change parts of the current address without a new entry of the history: what a person types or picks on a view.
 * The view is given its new `query` as after any change of the address. @param {Record<string, unknown>} changes
 */
export function adjust(changes) {
  const { path, query } = current();
  history.replaceState(null, "", link(path, { ...query, ...changes }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
