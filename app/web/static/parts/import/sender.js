/** Sending a table with its progress, which `fetch` does not tell. */

import { address, getKey, makeProblem, makeUnreachable } from "../../api.js";

const TYPES = {
  csv: "text/csv",
  tsv: "text/tab-separated-values",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow",
  feather: "application/vnd.apache.arrow",
  gz: "application/gzip",
  zst: "application/zstd",
};

/** Return the media type that a file's name tells; one that says nothing where it tells none. @param {string} name */
export function guessType(name) {
  const ending = name.toLowerCase().split(".").pop() ?? "";
  return TYPES[/** @type {keyof typeof TYPES} */ (ending)] ?? "application/octet-stream";
}

/**
 * @typedef {object} Sending
 * @property {Record<string, unknown>} query
 * @property {string} [key] under which a repeated call is answered as the first one was
 * @property {AbortSignal} signal
 * @property {(part: number) => void} onProgress called with the share that is sent
 */

/** Send a table and return the report. Throws Problem. @param {File} file @param {Sending} sending @returns {Promise<any>} */
export function sendTable(file, { query, key, signal, onProgress }) {
  const request = new XMLHttpRequest();
  request.open("POST", address("series/import", query));
  request.setRequestHeader("Content-Type", guessType(file.name));
  if (getKey()) request.setRequestHeader("Authorization", `Bearer ${getKey()}`);
  if (key) request.setRequestHeader("Idempotency-Key", key);
  request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 1);
  return new Promise((resolve, reject) => {
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(makeProblem(request.status, request.statusText, request.responseText));
    };
    request.onerror = () => reject(makeUnreachable());
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** @returns {string} a key that nobody else uses; `randomUUID` is there on secure pages alone */
export const makeKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
