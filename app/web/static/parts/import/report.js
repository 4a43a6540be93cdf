/** What an import would do, or did, in sentences first. */

import { html, nothing } from "../../vendor/lit.js";
import { formatCount } from "../../format.js";

const ROWS_SHOWN = 200;
/** @type {Record<string, string>} */
const FREQUENCIES = { s: "every second", min: "every minute", h: "hourly", D: "daily", B: "on working days", MS: "monthly", ME: "monthly", QS: "quarterly", QE: "quarterly", YS: "yearly", YE: "yearly" };

/** @type {Record<string, string>} */
const KINDS = { numeric: "numbers", categorical: "categories", "": "all cells are empty" };

/** @param {any} report @param {boolean} isDone whether it is written @param {string} name of the table */
export function renderReport(report, isDone, name) {
  return html`<p class="lead" role="status">${describe(report, isDone)}</p>
    <ul class="sentences">
      ${report.new_series.map((/** @type {any} */ grid) => html`<li>${describeGrid(grid, isDone)}</li>`)}
      ${report.assumed.length ? html`<li>${describeAssumed(report.assumed)}</li>` : nothing}
    </ul>
    ${renderCovariates(report.covariates)} ${renderRejected(report.rejected, report.rejected_rows, name)}`;
}

/** @param {any} report @param {boolean} isDone */
function describe({ series, rows, inserted, updated, rejected_rows: rejected }, isDone) {
  if (!inserted && !updated) return isDone ? "Nothing was written." : "Nothing would be written.";
  const head = `${formatCount(inserted + updated, "row")} of ${formatCount(series, "series", "series")} ${isDone ? "were written" : "would be written"}`;
  const parts = [];
  if (updated && inserted) parts.push(`${inserted.toLocaleString("en")} new, ${updated.toLocaleString("en")} over stored ones`);
  if (updated && !inserted) parts.push("all over stored ones");
  if (rejected) parts.push(`${formatCount(rejected, "row")} of ${rows.toLocaleString("en")} left out`);
  return parts.length ? `${head}: ${parts.join("; ")}.` : `${head}.`;
}

/** @param {{freq: string, timezone: string, series: number}} grid @param {boolean} isDone */
function describeGrid({ freq, timezone, series }, isDone) {
  const how = FREQUENCIES[freq] ? `${FREQUENCIES[freq]} (${freq})` : `every ${freq}`;
  const verb = (isDone ? ["was", "were"] : ["is", "are"])[Number(series !== 1)];
  return `${formatCount(series, "series", "series")} ${verb} new, ${how}, by the clock of ${timezone}.`;
}

/** @param {{series_id: string, freq: string}[]} assumed */
function describeAssumed(assumed) {
  const names = assumed.slice(0, 3).map((one) => one.series_id).join(", ");
  const more = assumed.length > 3 ? ` and ${assumed.length - 3} more` : "";
  return `${names}${more}: too few values to show a frequency, so that of the other new series is assumed (${assumed[0].freq}).`;
}

/** @param {{name: string, kind: string|null, new: boolean, values: number}[]} covariates */
function renderCovariates(covariates) {
  if (!covariates.length) return nothing;
  return html`<div class="scroll">
    <table class="fitting">
      <caption>Covariates: the columns beside the value</caption>
      <thead><tr><th scope="col">Name</th><th scope="col">Read as</th><th scope="col" class="number">Values</th><th scope="col"><span class="hidden-text">Whether it is new</span></th></tr></thead>
      <tbody>
        ${covariates.map(
          ({ name, kind, new: isNew, values }) => html`<tr>
            <td><code>${name}</code></td>
            <td>${KINDS[kind ?? ""]}</td>
            <td class="number">${values.toLocaleString("en")}</td>
            <td>${isNew ? html`<span class="badge accent">new</span>` : nothing}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** @param {{row: number, detail: string}[]} rejected @param {number} count of all @param {string} name of the table */
export function renderRejected(rejected, count, name) {
  if (!rejected.length) return nothing;
  const shown = rejected.slice(0, ROWS_SHOWN);
  return html`<div class="scroll rejected" tabindex="0" role="region" aria-label="Rows of ${name} that cannot be read">
    <table class="fitting">
      <caption>
        ${formatCount(count, "row")} cannot be read${count > shown.length ? `; the first ${shown.length} are` : ""}
      </caption>
      <thead><tr><th scope="col" class="number">Row</th><th scope="col">What is wrong</th></tr></thead>
      <tbody>
        ${shown.map(({ row, detail }) => html`<tr><td class="number">${row}</td><td class="words">${detail}</td></tr>`)}
      </tbody>
    </table>
  </div>`;
}

/** The guesses, each with a way to say it otherwise. @param {{parameter: string, value: string, detail: string}[]} guesses @param {(name: string) => void} open */
export function renderGuesses(guesses, open) {
  if (!guesses.length) return nothing;
  return html`<div class="guesses">
    <h3>Guessed, since nothing said so</h3>
    <ul class="sentences">
      ${guesses.map(
        ({ parameter, value, detail }) => html`<li>
          <code>${parameter}=${value}</code>: ${detail}.
          <button type="button" class="link" @click=${() => open(parameter)}>Change</button>
        </li>`,
      )}
    </ul>
  </div>`;
}
