/** `<gc-series-queries .series .model>`: queries of a series for Grafana and Prometheus, to copy. */

import { html } from "../../vendor/lit.js";
import { getAll } from "../../api.js";
import { Element } from "../../element.js";
import { Loader } from "../../loader.js";
import { listQueries } from "../../metric_names.js";
import { copyText } from "../../parts/copy.js";

const MOST_MODELS = 1000;

class SeriesQueries extends Element {
  static properties = { series: { attribute: false }, model: {} };

  constructor() {
    super();
    /** @type {any} */
    this.series = null;
    this.model = "";
    /** @type {Loader<string[]>} names of all models: two of them may be one metric */
    this.names = new Loader(this, "queries");
  }

  willUpdate() {
    this.names.load("names", async (signal) => (await getAll("models", { limit: 100 }, signal, MOST_MODELS)).map(({ name }) => name));
  }

  render() {
    return html`<p class="hint">The data source is of the type Prometheus; its address is <code>${new URL(document.baseURI).href.replace(/[?#].*$/, "").replace(/\/$/, "")}</code>. The dashboard's range must reach into the future, as now-2d to now+1d does.</p>
      ${this.names.render((names) => listQueries(this.model, this.series, names).map(renderQuery))}`;
  }
}

/** @param {{title: string, hint: string, text: string}} query */
function renderQuery({ title, hint, text }) {
  return html`<div class="spaced">
    <div class="chart-foot"><span><strong>${title}</strong> <span class="hint">${hint}</span></span><button type="button" class="quiet" aria-label="Copy the query: ${title}" @click=${() => copyText(text, "Query")}>Copy</button></div>
    <pre class="snippet" tabindex="0"><code>${text}</code></pre>
  </div>`;
}

customElements.define("gc-series-queries", SeriesQueries);
