/** Saving what the API answers as a file: by fetch, so that a key can be sent. */

import { send } from "./api.js";

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
