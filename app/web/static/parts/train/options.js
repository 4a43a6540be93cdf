/** `<gc-train-options .values @values>`: everything else that a training may be told, folded away. Fires `values`. */

import { html, nothing } from "../../vendor/lit.js";
import { Element } from "../../element.js";
import { Loader } from "../../loader.js";
import { loadFields, readValue, writeValue } from "./schema.js";

/** @typedef {import("./schema.js").Field} Field */

class TrainOptions extends Element {
  static properties = { values: { attribute: false }, isOpen: { state: true }, faults: { state: true } };

  constructor() {
    super();
    /** @type {Record<string, any>} as in the body */
    this.values = {};
    this.isOpen = false;
    /** @type {Record<string, string>} by the field's name */
    this.faults = {};
    /** @type {Loader<Field[]>} */
    this.fields = new Loader(this, "options");
  }

  willUpdate() {
    if (this.isOpen) this.fields.load("schema", loadFields);
  }

  /** Open the options at one of them. @param {string} name such as `network.hidden` */
  async open(name) {
    this.isOpen = true;
    await this.updateComplete;
    await loadFields();
    await this.updateComplete;
    const field = /** @type {HTMLElement|null} */ (this.querySelector(`[id="${toId(name)}"]`));
    field?.closest("details")?.setAttribute("open", "");
    field?.focus();
    if (field instanceof HTMLInputElement) field.select();
  }

  render() {
    const count = countValues(this.values);
    return html`<details class="card options" ?open=${this.isOpen} @toggle=${this.toggle}>
      <summary>
        <strong>Advanced options</strong> ${count ? html`<span class="badge accent">${count} set</span>` : html`<span class="soft">all chosen for you</span>`}
      </summary>
      ${this.isOpen
        ? this.fields.render(
            (fields) => html`<div class="option-grid">${fields.filter(({ kind }) => kind !== "group").map((field) => this.renderField(field))}</div>
              ${fields.filter(({ kind }) => kind === "group").map((field) => this.renderGroup(field))}`,
          )
        : nothing}
    </details>`;
  }

  /** @param {Event} event */
  toggle(event) {
    if (event.target === event.currentTarget) this.isOpen = /** @type {HTMLDetailsElement} */ (event.target).open;
  }

  /** @param {Field} group @returns {unknown} */
  renderGroup(group) {
    const count = countValues(getValue(this.values, group.path));
    return html`<details class="option-group" ?open=${count > 0}>
      <summary>${group.label} ${count ? html`<span class="badge accent">${count} set</span>` : nothing}</summary>
      ${group.help ? html`<p class="hint">${sayHelp(group.help)}</p>` : nothing}
      <div class="option-grid">
        ${group.fields.map((field) => (field.kind === "group" ? this.renderGroup(field) : this.renderField(field)))}
      </div>
    </details>`;
  }

  /** @param {Field} field */
  renderField(field) {
    const name = field.path.join(".");
    const id = toId(name);
    const fault = this.faults[name];
    return html`<div class="option ${fault ? "wanted" : ""}">
      <label for=${id}>${field.label}</label>
      ${this.renderControl(field, id, writeValue(field.kind, getValue(this.values, field.path)))}
      ${fault ? html`<p class="why" role="alert">${fault}</p>` : nothing}
      ${field.help ? html`<p class="hint" id="${id}-help">${sayHelp(field.help)}</p>` : nothing}
    </div>`;
  }

  /** @param {Field} field @param {string} id @param {string} value */
  renderControl(field, id, value) {
    const set = (/** @type {any} */ event) => this.change(field, event.target.value);
    const describedBy = field.help ? `${id}-help` : nothing;
    const byItself = field.byItself || "chosen for you";
    if (field.kind === "choice" || field.kind === "switch") {
      const choices = field.kind === "choice" ? field.choices.map((one) => [one, one]) : [["true", "yes"], ["false", "no"]];
      return html`<select id=${id} aria-describedby=${describedBy} @change=${set}>
        <option value="" ?selected=${!value}>${byItself}</option>
        ${choices.map(([one, words]) => html`<option value=${one} ?selected=${one === value}>${words}</option>`)}
      </select>`;
    }
    const placeholder = field.example ? `such as ${field.example}` : field.byItself;
    return html`<input
      id=${id}
      type="text"
      inputmode=${field.kind === "number" ? "decimal" : nothing}
      autocomplete="off"
      spellcheck="false"
      placeholder=${placeholder}
      aria-describedby=${describedBy}
      .value=${value}
      @change=${set}
    />`;
  }

  /** @param {Field} field @param {string} text */
  change(field, text) {
    const { [field.path.join(".")]: _, ...faults } = this.faults;
    try {
      const values = setValue(this.values, field.path, readValue(field, text));
      this.faults = faults;
      this.dispatchEvent(new CustomEvent("values", { detail: values }));
    } catch (error) {
      this.faults = { ...faults, [field.path.join(".")]: /** @type {Error} */ (error).message };
    }
  }
}

/** @param {string} name */
const toId = (name) => `option-${name}`;

/** Leave out the marks of code in a description. @param {string} help */
const sayHelp = (help) => help.split("\n")[0].replaceAll("`", "");

/** @param {any} values @param {string[]} path @returns {any} */
const getValue = (values, path) => path.reduce((inner, name) => inner?.[name], values);

/** Return the values with one changed, without what became empty. @param {Record<string, any>} values @param {string[]} path @param {unknown} value @returns {Record<string, any>} */
function setValue(values, [name, ...rest], value) {
  const inner = rest.length ? setValue(values?.[name] ?? {}, rest, value) : value;
  const { [name]: _, ...others } = values ?? {};
  const isEmpty = inner === undefined || (rest.length > 0 && !Object.keys(/** @type {object} */ (inner)).length);
  return isEmpty ? others : { ...others, [name]: inner };
}

/** @param {any} values @returns {number} */
function countValues(values) {
  if (values === undefined || values === null) return 0;
  if (typeof values !== "object" || Array.isArray(values)) return 1;
  return Object.values(values).reduce((sum, one) => sum + countValues(one), 0);
}

customElements.define("gc-train-options", TrainOptions);
