/** One table on its way: checked, perhaps refused, written. */

import { Problem } from "../../api.js";
import { makeKey, sendTable } from "./sender.js";

/** @typedef {"waiting"|"checking"|"checked"|"refused"|"writing"|"written"|"failed"|"stopped"} Phase */

const makeEmpty = () => new Problem({ status: 0, code: "empty", title: "Empty", detail: "The file is empty. Look whether it was saved, then drop it again." });

export class Upload {
  /** @param {File} file @param {(upload: Upload) => void} onChange */
  constructor(file, onChange) {
    this.file = file;
    this.onChange = onChange;
    /** @type {Record<string, string>} parameters of the call */
    this.options = {};
    /** @type {Phase} */
    this.phase = "waiting";
    /** share that is sent */
    this.sent = 0;
    /** @type {any} of the dry run, then of the import */
    this.report = null;
    /** @type {any} what the import would do without the rows that are refused */
    this.rest = null;
    /** @type {import("../../api.js").Problem|null} */
    this.problem = null;
    this.key = makeKey();
    this.controller = new AbortController();
  }

  get isBusy() {
    return this.phase === "checking" || this.phase === "writing";
  }

  /** Change an option; the table is to be checked again. @param {Record<string, string>} changes empty: leave it to the service */
  set(changes) {
    const options = { ...this.options, ...changes };
    this.options = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== ""));
    this.key = makeKey();
    this.controller.abort();
    this.move("waiting");
  }

  cancel() {
    this.controller.abort();
    this.move("stopped");
  }

  /** Ask what an import would do. */
  async check() {
    this.report = null;
    this.rest = null;
    const controller = this.begin("checking");
    try {
      if (!this.file.size) throw makeEmpty();
      this.report = await this.send(controller, { dry_run: true });
      if (!controller.signal.aborted) this.move("checked");
    } catch (error) {
      if (controller.signal.aborted) return;
      this.problem = /** @type {import("../../api.js").Problem} */ (error);
      if (this.hasBadRows) this.rest = await this.send(controller, { dry_run: true, on_error: "skip" }).catch(() => null);
      if (!controller.signal.aborted) this.move("refused");
    }
  }

  /** Import it. */
  async write() {
    const controller = this.begin("writing");
    try {
      this.report = await this.send(controller, {}, this.key);
      if (!controller.signal.aborted) this.move("written");
    } catch (error) {
      if (controller.signal.aborted) return;
      this.problem = /** @type {import("../../api.js").Problem} */ (error);
      this.move("failed");
    }
  }

  get hasBadRows() {
    return Boolean(this.problem?.errors.some(({ field }) => field.startsWith("row ")));
  }

  /** @param {Phase} phase */
  begin(phase) {
    this.controller.abort();
    this.controller = new AbortController();
    this.problem = null;
    this.sent = 0;
    this.move(phase);
    return this.controller;
  }

  /** @param {AbortController} controller @param {Record<string, unknown>} query @param {string} [key] */
  send(controller, query, key) {
    const onProgress = (/** @type {number} */ part) => {
      if (controller.signal.aborted) return;
      this.sent = part;
      this.onChange(this);
    };
    return sendTable(this.file, { query: { ...this.options, ...query }, key, signal: controller.signal, onProgress });
  }

  /** @param {Phase} phase */
  move(phase) {
    this.phase = phase;
    this.onChange(this);
  }
}
