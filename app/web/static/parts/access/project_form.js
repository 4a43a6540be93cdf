/** `<gc-project-form .project @saved>`: a project as a form: a new one, or the quotas of one that is there. Fires `saved`. */

import { html, nothing } from "../../vendor/lit.js";
import { nameAmount, QUOTAS } from "../../access_words.js";
import { call, get, inPath, Problem } from "../../api.js";
import { Element } from "../../element.js";
import { renderProblem } from "../../loader.js";
import "../copy.js";

/** the greatest quota that the API takes */
const MOST = 10 ** 15;

/** @typedef {import("../../access_words.js").Project} Project */

class ProjectForm extends Element {
  static properties = { project: { attribute: false }, name: { state: true }, quotas: { state: true }, failure: { state: true } };

  constructor() {
    super();
    /** @type {Project|null} null for a new one */
    this.project = null;
    this.name = "";
    /** @type {Record<string, string>} as they are typed; empty: no limit */
    this.quotas = {};
    /** @type {import("../../api.js").Problem|null} */
    this.failure = null;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("project")) return;
    this.name = this.project?.name ?? "";
    this.quotas = Object.fromEntries(Object.entries(this.project?.quotas ?? {}).map(([name, limit]) => [name, String(limit)]));
    this.failure = null;
  }

  /** @returns {string[]} names of quotas: those of every project, and what this one has beside them */
  get fields() {
    return [...new Set([...QUOTAS, ...Object.keys(this.project?.quotas ?? {})])];
  }

  get request() {
    const given = Object.entries(this.quotas).filter(([, limit]) => limit !== "");
    return { method: "PUT", path: `projects/${inPath(this.name.trim())}`, body: { quotas: Object.fromEntries(given.map(([name, limit]) => [name, Number(limit)])) } };
  }

  render() {
    return html`<form @submit=${this.save}>
      ${this.project ? nothing : this.renderName()}
      <fieldset>
        <legend>It may have at most</legend>
        <div class="option-grid">${this.fields.map((name) => this.renderQuota(name))}</div>
        <p class="hint">Empty: no limit. A quota below what is there deletes nothing, and lets nothing more in.</p>
      </fieldset>
      ${this.failure ? renderProblem(this.failure) : nothing}
      <p class="actions">
        <button class="primary">${this.project ? "Save the quotas" : "Make the project"}</button>
        ${this.name.trim() ? html`<gc-copy .request=${this.request}></gc-copy>` : nothing}
      </p>
    </form>`;
  }

  renderName() {
    return html`<div class="narrow"><label>Name
      <input name="name" required maxlength="100" pattern="[A-Za-z0-9._\\-]+" title="Letters, digits, dots, dashes and underscores" autocomplete="off" spellcheck="false" placeholder="team-a"
        .value=${this.name} @input=${(/** @type {Event} */ event) => (this.name = valueOf(event))} />
    </label></div>`;
  }

  /** @param {string} name */
  renderQuota(name) {
    return html`<div class="option">
      <label>${nameAmount(name)}
        <input type="number" name=${name} min="0" max=${MOST} step="1" placeholder="no limit" .value=${this.quotas[name] ?? ""} @input=${(/** @type {Event} */ event) => (this.quotas = { ...this.quotas, [name]: valueOf(event) })} />
      </label>
    </div>`;
  }

  /** @param {SubmitEvent} event */
  async save(event) {
    event.preventDefault();
    const { path, body } = this.request;
    const isNew = !this.project;
    try {
      if (isNew) await checkName(path, this.name.trim());
      const project = await call("PUT", path, { body });
      this.failure = null;
      this.dispatchEvent(new CustomEvent("saved", { detail: { project, isNew } }));
    } catch (error) {
      this.failure = /** @type {import("../../api.js").Problem} */ (error);
    }
  }
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** Throws Problem where there is a project of that name: its quotas would be replaced. @param {string} path @param {string} name */
async function checkName(path, name) {
  const isFree = await get(path).then(
    () => false,
    (problem) => {
      if (problem.status === 404) return true;
      throw problem;
    },
  );
  if (!isFree) throw new Problem({ status: 0, code: "incomplete", title: "The name is taken", detail: `There is a project ${name} already. Choose another name, or change the quotas of that one.` });
}

customElements.define("gc-project-form", ProjectForm);
