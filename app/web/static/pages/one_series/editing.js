/** `<gc-series-editing .series>`: dialogs that change and delete a series. Fires `changed`. */

import { createRef, html, nothing, ref } from "../../vendor/lit.js";
import { call, inPath } from "../../api.js";
import { Element } from "../../element.js";
import { formatCount } from "../../format.js";
import { renderProblem } from "../../loader.js";
import { notify } from "../../parts/notice.js";
import { go } from "../../router.js";

export class SeriesEditing extends Element {
  static properties = { series: { attribute: false }, problem: { state: true } };

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    /** @type {import("../../api.js").Problem|null} */
    this.problem = null;
    this.editing = createRef();
    this.deleting = createRef();
  }

  render() {
    return html`${this.renderEditing()}${this.renderDeleting()}`;
  }

  renderEditing() {
    const { series } = this;
    const labels = Object.entries(series.labels).map(([key, value]) => `${key}: ${value}`).join("\n");
    return html`<dialog ${ref(this.editing)} aria-labelledby="edit-title" @close=${() => (this.problem = null)}>
      <form @submit=${this.save}>
        <h2 id="edit-title">Edit ${series.id}</h2>
        ${this.problem ? renderProblem(this.problem) : nothing}
        <label>Description <input name="description" maxlength="10000" .value=${series.description ?? ""} /></label>
        <label>Unit <input name="unit" maxlength="100" .value=${series.unit ?? ""} /></label>
        <label>Labels, one a line, as <code>key: value</code> <textarea name="labels" .value=${labels}></textarea></label>
        <p class="actions"><button class="primary">Save</button><button type="button" @click=${() => this.close(this.editing)}>Cancel</button></p>
      </form>
    </dialog>`;
  }

  renderDeleting() {
    const { series } = this;
    return html`<dialog ${ref(this.deleting)} aria-labelledby="delete-title" @close=${() => (this.problem = null)}>
      <h2 id="delete-title">Delete ${series.id}?</h2>
      ${this.problem ? renderProblem(this.problem) : nothing}
      <p>Its ${formatCount(series.count, "row")} and its forecasts go with it; models that were trained on it stay. This cannot be undone.</p>
      <p class="actions"><button type="button" class="danger" @click=${this.delete}>Delete it</button><button type="button" autofocus @click=${() => this.close(this.deleting)}>Keep it</button></p>
    </dialog>`;
  }

  /** @param {{value?: unknown}} dialog */
  open(dialog) {
    /** @type {HTMLDialogElement} */ (dialog.value).showModal();
  }

  /** @param {{value?: unknown}} dialog */
  close(dialog) {
    /** @type {HTMLDialogElement} */ (dialog.value).close();
  }

  /** @param {SubmitEvent} event */
  async save(event) {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const { id, freq, timezone, static: covariates } = this.series;
    const body = {
      freq,
      timezone,
      static: covariates,
      description: given.get("description") || null,
      unit: given.get("unit") || null,
      labels: readLabels(String(given.get("labels"))),
    };
    await this.attempt(() => call("PUT", `series/${inPath(id)}`, { body }), () => {
      this.close(this.editing);
      notify("Saved");
      this.dispatchEvent(new CustomEvent("changed"));
    });
  }

  async delete() {
    const { id } = this.series;
    await this.attempt(() => call("DELETE", `series/${inPath(id)}`), () => {
      notify(`${id} was deleted`);
      go("series");
    });
  }

  /** @param {() => Promise<unknown>} request @param {() => void} done */
  async attempt(request, done) {
    try {
      await request();
      done();
    } catch (error) {
      this.problem = /** @type {import("../../api.js").Problem} */ (error);
    }
  }
}

/** Read labels, a line each; a line without a colon is a key with an empty value. @param {string} text @returns {Record<string, string>} */
function readLabels(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return Object.fromEntries(lines.map((line) => {
    const [key, ...value] = line.split(":");
    return [key.trim(), value.join(":").trim()];
  }));
}

customElements.define("gc-series-editing", SeriesEditing);
