/** What was improbable in the part that is shown. */

import { post } from "../../api.js";
import { toSeconds } from "../../format.js";
import { toIso } from "./history.js";

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
 * @property {any} request what was asked
 * @property {string} problem why there is none; empty: there is
 */

/** @param {string} model @param {string} id @param {[number, number]} span @param {AbortSignal} signal @returns {Promise<Scan>} */
export async function scan(model, id, [from, to], signal) {
  const body = { model, series: [id], start: toIso(from), end: toIso(to), level: LEVEL };
  const answer = await post("anomalies", body, signal);
  const [one] = answer.series;
  const request = { method: "POST", path: "anomalies", body };
  if (one.status !== "ok") return { x: [], y: [], expected: [], lower: [], upper: [], score: [], anomaly: [], request, problem: one.error.detail };
  return { ...one, x: one.ds.map(toSeconds), request, problem: "" };
}
