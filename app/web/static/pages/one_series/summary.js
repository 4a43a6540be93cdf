/** What a forecast says, in sentences, and what it rests on. */

import { html, nothing } from "../../vendor/lit.js";
import { formatNumber, formatTime } from "../../format.js";
import { adjust, link } from "../../router.js";
import { describeDifference, describeInterval, getIntervals, nameStep, sum, toSentence } from "./words.js";

/** @type {Record<string, string>} */
const WARNINGS = {
  short_history: "Its history is shorter than what the model reads, so the forecast is less sure than its interval says.",
  outlier_at_origin: "One of the newest values lies far beyond all before it: the forecast is made as if it were missing. If it is real, it counts once it has lasted longer than three steps.",
  unknown_category: "A covariate has a text that the model has never seen: it counts as unknown.",
  covariate_kind_conflict: "A covariate is text here and numbers in the model, or the other way round: it is left out.",
  forecast_not_finite: "The model's own values were no numbers.",
  missing_future_covariates: "Covariates of the coming steps are missing.",
  no_champion: "No version of the model is live yet.",
};
/** @type {Record<string, string>} */
const FLOORS = { season_naive: "the values of a season before", naive: "the last value", drift: "the straight line of the past", auto: "what the built-in network makes of the past" };

/** @param {any} model @param {any} series @param {any} result */
export function renderForecast(model, series, result) {
  const { forecast, version } = result;
  const source = html`<a href=${link("models/one", { name: model.name })}>${model.name}</a>${version === null ? "" : `, version ${version}`}`;
  if (forecast.status === "error") return html`<div class="problem" role="alert"><strong>No forecast by ${source}</strong><p>${toSentence(forecast.error.detail)}</p></div>`;
  return html`<p class="lead">${describeOutlook(series, forecast)} <span class="sub">By ${source}.</span></p>`;
}

/** Say what a forecast rests on beside the model. @param {any} result @param {any} series @param {string[]} names known-future covariates */
export function renderCautions(result, series, names) {
  const { forecast } = result;
  if (forecast.status === "error") return nothing;
  const texts = forecast.warnings.filter((/** @type {string} */ code) => code !== "covariates_filled").map((/** @type {string} */ code) => WARNINGS[code] ?? toSentence(code.replaceAll("_", " ")));
  if (forecast.fallback) texts.unshift(`The model did not answer for this series: the forecast is ${FLOORS[forecast.fallback_by] ?? forecast.fallback_by}, carried on.`);
  if (forecast.stale) texts.unshift("Newer values have come since: this forecast is from before them.");
  return html`${texts.map((/** @type {string} */ text) => html`<p class="warning">${text}</p>`)}${renderUnknown(result, series, names)}`;
}

/** @param {any} series @param {any} forecast */
function describeOutlook({ timezone, freq, unit }, forecast) {
  const [widest] = getIntervals(forecast.quantiles, 0);
  const first = `${formatTime(forecast.ds[0], timezone, freq)}: ${formatNumber(forecast.yhat[0], unit)} expected${widest ? `; ${describeInterval(widest, freq, unit)}` : ""}.`;
  const count = forecast.ds.length;
  if (count === 1) return first;
  const total = formatNumber(sum(forecast.yhat), unit);
  return `${first} Over the next ${count} ${nameStep(freq, count)}: ${total} in all, ${formatNumber(sum(forecast.yhat) / count, unit)} on average.`;
}

/** Say that covariates of the horizon are assumed. @param {any} result @param {any} series @param {string[]} names */
function renderUnknown({ fill, forecast }, { freq }, names) {
  if (!forecast.warnings.includes("covariates_filled")) return nothing;
  const isLast = fill === "last";
  const what = names.length ? `values of ${names.join(", ")}` : "covariates";
  return html`<div class="warning">
    <p>Not all ${what} are stored for the coming ${nameStep(freq, 2)}: ${isLast ? "the last known values" : "those of a season before"} are assumed where they are missing. Upload them, or say below what you expect.</p>
    <button type="button" @click=${() => adjust({ fill: isLast ? "season" : "last" })}>Assume ${isLast ? "those of a season before" : "the last values"} instead</button>
  </div>`;
}

/** @param {any} series @param {any} before @param {any} after */
export function renderChanged({ unit, freq }, before, after) {
  if (after.status === "error") return html`<p class="problem" role="alert">${toSentence(after.error.detail)}</p>`;
  const count = after.ds.length;
  const total = sum(after.yhat);
  return html`<p><strong>With these values ${formatNumber(total, unit)} over the next ${count} ${nameStep(freq, count)}: ${describeDifference(sum(before.yhat), total, unit)}.</strong></p>`;
}
