/** `<gc-version-comparison .versions>`: versions side by side, what differs marked. */

import { html, nothing } from "../vendor/lit.js";
import { compareConfigs, compareMeasures } from "../comparing.js";
import { Element } from "../element.js";
import { formatCount } from "../format.js";
import { formatMeasure, formatOption, isShare } from "../judging.js";

class VersionComparison extends Element {
  static properties = { versions: { attribute: false } };

  constructor() {
    super();
    /** @type {Record<string, any>[]} two or more */
    this.versions = [];
  }

  render() {
    return renderComparison(this.versions);
  }
}

/** @param {Record<string, any>[]} versions */
function renderComparison(versions) {
  const options = compareConfigs(versions);
  const different = options.filter((line) => line.differs);
  const same = options.filter((line) => !line.differs);
  return html`<h2>Versions ${new Intl.ListFormat("en-GB").format(versions.map((one) => String(one.version)))} side by side</h2>
    <p>${different.length ? `${formatCount(different.length, "option")} of ${options.length} differ.` : "They were given the same options."}</p>
    ${renderLines("Measures, each on its own gate; the best is bold", versions, compareMeasures(versions).map(toMeasureCells))}
    ${different.length ? renderLines("What differs", versions, different.map(toCells), true) : nothing}
    <details>
      <summary>What is the same (${same.length})</summary>
      ${renderLines("What is the same", versions, same.map(toCells))}
    </details>`;
}

/** @param {import("../comparing.js").Line} line */
const toCells = (line) => ({ ...line, cells: line.values.map(formatOption), best: -1 });

/** @param {import("../comparing.js").Line & {measure: string}} line */
const toMeasureCells = (line) => ({
  ...line,
  cells: line.values.map((value) => formatMeasure(line.measure, /** @type {number|null} */ (value))),
  best: findBest(line),
});

/** @param {import("../comparing.js").Line & {measure: string}} line @returns {number} index of the least value; -1 of shares, which have none */
function findBest({ values, measure }) {
  if (isShare(measure)) return -1;
  const known = /** @type {number[]} */ (values.filter((value) => value !== null));
  return values.indexOf(Math.min(...known));
}

/** @param {string} caption @param {Record<string, any>[]} versions @param {{name: string, cells: string[], best: number}[]} lines @param {boolean} [isMarked] */
function renderLines(caption, versions, lines, isMarked = false) {
  return html`<div class="scroll" tabindex="0">
    <table>
      <caption>${caption}</caption>
      <thead>
        <tr><th scope="col">Name</th>${versions.map((one) => html`<th scope="col">Version ${one.version}</th>`)}</tr>
      </thead>
      <tbody>
        ${lines.map(
          ({ name, cells, best }) => html`<tr>
            <th scope="row">${name}</th>
            ${cells.map((cell, index) => html`<td class="${isMarked ? "differs" : ""} ${index === best ? "best" : ""}">${cell}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

customElements.define("gc-version-comparison", VersionComparison);
