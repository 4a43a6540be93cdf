/** What was observed, as coarse as the whole needs and as fine as the view allows. */

import { get, inPath } from "../../api.js";
import { toSeconds } from "../../format.js";
import { findAfter, findFirst } from "../../parts/chart/traces.js";

/**
 * @typedef {object} History columns of one length
 * @property {number[]} x seconds since 1970
 * @property {(number|null)[]} y null where a value is missing, and where x ends a stretch of several
 * @property {(number|null)[]} low the least value of the stretch that ends at x; null: this is one value
 * @property {(number|null)[]} high
 * @property {boolean} thinned
 * @property {number} count rows of the span
 */

/** Detail reaches this many widths of the view beyond it, so that moving a little needs none. */
const MARGIN = 0.75;
/** A step so many times as long as the usual one is a gap. */
const GAP = 1.9;

/** So many values a pixel are drawn one by one; more become a value and a range for each two pixels. */
const DENSE = 1.25;
const SPARSE = 0.5;

/** Return into how many stretches to thin. @param {number} rows that there are @param {number} views how many widths of the window they fill */
export function choosePoints(rows, views) {
  const width = views * Math.min(innerWidth, 1500);
  return Math.round(width * (rows <= DENSE * width ? DENSE : SPARSE)) + 2;
}

/** @param {number} seconds */
export const toIso = (seconds) => new Date(1000 * seconds).toISOString();

/**
 * Load a span, thinned to `points`. @param {string} id @param {number} points @param {[number, number]|null} span null: all
 * @param {AbortSignal} signal @returns {Promise<History>}
 */
export async function loadHistory(id, points, span, signal) {
  const ends = span ? { start: toIso(span[0]), end: toIso(span[1]) } : {};
  const answer = await get(`series/${inPath(id)}/observations`, { points, ...ends }, signal);
  const x = answer.ds.map(toSeconds);
  if (answer.thinned) return { x, y: x.map(() => null), low: answer.low, high: answer.high, thinned: true, count: answer.count };
  return { ...breakAtGaps(x, answer.y), thinned: false, count: answer.count };
}

/** Put a missing value where steps are missing, so that no line leads over them. @param {number[]} xs @param {(number|null)[]} ys */
export function breakAtGaps(xs, ys) {
  const last = ys.findLastIndex((value) => value !== null);
  const steps = xs.slice(1).map((x, index) => x - xs[index]);
  const usual = [...steps].sort((one, other) => one - other)[steps.length >> 1];
  /** @type {number[]} */
  const x = [];
  /** @type {(number|null)[]} */
  const y = [];
  for (let index = 0; index <= last; index++) {
    if (index && steps[index - 1] > GAP * usual) {
      x.push(xs[index - 1] + usual);
      y.push(null);
    }
    x.push(xs[index]);
    y.push(ys[index]);
  }
  const none = x.map(() => null);
  return { x, y, low: none, high: none };
}

/** Return the span to load for a view. @param {[number, number]} view @returns {[number, number]} */
export function widen([from, to]) {
  const margin = MARGIN * (to - from);
  return [from - margin, to + margin];
}

/** Put detail in place of what the whole has there. @param {History} whole @param {History|null} detail @returns {History} */
export function refine(whole, detail) {
  if (!detail?.x.length) return whole;
  const before = findFirst(whole.x, detail.x[0]);
  const after = findAfter(whole.x, detail.x[detail.x.length - 1]);
  /** @template T @param {T[]} coarse @param {T[]} fine */
  const join = (coarse, fine) => [...coarse.slice(0, before), ...fine, ...coarse.slice(after)];
  return {
    x: join(whole.x, detail.x),
    y: join(whole.y, detail.y),
    low: join(whole.low, detail.low),
    high: join(whole.high, detail.high),
    thinned: true,
    count: whole.count,
  };
}
