/** `<gc-new-key .project .projects @made>`: a key as a form. Fires `made` with the key and its secret. */

import { html, nothing } from "../../vendor/lit.js";
import { SCOPES, USUAL_SCOPES } from "../../access_words.js";
import { post, Problem } from "../../api.js";
import { Element } from "../../element.js";
import { renderProblem } from "../../loader.js";
import "../copy.js";
import { getOwnProject, managesAll } from "./own.js";

const DAY_MS = 86_400_000;

/** @typedef {import("../../session.js").Right} Right */

class NewKey extends Element {
  static properties = { project: {}, projects: { attribute: false }, draft: { state: true }, failure: { state: true }, isBusy: { state: true } };

  constructor() {
    super();
    /** the project that is suggested */
    this.project = "";
    /** @type {string[]} those that it may be of */
    this.projects = [];
    /** @type {{name: string, scopes: Right[], expires: string, labels: string}} `expires`: a day, empty for never */
    this.draft = { name: "", scopes: USUAL_SCOPES, expires: "", labels: "" };
    /** @type {import("../../api.js").Problem|null} */
    this.failure = null;
    /** whether it is being made: a call that is repeated makes another key */
    this.isBusy = false;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has("project")) this.chosen = this.project;
  }

  get body() {
    const { name, scopes, expires } = this.draft;
    const labels = parseLabels(this.draft.labels);
    const project = this.chosen && this.chosen !== getOwnProject() ? { project: this.chosen } : {};
    const about = Object.keys(labels).length ? { labels } : {};
    return { name: name.trim(), scopes, ...project, ...about, ...(expires ? { expires_at: `${expires}T00:00:00Z` } : {}) };
  }

  render() {
    return html`<form @submit=${this.make}>
      <div class="columns two">
        <div>
          <label>Name
            <input name="name" required maxlength="100" autocomplete="off" spellcheck="false" placeholder="What it is for" .value=${this.draft.name} @input=${(/** @type {Event} */ event) => this.change({ name: valueOf(event) })} />
          </label>
          ${managesAll() && this.projects.length > 1 ? this.renderProjects() : nothing}
          <label>Expires on <input type="date" name="expires" min=${getTomorrow()} .value=${this.draft.expires} @input=${(/** @type {Event} */ event) => this.change({ expires: valueOf(event) })} /></label>
          <p class="hint">It works until that day begins, UTC; without a day for as long as nobody revokes it.</p>
          <label>Series with these labels alone
            <input name="labels" autocomplete="off" spellcheck="false" placeholder="team:bikes, city:Berlin" .value=${this.draft.labels} @input=${(/** @type {Event} */ event) => this.change({ labels: valueOf(event) })} />
          </label>
          <p class="hint">Such a key may read, forecast and write, and nothing else. Empty: all series.</p>
        </div>
        <fieldset class="scope-choice">
          <legend>What it may do</legend>
          ${Object.entries(SCOPES).map(([scope, text]) => this.renderScope(/** @type {Right} */ (scope), text))}
          <p class="hint">None of them implies another.</p>
        </fieldset>
      </div>
      ${this.failure ? renderProblem(this.failure) : nothing}
      <p class="actions">
        <button class="primary" ?disabled=${this.isBusy}>Make the key</button>
        <gc-copy .request=${{ method: "POST", path: "keys", body: this.body }}></gc-copy>
      </p>
    </form>`;
  }

  renderProjects() {
    return html`<label>Project
      <select name="project" @change=${(/** @type {Event} */ event) => ((this.chosen = valueOf(event)), this.requestUpdate())}>
        ${this.projects.map((name) => html`<option value=${name} ?selected=${name === this.chosen}>${name}</option>`)}
      </select>
    </label>`;
  }

  /** @param {Right} scope @param {string} text */
  renderScope(scope, text) {
    const isOn = this.draft.scopes.includes(scope);
    return html`<label class="check">
      <input type="checkbox" name=${scope} .checked=${isOn} @change=${() => this.toggle(scope, !isOn)} />
      <span><strong>${scope}</strong> <span class="hint">${text}</span></span>
    </label>`;
  }

  /** @param {Partial<NewKey["draft"]>} changes */
  change(changes) {
    this.draft = { ...this.draft, ...changes };
  }

  /** @param {Right} scope @param {boolean} isOn */
  toggle(scope, isOn) {
    const known = /** @type {Right[]} */ (Object.keys(SCOPES));
    this.change({ scopes: known.filter((one) => (one === scope ? isOn : this.draft.scopes.includes(one))) });
  }

  /** @param {SubmitEvent} event */
  async make(event) {
    event.preventDefault();
    this.isBusy = true;
    try {
      if (!this.draft.scopes.length) throw new Problem({ status: 0, code: "incomplete", title: "No scope is chosen", detail: "A key without a scope may do nothing: choose what it may do." });
      const made = await post("keys", this.body);
      this.failure = null;
      this.dispatchEvent(new CustomEvent("made", { detail: made }));
    } catch (error) {
      this.failure = /** @type {import("../../api.js").Problem} */ (error);
    }
    this.isBusy = false;
  }
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** Return the labels of a text such as `team:bikes, city:Berlin`. @param {string} text @returns {Record<string, string>} */
const parseLabels = (text) =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const [key, ...rest] = pair.split(":");
      return pair.trim() ? [[key.trim(), rest.join(":").trim()]] : [];
    }),
  );

const getTomorrow = () => new Date(Date.now() + DAY_MS).toISOString().slice(0, 10);

customElements.define("gc-new-key", NewKey);
