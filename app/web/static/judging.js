/** Measures of forecasts in words. */

import { formatNumber, formatPercent } from "./format.js";

/** @typedef {Record<string, number>} Measures */

/** @type {Record<string, string>} */
export const FORECASTERS = {
  model: "Model",
  gate: "This version",
  selection: "This version",
  champion: "The champion then",
  season_naive: "Season-naive",
  naive: "Naive",
  drift: "Drift",
  season_mean: "Season mean",
  theta: "Theta",
  ets: "ETS",
};

/** Measures by name, with what their number means; less is better but for shares that an interval held. */
export const MEASURES = [
  { name: "mase", label: "MASE", hint: "mean error as a multiple of the season's naive error in training data" },
  { name: "mae", label: "MAE", hint: "mean absolute error, in the series' unit" },
  { name: "rmse", label: "RMSE", hint: "root of the mean squared error" },
  { name: "smape", label: "sMAPE %", hint: "symmetric percentage error" },
  { name: "wql", label: "WQL", hint: "weighted quantile loss: of the whole distribution" },
  { name: "coverage_80", label: "80 % held", hint: "share of values inside the 80 % interval" },
];

/** @param {string} name */
export const isShare = (name) => name.startsWith("coverage");

/** @param {string} name @param {number|null|undefined} value */
export function formatMeasure(name, value) {
  if (value === undefined || value === null) return "–";
  if (isShare(name)) return formatPercent(value);
  return Math.abs(value) >= 0.001 && Math.abs(value) < 100 ? value.toPrecision(3) : formatNumber(value);
}

/** @param {Record<string, Measures|null>} metrics of a version @returns {Measures|null} */
export const getGate = (metrics) => metrics.gate ?? metrics.selection ?? null;

/**
 * Say how an error stands to another's: MASE, or MAE where a series has none.
 * @param {Measures|null|undefined} own @param {Measures|null|undefined} other @param {string} name of the other, as in a sentence
 * @returns {{text: string, tone: ""|"better"|"worse"}|null}
 */
export function compare(own, other, name) {
  if (!own || !other) return null;
  const measure = own.mase !== undefined && other.mase !== undefined ? "mase" : "mae";
  if (!(own[measure] >= 0 && other[measure] >= 0)) return null;
  if (other[measure] === 0) return own[measure] === 0 ? { text: `level with ${name}`, tone: "" } : { text: `worse than ${name}, which makes no error`, tone: "worse" };
  const gain = 1 - own[measure] / other[measure];
  if (Math.abs(gain) < 0.005) return { text: `level with ${name}`, tone: "" };
  return gain > 0 ? { text: `${formatPercent(gain)} better than ${name}`, tone: "better" } : { text: `${formatPercent(-gain)} worse than ${name}`, tone: "worse" };
}

/** Write the error that is compared. @param {Measures} measures */
export const formatError = (measures) => (measures.mase === undefined ? `MAE ${formatMeasure("mae", measures.mae)}` : `MASE ${formatMeasure("mase", measures.mase)}`);

/** Write an option of a training. @param {unknown} value */
export function formatOption(value) {
  if (value === undefined || value === null) return "–";
  if (typeof value === "number") return formatNumber(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Write a version's number, with that of a revision. @param {number} version @param {number} revision */
export const nameVersion = (version, revision) => (revision ? `${version}.${revision}` : String(version));

/** Say why a version went live or did not. @param {Record<string, any>} version */
export const describePromotion = (version) => `${version.promoted ? "It went live" : "It did not go live"}: ${version.reason}.`;
