/** Which view an address shows: each is loaded when it is first looked at. */

import { loadStyle } from "./style.js";

/** @typedef {{tag: string, nav: string, load: () => Promise<unknown>, styles?: string[]}} Entry */

const CHART_STYLES = ["vendor/uplot.css"];

/** Begin to load what charts are drawn by: a browser that follows imports finds the library five files later. */
const prepareCharts = () => Promise.all([import("./vendor/uplot.js"), import("./parts/chart/plot.js"), import("./parts/copy.js"), import("./parts/chart.js")]);

/** Load the view of a path, once. @param {string} path */
export const loadView = (path) => Promise.all([VIEWS[path]?.load(), ...(VIEWS[path]?.styles ?? []).map(loadStyle)]);

/** @type {Record<string, Entry>} */
export const VIEWS = {
  series: { tag: "gc-series-list", nav: "series", load: () => import("./pages/series_list.js"), styles: ["forms.css", "series_list.css"] },
  "series/one": { tag: "gc-one-series", nav: "series", load: () => (prepareCharts(), import("./pages/one_series.js")), styles: CHART_STYLES },
  import: { tag: "gc-import", nav: "series", load: () => import("./pages/import.js"), styles: ["forms.css"] },
  train: { tag: "gc-train", nav: "train", load: () => import("./pages/train.js"), styles: ["forms.css"] },
  models: { tag: "gc-model-list", nav: "models", load: () => import("./pages/model_list.js") },
  "models/one": { tag: "gc-one-model", nav: "models", load: () => import("./pages/one_model.js") },
  jobs: { tag: "gc-job-list", nav: "jobs", load: () => import("./pages/job_list.js") },
  "jobs/one": { tag: "gc-one-job", nav: "jobs", load: () => (prepareCharts(), import("./pages/one_job.js")), styles: CHART_STYLES },
  backtests: { tag: "gc-backtest-list", nav: "backtests", load: () => import("./pages/backtest_list.js"), styles: ["forms.css"] },
  "backtests/one": { tag: "gc-one-backtest", nav: "backtests", load: () => import("./pages/one_backtest.js") },
  anomalies: { tag: "gc-anomalies", nav: "anomalies", load: () => import("./pages/anomalies.js"), styles: ["forms.css"] },
  alerts: { tag: "gc-alert-list", nav: "alerts", load: () => import("./pages/alert_list.js") },
  "alerts/one": { tag: "gc-one-alert", nav: "alerts", load: () => import("./pages/one_alert.js") },
  "alerts/edit": { tag: "gc-edit-alert", nav: "alerts", load: () => import("./pages/edit_alert.js"), styles: ["forms.css"] },
  access: { tag: "gc-access", nav: "access", load: () => import("./pages/access.js"), styles: ["forms.css", "access.css"] },
};

/** `rights`: one of them is needed @type {{nav: string, path: string, label: string, rights?: import("./session.js").Right[]}[]} */
export const NAVIGATION = [
  { nav: "series", path: "series", label: "Series" },
  { nav: "train", path: "train", label: "Train", rights: ["train"] },
  { nav: "models", path: "models", label: "Models" },
  { nav: "jobs", path: "jobs", label: "Jobs" },
  { nav: "backtests", path: "backtests", label: "Backtests" },
  { nav: "anomalies", path: "anomalies", label: "Anomalies" },
  { nav: "alerts", path: "alerts", label: "Alerts" },
  { nav: "access", path: "access", label: "Access", rights: ["read", "admin"] },
];
