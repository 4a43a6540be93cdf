/** Forecasts: asking for them, and their lines and bands. */

import { get, getAll, inPath } from "../../api.js";
import { toSeconds } from "../../format.js";
import { findFirst } from "../../parts/chart/traces.js";
import { getIntervals, writeShare } from "./words.js";

/**
 * @typedef {object} Forecast
 * @property {string} origin
 * @property {string[]} ds
 * @property {number[]} yhat
 * @property {Record<string, number[]>} quantiles by level
 *
 * @typedef {{freq: string, name: string, horizon: number, champion: number|null}} Model
 */

/** @type {WeakMap<Forecast, number[]>} */
const times = new WeakMap();

/** Return the times of a forecast in seconds, read once. @param {Forecast} forecast */
export function getTimes(forecast) {
  const known = times.get(forecast) ?? forecast.ds.map(toSeconds);
  times.set(forecast, known);
  return known;
}

const WIDEST = 0.16;
const NARROWEST = 0.32;
const MOST_ARCHIVED = 500;

/** Return the request of a forecast. @param {Model} model @param {string} id @param {string} [fill] what stands for unknown covariates */
export function writeRequest(model, id, fill) {
  const query = { model: model.name, series: id, covariate_fill: fill, on_missing: model.champion === null ? "floor" : undefined };
  return { method: "GET", path: "forecast", query };
}

/**
 * Ask for a forecast; where covariates of the horizon are unknown and nobody said what to do, those of a season before are assumed.
 * @param {Model} model @param {string} id @param {string|undefined} fill @param {AbortSignal} signal
 */
export async function loadForecast(model, id, fill, signal) {
  const request = writeRequest(model, id, fill);
  const answer = await get(request.path, request.query, signal);
  const [forecast] = answer.forecasts;
  if (forecast.status === "ok" || forecast.error.code !== "missing_future_covariates" || fill) {
    return { request, version: answer.version, forecast, fill };
  }
  return loadForecast(model, id, "season", signal);
}

/** Return the band of each pair of quantiles, the widest first. @param {Forecast} forecast @param {import("../../parts/chart/traces.js").Color} color @param {number} [most] @param {string} [name] */
export function makeFan(forecast, color, most = Infinity, name = "") {
  const { ds, quantiles } = forecast;
  const x = getTimes(forecast);
  const pairs = getIntervals(quantiles, 0).slice(0, most);
  return pairs.map(({ share }, index) => ({
    name: name || `${writeShare(share)} inside`,
    x,
    low: ds.map((_, step) => getIntervals(quantiles, step)[index].low),
    high: ds.map((_, step) => getIntervals(quantiles, step)[index].high),
    color,
    strength: pairs.length < 2 ? WIDEST : WIDEST + ((NARROWEST - WIDEST) * index) / (pairs.length - 1),
  }));
}

/**
 * Cut forecasts so that each reaches to where the next begins, the earliest first.
 * @template {Forecast} T @param {T[]|null} forecasts @param {string} [before] only those of an earlier origin @returns {T[]}
 */
export function tile(forecasts, before) {
  const end = before ? toSeconds(before) : Infinity;
  const earlier = (forecasts ?? []).filter(({ origin }) => toSeconds(origin) < end);
  const byOrigin = new Map(earlier.reverse().map((forecast) => [toSeconds(forecast.origin), forecast]));
  const ordered = [...byOrigin].sort(([one], [other]) => one - other).map(([, forecast]) => forecast);
  return ordered.map((forecast, index) => {
    const next = index + 1 < ordered.length ? getTimes(ordered[index + 1])[0] : Infinity;
    const count = findFirst(getTimes(forecast), next);
    const quantiles = Object.fromEntries(Object.entries(forecast.quantiles).map(([level, values]) => [level, values.slice(0, count)]));
    return { ...forecast, ds: forecast.ds.slice(0, count), yhat: forecast.yhat.slice(0, count), quantiles };
  });
}

/** Put forecasts one after the other, with a break between two. @param {Forecast[]} forecasts tiled */
export function joinForecasts(forecasts) {
  /** @type {{x: number[], y: (number|null)[], low: (number|null)[], high: (number|null)[]}} */
  const columns = { x: [], y: [], low: [], high: [] };
  for (const forecast of forecasts.filter(({ ds }) => ds.length)) {
    const x = getTimes(forecast);
    if (columns.x.length) push(columns, (columns.x[columns.x.length - 1] + x[0]) / 2, null, null, null);
    x.forEach((time, index) => {
      const [widest] = getIntervals(forecast.quantiles, index);
      push(columns, time, forecast.yhat[index], widest?.low ?? null, widest?.high ?? null);
    });
  }
  return columns;
}

/** @param {any} columns @param {number} x @param {number|null} y @param {number|null} low @param {number|null} high */
function push(columns, x, y, low, high) {
  columns.x.push(x);
  columns.y.push(y);
  columns.low.push(low);
  columns.high.push(high);
}

/** Return the archived forecasts of a series, the newest first. @param {string} model @param {string} id @param {AbortSignal} signal @returns {Promise<Forecast[]>} */
export async function loadArchive(model, id, signal) {
  const { items } = await get(`models/${model}/archive`, { series: id, every: true, limit: MOST_ARCHIVED }, signal);
  return items;
}

/** @param {string} backtest its id @param {string} id @param {AbortSignal} signal @returns {Promise<Forecast[]>} */
export const loadBacktest = (backtest, id, signal) => getAll(`backtests/${backtest}/forecasts`, { series: id }, signal);

/** Return finished backtests of a model. @param {string} model @param {AbortSignal} signal @returns {Promise<{id: string, finished_at: string}[]>} */
export async function loadBacktests(model, signal) {
  const { items } = await get("jobs", { kind: "backtest", status: "succeeded", model, limit: 20 }, signal);
  return items;
}

/** Return the models that may forecast a series, those trained on it first. @param {{id: string, freq: string}} series @param {AbortSignal} signal */
export async function loadModels({ id, freq }, signal) {
  const [trained, same] = await Promise.all([
    getAll("models", { series: id }, signal, 200),
    getAll("models", { freq }, signal, 200),
  ]);
  const names = new Set(trained.map(({ name }) => name));
  return { trained, others: same.filter(({ name }) => !names.has(name)) };
}

/** @param {string} model @param {number} version @param {AbortSignal} signal */
export const loadVersion = (model, version, signal) => get(`models/${inPath(model)}/versions/${version}`, {}, signal);
