/** `<gc-access-projects .query>`: projects, what each may have, and making and deleting them. */

import { html, nothing } from "../../vendor/lit.js";
import { describeQuotas } from "../../access_words.js";
import { call, get, inPath } from "../../api.js";
import { Element } from "../../element.js";
import { formatAgo, formatCount, formatTime } from "../../format.js";
import { Loader, renderProblem } from "../../loader.js";
import { adjust, link } from "../../router.js";
import { may } from "../../session.js";
import { confirm } from "../confirm.js";
import "../copy.js";
import { notify } from "../notice.js";
import { DEFAULT_PROJECT, getOwnProject, managesAll } from "./own.js";

const PAGE = 50;

/** @typedef {import("../../access_words.js").Project} Project */

class AccessProjects extends Element {
  static properties = { query: { attribute: false }, failure: { state: true }, made: { state: true } };

  constructor() {
    super();
    /** @type {Record<string, string>} of the address: `cursor`, `new`, `edit` */
    this.query = {};
    /** @type {import("../../api.js").Problem|null} */
    this.failure = null;
    /** name of the project that was just made */
    this.made = "";
    /** @type {Loader<{items: Project[], next_cursor: string|null}>} */
    this.projects = new Loader(this, "projects");
    /** @type {Loader<Project|null>} the one that is edited, as it is now */
    this.edited = new Loader(this, "project");
  }

  get request() {
    return { method: "GET", path: "projects", query: { cursor: this.query.cursor, limit: PAGE } };
  }

  willUpdate() {
    const { path, query } = this.request;
    const { edit } = this.query;
    this.projects.load(query, (signal) => get(path, query, signal));
    this.edited.load(edit ?? "", (signal) => (edit ? get(`projects/${inPath(edit)}`, {}, signal) : Promise.resolve(null)));
    if (edit || this.query.new) import("./project_form.js");
  }

  render() {
    const { edit } = this.query;
    const isAsking = managesAll() && Boolean(edit || this.query.new);
    return html`${managesAll() ? nothing : html`<p class="card sub">Projects are made, changed and deleted with a key of the project ${DEFAULT_PROJECT}; yours is of ${getOwnProject()}.</p>`}
      ${isAsking ? this.renderForm(edit ?? "") : nothing} ${this.made ? this.renderMade() : nothing}
      ${this.failure ? renderProblem(this.failure) : nothing} ${this.projects.render((page) => this.renderProjects(page))}`;
  }

  /** @param {string} edit */
  renderForm(edit) {
    const form = (/** @type {Project|null} */ project) => html`<gc-project-form .project=${project} @saved=${this.saved}></gc-project-form>`;
    return html`<section class="card">
      <div class="head"><h2>${edit ? `Quotas of ${edit}` : "New project"}</h2><span class="actions"><button type="button" class="quiet" @click=${() => adjust({ new: null, edit: null })}>Close</button></span></div>
      ${edit ? this.edited.render(form) : form(null)}
    </section>`;
  }

  renderMade() {
    return html`<p class="card" role="status">${this.made} is there, and nobody has a key for it yet: <a href=${link("access", { tab: "keys", project: this.made, new: 1 })}>make one</a>.</p>`;
  }

  /** @param {{items: Project[], next_cursor: string|null}} page */
  renderProjects({ items, next_cursor }) {
    return html`<section class="card">
        <div class="scroll" tabindex="0">
          <table>
            <caption>${formatCount(items.length, "project")}</caption>
            <thead>
              <tr>
                <th scope="col">Project</th>
                <th scope="col">May have</th>
                <th scope="col">Made</th>
                <th><span class="hidden-text">What can be done</span></th>
              </tr>
            </thead>
            <tbody>
              ${items.map((project) => this.renderProject(project))}
            </tbody>
          </table>
        </div>
        <div class="chart-foot"><p class="hint">How much of it is used is shown under Usage, to keys of the project itself.</p><gc-copy .request=${this.request}></gc-copy></div>
      </section>
      <p class="actions">
        ${this.query.cursor ? html`<a class="button" href=${link("access", { tab: "projects" })}>First</a>` : nothing}
        ${next_cursor ? html`<a class="button" href=${link("access", { tab: "projects", cursor: next_cursor })}>More</a>` : nothing}
      </p>`;
  }

  /** @param {Project} project */
  renderProject({ name, quotas, created_at }) {
    const isOwn = name === getOwnProject();
    return html`<tr>
      <td class="id">${name} ${isOwn ? html`<span class="badge accent">yours</span>` : nothing}</td>
      <td class="words">${describeQuotas(quotas)}${isOwn && may("read") ? html` (<a href=${link("access", { tab: "usage" })}>what is used</a>)` : nothing}</td>
      <td><time datetime=${created_at} title=${formatTime(created_at)}>${formatAgo(created_at)}</time></td>
      <td><span class="actions">
        <a class="button quiet" href=${link("access", { tab: "keys", project: isOwn ? null : name })} aria-label="Keys of ${name}">Keys</a>
        ${managesAll() ? html`<button type="button" aria-label="Change the quotas of ${name}" @click=${() => adjust({ edit: name, new: null })}>Quotas</button>` : nothing}
        ${managesAll() && name !== DEFAULT_PROJECT ? html`<button type="button" class="quiet danger" aria-label="Delete ${name}" @click=${() => this.discard(name)}>Delete</button>` : nothing}
      </span></td>
    </tr>`;
  }

  /** @param {CustomEvent<{project: Project, isNew: boolean}>} event */
  saved({ detail: { project, isNew } }) {
    notify(`${project.name} is ${isNew ? "made" : "saved"}`);
    this.made = isNew ? project.name : "";
    this.failure = null;
    adjust({ new: null, edit: null });
    this.projects.reload();
  }

  /** @param {string} name */
  async discard(name) {
    const isSure = await confirm({
      title: `Delete ${name}?`,
      text: "Everything in it is lost: its series with their values, models, jobs, alerts, rules and keys. Whoever uses one of its keys is refused from the next request on. This cannot be undone.",
      action: "Delete the project",
      name,
    });
    if (!isSure) return;
    try {
      await call("DELETE", `projects/${inPath(name)}`);
      notify(`${name} is deleted`);
      this.failure = null;
      this.made = "";
      if (this.query.edit === name) adjust({ edit: null });
      this.projects.reload();
    } catch (error) {
      this.failure = /** @type {import("../../api.js").Problem} */ (error);
    }
  }
}

customElements.define("gc-access-projects", AccessProjects);
