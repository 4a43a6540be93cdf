/** What the columns of a table are: a choice for each, written as the parameter `columns`. */

import { html, nothing } from "../../vendor/lit.js";

const MOST = 40;
/** @type {[string, string][]} */
const ROLES = [
  ["", "as it is named"],
  ["unique_id", "which series (unique_id)"],
  ["ds", "when (ds)"],
  ["y", "the value (y)"],
  ["-", "left out"],
];
const LEFT_OUT = "-";

/** Say whether the columns can be chosen one by one. @param {string[]} columns */
export const canMap = (columns) => columns.length > 0 && columns.length <= MOST && columns.every((name) => !/["\r\n]/.test(name));

/** @param {Record<string, string>} roles by column @returns {string} the parameter */
export function writeColumns(roles) {
  return Object.entries(roles)
    .filter(([, role]) => role)
    .map(([name, role]) => quote(`${name}:${role === LEFT_OUT ? "" : role}`))
    .join(",");
}

/** @param {string} pair */
const quote = (pair) => (/[,"]/.test(pair) ? `"${pair.replaceAll('"', '""')}"` : pair);

/** @param {string} text the parameter @returns {Record<string, string>} roles by column */
export function readColumns(text) {
  const pairs = [...text.matchAll(/"((?:[^"]|"")*)"|([^,]+)/g)].map(([, quoted, plain]) => (quoted === undefined ? plain : quoted.replaceAll('""', '"')));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.lastIndexOf(":")), pair.slice(pair.lastIndexOf(":") + 1) || LEFT_OUT]));
}

/** @param {string[]} columns @param {string} value the parameter @param {string} prefix of ids @param {string} why @param {(value: string) => void} change */
export function renderColumns(columns, value, prefix, why, change) {
  const roles = readColumns(value);
  return html`<fieldset class="option wide ${why ? "wanted" : ""}" id="${prefix}-columns" tabindex="-1">
    <legend>What the columns are</legend>
    ${why ? html`<p class="why">${why}</p>` : nothing}
    <div class="column-roles">
      ${columns.map(
        (name) => html`<label
          ><code>${name}</code>
          <select @change=${(/** @type {any} */ event) => change(writeColumns({ ...roles, [name]: event.target.value }))}>
            ${ROLES.map(([role, words]) => html`<option value=${role} ?selected=${(roles[name] ?? "") === role}>${words}</option>`)}
            ${roles[name] && !ROLES.some(([role]) => role === roles[name]) ? html`<option value=${roles[name]} selected>${roles[name]}</option>` : nothing}
          </select>
        </label>`,
      )}
    </div>
    <p class="hint">A column that is none of these is a covariate by its own name.</p>
  </fieldset>`;
}
