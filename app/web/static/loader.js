/** Loading in views: one request at a time, and the same look while it runs, where it fails, and where nothing is there. */

import { html, nothing } from "./vendor/lit.js";

/** @template T */
export class Loader {
  /**
   * @param {import("./vendor/lit.js").LitElement} host redrawn as the state changes
   * @param {string} noun what is loaded, for the words that are shown, such as "series"
   */
  constructor(host, noun) {
    this.host = host;
    this.noun = noun;
    /** @type {T|null} */
    this.data = null;
    /** @type {import("./api.js").Problem|null} */
    this.problem = null;
    this.isLoading = false;
    /** @type {AbortController|null} */
    this.controller = null;
    /** @type {string|null} */
    this.key = null;
    host.addController(this);
  }

  hostDisconnected() {
    this.controller?.abort();
    this.key = null;
  }

  /**
   * Load, unless `key` names what is loaded already; an earlier request is given up. What was there is shown meanwhile.
   * @param {unknown} key anything that JSON can write @param {(signal: AbortSignal) => Promise<T>} request
   */
  async load(key, request) {
    const name = JSON.stringify(key);
    if (name === this.key) return;
    this.key = name;
    this.request = request;
    await this.reload();
  }

  /** Ask again. */
  async reload() {
    if (!this.request) return;
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    this.isLoading = true;
    this.host.requestUpdate();
    try {
      const data = await this.request(controller.signal);
      if (controller.signal.aborted) return;
      this.data = data;
      this.problem = null;
    } catch (error) {
      if (controller.signal.aborted) return;
      if (/** @type {Error} */ (error).name !== "Problem" && !("code" in /** @type {object} */ (error))) console.error(error);
      this.problem = /** @type {import("./api.js").Problem} */ (error);
    }
    this.isLoading = false;
    this.host.requestUpdate();
  }

  /**
   * Draw what is loaded by `done`; before that that it is being loaded, or what went wrong with a way to try again.
   * @param {(data: T) => unknown} done
   */
  render(done) {
    if (this.problem) return renderProblem(this.problem, () => this.reload());
    if (this.data === null) return html`<p class="loading" role="status">Loading ${this.noun} …</p>`;
    return done(this.data);
  }
}

/** Draw what the service refused. @param {import("./api.js").Problem} problem @param {(() => void)|null} [retry] */
export function renderProblem(problem, retry = null) {
  return html`<div class="problem" role="alert">
    <strong>${problem.title || "That did not work"}</strong>
    <p>${problem.message}</p>
    ${problem.errors?.length ? html`<ul>${problem.errors.map((one) => html`<li><code>${one.field}</code>: ${one.detail}</li>`)}</ul>` : nothing}
    ${retry ? html`<button type="button" @click=${retry}>Try again</button>` : nothing}
  </div>`;
}

/** Draw that nothing is there, and what to do next. @param {unknown} what @param {unknown} next */
export const renderEmpty = (what, next) => html`<div class="empty"><p>${what}</p>${next}</div>`;
