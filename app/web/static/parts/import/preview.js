/** The first lines of a file that is text, and the names in its header. */

const BYTES = 65536;
const LINES = 8;
const LONGEST = 400;
const MARKS = [",", ";", "\t", "|"];

/** @typedef {{lines: string[], columns: string[]}} Preview */

/** Read the first lines of a table; null where they are no text. @param {File} file @returns {Promise<Preview|null>} */
export async function readPreview(file) {
  const name = file.name.toLowerCase();
  const start = name.endsWith(".gz") ? await unpack(file) : new Uint8Array(await file.slice(0, BYTES).arrayBuffer());
  if (!start.length || start.includes(0)) return null;
  const lines = new TextDecoder().decode(start).replace(/^\ufeff/, "").split(/\r?\n/);
  if (start.length >= BYTES) lines.pop();
  const shown = lines.slice(0, LINES).map((line) => line.slice(0, LONGEST));
  return { lines: shown, columns: shown[0]?.startsWith("{") ? readKeys(shown[0]) : readHeader(lines[0] ?? "") };
}

/** @param {File} file @returns {Promise<Uint8Array>} the first bytes of what is in it */
async function unpack(file) {
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    return (await reader.read()).value?.slice(0, BYTES) ?? new Uint8Array();
  } catch {
    return new Uint8Array();
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {string} line @returns {string[]} */
function readKeys(line) {
  try {
    return Object.keys(JSON.parse(line));
  } catch {
    return [];
  }
}

/** @param {string} line @returns {string[]} */
function readHeader(line) {
  const [mark] = [...MARKS].sort((a, b) => line.split(b).length - line.split(a).length);
  return line.split(mark).map((name) => name.trim().replace(/^"(.*)"$/, "$1")).filter(Boolean);
}
