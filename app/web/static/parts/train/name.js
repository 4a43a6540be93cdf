/** The model's name: suggested from the series, and what it means where a model has it already. */

import { html, nothing } from "../../vendor/lit.js";
import { describeHorizon } from "./horizon.js";

const LONGEST = 60;

/** @param {import("../selection.js").Selection|null} series @returns {string} empty where nothing is chosen */
export function suggestName(series) {
  if (!series) return "";
  if (series === "all") return "all";
  if ("labels" in series) return slug(Object.values(series.labels).join("-"));
  if (series.ids.length < 2) return slug(series.ids[0] ?? "");
  return slug(`${findCommonStart(series.ids) || series.ids[0]}-${series.ids.length}`);
}

/** @param {string} text */
const slug = (text) => text.normalize("NFKD").replace(/[^A-Za-z0-9._]+/g, "-").replace(/^-+|-+$/g, "").slice(0, LONGEST);

/** @param {string[]} ids */
function findCommonStart([first, ...others]) {
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length).replace(/\d+$/, "");
}

/** @param {string} name @param {{name: string, freq: string, horizon: number, versions: number[]}[]} models @param {(name: string) => void} change */
export function renderName(name, models, change) {
  const model = models.find((one) => one.name === name);
  return html`<label for="train-model">Name of the model</label>
    <input
      id="train-model"
      type="text"
      list="train-models"
      maxlength="100"
      pattern="[A-Za-z0-9._\\-]+"
      autocomplete="off"
      spellcheck="false"
      aria-describedby="train-model-words"
      .value=${name}
      @change=${(/** @type {any} */ event) => change(event.target.value.trim())}
    />
    <datalist id="train-models">${models.map((one) => html`<option value=${one.name}></option>`)}</datalist>
    <p class="hint" id="train-model-words">${name ? explainName(name, model) : nothing}</p>`;
}

/** @param {string} name @param {{freq: string, horizon: number}|undefined} model that has it already */
function explainName(name, model) {
  if (!model) return "A new model. Letters, digits, dots, dashes and underscores.";
  const span = describeHorizon(model.freq, model.horizon) || `${model.horizon} steps of ${model.freq}`;
  return `${name} exists: this becomes its next version, which looks ${span} ahead as the others do.`;
}
