/** One job as it runs: losses, progress, log, and cancelling. */

import { html, nothing } from "../vendor/lit.js";
import { get, post } from "../api.js";
import { View } from "../element.js";
import { formatAgo, formatBytes, formatCount } from "../format.js";
import { describeJob, findResult, isActive, KINDS, nameJob, renderFailure, renderMeter, renderStatus } from "../job_words.js";
import { describePromotion } from "../judging.js";
import { JobStream } from "../job_stream.js";
import { renderProblem } from "../loader.js";
import { confirm } from "../parts/confirm.js";
import "../parts/copy.js";
import "../parts/job_log.js";
import { findBest, toCurve } from "../parts/loss_curve.js";
import { notify } from "../parts/notice.js";
import { link } from "../router.js";
import { may } from "../session.js";

/** least time between two looks at the trials of a search */
const TRIALS_PAUSE = 2000;
/** phases in which a training has a network to keep */
const TRAINED = ["select", "refit"];

const KEEP_BEST = {
  title: "Stop and keep the best network?",
  text: "The training ends soon, and its best network so far becomes a version. It does not go live: you can promote it then.",
  action: "Stop and keep the best",
  isHarmless: true,
};
const CANCEL = { text: "It ends at once, and nothing of it is kept.", action: "Cancel the job" };

class OneJobView extends View {
  static properties = {
    ...View.properties,
    failure: { state: true },
    trials: { state: true },
    version: { state: true },
  };

  constructor() {
    super();
    /** @type {JobStream} */
    this.stream = new JobStream(this);
    /** @type {import("../api.js").Problem|null} */
    this.failure = null;
    /** @type {{trials: import("../parts/job_trials.js").Trial[], best: number|null}|null} */
    this.trials = null;
    /** @type {Record<string, any>|null} the version that it made, of which the curve of older jobs is kept */
    this.version = null;
    this.trialsAt = 0;
    this.lastStatus = "";
  }

  get heading() {
    return this.stream.job ? nameJob(this.stream.job) : "Job";
  }

  willUpdate() {
    if (this.query.id !== this.stream.id) {
      this.trials = null;
      this.version = null;
      this.failure = null;
      this.lastStatus = "";
    }
    if (this.query.id) this.stream.follow(this.query.id);
    const job = this.stream.job;
    if (job?.kind === "train") this.lookUp(job);
  }

  updated() {
    if (this.stream.job) document.title = `${this.heading} · Gatecast`;
  }

  /** Ask for what no event tells: trials while they are searched, and both once as the status changes. @param {import("../job_words.js").Job} job */
  lookUp(job) {
    const isNew = job.status !== this.lastStatus;
    this.lastStatus = job.status;
    const isSearching = job.status === "running" && job.progress.phase === "search" && Date.now() - this.trialsAt > TRIALS_PAUSE;
    if (isNew || isSearching) this.loadTrials(job.id);
    if (isNew && job.version && job.model) this.loadVersion(job);
  }

  /** @param {string} id */
  async loadTrials(id) {
    this.trialsAt = Date.now();
    const trials = await get(`jobs/${encodeURIComponent(id)}/trials`).catch(() => null);
    if (!trials?.trials.length || id !== this.query.id) return;
    import("../parts/job_trials.js");
    this.trials = trials;
  }

  /** @param {import("../job_words.js").Job} job */
  async loadVersion({ id, model, version }) {
    const made = await get(`models/${encodeURIComponent(model)}/versions/${version}`).catch(() => null);
    if (id === this.query.id) this.version = made;
  }

  render() {
    const { job, problem } = this.stream;
    if (!this.query.id) return html`<h1 tabindex="-1">Job</h1><p>No job was named. <a href=${link("jobs")}>Go to the queue.</a></p>`;
    if (problem && !job) {
      return html`<h1 tabindex="-1">Job</h1>${renderProblem(problem, () => this.stream.restart())}<p><a href=${link("jobs")}>All jobs</a></p>`;
    }
    if (!job) return html`<h1 tabindex="-1">Job</h1><p class="loading" role="status">Loading the job …</p>`;
    return html`<div class="head">
        <div>
          <p class="sub"><a href=${link("jobs")}>Jobs</a> › ${KINDS[job.kind]}</p>
          <h1 tabindex="-1">${nameJob(job)} ${renderStatus(job)}</h1>
          <p class="sub" role="status">${describeJob(job)}</p>
        </div>
        ${this.renderActions(job)}
      </div>
      ${this.failure ? renderProblem(this.failure) : nothing}
      ${this.stream.isAway ? html`<p class="warning" role="status">The connection has ended; it is made again by itself.</p>` : nothing}
      ${isActive(job) ? renderMeter(job.progress.fraction) : nothing} ${this.renderEnd(job)}
      <div class="wide-first">
        <div>${this.renderLosses(job)} ${this.renderTrials(job)}
          <section class="card"><gc-job-log .lines=${this.stream.lines} .job=${job.id}></gc-job-log></section>
        </div>
        ${this.renderFacts(job)}
      </div>`;
  }

  /** @param {import("../job_words.js").Job} job */
  renderActions(job) {
    if (!may("train") || !isActive(job)) return nothing;
    const canKeep = job.kind === "train" && job.status === "running" && TRAINED.includes(job.progress.phase) && !job.stopping;
    return html`<div class="actions">
      ${canKeep ? html`<button type="button" @click=${() => this.cancel(job, true)}>Stop and keep the best</button>` : nothing}
      <button type="button" class="danger" @click=${() => this.cancel(job, false)}>Cancel</button>
    </div>`;
  }

  /** @param {import("../job_words.js").Job} job @param {boolean} keepBest */
  async cancel(job, keepBest) {
    const isSure = await confirm(keepBest ? KEEP_BEST : { ...CANCEL, title: `Cancel this ${KINDS[job.kind].toLowerCase()}?` });
    if (!isSure) return;
    try {
      this.failure = null;
      await post(`jobs/${job.id}/cancel`, { keep_best: keepBest });
      notify(keepBest ? "The training is stopping" : "The job is cancelled");
    } catch (error) {
      this.failure = /** @type {import("../api.js").Problem} */ (error);
    }
  }

  /** @param {import("../job_words.js").Job} job */
  renderEnd(job) {
    if (job.error) return renderFailure("The job failed", job.error);
    const result = findResult(job);
    const promotion = this.version ? describePromotion(this.version) : "";
    return html`${result ? html`<p class="card">${promotion} <a href=${result.href}>${result.text}</a></p>` : nothing}
      ${job.result ? this.renderResult(job.result) : nothing}`;
  }

  /** @param {Record<string, any>} result of a scheduled forecast, or of a refresh */
  renderResult(result) {
    if (result.archived === undefined) {
      return html`<section class="card">
        <h2>Result</h2>
        <p>Revision ${result.revision} of version ${result.version}. ${describePromotion(result)}</p>
      </section>`;
    }
    const errors = Object.entries(result.errors ?? {});
    return html`<section class="card">
      <h2>Result</h2>
      <p>${formatCount(result.archived ?? 0, "forecast")} of ${formatCount(result.series ?? 0, "series", "series")} went into the archive.</p>
      ${result.drift ? html`<p>Drift is ${result.drift.status}: ${result.drift.detail}.</p>` : nothing}
      ${errors.length
        ? html`<h3>Could not be forecast</h3>
            <ul>
              ${errors.map(([id, why]) => html`<li><a href=${link("series/one", { id })}>${id}</a>: ${why.detail ?? why}</li>`)}
            </ul>`
        : nothing}
    </section>`;
  }

  /** @param {import("../job_words.js").Job} job */
  renderLosses(job) {
    const isTraining = job.kind === "train";
    const curve = this.stream.curve.epochs.length ? this.stream.curve : toCurve(this.version?.loss_curve ?? {});
    if (!isTraining) return nothing;
    if (!curve.epochs.length) {
      const first = job.progress.phase === "search" ? "The curve begins when the search has ended." : "The curve begins with the first epoch.";
      const text = isActive(job) ? first : "No epoch of it was recorded.";
      return html`<section class="card"><h2>Loss</h2><p class="hint">${text}</p></section>`;
    }
    const best = findBest(curve);
    return html`<section class="card">
      <h2>Loss</h2>
      ${best === null ? nothing : html`<p class="sub">The best epoch${isActive(job) ? " so far" : ""} is ${best}.</p>`}
      <gc-loss-curve
        .curve=${curve}
        .isLog=${this.query.log === "1"}
        .isSmooth=${this.query.smooth === "1"}
        .request=${{ method: "GET", path: `jobs/${job.id}/losses` }}
      ></gc-loss-curve>
    </section>`;
  }

  /** @param {import("../job_words.js").Job} job */
  renderTrials(job) {
    if (!this.trials?.trials.length) return nothing;
    return html`<section class="card">
      <gc-job-trials .trials=${this.trials.trials} .best=${this.trials.best} .request=${{ method: "GET", path: `jobs/${job.id}/trials` }}></gc-job-trials>
    </section>`;
  }

  /** @param {import("../job_words.js").Job} job */
  renderFacts(job) {
    const labels = Object.entries(job.labels);
    /** @type {[string, unknown][]} */
    const facts = [
      ["Model", job.model ? html`<a href=${link("models/one", { name: job.model })}>${job.model}</a>` : "–"],
      ["Attempt", job.attempt || "not started"],
      ["Queue", `${job.queue}, priority ${job.priority}`],
      ["Asked for by", job.started_by ?? "–"],
      ["Queued", formatAgo(job.created_at)],
      ["Started", formatAgo(job.started_at)],
      ["Ended", formatAgo(job.finished_at)],
      ["Estimate", describeEstimate(job.estimate)],
      ["Labels", labels.length ? labels.map(([name, value]) => `${name}:${value}`).join(", ") : "–"],
      ["Id", html`<code>${job.id}</code>`],
    ];
    return html`<section class="card">
      <h2>About it</h2>
      <dl class="facts">${facts.filter(([, value]) => value && value !== "–").map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
      <p class="hint"><gc-copy .request=${{ method: "GET", path: `jobs/${job.id}` }}></gc-copy></p>
    </section>`;
  }
}

/** @param {{rows: number, windows: number|null, steps: number|null, memory_bytes: number|null}|null} estimate */
function describeEstimate(estimate) {
  if (!estimate) return "–";
  const parts = [formatCount(estimate.rows, "value")];
  if (estimate.steps) parts.push(`at most ${formatCount(estimate.steps, "step")}`);
  if (estimate.memory_bytes) parts.push(formatBytes(estimate.memory_bytes));
  return parts.join(", ");
}

customElements.define("gc-one-job", OneJobView);
