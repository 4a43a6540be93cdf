/** Backtests in words. */

import { formatCount, formatPercent } from "./format.js";
import { compare, formatError } from "./judging.js";

/** @typedef {Record<string, any>} Backtest as GET /backtests/{id} answers it */

/** Say what came of a backtest. @param {Backtest} backtest that has succeeded */
export function describeBacktest({ overall, windows, series, refit }) {
  const verdict = compare(overall.model, overall.season_naive, "season-naive");
  const held = overall.model.coverage_80 === undefined ? "" : `; the 80 % interval held ${formatPercent(overall.model.coverage_80)}`;
  const trained = refit ? "trained anew before each" : "trained once, before the first";
  const quality = `${formatError(overall.model)}${verdict ? `: ${verdict.text}` : ""}`;
  const amount = `${formatCount(windows, "window")} of ${formatCount(series, "series", "series")}`;
  return `${quality} over ${amount}${held}. The network was ${trained}.`;
}

/** Name the measure that a backtest's forecasters are compared by. @param {Backtest} backtest */
export const chooseMeasure = ({ overall }) => (overall.model.mase === undefined ? "mae" : "mase");

/** Return the best other forecaster by a measure. @param {Record<string, import("./judging.js").Measures>} overall @param {string} measure @returns {string|null} */
export function findBestBaseline(overall, measure) {
  const others = Object.keys(overall).filter((name) => name !== "model" && overall[name]?.[measure] !== undefined);
  return others.length ? others.reduce((best, name) => (overall[name][measure] < overall[best][measure] ? name : best)) : null;
}
