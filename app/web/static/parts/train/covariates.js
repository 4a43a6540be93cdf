/** `<gc-covariate-roles .value .statics @roles>`: what the model reads beside the values. Fires `roles`. */

import { html, nothing } from "../../vendor/lit.js";
import { getAll } from "../../api.js";
import { Element } from "../../element.js";
import { formatCount } from "../../format.js";
import { Loader } from "../../loader.js";

/** @typedef {{known_future?: string[], past?: string[], static?: string[]}} Roles */

/** @type {["known_future"|"past", string][]} */
const ROLES = [
  ["known_future", "known ahead"],
  ["past", "known up to now"],
];

class CovariateRoles extends Element {
  static properties = { value: { attribute: false }, statics: { attribute: false } };

  constructor() {
    super();
    /** @type {Roles} */
    this.value = {};
    /** @type {string[]} names that the chosen series have as static */
    this.statics = [];
    this.known = new Loader(this, "covariates");
  }

  connectedCallback() {
    super.connectedCallback();
    this.known.load("covariates", (signal) => getAll("covariates", { limit: 1000 }, signal));
  }

  render() {
    return this.known.render((covariates) => {
      const statics = [...new Set([...this.statics, ...(this.value.static ?? [])])];
      if (!covariates.length && !statics.length) {
        return html`<p class="hint">None is stored. Other columns of an imported table, such as the weather or prices, become covariates.</p>`;
      }
      return html`<p class="hint">
          Known ahead: for the whole horizon when a forecast is made, such as prices or a weather forecast. Known up to now: measured, such as visitors.
        </p>
        ${covariates.length ? this.renderTable(covariates) : nothing} ${statics.length ? this.renderStatics(statics) : nothing}`;
    });
  }

  /** @param {{name: string, kind: string, values: number}[]} covariates */
  renderTable(covariates) {
    return html`<div class="scroll roles">
      <table>
        <caption class="hidden-text">Covariates and their roles</caption>
        <thead><tr><th scope="col">Covariate</th><th scope="col" class="hide-narrow">Kind</th><th scope="col" class="number hide-narrow">Stored</th><th scope="col">Role in the model</th></tr></thead>
        <tbody>
          ${covariates.map(
            ({ name, kind, values }) => html`<tr>
              <td class="id">${name}</td>
              <td class="hide-narrow">${kind === "numeric" ? "numbers" : "categories"}</td>
              <td class="number hide-narrow">${formatCount(values, "value")}</td>
              <td>
                <select aria-label="Role of ${name}" @change=${(/** @type {any} */ event) => this.assign(name, event.target.value)}>
                  <option value="" ?selected=${!this.findRole(name)}>not read</option>
                  ${ROLES.map(([role, words]) => html`<option value=${role} ?selected=${this.findRole(name) === role}>${words}</option>`)}
                </select>
              </td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  /** @param {string[]} names */
  renderStatics(names) {
    return html`<fieldset>
      <legend>Static: one value a series</legend>
      <div class="choices">
        ${names.map(
          (name) => html`<label class="check">
            <input type="checkbox" .checked=${Boolean(this.value.static?.includes(name))} @change=${(/** @type {any} */ event) => this.assign(name, event.target.checked ? "static" : "")} />${name}
          </label>`,
        )}
      </div>
    </fieldset>`;
  }

  /** @param {string} name */
  findRole(name) {
    return ROLES.find(([role]) => this.value[role]?.includes(name))?.[0];
  }

  /** @param {string} name @param {string} role empty: not read */
  assign(name, role) {
    const others = Object.entries(this.value).map(([one, names]) => [one, names.filter((/** @type {string} */ other) => other !== name)]);
    /** @type {Record<string, string[]>} */
    const roles = Object.fromEntries(others);
    if (role) roles[role] = [...(roles[role] ?? []), name];
    this.dispatchEvent(new CustomEvent("roles", { detail: Object.fromEntries(Object.entries(roles).filter(([, names]) => names.length)) }));
  }
}

customElements.define("gc-covariate-roles", CovariateRoles);
