/** Saving what the API answers as a file: by fetch, so that a key can be sent. */

import { send } from "./api.js";

/** of a page, as the API gives them at most */
const MOST_ITEMS = 1000;

/** @param {Blob} blob @param {string} name */
function saveBlob(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}

/** Download the answer of a call; the server's name of the file goes before `name`. Throws Problem. @param {string} path @param {string} name */
export async function download(path, name) {
  const response = await send("GET", path);
  const given = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "");
  saveBlob(await response.blob(), given ? given[1] : name);
}

/** Return the cursor of the page after this one; null at the end. @param {Response} response of a list that is a table */
function readNext(response) {
  const [, next] = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "") ?? [];
  return next ? new URL(next, document.baseURI).searchParams.get("cursor") : null;
}

/** Download all pages of a list as one file of JSON lines. Throws Problem. @param {string} path @param {Record<string, unknown>} query @param {string} name */
export async function downloadLines(path, query, name) {
  const pages = [];
  let cursor = null;
  do {
    const response = await send("GET", path, { query: { ...query, format: "ndjson", limit: MOST_ITEMS, cursor } });
    pages.push(await response.blob());
    cursor = readNext(response);
  } while (cursor);
  saveBlob(new Blob(pages, { type: "application/x-ndjson" }), name);
}
