/** How a table is to be read: the parameters of the import, as fields. */

import { html, nothing } from "../../vendor/lit.js";

/**
 * @typedef {object} Option
 * @property {string} name as the API calls it
 * @property {string} label
 * @property {string} help
 * @property {[string, string][]} [choices] value and words; the first one is for what the service does by itself
 * @property {string[]} [examples]
 */

/** @type {Option[]} */
export const OPTIONS = [
  {
    name: "ds_format",
    label: "How times are written",
    help: "Found out where it is left empty. %d day, %m month, %Y year, %H:%M:%S time; epoch_s, epoch_ms for seconds or milliseconds since 1970.",
    examples: ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%Y%m%d", "epoch_s", "epoch_ms"],
  },
  { name: "timezone", label: "Timezone", help: "Of times without an offset, and of new series. UTC where it is left empty.", examples: listTimezones() },
  {
    name: "freq",
    label: "Frequency of new series",
    help: "Read from the times where it is left empty. h hours, D days, W-MON weeks from Monday, MS months, 15min.",
    examples: ["15min", "30min", "h", "D", "B", "W-MON", "MS", "QS", "YS"],
  },
  {
    name: "layout",
    label: "Layout",
    help: "Long: a row for each series and time. Wide: a column for each series.",
    choices: [["", "as its columns show"], ["long", "long"], ["wide", "wide"]],
  },
  {
    name: "delimiter",
    label: "Between the cells (CSV)",
    help: "",
    choices: [["", "as its header shows"], [",", "comma"], [";", "semicolon"], ["tab", "tab"], ["|", "bar"], ["space", "blank"]],
  },
  { name: "decimal", label: "Before decimals (CSV)", help: "", choices: [["", "as its cells show"], [".", "a point: 1.5"], [",", "a comma: 1,5"]] },
  { name: "encoding", label: "Encoding (CSV)", help: "UTF-8 and UTF-16 are known by themselves.", examples: ["windows-1252", "iso-8859-15", "cp437"] },
  {
    name: "format",
    label: "Format",
    help: "",
    choices: [["", "as name and content show"], ["csv", "CSV"], ["ndjson", "NDJSON"], ["parquet", "Parquet"], ["arrow", "Arrow"]],
  },
  { name: "columns", label: "What the columns are", help: "name:is,… such as date:ds,value:y,note: (nothing on the right leaves a column out)." },
  {
    name: "on_error",
    label: "Bad rows",
    help: "",
    choices: [["", "refuse the table"], ["skip", "leave them out, write the others"]],
  },
  {
    name: "on_duplicate",
    label: "Rows of one time",
    help: "",
    choices: [["", "refuse them"], ["last", "take the last"], ["mean", "take the mean"]],
  },
  {
    name: "ambiguous",
    label: "Local times that exist twice",
    help: "In autumn, when the clocks go back.",
    choices: [["", "refuse them"], ["infer", "tell them by the order of rows"]],
  },
  {
    name: "empty_y",
    label: "Empty cells",
    help: "Of a value that is stored already.",
    choices: [["", "missing; kept where there are covariates"], ["missing", "the value becomes missing"], ["keep", "the stored value stays"]],
  },
  { name: "ds_start", label: "Time of step 0", help: "Where the times are numbers of steps: 0, 1, 2, … Needs the frequency.", examples: ["2024-01-01"] },
];

/** @returns {string[]} */
function listTimezones() {
  return "supportedValuesOf" in Intl ? Intl.supportedValuesOf("timeZone") : [];
}

/**
 * Draw an option. @param {Option} option @param {string} prefix of ids @param {string} value
 * @param {string} why words beside the option that settles a refusal @param {(name: string, value: string) => void} change
 */
export function renderOption({ name, label, help, choices, examples }, prefix, value, why, change) {
  const id = `${prefix}-${name}`;
  const describedBy = why ? `${id}-why` : help ? `${id}-help` : nothing;
  const set = (/** @type {any} */ event) => change(name, event.target.value.trim());
  return html`<div class="option ${why ? "wanted" : ""}">
    <label for=${id}>${label}</label>
    ${choices ? renderSelect(id, choices, value, describedBy, set) : renderInput(id, examples, value, describedBy, set)}
    ${why ? html`<p class="why" id="${id}-why">${why}</p>` : nothing} ${help ? html`<p class="hint" id="${id}-help">${help}</p>` : nothing}
  </div>`;
}

/** @param {string} id @param {[string, string][]} choices @param {string} value @param {any} describedBy @param {(event: Event) => void} set */
function renderSelect(id, choices, value, describedBy, set) {
  const isKnown = choices.some(([one]) => one === value);
  return html`<select id=${id} aria-describedby=${describedBy} @change=${set}>
    ${choices.map(([one, words]) => html`<option value=${one} ?selected=${one === value}>${words}</option>`)}
    ${isKnown ? nothing : html`<option value=${value} selected>${value}</option>`}
  </select>`;
}

/** @param {string} id @param {string[]|undefined} examples @param {string} value @param {any} describedBy @param {(event: Event) => void} set */
function renderInput(id, examples, value, describedBy, set) {
  return html`<input id=${id} type="text" spellcheck="false" autocomplete="off" list=${examples ? `${id}-examples` : nothing} aria-describedby=${describedBy} .value=${value} @change=${set} />
    ${examples ? html`<datalist id="${id}-examples">${examples.map((one) => html`<option value=${one}></option>`)}</datalist>` : nothing}`;
}
