/** Calls of the public API. The page knows nothing of the service but what these answer. */

const KEY = "gatecast-key";

/** What the service refused, as its problem document says it. */
export class Problem extends Error {
  /** @param {{status: number, code: string, title: string, detail: string, errors?: {field: string, detail: string}[]|null}} document */
  constructor(document) {
    super(document.detail);
    this.status = document.status;
    this.code = document.code;
    this.title = document.title;
    this.detail = document.detail;
    this.errors = document.errors ?? [];
  }
}

/** @returns {string} the key that a person has given, kept for the session of this tab alone */
export const getKey = () => sessionStorage.getItem(KEY) ?? "";

/** @param {string} key empty: forget it */
export function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/**
 * Return the address of a call, relative to the page, so that a proxy may put both below a path.
 * A list stands for a parameter that is repeated. @param {string} path @param {Record<string, unknown>} [query]
 */
export function address(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") search.append(name, String(one));
    }
  }
  const text = search.toString();
  return new URL(path.replace(/^\//, "") + (text ? `?${text}` : ""), document.baseURI).href;
}

/** Write an id as a part of a path. Its slashes are escaped, so that no `/../` in it leads elsewhere. @param {string} id */
export const inPath = (id) => encodeURIComponent(id);

/**
 * @typedef {object} CallOptions
 * @property {Record<string, unknown>} [query]
 * @property {unknown} [body] an object is sent as JSON, a Blob as it is
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/** Send a request and return the response. Throws Problem. @param {string} method @param {string} path @param {CallOptions} [options] */
export async function send(method, path, { query, body, headers = {}, signal } = {}) {
  const key = getKey();
  const isJson = body !== undefined && !(body instanceof Blob);
  const response = await fetch(address(path, query), {
    method,
    signal,
    body: isJson ? JSON.stringify(body) : /** @type {Blob|undefined} */ (body),
    headers: {
      ...(isJson ? { "Content-Type": "application/json" } : {}),
      ...(key ? { Authorization: `Bearer ${key}` } : {}),
      ...headers,
    },
  }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw makeUnreachable();
  });
  if (!response.ok) throw await readProblem(response);
  return response;
}

/** @returns {Problem} */
export const makeUnreachable = () =>
  new Problem({ status: 0, code: "unreachable", title: "No answer", detail: "The service does not answer. Check that it runs, then try again." });

/** @param {Response} response */
const readProblem = async (response) => makeProblem(response.status, response.statusText, await response.text());

/** Return what a response of an error says, and ask for a key where one is wanted. @param {number} status @param {string} title @param {string} text of its body */
export function makeProblem(status, title, text) {
  let document = { status, code: "unknown", title, detail: text.slice(0, 300) || `The service answered ${status}.` };
  try {
    document = { ...document, ...JSON.parse(text) };
  } catch {
    // a proxy's page rather than a problem document: its text says what there is to say
  }
  if (document.status === 401) dispatchEvent(new CustomEvent("gatecast-key-wanted", { detail: document.detail }));
  return new Problem(document);
}

/** Send a request and return the document that it answers, null where there is none. @param {string} method @param {string} path @param {CallOptions} [options] */
export async function call(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

/** @param {string} path @param {Record<string, unknown>} [query] @param {AbortSignal} [signal] */
export const get = (path, query, signal) => call("GET", path, { query, signal });

/** @param {string} path @param {unknown} body @param {AbortSignal} [signal] */
export const post = (path, body, signal) => call("POST", path, { body, signal });

/** Return all items of a list, page by page, up to `most`. @param {string} path @param {Record<string, unknown>} [query] @param {AbortSignal} [signal] @param {number} [most] */
export async function getAll(path, query = {}, signal = undefined, most = 2000) {
  const items = [];
  let cursor;
  do {
    const page = await get(path, { ...query, cursor }, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}

/**
 * Yield server-sent events, read by streaming so that a key can be sent. Ends as the stream does.
 * @param {string} path @param {AbortSignal} signal @param {string} [lastId]
 * @returns {AsyncGenerator<{id: string, event: string, data: any}>}
 */
export async function* events(path, signal, lastId = "") {
  /** @type {Record<string, string>} */
  const headers = lastId ? { "Last-Event-ID": lastId } : {};
  const response = await send("GET", path, { headers, signal });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + decoder.decode(value, { stream: true })).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      if (fields.data) yield { id: fields.id, event: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
