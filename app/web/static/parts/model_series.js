/** Which series something is about: all that there are for it, or some. */

import { html, nothing } from "../vendor/lit.js";
import "./series_picker.js";

/** @typedef {import("./series_picker.js").Selection} Selection */

/** @param {Selection} selection @param {string} all words for all of them @param {(selection: Selection) => void} change */
export function renderModelSeries(selection, all, change) {
  const isAll = selection === "all";
  return html`<fieldset>
    <legend>Which series</legend>
    <label class="check"><input type="checkbox" .checked=${isAll} @change=${() => change(isAll ? { ids: [] } : "all")} />${all}</label>
    ${isAll ? nothing : html`<gc-series-picker .value=${selection} .offersAll=${false} @change=${(/** @type {CustomEvent<Selection>} */ event) => change(event.detail)}></gc-series-picker>`}
  </fieldset>`;
}
