/** What a newcomer does first, where nothing is stored yet. */

import { html } from "../../vendor/lit.js";
import { address } from "../../api.js";
import { link } from "../../router.js";
import { getAccess, may } from "../../session.js";
import { copyText } from "../copy.js";
import "../file_drop.js";

const TABLE = "unique_id,ds,y\nshop 1,2026-01-01,120\nshop 1,2026-01-02,135\nshop 2,2026-01-01,80\n…";

function writeCurl() {
  const key = getAccess()?.auth === "on" ? ` -H "Authorization: Bearer $GATECAST_KEY"` : "";
  return `curl --data-binary @table.csv -H 'Content-Type: text/csv'${key} '${address("series/import")}'`;
}

/** @param {(files: File[]) => void} take */
export function renderNewcomer(take) {
  if (!may("write")) {
    return html`<div class="empty"><p>Nothing is stored here yet. Your key may only read: ask who runs the service to import a table.</p></div>`;
  }
  const curl = writeCurl();
  return html`<section class="newcomer" aria-label="First steps">
    <p class="lead">Nothing is stored yet. Three steps to your first forecast:</p>
    <ol class="steps">
      <li class="card">
        <h2>Bring a table</h2>
        <p>One row a value: which series, when, how much. Other columns, such as the weather, are covariates.</p>
        <pre tabindex="0" aria-label="A table">${TABLE}</pre>
        <gc-file-drop @files=${(/** @type {CustomEvent<File[]>} */ event) => take(event.detail)}></gc-file-drop>
        <p class="hint">No file at hand? <a href=${link("import", { paste: 1 })}>Paste a table</a> from a spreadsheet.</p>
      </li>
      <li class="card">
        <h2>Train a model</h2>
        <p>Choose the series and how many steps ahead to look. The network, its training and the check against simple forecasts are chosen for you.</p>
      </li>
      <li class="card">
        <h2>See the forecast</h2>
        <p>Open a series: its history and the forecast stand in one chart, with the interval in words, and as a call to copy.</p>
      </li>
    </ol>
    <p>
      No data yet? <code>gatecast demo</code> (or <code>make demo</code>) loads two years of bike hires with the weather, and trains a model on them in a
      minute or two.
    </p>
    <p>From a terminal:</p>
    <pre class="snippet" tabindex="0" aria-label="The same by curl"><code>${curl}</code></pre>
    <button type="button" class="quiet" @click=${() => copyText(curl, "curl")}>Copy as curl</button>
  </section>`;
}
