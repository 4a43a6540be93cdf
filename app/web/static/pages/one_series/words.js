/** Intervals and differences in words. */

import { formatNumber } from "../../format.js";

/** How a step of a frequency is called, by its alias. */
const NOUNS = [
  [/^B?(QS|QE|Q)(-\w+)?$/, "quarter"],
  [/^B?(YS|YE|AS|Y|A)(-\w+)?$/, "year"],
  [/^B?(MS|ME|M)$/, "month"],
  [/^W(-\w+)?$/, "week"],
  [/^(B|D)$/, "day"],
  [/^(h|H)$/, "hour"],
  [/^(min|T)$/, "minute"],
  [/^(s|S)$/, "second"],
];
/** Out of how many an interval is told, the fewest that say it exactly. */
const WHOLES = [10, 20, 100, 1000];
const EXACT = 1e-6;

/** Return what one step of a frequency is called. @param {string} freq such as "h" or "15min" @param {number} [count] */
export function nameStep(freq, count = 1) {
  const [, length, alias] = /** @type {RegExpMatchArray} */ (freq.match(/^(\d*)(.*)$/));
  const noun = NOUNS.find(([pattern]) => /** @type {RegExp} */ (pattern).test(alias))?.[1] ?? "step";
  const plural = count === 1 ? "" : "s";
  if (!length || length === "1") return `${noun}${plural}`;
  return count === 1 ? `${length} ${noun}s` : `stretches of ${length} ${noun}s`;
}

/** Write a share as so many of so many. @param {number} share between 0 and 1 */
export function writeShare(share) {
  const whole = WHOLES.find((one) => Math.abs(share * one - Math.round(share * one)) < EXACT) ?? 1000;
  return `${Math.round(share * whole)} of ${whole}`;
}

/**
 * @typedef {object} Interval
 * @property {number} share of the values that it should hold
 * @property {number} low
 * @property {number} high
 */

/** Return the intervals of a step, the widest first. @param {Record<string, number[]>} quantiles by level @param {number} index @returns {Interval[]} */
export function getIntervals(quantiles, index) {
  const levels = Object.keys(quantiles).map(Number).sort((one, other) => one - other);
  const intervals = [];
  for (let low = 0, high = levels.length - 1; low < high; low++, high--) {
    const share = levels[high] - levels[low];
    intervals.push({ share, low: quantiles[String(levels[low])][index], high: quantiles[String(levels[high])][index] });
  }
  return intervals;
}

/** Say what an interval means: "8 of 10 such days lie between 310 and 420". @param {Interval} interval @param {string} freq @param {string|null} unit @param {string} [verb] */
export function describeInterval({ share, low, high }, freq, unit, verb = "lie") {
  return `${writeShare(share)} such ${nameStep(freq, 2)} ${verb} between ${formatNumber(low)} and ${formatNumber(high, unit)}`;
}

/** Say where a value lies. @param {number} value @param {Interval} interval */
export function describeOutcome(value, { low, high }) {
  if (value > high) return "it came out above";
  return value < low ? "it came out below" : "it came out inside";
}

/** Say how two totals differ. @param {number} before @param {number} after @param {string|null} unit */
export function describeDifference(before, after, unit) {
  const difference = after - before;
  if (Math.abs(difference) < EXACT * Math.max(1, Math.abs(before))) return "the same as without";
  const share = before ? ` (${difference > 0 ? "+" : "−"}${Math.abs((100 * difference) / before).toFixed(1)} %)` : "";
  return `${formatNumber(Math.abs(difference), unit)} ${difference > 0 ? "more" : "less"}${share} than without`;
}

/** Begin with a capital and end with a full stop. @param {string} text */
export const toSentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

/** @param {(number|null)[]} values */
export const sum = (values) => values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
