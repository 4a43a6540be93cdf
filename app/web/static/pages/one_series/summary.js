/** What a forecast says, in sentences, and what it rests on. */

import { html, nothing } from "../../vendor/lit.js";
import { formatNumber, formatTime } from "../../format.js";
import { adjust, link } from "../../router.js";
import { describeDifference, describeInterval, getIntervals, nameStep, sum, toSentence } from "./words.js";

/** @type {Record<string, string>} */
const WARNINGS = {
  short_history: "Its history is shorter than what the model reads, so the forecast is less sure than its interval says.",
  unknown_category: "A covariate has a text that the model has never seen: it counts as unknown.",
  covariate_kind_conflict: "A covariate is text here and numbers in the model, or the other way round: it is left out.",
  forecast_not_finite: "The model's own values were no numbers.",
  missing_future_covariates: "Covariates of the coming steps are missing.",
  no_champion: "No version of the model is live yet.",
};
/** @type {Record<string, string>} */
const FLOORS = { season_naive: "the values of a season before", naive: "the last value", drift: "the straight line of the past" };

/** @param {any} model @param {any} series @param {any} result */
export function renderForecast(model, series, result) {
  const { forecast } = result;
  if (forecast.status === "error") return html`<div class="problem" role="alert"><strong>No forecast of ${model.name}</strong><p>${toSentence(forecast.error.detail)}</p></div>`;
  return html`${renderUnknown(result)}
    <section class="card">
      <h2>Outlook</h2>
      <p>${describeOutlook(model, series, result)}</p>
      ${forecast.fallback ? html`<p class="warning">The model did not answer for this series: this is ${FLOORS[forecast.fallback_by] ?? forecast.fallback_by}, carried on.</p>` : nothing}
      ${forecast.stale ? html`<p class="warning">Newer values have come since; this forecast is from before them.</p>` : nothing}
      ${forecast.warnings.filter((/** @type {string} */ code) => code !== "covariates_filled").map((/** @type {string} */ code) => html`<p class="warning">${WARNINGS[code] ?? toSentence(code.replaceAll("_", " "))}</p>`)}
      <p class="sub">By <a href=${link("models/one", { name: model.name })}>${model.name}</a>${result.version === null ? "" : `, version ${result.version}`}.</p>
    </section>`;
}

/** @param {any} model @param {any} series @param {any} result */
function describeOutlook(model, { timezone, freq, unit }, { forecast }) {
  const [widest] = getIntervals(forecast.quantiles, 0);
  const first = `${formatTime(forecast.ds[0], timezone, freq)}: ${formatNumber(forecast.yhat[0], unit)} expected${widest ? `; ${describeInterval(widest, freq, unit)}` : ""}.`;
  const count = forecast.ds.length;
  if (count === 1) return first;
  const total = formatNumber(sum(forecast.yhat), unit);
  return `${first} Over the next ${count} ${nameStep(freq, count)}: ${total} in all, ${formatNumber(sum(forecast.yhat) / count, unit)} on average.`;
}

/** Say that covariates of the horizon are assumed. @param {any} result */
function renderUnknown({ unknown, fill, forecast }) {
  if (!unknown && !forecast.warnings.includes("covariates_filled")) return nothing;
  const isLast = fill === "last";
  return html`<div class="warning">
    <p>${unknown ? toSentence(unknown.split(";")[0]) : "Covariates of the coming steps are not stored."} ${isLast ? "The last known values" : "The values of a season before"} are assumed.</p>
    <p class="actions"><button type="button" @click=${() => adjust({ fill: isLast ? "season" : "last" })}>Assume ${isLast ? "those of a season before" : "the last values"}</button></p>
  </div>`;
}

/** @param {any} series @param {any} before @param {any} after */
export function renderChanged({ unit, freq }, before, after) {
  if (after.status === "error") return html`<p class="problem" role="alert">${toSentence(after.error.detail)}</p>`;
  const count = after.ds.length;
  const total = sum(after.yhat);
  return html`<p><strong>With these values ${formatNumber(total, unit)} over the next ${count} ${nameStep(freq, count)}: ${describeDifference(sum(before.yhat), total, unit)}.</strong></p>`;
}
