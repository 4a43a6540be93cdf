/**
 * The one chart of a series: its layers, its bands, and the words for each time.
 *
 * @typedef {object} Parts
 * @property {{freq: string, timezone: string, unit: string|null, last_ds: string|null}} series
 * @property {import("./history.js").History} history
 * @property {import("./forecasts.js").Forecast|null} forecast
 * @property {import("./forecasts.js").Forecast|null} changed the forecast of what if
 * @property {import("./forecasts.js").Forecast[]} earlier tiled
 * @property {import("./anomalies.js").Scan|null} scan
 */

import { formatNumber, formatTime, toSeconds } from "../../format.js";
import { findFirst, getAt } from "../../parts/chart/traces.js";
import { getTimes, joinForecasts, makeFan } from "./forecasts.js";
import { describeInterval, describeOutcome, getIntervals } from "./words.js";

const FAINT = 0.16;
const RANGE = 0.5;

/** @param {Parts} parts */
export function makeFigure(parts) {
  return { layers: makeLayers(parts), bands: makeBands(parts), now: findNow(parts) };
}

/** @param {Parts} parts */
function findNow({ series, forecast }) {
  const origin = forecast?.origin ?? series.last_ds;
  return origin ? toSeconds(origin) : null;
}

/** @param {Parts} parts @returns {import("../../parts/chart/traces.js").Layer[]} */
function makeLayers({ history, forecast, changed, earlier, scan }) {
  /** @type {import("../../parts/chart/traces.js").Layer[]} */
  const layers = [{ name: "Observed", x: history.x, y: history.y, color: "actual", width: 1.25 }];
  if (forecast) layers.push({ name: "Forecast", x: getTimes(forecast), y: forecast.yhat, color: "forecast", width: 2.25 });
  if (changed) layers.push({ name: "What if", x: getTimes(changed), y: changed.yhat, color: "extra-1", width: 2.25 });
  if (earlier.length) {
    const { x, y } = joinForecasts(earlier);
    layers.push({ name: "Earlier forecasts", x, y, kind: "dashed", color: "earlier", width: 2 });
  }
  if (scan?.x.length) layers.push({ name: "Anomalies", ...pickAnomalies(scan), kind: "points", color: "anomaly" });
  return layers;
}

/** Return the points of a chart. @param {import("./anomalies.js").Scan} scan */
function pickAnomalies({ x, y, anomaly }) {
  const indices = anomaly.flatMap((is, index) => (is ? [index] : []));
  return { x: indices.map((index) => x[index]), y: indices.map((index) => y[index]) };
}

/** @param {Parts} parts @returns {import("../../parts/chart/traces.js").Band[]} */
function makeBands({ history, forecast, changed, earlier, scan }) {
  /** @type {import("../../parts/chart/traces.js").Band[]} */
  const bands = [];
  if (history.low.some((value) => value !== null)) {
    const { x, low, high } = history;
    bands.push({ name: "Lowest to highest", x, low, high, color: "actual", strength: RANGE });
  }
  if (scan?.x.length) bands.push({ name: "Ordinary values", x: scan.x, low: scan.lower, high: scan.upper, color: "extra-2", strength: FAINT });
  if (earlier.length) {
    const { x, low, high } = joinForecasts(earlier);
    bands.push({ name: "Their interval", x, low, high, color: "earlier", strength: FAINT });
  }
  if (forecast) bands.push(...makeFan(forecast, "forecast"));
  if (changed) bands.push(...makeFan(changed, "extra-1", 1, "What if, interval").map((band) => ({ ...band, hidden: true })));
  return bands;
}

/** Say what is at a time. @param {Parts} parts @param {number} x */
export function describeAt(parts, x) {
  const { series, forecast, changed, earlier } = parts;
  const time = formatTime(x, series.timezone, series.freq);
  const texts = [
    describeForecast(forecast, x, series, "Forecast"),
    describeForecast(changed, x, series, "What if"),
    describeObserved(parts, x),
    ...earlier.map((one) => describeEarlier(one, x, parts)),
    describeScore(parts, x),
  ];
  return `${time}: ${texts.filter(Boolean).join(" ")}`;
}

/** @param {import("./forecasts.js").Forecast|null} forecast @param {number} x @param {Parts["series"]} series @param {string} name */
function describeForecast(forecast, x, { freq, unit }, name) {
  const index = findStep(forecast, x);
  if (!forecast || index < 0) return "";
  const [widest] = getIntervals(forecast.quantiles, index);
  return `${name} ${formatNumber(forecast.yhat[index], unit)}.${widest ? ` ${describeInterval(widest, freq, unit)}.` : ""}`;
}

/** @param {import("./forecasts.js").Forecast|null} forecast @param {number} x */
function findStep(forecast, x) {
  return forecast ? getTimes(forecast).indexOf(x) : -1;
}

/** @param {Parts} parts @param {number} x */
function describeObserved({ history, series: { unit } }, x) {
  const index = findFirst(history.x, x);
  if (index === history.x.length) return "";
  const { [index]: low } = history.low;
  if (low !== null) return `observed between ${formatNumber(low)} and ${formatNumber(history.high[index], unit)} around here; zoom in to see each value.`;
  if (history.x[index] !== x) return "";
  return history.y[index] === null ? "no value." : `observed ${formatNumber(history.y[index], unit)}.`;
}

/** @param {import("./forecasts.js").Forecast} forecast @param {number} x @param {Parts} parts */
function describeEarlier(forecast, x, { history, series: { freq, unit, timezone } }) {
  const index = findStep(forecast, x);
  if (index < 0) return "";
  const actual = getAt(history.x, history.y, x);
  const [widest] = getIntervals(forecast.quantiles, index);
  const interval = widest ? `; ${describeInterval(widest, freq, unit, "were to lie")}` : "";
  const outcome = widest && typeof actual === "number" ? `, and ${describeOutcome(actual, widest)}` : "";
  return `From ${formatTime(forecast.origin, timezone, freq)}, ${formatNumber(forecast.yhat[index], unit)} was forecast${interval}${outcome}.`;
}

/** @param {Parts} parts @param {number} x */
function describeScore({ scan, series: { unit } }, x) {
  if (!scan) return "";
  const index = findFirst(scan.x, x);
  if (scan.x[index] !== x || scan.lower[index] === null) return "";
  const bounds = `${formatNumber(scan.lower[index])} to ${formatNumber(scan.upper[index], unit)}`;
  return scan.anomaly[index] ? `An anomaly: ${bounds} was ordinary.` : `Ordinary: ${bounds}.`;
}
