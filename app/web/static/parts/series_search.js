/** Finding series and labels as one types. */

import { get } from "../api.js";
import { formatCount } from "../format.js";

const SUGGESTED = 12;
const COUNTED = 1000;

/** @param {string} text @param {AbortSignal} signal @returns {Promise<import("./combobox.js").Suggestion[]>} */
export async function findSeries(text, signal) {
  const page = await get("series", { q: text, limit: SUGGESTED }, signal);
  return page.items.map((/** @type {any} */ one) => ({ value: one.id, text: one.id, hint: `${one.freq}, ${formatCount(one.count, "value")}` }));
}

/** Suggest labels; the value of each is its key and value as JSON. @param {string} text @param {AbortSignal} signal @returns {Promise<import("./combobox.js").Suggestion[]>} */
export async function findLabels(text, signal) {
  const page = await get("labels", { q: text, limit: SUGGESTED }, signal);
  return page.items.map((/** @type {any} */ one) => ({
    value: JSON.stringify([one.key, one.value]),
    text: `${one.key}: ${one.value}`,
    hint: formatCount(one.series, "series", "series"),
  }));
}

/** Say how many series have all of some labels; without any, how many there are. @param {Record<string, string>} labels @param {AbortSignal} signal */
export async function countSeries(labels, signal) {
  const label = Object.entries(labels).map(([key, value]) => `${key}:${value}`);
  const page = await get("series", { label, limit: COUNTED }, signal);
  if (page.next_cursor) return `More than ${formatCount(COUNTED, "series", "series")}`;
  return page.items.length ? formatCount(page.items.length, "series", "series") : "No series fits.";
}
