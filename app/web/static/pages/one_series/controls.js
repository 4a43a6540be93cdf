/** What is chosen above the chart of a series: model, earlier forecasts, anomalies, a span. All of it stands in the address. */

import { html, nothing } from "../../vendor/lit.js";
import { formatTime, toSeconds } from "../../format.js";
import { adjust } from "../../router.js";
import { toIso } from "./history.js";

const DAY = 86400;
const SPANS = [
  { name: "Day", seconds: DAY },
  { name: "Week", seconds: 7 * DAY },
  { name: "Month", seconds: 31 * DAY },
  { name: "Quarter", seconds: 92 * DAY },
  { name: "Year", seconds: 366 * DAY },
  { name: "5 years", seconds: 5 * 366 * DAY },
];
const LEAST_STEPS = 6;

/** @param {Record<string, string>} query @param {import("./sources.js").Sources} sources */
export function renderControls(query, sources) {
  const { model } = sources;
  return html`<div class="filters">
    ${model ? renderModels(sources, model) : nothing}
    ${model ? renderEarlier(query, sources) : nothing}
    ${model && model.champion !== null
      ? html`<button type="button" aria-pressed=${Boolean(query.anomalies)} @click=${() => adjust({ anomalies: query.anomalies ? null : 1 })}>Anomalies</button>`
      : nothing}
    ${renderSpans(query, sources)}
  </div>`;
}

/** @param {import("./sources.js").Sources} sources @param {any} model */
function renderModels({ models }, model) {
  const { trained, others } = /** @type {any} */ (models.data);
  const renderOption = (/** @type {any} */ { name, champion }) =>
    html`<option value=${name} ?selected=${name === model.name}>${name}${champion === null ? " (no champion)" : ""}</option>`;
  return html`<label>Model
    <select @change=${(/** @type {Event} */ event) => adjust({ model: getValue(event), earlier: null, what: null })}>
      ${trained.length ? html`<optgroup label="Trained on this series">${trained.map(renderOption)}</optgroup>` : nothing}
      ${others.length ? html`<optgroup label="Of the same frequency">${others.map(renderOption)}</optgroup>` : nothing}
    </select></label>`;
}

/** @param {Record<string, string>} query @param {import("./sources.js").Sources} sources */
function renderEarlier(query, { backtests }) {
  const choices = [
    ["", "none"],
    ["archive", "as they were made"],
    ...(/** @type {any[]} */ (backtests.data) ?? []).map((/** @type {any} */ { id, finished_at }) => [id, `backtest of ${formatTime(finished_at)}`]),
  ];
  return html`<label>Earlier forecasts
    <select @change=${(/** @type {Event} */ event) => adjust({ earlier: getValue(event) })}>
      ${choices.map(([value, text]) => html`<option value=${value} ?selected=${value === (query.earlier ?? "")}>${text}</option>`)}
    </select></label>`;
}

/** @param {Record<string, string>} query @param {import("./sources.js").Sources} sources */
function renderSpans(query, { series: { data }, model, step }) {
  const series = /** @type {any} */ (data);
  const last = toSeconds(series.last_ds);
  const extent = last - toSeconds(series.first_ds);
  const spans = SPANS.filter(({ seconds }) => seconds < extent && seconds > LEAST_STEPS * step).slice(-4);
  const horizon = (model?.horizon ?? 0) * step;
  return html`<span class="buttons span-choice" role="group" aria-label="Span to show">
    ${spans.map(({ name, seconds }) => html`<button type="button" class="quiet" @click=${() => adjust({ from: toIso(last - seconds), to: toIso(last + horizon), range: null })}>${name}</button>`)}
    <button type="button" class="quiet" aria-pressed=${query.range === "all"} @click=${() => adjust({ from: null, to: null, range: "all" })}>All</button>
  </span>`;
}

/** @param {Event} event */
const getValue = (event) => /** @type {HTMLSelectElement} */ (event.target).value;
