/** `<gc-job-log .lines .job>`: the newest lines of a job's log, which the view follows until it is paused. */

import { html, nothing } from "../vendor/lit.js";
import { Element } from "../element.js";
import { download } from "../saving.js";
import { notify } from "./notice.js";

/** pixels from the end within which a reader is still at the end */
const NEAR = 24;

class JobLog extends Element {
  static properties = {
    lines: { attribute: false },
    job: {},
    isPaused: { state: true },
  };

  constructor() {
    super();
    /** @type {string[]} */
    this.lines = [];
    this.job = "";
    this.isPaused = false;
    /** @type {string[]} what is shown while it is paused */
    this.held = [];
  }

  updated() {
    const box = this.querySelector("pre");
    if (box && !this.isPaused) box.scrollTop = box.scrollHeight;
  }

  render() {
    const shown = this.isPaused ? this.held : this.lines;
    return html`<div class="head">
        <h2>Log</h2>
        <span class="actions">
          ${shown.length
            ? html`<button type="button" class="quiet" aria-pressed=${this.isPaused} @click=${() => this.pause(!this.isPaused)}>
                ${this.isPaused ? "Paused: follow again" : "Pause"}
              </button>`
            : nothing}
          <button type="button" class="quiet" @click=${this.save}>Download the whole log</button>
        </span>
      </div>
      ${shown.length
        ? html`<pre class="log" tabindex="0" aria-label="Newest lines of the log" @scroll=${this.scrolled}>${shown.join("\n")}</pre>`
        : html`<p class="hint">Nothing has been written yet.</p>`}`;
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.held = this.lines;
    this.isPaused = isPaused;
  }

  /** Whoever scrolls back reads: the view stays there. @param {Event} event */
  scrolled(event) {
    const box = /** @type {HTMLElement} */ (event.target);
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    if (isAtEnd === this.isPaused) this.pause(!isAtEnd);
  }

  async save() {
    try {
      await download(`jobs/${encodeURIComponent(this.job)}/log`, `job-${this.job}.log`);
    } catch (error) {
      notify(/** @type {Error} */ (error).message);
    }
  }
}

customElements.define("gc-job-log", JobLog);
