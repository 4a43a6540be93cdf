/** Covariates of the coming steps: what is stored, what is assumed, and what a person makes of them. */

import { toSeconds } from "../../format.js";

/** @typedef {{value: number|string|null, isStored: boolean}} Value */

/** Of a share in per cent. */
const WHOLE = 100;
const DIGITS = 6;

/**
 * Return the values of the horizon by covariate: those that are stored, else the last known or those of a season before.
 * @param {{ds: string[], covariates?: Record<string, (number|string|null)[]>|null}} rows from a season before the origin on
 * @param {{origin: string, ds: string[]}} forecast @param {string[]} names @param {"last"|"season"} fill @param {number} season steps
 * @returns {Record<string, Value[]>}
 */
export function collectValues(rows, forecast, names, fill, season) {
  const times = new Map(rows.ds.map((ds, index) => [toSeconds(ds), index]));
  const origin = toSeconds(forecast.origin);
  const past = rows.ds.findLastIndex((ds) => toSeconds(ds) <= origin);
  return Object.fromEntries(names.map((name) => {
    const column = rows.covariates?.[name] ?? [];
    const known = column.findLastIndex((value) => value !== null);
    return [name, forecast.ds.map((ds, step) => {
      const stored = column[times.get(toSeconds(ds)) ?? -1] ?? null;
      const before = past - season + 1 + (step % season);
      const assumed = (fill === "season" ? column[before] : null) ?? column[known] ?? null;
      return { value: stored ?? assumed, isStored: stored !== null };
    })];
  }));
}

/** Return the values with the changes. @param {Value[]} values @param {Record<string, number|string>} [changes] by step */
export const merge = (values, changes = {}) => values.map(({ value }, step) => changes[step] ?? value);

/** Return changes that add a share to each number. @param {(number|string|null)[]} values @param {number} percent @returns {Record<string, number>} */
export function multiply(values, percent) {
  const factor = 1 + percent / WHOLE;
  return Object.fromEntries(values.flatMap((value, step) => (typeof value === "number" ? [[step, Number((value * factor).toPrecision(DIGITS))]] : [])));
}

/** Return changes that make all values one. @param {(number|string|null)[]} values @param {number} number @returns {Record<string, number>} */
export const setAll = (values, number) => Object.fromEntries(values.map((_, step) => [step, number]));
