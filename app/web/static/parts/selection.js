/** Series and labels in an address: one stands as it is, several as JSON. */

/** @typedef {import("./series_picker.js").Selection} Selection */

/** @param {string[]} ids */
export const writeIds = (ids) => (ids.length === 1 && !ids[0].startsWith("[") ? ids[0] : ids.length ? JSON.stringify(ids) : "");

/** @param {string|undefined} text @returns {string[]} */
export function readIds(text) {
  if (!text) return [];
  const ids = text.startsWith("[") ? readJson(text) : null;
  return Array.isArray(ids) && ids.every((id) => typeof id === "string") ? ids : [text];
}

/** @param {Record<string, string>} labels */
export function writeLabels(labels) {
  const pairs = Object.entries(labels);
  const isPlain = pairs.length === 1 && !pairs[0][0].includes(":") && !pairs[0][0].startsWith("{");
  if (isPlain) return pairs[0].join(":");
  return pairs.length ? JSON.stringify(labels) : "";
}

/** @param {string|undefined} text @returns {Record<string, string>} */
export function readLabels(text) {
  if (!text) return {};
  const labels = text.startsWith("{") ? readJson(text) : null;
  if (labels && Object.values(labels).every((value) => typeof value === "string")) return labels;
  const colon = text.indexOf(":");
  return colon > 0 ? { [text.slice(0, colon)]: text.slice(colon + 1) } : {};
}

/** @param {string} text */
function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The labels as parameters of `GET /series`. @param {Record<string, string>} labels */
export const toParameters = (labels) => Object.entries(labels).map(([key, value]) => `${key}:${value}`);

/** @param {Record<string, string>} query of an address @returns {Selection|null} */
export function readSelection({ series, labels, all }) {
  if (all) return "all";
  if (series) return { ids: readIds(series) };
  return labels ? { labels: readLabels(labels) } : null;
}

/** @param {Selection|null} value @returns {{series: string, labels: string, all: string}} as parts of an address */
export function writeSelection(value) {
  if (value === "all") return { series: "", labels: "", all: "1" };
  if (value && "ids" in value) return { series: writeIds(value.ids), labels: "", all: "" };
  return { series: "", labels: value ? writeLabels(value.labels) || "{}" : "", all: "" };
}
