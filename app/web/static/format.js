/** Numbers and times as people read them. */

/** Frequencies of a day or longer are written without the time of day. */
const HAS_TIME = /^\d*(ns|us|ms|s|min|h|T|H|S|L|U|N)$/;

/** Write a number so that about four digits tell. @param {number|null|undefined} value @param {string|null} [unit] */
export function formatNumber(value, unit = null) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const options =
    size !== 0 && (size >= 1e9 || size < 1e-3)
      ? { notation: /** @type {const} */ ("scientific"), maximumSignificantDigits: 4 }
      : { maximumFractionDigits: size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4 };
  return new Intl.NumberFormat("en", options).format(value) + (unit ? ` ${unit}` : "");
}

/** @param {number} part between 0 and 1 */
export const formatPercent = (part, digits = 0) => `${(100 * part).toFixed(digits)} %`;

/** Say whether values of a frequency have a time of day. @param {string|null|undefined} freq */
export const hasTime = (freq) => !freq || HAS_TIME.test(freq);

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} timezone @param {boolean} withTime */
function getFormat(timezone, withTime) {
  const name = `${timezone} ${withTime}`;
  let format = formats.get(name);
  if (!format) {
    const time = withTime ? { hour: /** @type {const} */ ("2-digit"), minute: /** @type {const} */ ("2-digit") } : {};
    format = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, year: "numeric", month: "short", day: "numeric", hourCycle: "h23", ...time });
    formats.set(name, format);
  }
  return format;
}

/**
 * Write a time in a series' own timezone. @param {string|number|null|undefined} ds ISO 8601, or seconds since 1970
 * @param {string} [timezone] @param {string|null} [freq] the series' frequency
 */
export function formatTime(ds, timezone = "UTC", freq = null) {
  if (ds === null || ds === undefined) return "–";
  const date = typeof ds === "number" ? new Date(1000 * ds) : new Date(ds);
  return getFormat(timezone, hasTime(freq)).format(date);
}

/** @param {string} ds ISO 8601 @returns {number} seconds since 1970 */
export const toSeconds = (ds) => Date.parse(ds) / 1000;

/** @param {number|null|undefined} seconds */
export function formatDuration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** @param {string|null|undefined} ds ISO 8601 */
export function formatAgo(ds) {
  if (!ds) return "–";
  const seconds = Date.now() / 1000 - toSeconds(ds);
  return seconds < 5 ? "just now" : `${formatDuration(seconds)} ago`;
}

/** @param {number} count @param {string} noun @param {string} [plural] */
export const formatCount = (count, noun, plural = `${noun}s`) => `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;

/** Write what the service says as a sentence. @param {string} text */
export const formatSentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?:]$/.test(text) ? "" : ".");

/** @param {number|null|undefined} bytes */
export function formatBytes(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}
