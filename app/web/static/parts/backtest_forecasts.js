/** `<gc-backtest-forecasts .backtest .series>`: what a backtest forecast of one series, over what happened. */

import { html, nothing } from "../vendor/lit.js";
import { get, getAll, inPath } from "../api.js";
import { Element } from "../element.js";
import { formatCount, toSeconds } from "../format.js";
import { toSentence } from "../job_words.js";
import { Loader } from "../loader.js";
import { link } from "../router.js";
import "./chart.js";

/** history that is shown before the first origin, in horizons */
const BEFORE = 2;
const MOST_ROWS = 10_000;

/** @typedef {{window: number, origin: string, ds: string[], yhat: number[], quantiles: Record<string, number[]>}} Forecast */
/** @typedef {{layers: import("./chart/traces.js").Layer[], bands: import("./chart/traces.js").Band[], series: Record<string, any>, forecasts: Forecast[], skipped: number}} Figure */

/** Return forecasts that do not overlap: every so many. @param {Forecast[]} forecasts by origin @returns {Forecast[]} */
function thinOverlapping(forecasts) {
  /** @type {Forecast[]} */
  const kept = [];
  let end = -Infinity;
  for (const forecast of forecasts) {
    if (toSeconds(forecast.ds[0]) <= end) continue;
    kept.push(forecast);
    end = toSeconds(/** @type {string} */ (forecast.ds.at(-1)));
  }
  return kept;
}

/** Return bands of the intervals that the quantiles make, the widest first. @param {Forecast[]} forecasts @param {number[]} x @returns {import("./chart/traces.js").Band[]} */
function makeBands(forecasts, x) {
  const levels = Object.keys(forecasts[0]?.quantiles ?? {}).map(Number).sort((one, other) => one - other);
  const pairs = levels.slice(0, Math.floor(levels.length / 2)).map((level, index) => [level, levels[levels.length - 1 - index]]);
  /** @param {number} level */
  const collect = (level) => forecasts.flatMap((one) => one.quantiles[String(level)]);
  return pairs.map(([low, high], index) => ({
    name: `${Math.round(100 * (high - low))} % interval`,
    x,
    low: collect(low),
    high: collect(high),
    color: /** @type {const} */ ("forecast"),
    strength: 0.25 + 0.2 * index,
  }));
}

class BacktestForecasts extends Element {
  static properties = {
    backtest: { attribute: false },
    series: {},
  };

  constructor() {
    super();
    /** @type {Record<string, any>|null} */
    this.backtest = null;
    this.series = "";
    /** @type {Loader<Figure>} */
    this.figure = new Loader(this, "forecasts");
  }

  get path() {
    return `backtests/${encodeURIComponent(this.backtest?.id)}/forecasts`;
  }

  willUpdate() {
    if (!this.backtest || !this.series) return;
    const { path, series } = this;
    this.figure.load([path, series], (signal) => this.load(path, series, signal));
  }

  /** @param {string} path @param {string} id @param {AbortSignal} signal @returns {Promise<Figure>} */
  async load(path, id, signal) {
    /** @type {[Forecast[], Record<string, any>]} */
    const [all, series] = await Promise.all([getAll(path, { series: id, limit: 1000 }, signal, MOST_ROWS), get(`series/${inPath(id)}`, {}, signal)]);
    const forecasts = thinOverlapping(all);
    if (!forecasts.length) return { layers: [], bands: [], series, forecasts, skipped: 0 };
    const first = toSeconds(forecasts[0].origin);
    const length = toSeconds(/** @type {string} */ (forecasts[0].ds.at(-1))) - first;
    const start = new Date(1000 * (first - BEFORE * length)).toISOString();
    const end = new Date(1000 * (toSeconds(/** @type {string} */ (forecasts.at(-1)?.ds.at(-1))) + 1)).toISOString();
    const actual = await get(`series/${inPath(id)}/observations`, { start, end, limit: MOST_ROWS }, signal);
    const x = forecasts.flatMap((one) => one.ds.map(toSeconds));
    return {
      layers: [
        { name: "What happened", x: actual.ds.map(toSeconds), y: actual.y, kind: "line", color: "actual", width: 1.5 },
        { name: "Forecast", x, y: forecasts.flatMap((one) => one.yhat), kind: "line", color: "forecast", width: 2 },
      ],
      bands: makeBands(forecasts, x),
      series,
      forecasts,
      skipped: all.length - forecasts.length,
    };
  }

  render() {
    const { code } = this.figure.problem ?? {};
    if (code === "backtest_forecasts_not_kept") return html`<p class="hint">${toSentence(this.figure.problem?.message ?? "")}</p>`;
    return this.figure.render((figure) => this.renderFigure(figure));
  }

  /** @param {Figure} figure */
  renderFigure({ layers, bands, series, forecasts, skipped }) {
    if (!forecasts.length) return html`<p>This series has no window in the backtest: it was too short.</p>`;
    return html`<p>
        ${formatCount(forecasts.length, "window")} of <a href=${link("series/one", { id: this.series })}>${this.series}</a>, each forecast from what came before it.
        ${skipped ? `${formatCount(skipped, "window")} between them overlap, and are left out of the picture.` : nothing}
      </p>
      <gc-chart
        .label=${`Backtest of ${this.series}`}
        .layers=${layers}
        .bands=${bands}
        .timezone=${series.timezone}
        .freq=${series.freq}
        .unit=${series.unit}
        .request=${{ method: "GET", path: this.path, query: { series: this.series } }}
      ></gc-chart>`;
  }
}

customElements.define("gc-backtest-forecasts", BacktestForecasts);
