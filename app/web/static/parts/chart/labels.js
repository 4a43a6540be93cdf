/** The words along the axes. */

const MINUTE = 60;
const DAY = 86400;
const MONTH = 28 * DAY;
const YEAR = 365 * DAY;

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const FORMS = {
  year: { year: "numeric" },
  month: { month: "short" },
  day: { day: "numeric", month: "short" },
  date: { day: "numeric", month: "short", year: "numeric" },
  minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
};

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {number} seconds @param {string} timezone @param {string} form */
function write(seconds, timezone, form) {
  const name = `${timezone} ${form}`;
  let format = formats.get(name);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, ...FORMS[form] });
    formats.set(name, format);
  }
  return format.format(1000 * seconds);
}

/** @param {number} step seconds between two labels @returns {[string, string|null]} what is written, and what below it where that changes */
function chooseForms(step) {
  if (step >= YEAR) return ["year", null];
  if (step >= MONTH) return ["month", "year"];
  if (step >= DAY) return ["day", "year"];
  return [step >= MINUTE ? "minute" : "second", "date"];
}

/** Write times below an axis, the larger unit in a second line where it changes. @param {number[]} splits @param {number} step @param {string} timezone */
export function writeTimes(splits, step, timezone) {
  const [form, larger] = chooseForms(step);
  let last = "";
  return splits.map((split) => {
    const text = write(split, timezone, form);
    const below = larger ? write(split, timezone, larger) : "";
    if (below === last) return text;
    last = below;
    return `${text}\n${below}`;
  });
}

/** Steps between labels that count something, such as epochs. */
export const WHOLE_STEPS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((power) => [power, 2 * power, 5 * power]);

/** Return the digits behind the point that a step has, 8 at most. @param {number} step */
function countDigits(step) {
  for (let digits = 0; digits < 8; digits++) {
    const scaled = step * 10 ** digits;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6) return digits;
  }
  return 8;
}

/** Write values beside an axis with the digits that the step needs. @param {number[]} splits @param {number} step */
export function writeValues(splits, step) {
  const greatest = Math.max(...splits.map(Math.abs));
  if (greatest >= 1e6 || (greatest > 0 && greatest < 1e-4)) {
    const format = new Intl.NumberFormat("en", { notation: greatest >= 1e6 && greatest < 1e13 ? "compact" : "scientific", maximumSignificantDigits: 4 });
    return splits.map((split) => format.format(split));
  }
  const digits = countDigits(step);
  const format = new Intl.NumberFormat("en", { maximumFractionDigits: digits });
  return splits.map((split) => (split === null ? "" : format.format(split)));
}
