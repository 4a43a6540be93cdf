/** The fields of an alert's condition: those of its subject, and how long it must hold. */

import { html, nothing } from "../../vendor/lit.js";
import { JOB_ENDS, nameQuantile, UNITS } from "../../alert_words.js";
import { formatLevel } from "../../watch_words.js";

/** @typedef {import("./draft.js").Draft} Draft */
/** @typedef {(changes: Partial<Draft>) => void} Change */

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {Draft} draft @param {number[]} quantiles of the model @param {Change} change */
export function renderCondition(draft, quantiles, change) {
  return html`<div class="option-grid">
    ${draft.on === "forecast" ? renderForecast(draft, quantiles, change) : nothing} ${draft.on === "anomaly" ? renderAnomaly(draft, change) : nothing}
    ${draft.on === "job" ? renderJob(draft, change) : nothing}
    ${draft.on === "data" ? renderSpan("Without a value for", draft.silent, (silent) => change({ silent }), true) : nothing}
    ${renderSpan("Fires after", draft.hold, (hold) => change({ hold }))}
    ${renderSpan("Is resolved after", draft.keep, (keep) => change({ keep }))}
  </div>`;
}

/** @param {Draft} draft @param {number[]} quantiles @param {Change} change */
function renderForecast({ quantile, side, threshold, within }, quantiles, change) {
  const levels = [...new Set([...quantiles, Number(quantile)])].sort((one, other) => one - other);
  return html`<div class="option">
      <label>What of the forecast
        <select name="quantile" @change=${(/** @type {Event} */ event) => change({ quantile: valueOf(event) })}>
          ${levels.map((level) => html`<option value=${level} ?selected=${level === Number(quantile)}>${nameQuantile(level)}</option>`)}
        </select>
      </label>
      <p class="hint">It fires where the chance of a value ${side} the threshold is ${formatLevel(side === "above" ? 1 - Number(quantile) : Number(quantile))} or more.</p>
    </div>
    <div class="option">
      <label>Is
        <select name="side" @change=${(/** @type {Event} */ event) => change({ side: valueOf(event) === "below" ? "below" : "above" })}>
          <option value="above" ?selected=${side === "above"}>above</option>
          <option value="below" ?selected=${side === "below"}>below</option>
        </select>
      </label>
    </div>
    <div class="option">
      <label>Threshold
        <input name="threshold" type="number" step="any" required .value=${threshold} @input=${(/** @type {Event} */ event) => change({ threshold: valueOf(event) })} />
      </label>
    </div>
    ${renderSpan("Within", within, (changed) => change({ within: changed }), true)}`;
}

/** @param {Draft} draft @param {Change} change */
function renderAnomaly({ measure, score }, change) {
  return html`<div class="option">
      <label>When
        <select name="measure" @change=${(/** @type {Event} */ event) => change({ measure: valueOf(event) === "score" ? "score" : "alarm" })}>
          <option value="alarm" ?selected=${measure === "alarm"}>the watch raises an alarm</option>
          <option value="score" ?selected=${measure === "score"}>a value has a score from … on</option>
        </select>
      </label>
    </div>
    ${measure === "score"
      ? html`<div class="option">
          <label>Least score
            <input name="score" type="number" min="0" max="1000000" step="any" required .value=${score} @input=${(/** @type {Event} */ event) => change({ score: valueOf(event) })} />
          </label>
          <p class="hint">3 is as rare as three standard deviations.</p>
        </div>`
      : nothing}`;
}

/** @param {Draft} draft @param {Change} change */
function renderJob({ status }, change) {
  return html`<div class="option">
    <label>A job
      <select name="status" @change=${(/** @type {Event} */ event) => change({ status: valueOf(event) })}>
        ${Object.entries(JOB_ENDS).map(([end, text]) => html`<option value=${end} ?selected=${end === status}>${text}</option>`)}
      </select>
    </label>
  </div>`;
}

/** @param {string} label @param {import("./draft.js").Span} span @param {(span: import("./draft.js").Span) => void} change @param {boolean} [isWanted] */
function renderSpan(label, { count, unit }, change, isWanted = false) {
  return html`<div class="option span-field">
    <label>${label}
      <input type="number" min="1" max="999999999" step="1" ?required=${isWanted} placeholder=${isWanted ? "" : "at once"} .value=${count} @input=${(/** @type {Event} */ event) => change({ count: valueOf(event), unit })} />
    </label>
    <select aria-label="Unit of: ${label}" @change=${(/** @type {Event} */ event) => change({ count, unit: valueOf(event) })}>
      ${Object.entries(UNITS).map(([name, text]) => html`<option value=${name} ?selected=${name === unit}>${text}s</option>`)}
    </select>
  </div>`;
}
