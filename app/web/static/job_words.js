/** Jobs in words. */

import { html, nothing } from "./vendor/lit.js";
import { formatDuration, formatPercent } from "./format.js";
import { link } from "./router.js";

/** @type {Record<string, string>} */
export const KINDS = { train: "Training", backtest: "Backtest", anomaly_scan: "Anomaly scan", forecast: "Scheduled forecast", refresh: "Refresh" };

/** @type {Record<string, string>} */
const TONES = { running: "accent", succeeded: "good", failed: "bad", cancelled: "warn" };

/** @type {Record<string, string>} */
const PHASES = {
  search: "searching for better options",
  select: "choosing how long to train",
  refit: "training on everything",
  scan: "scoring values",
  forecast: "forecasting",
  refresh: "taking in new values",
};

export const ACTIVE = ["queued", "running"];

/** Write a detail of the service as a sentence. @param {string} detail */
export const toSentence = (detail) => (detail ? `${detail[0].toUpperCase()}${detail.slice(1)}${/[.!?]$/.test(detail) ? "" : "."}` : "");

/** @typedef {Record<string, any>} Job as GET /jobs/{id} answers it */

/** @param {Job} job */
export const isActive = (job) => ACTIVE.includes(job.status);

/** @param {Job} job */
export const renderStatus = (job) => html`<span class="badge ${TONES[job.status] ?? ""}">${job.stopping ? "stopping" : job.status}</span>`;

/** @param {number} fraction of the whole job */
export const renderMeter = (fraction) =>
  html`<p class="meter"><progress max="1" .value=${fraction} aria-label="Progress"></progress> <strong>${formatPercent(fraction)}</strong></p>`;

/** Say why a job failed, and what to do. @param {string} title @param {{detail: string, hint: string}} error @param {unknown} [more] */
export const renderFailure = (title, error, more = nothing) => html`<div class="problem" role="alert">
  <strong>${title}</strong>
  <p>${toSentence(error.detail)}</p>
  <p><strong>What to do:</strong> ${toSentence(error.hint)} ${more}</p>
</div>`;

/** @param {Job} job */
export const nameJob = (job) => `${KINDS[job.kind] ?? job.kind}${job.model ? ` of ${job.model}` : ""}`;

/** Say in a sentence what a job does now. @param {Job} job */
export function describeJob(job) {
  if (job.status === "queued") return describeWaiting(job);
  if (job.status !== "running") return describeEnd(job);
  if (job.stopping) return "It is stopping, and publishes the best network so far.";
  const { phase, epoch, epochs, trial, trials, eta_s } = job.progress;
  const parts = [phase ? (PHASES[phase] ?? phase) : "reading its data"];
  if (trial) parts.push(`trial ${trial} of ${trials}`);
  if (epoch !== null && epochs) parts.push(`epoch ${epoch} of at most ${epochs}`);
  if (eta_s !== null) parts.push(`about ${formatDuration(eta_s)} left`);
  return toSentence(parts.join(", "));
}

/** @param {Job} job */
function describeWaiting(job) {
  if (job.waiting_for) return `It waits for ${job.waiting_for}.`;
  if (!job.position || job.position === 1) return "It is next in the queue.";
  return `It waits: ${job.position - 1} ${job.position === 2 ? "job is" : "jobs are"} before it in the queue.`;
}

/** @param {Job} job */
function describeEnd(job) {
  if (job.status === "failed") return "It failed.";
  const took = job.started_at && job.finished_at ? ` after ${formatDuration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)}` : "";
  if (job.status === "cancelled") return `It was cancelled${took}${job.kind === "train" && job.version ? ", and what it had became a version" : ""}.`;
  return `It succeeded${took}.`;
}

/** Return where the result of a job is seen; null where it has none of its own. @param {Job} job */
export function findResult(job) {
  if (job.kind === "train" && job.version && job.model) {
    return { href: link("models/one", { name: job.model, tab: "versions", version: job.version }), text: `Version ${job.version} of ${job.model}` };
  }
  if (job.kind === "backtest") return { href: link("backtests/one", { id: job.id }), text: "The backtest's measures" };
  if (job.kind === "anomaly_scan" && job.status === "succeeded") return { href: link("anomalies", { scan: job.id }), text: "The anomalies" };
  if (job.kind === "forecast" && job.model) return { href: link("models/one", { name: job.model, tab: "skill" }), text: "Skill of the model's forecasts" };
  if (job.kind === "refresh" && job.version && job.model) {
    return { href: link("models/one", { name: job.model, tab: "versions", version: job.version }), text: `Version ${job.version} of ${job.model}` };
  }
  return null;
}
