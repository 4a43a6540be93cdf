/** The settings of a model's serving version, so that it can be trained again as it was. */

import { get } from "../../api.js";

/**
 * @typedef {object} Settings
 * @property {string} model
 * @property {number} [version] none where no version serves
 * @property {number} horizon
 * @property {string[]} series
 * @property {Record<string, any>} options as in the body of a training
 */

/** @param {string} model @param {AbortSignal} signal @returns {Promise<Settings>} */
export async function loadSettings(model, signal) {
  const { champion, versions, horizon } = await get(`models/${encodeURIComponent(model)}`, {}, signal);
  const version = champion ?? versions.at(-1);
  if (!version) return { model, horizon, series: [], options: {} };
  const { config, data_span: span } = await get(`models/${encodeURIComponent(model)}/versions/${version}`, {}, signal);
  return { model, version, horizon, series: span.series, options: readConfig(config) };
}

/** @param {any} config of a version @returns {Record<string, any>} */
function readConfig({ quantiles, network, training, covariates, country, bounds, cleaning }) {
  const [min, max] = bounds ?? [null, null];
  const { known_future, past, static: statics } = covariates ?? {};
  return prune({ quantiles, network, training, covariates: { known_future, past, static: statics }, country, bounds: { min, max }, cleaning });
}

/** Leave out what is null or empty. @param {Record<string, any>} values @returns {Record<string, any>} */
function prune(values) {
  const pairs = Object.entries(values).map(([name, value]) => [name, isObject(value) ? prune(value) : value]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== null && value !== undefined && !isEmpty(value)));
}

/** @param {unknown} value */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {any} value */
const isEmpty = (value) => typeof value === "object" && Object.keys(value).length === 0;
