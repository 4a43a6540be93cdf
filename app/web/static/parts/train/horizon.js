/** How far ahead: what suits a frequency, in words. */

/** @typedef {{steps: number, words: string}} Suggestion */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** @type {Record<string, number>} seconds */
const UNITS = { s: 1, S: 1, min: MINUTE, T: MINUTE, h: HOUR, H: HOUR, D: DAY };
/** @type {[number, string][]} */
const SPANS = [
  [HOUR, "an hour"],
  [DAY, "a day"],
  [7 * DAY, "a week"],
  [14 * DAY, "two weeks"],
  [28 * DAY, "four weeks"],
];
const NOUNS = { s: "seconds", S: "seconds", min: "minutes", T: "minutes", h: "hours", H: "hours", D: "days" };
/** @type {[RegExp, Suggestion[]][]} by the alias of a frequency without its number */
const CALENDAR = [
  [/^(B|C)$/, [{ steps: 5, words: "a week of working days" }, { steps: 20, words: "four weeks of working days" }]],
  [/^W/, [{ steps: 4, words: "four weeks" }, { steps: 13, words: "a quarter of weeks" }, { steps: 52, words: "a year of weeks" }]],
  [/^B?M/, [{ steps: 12, words: "a year of months" }, { steps: 3, words: "a quarter of months" }, { steps: 6, words: "half a year" }]],
  [/^B?Q/, [{ steps: 4, words: "a year of quarters" }, { steps: 8, words: "two years of quarters" }]],
  [/^B?(Y|A)/, [{ steps: 3, words: "three years" }, { steps: 5, words: "five years" }]],
];
const FEWEST = 4;
const MOST = 1500;

/** Suggest horizons, the best one first. @param {string|null|undefined} freq a pandas alias @returns {Suggestion[]} */
export function suggestHorizons(freq) {
  const [, number, alias] = /^(\d*)([A-Za-z]+)/.exec(freq ?? "") ?? [];
  if (!alias) return [];
  const unit = UNITS[alias];
  if (!unit) return number ? [] : (CALENDAR.find(([pattern]) => pattern.test(alias))?.[1] ?? []);
  const step = Number(number || 1) * unit;
  const noun = number ? `steps of ${number} ${NOUNS[/** @type {"h"} */ (alias)]}` : NOUNS[/** @type {"h"} */ (alias)];
  const usual = findUsual(step);
  return SPANS.filter(([span]) => span % step === 0 && span / step >= FEWEST && span / step <= MOST)
    .sort(([one], [other]) => Number(other === usual) - Number(one === usual))
    .map(([span, words]) => ({ steps: span / step, words: `${words} of ${noun}` }));
}

/** @param {number} step in seconds @returns {number} the seconds that most people want to see ahead */
function findUsual(step) {
  if (step >= DAY) return 7 * DAY;
  return step >= 15 * MINUTE ? DAY : HOUR;
}

/** Say what a horizon is, such as “a day of hours”; empty where it is no round span. @param {string|null|undefined} freq @param {number|null} steps */
export const describeHorizon = (freq, steps) => suggestHorizons(freq).find((one) => one.steps === steps)?.words ?? "";
