/** What was improbable in the part that is shown. */

import { post } from "../../api.js";
import { toSeconds } from "../../format.js";
import { toIso } from "./history.js";

/** Values that are scored while a person waits: about two seconds. */
export const MOST_VALUES = 3000;
const LEVEL = 0.99;

/**
 * @typedef {object} Scan
 * @property {number[]} x
 * @property {(number|null)[]} y
 * @property {(number|null)[]} expected
 * @property {(number|null)[]} lower
 * @property {(number|null)[]} upper
 * @property {(number|null)[]} score
 * @property {boolean[]} anomaly
 * @property {string} problem why there is none; empty: there is
 */

/** Return the request. @param {string} model @param {string} id @param {[number, number]} span */
export const writeScan = (model, id, [from, to]) => ({ model, series: [id], start: toIso(from), end: toIso(to), level: LEVEL });

/** @param {string} model @param {string} id @param {[number, number]} span @param {AbortSignal} signal @returns {Promise<Scan>} */
export async function scan(model, id, span, signal) {
  const answer = await post("anomalies", writeScan(model, id, span), signal);
  const [one] = answer.series;
  if (one.status !== "ok") return { x: [], y: [], expected: [], lower: [], upper: [], score: [], anomaly: [], problem: one.error.detail };
  return { ...one, x: one.ds.map(toSeconds), problem: "" };
}

/** Return the points of a chart. @param {Scan} scanned */
export function pickAnomalies({ x, y, anomaly }) {
  const indices = anomaly.flatMap((is, index) => (is ? [index] : []));
  return { x: indices.map((index) => x[index]), y: indices.map((index) => y[index]) };
}
