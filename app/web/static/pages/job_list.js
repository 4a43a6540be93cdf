/** The queue, and what has ended. */

import { html, nothing } from "../vendor/lit.js";
import { get, getAll } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatCount, formatDuration, formatPercent } from "../format.js";
import { ACTIVE, describeJob, KINDS, renderStatus, toSentence } from "../job_words.js";
import { Loader, renderEmpty } from "../loader.js";
import { adjust, link } from "../router.js";
import { may } from "../session.js";
import { Ticker } from "../ticker.js";

const PAGE = 50;
const STATUSES = ["queued", "running", "succeeded", "failed", "cancelled"];

/** @typedef {import("../job_words.js").Job} Job */
/** @typedef {{active: Job[], ended: Job[], next: string|null}} Jobs */

class JobListView extends View {
  constructor() {
    super();
    /** @type {Loader<Jobs>} */
    this.jobs = new Loader(this, "jobs");
    this.ticker = new Ticker(this, () => this.jobs.reload());
  }

  get heading() {
    return "Jobs";
  }

  willUpdate() {
    const { status, kind, model, cursor } = this.query;
    this.jobs.load({ status, kind, model, cursor }, (signal) => this.load(signal));
    this.ticker.isWanted = Boolean(this.jobs.data?.active.length);
  }

  /** @param {AbortSignal} signal @returns {Promise<Jobs>} */
  async load(signal) {
    const { status, kind, model, cursor } = this.query;
    const wanted = ACTIVE.filter((one) => (!status || status === one) && !cursor);
    const lists = await Promise.all(wanted.map((one) => getAll("jobs", { status: one, kind, model, limit: 100 }, signal, 500)));
    const active = lists.flat().sort(compareTurns);
    if (ACTIVE.includes(status)) return { active, ended: [], next: null };
    const page = await get("jobs", { status, kind, model, cursor, limit: PAGE }, signal);
    return { active, ended: page.items.filter((/** @type {Job} */ job) => !ACTIVE.includes(job.status)), next: page.next_cursor };
  }

  render() {
    return html`<div class="head">
        <div>
          <h1 tabindex="-1">Jobs</h1>
          <p class="sub">Trainings, backtests, scans and scheduled forecasts: what runs and waits first, then what has ended.</p>
        </div>
        ${may("train") ? html`<span class="actions"><a class="button primary" href=${link("train")}>Train a model</a></span>` : nothing}
      </div>
      ${this.renderFilters()} ${this.jobs.render((jobs) => this.renderJobs(jobs))}`;
  }

  renderFilters() {
    const { status = "", kind = "", model = "" } = this.query;
    /** @param {string} name */
    const change = (name) => (/** @type {Event} */ event) =>
      adjust({ [name]: /** @type {HTMLInputElement} */ (event.target).value.trim(), cursor: null });
    return html`<div class="filters">
      <label>Status
        <select @change=${change("status")}>
          <option value="" ?selected=${!status}>Any</option>
          ${STATUSES.map((one) => html`<option value=${one} ?selected=${one === status}>${one}</option>`)}
        </select>
      </label>
      <label>Kind
        <select @change=${change("kind")}>
          <option value="" ?selected=${!kind}>Any</option>
          ${Object.entries(KINDS).map(([one, text]) => html`<option value=${one} ?selected=${one === kind}>${text}</option>`)}
        </select>
      </label>
      <label>Model <input type="search" .value=${model} @change=${change("model")} placeholder="Its whole name" /></label>
      ${status || kind || model ? html`<a class="button quiet" href=${link("jobs")}>Show all</a>` : nothing}
    </div>`;
  }

  /** @param {Jobs} jobs */
  renderJobs({ active, ended, next }) {
    if (!active.length && !ended.length && !next) return this.renderNone();
    const isFirst = !this.query.cursor;
    return html`${active.length ? renderActive(active) : nothing}
      ${isFirst && !active.length ? html`<p class="card sub">Nothing runs or waits.</p>` : nothing}
      ${ended.length ? renderEnded(ended) : nothing}
      <p class="actions">
        ${isFirst ? nothing : html`<a class="button" href=${link("jobs", { ...this.query, cursor: null })}>Newest</a>`}
        ${next ? html`<a class="button" href=${link("jobs", { ...this.query, cursor: next })}>Older</a>` : nothing}
      </p>`;
  }

  renderNone() {
    const { status, kind, model } = this.query;
    if (status || kind || model) {
      return renderEmpty("No job is like that.", html`<p class="actions"><a class="button" href=${link("jobs")}>Show all jobs</a></p>`);
    }
    const next = may("train") ? html`<p class="actions"><a class="button primary" href=${link("train")}>Train a model</a></p>` : nothing;
    return renderEmpty("Nothing has been asked for yet.", next);
  }
}

/** Running ones first, then by their place in the queue. @param {Job} one @param {Job} other */
function compareTurns(one, other) {
  if (one.status !== other.status) return one.status === "running" ? -1 : 1;
  return (one.position ?? Infinity) - (other.position ?? Infinity);
}

/** @param {Job[]} active */
function renderActive(active) {
  return html`<section class="card">
    <h2>Running and waiting</h2>
    <div class="scroll" tabindex="0">
      <table>
        <caption>${formatCount(active.length, "job")}; the list refreshes by itself</caption>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Status</th>
            <th scope="col">Progress</th>
            <th scope="col">What it does</th>
            <th scope="col">Asked for</th>
          </tr>
        </thead>
        <tbody>
          ${active.map(
            (job) => html`<tr>
              <td>${renderName(job)}</td>
              <td>${renderStatus(job)}</td>
              <td class="meter">${renderFraction(job)}</td>
              <td class="words">${describeJob(job)}</td>
              <td>${formatAgo(job.created_at)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** @param {Job[]} ended */
function renderEnded(ended) {
  return html`<section class="card">
    <h2>Ended</h2>
    <div class="scroll" tabindex="0">
      <table>
        <caption>The newest first</caption>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Status</th>
            <th scope="col">Ended</th>
            <th scope="col" class="number">Took</th>
            <th scope="col">What came of it</th>
          </tr>
        </thead>
        <tbody>
          ${ended.map(
            (job) => html`<tr>
              <td>${renderName(job)}</td>
              <td>${renderStatus(job)}</td>
              <td>${formatAgo(job.finished_at)}</td>
              <td class="number">${formatDuration(getSeconds(job))}</td>
              <td class="words">${summarise(job)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** @param {Job} job */
const renderName = (job) => html`<a href=${link("jobs/one", { id: job.id })}>${KINDS[job.kind]}</a>${job.model ? html` <span class="sub">of ${job.model}</span>` : nothing}`;

/** @param {Job} job */
const getSeconds = (job) => (job.started_at && job.finished_at ? (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000 : null);

/** @param {Job} job */
function renderFraction(job) {
  if (job.status === "queued") return job.waiting_for ? "waits for a worker" : `no. ${job.position ?? 1} in the queue`;
  const { fraction } = job.progress;
  return html`<progress max="1" .value=${fraction} aria-label="Progress"></progress> <span class="hint">${formatPercent(fraction)}</span>`;
}

/** @param {Job} job */
function summarise(job) {
  if (job.error) return toSentence(job.error.detail);
  if (!job.version || !job.model) return "";
  const href = link("models/one", { name: job.model, tab: "versions", version: job.version });
  return job.kind === "train" ? html`<a href=${href}>version ${job.version}</a>` : `by version ${job.version}`;
}

customElements.define("gc-job-list", JobListView);
