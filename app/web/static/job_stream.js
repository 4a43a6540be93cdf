/** Following a job: its state, losses and log as they come, taken up again where a connection ends. */

import { events, get } from "./api.js";
import { isActive } from "./job_words.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;
/** between two looks at the queue, whose positions no event tells */
const QUEUE_PAUSE = 4000;
/** least time between two drawings: a long log comes in very many events */
const DRAW_PAUSE = 100;
/** lines that are kept: the whole log can be downloaded */
const MOST_LINES = 2000;

/** @typedef {{epochs: number[], phases: string[], train: number[], val: (number|null)[]}} Curve */

/** @returns {Curve} */
const emptyCurve = () => ({ epochs: [], phases: [], train: [], val: [] });

/** Append epochs to a curve, in place of any that it has of them. @param {Curve} curve @param {Curve} part @returns {Curve} */
function extend(curve, part) {
  const kept = curve.epochs.findIndex((epoch) => epoch >= part.epochs[0]);
  const end = kept < 0 ? curve.epochs.length : kept;
  return {
    epochs: [...curve.epochs.slice(0, end), ...part.epochs],
    phases: [...curve.phases.slice(0, end), ...part.phases],
    train: [...curve.train.slice(0, end), ...part.train],
    val: [...curve.val.slice(0, end), ...part.val],
  };
}

/** @param {number} milliseconds @param {AbortSignal} signal */
const wait = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });

export class JobStream {
  /** @param {import("./vendor/lit.js").LitElement} host drawn again as something comes */
  constructor(host) {
    this.host = host;
    /** @type {import("./job_words.js").Job|null} */
    this.job = null;
    /** @type {import("./api.js").Problem|null} */
    this.problem = null;
    /** whether the connection has ended, and is made again */
    this.isAway = false;
    this.curve = emptyCurve();
    /** @type {string[]} */
    this.lines = [];
    /** @type {AbortController|null} */
    this.controller = null;
    this.drawing = 0;
    this.id = "";
    host.addController(this);
  }

  clear() {
    this.job = null;
    this.problem = null;
    this.isAway = false;
    this.curve = emptyCurve();
    this.lines = [];
  }

  hostDisconnected() {
    this.controller?.abort();
    clearTimeout(this.drawing);
    this.id = "";
  }

  /** @param {string} id */
  follow(id) {
    if (id === this.id) return;
    this.id = id;
    this.restart();
  }

  restart() {
    this.controller?.abort();
    this.controller = new AbortController();
    this.clear();
    this.read(this.id, this.controller.signal);
    this.watchQueue(this.id, this.controller.signal);
  }

  /** @param {string} id @param {AbortSignal} signal */
  async read(id, signal) {
    let last = "";
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      try {
        for await (const event of events(`jobs/${encodeURIComponent(id)}/events`, signal, last)) {
          if (signal.aborted) return;
          last = event.id;
          pause = FIRST_PAUSE;
          this.isAway = false;
          if (event.event === "end") return await this.finish(id, signal);
          this.take(event);
        }
      } catch (error) {
        if (signal.aborted || this.refuse(error)) return;
      }
      this.isAway = true;
      this.draw();
      await wait(pause, signal);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }

  /** Say whether an error is final: there is no such job, or a key is wanted. @param {any} error */
  refuse(error) {
    const isFinal = error.status >= 400 && error.status < 500;
    if (isFinal) this.problem = error;
    this.draw();
    return isFinal;
  }

  /** @param {{event: string, data: any}} event */
  take({ event, data }) {
    if (event === "progress") this.job = { ...data, position: this.job?.position ?? null, waiting_for: this.job?.waiting_for ?? null };
    if (event === "losses") this.curve = extend(this.curve, data);
    if (event === "log") this.lines = [...this.lines, ...data.lines].slice(-MOST_LINES);
    this.draw();
  }

  /** Read the ended job in full: its events hold no result. @param {string} id @param {AbortSignal} signal */
  async finish(id, signal) {
    this.job = await get(`jobs/${encodeURIComponent(id)}`, {}, signal);
    this.draw();
  }

  /** @param {string} id @param {AbortSignal} signal */
  async watchQueue(id, signal) {
    while (!signal.aborted && (!this.job || this.job.status === "queued")) {
      if (!document.hidden) {
        const job = await get(`jobs/${encodeURIComponent(id)}`, {}, signal).catch(() => null);
        if (signal.aborted) return;
        if (job && (!this.job || this.job.status === "queued")) this.job = job;
        this.draw();
        if (job && !isActive(job)) return;
      }
      await wait(QUEUE_PAUSE, signal);
    }
  }

  draw() {
    if (this.drawing) return;
    this.drawing = setTimeout(() => {
      this.drawing = 0;
      this.host.requestUpdate();
    }, DRAW_PAUSE);
  }
}
