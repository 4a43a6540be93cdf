/** Settings that the service names where it refuses a table: `ds_format=%d/%m/%Y` in a sentence becomes a button. */

import { OPTIONS } from "./options.js";

/** @typedef {{name: string, value: string}} Offer */

/** Values that do not end at a blank. @type {Record<string, RegExp>} */
const VALUES = {
  ds_format: /\bds_format=(epoch_\w+|%.*?)(?= or | where |[;,)]|$)/g,
  decimal: /\bdecimal=([.,])/g,
  delimiter: /\bdelimiter=([a-z]+|[^\w\s])/g,
};
const ELSEWHERE = new Set(["on_error"]);

/** Return what may be set, in the order in which it is named; an empty value is for the person to give. @param {import("../../api.js").Problem} problem @returns {Offer[]} */
export function readOffers(problem) {
  const texts = [problem.detail, ...problem.errors.slice(0, 20).map(({ detail }) => detail)];
  /** @type {Offer[]} */
  const offers = problem.errors.filter(({ field }) => field.startsWith("query.")).map(({ field }) => ({ name: field.slice(6), value: "" }));
  for (const text of texts) offers.push(...readText(text));
  return offers.filter((one, i) => offers.findIndex(({ name, value }) => name === one.name && value === one.value) === i);
}

/** @param {string} text @returns {Offer[]} */
function readText(text) {
  /** @type {(Offer & {at: number})[]} */
  const found = [];
  for (const { name } of OPTIONS) {
    if (ELSEWHERE.has(name)) continue;
    const pattern = VALUES[name] ?? new RegExp(`\\b${name}=([^\\s;)]*?),?(?=[\\s;)]|$)`, "g");
    for (const match of text.matchAll(pattern)) found.push({ name, value: match[1], at: match.index });
  }
  return found.filter(({ value }) => !value.includes("NAME")).sort((a, b) => a.at - b.at).map(({ name, value }) => ({ name, value }));
}
