/** Schedules in words: what five cron fields say, and when they are due next. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/** least and greatest value of minute, hour, day of the month, month and day of the week */
const SPANS = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
];
const DAY = 86_400_000;
const MOST_DAYS = 1500;

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** @type {{name: string, cron: string}[]} */
export const PRESETS = [
  { name: "Every hour", cron: "5 * * * *" },
  { name: "Every day at 03:00", cron: "0 3 * * *" },
  { name: "Every Sunday at 03:00", cron: "0 3 * * 0" },
];

/** @param {string} field @param {number} low @param {number} high @returns {Set<number>|null} null where it is none that is understood here */
function parseField(field, low, high) {
  const values = new Set();
  for (const part of field.split(",")) {
    const match = /^(\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (!match) return null;
    const step = Number(match[4] ?? 1);
    const first = match[1] === "*" ? low : Number(match[2]);
    const isOpen = match[1] === "*" || (match[4] !== undefined && match[3] === undefined);
    const last = isOpen ? high : Number(match[3] ?? match[2]);
    if (first < low || last > high || step < 1 || first > last) return null;
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return values;
}

/** @param {string} cron @returns {Set<number>[]|null} */
function parse(cron) {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== SPANS.length) return null;
  const sets = fields.map((field, index) => parseField(field, SPANS[index][0], SPANS[index][1]));
  return sets.every((set) => set !== null) ? /** @type {Set<number>[]} */ (sets) : null;
}

/** @param {number} value */
const pad = (value) => String(value).padStart(2, "0");

/** Say what a cron expression means; the expression itself where it is no common one. @param {string} cron */
export function describeCron(cron) {
  const [minute, hour, day, month, weekday] = cron.trim().split(/\s+/);
  const isDaily = day === "*" && month === "*";
  if (isDaily && weekday === "*" && hour === "*" && minute === "*") return "every minute";
  if (isDaily && weekday === "*" && hour === "*" && /^\d+$/.test(minute)) return `every hour at minute ${Number(minute)}`;
  if (isDaily && /^\d+$/.test(minute) && /^\d+$/.test(hour)) {
    const time = `at ${pad(Number(hour))}:${pad(Number(minute))}`;
    if (weekday === "*") return `every day ${time}`;
    if (/^[0-7]$/.test(weekday)) return `every ${DAYS[Number(weekday) % 7]} ${time}`;
  }
  return `by the cron expression ${cron}`;
}

/** Return the wall clock of a timezone as if it were UTC, in milliseconds. @param {number} moment @param {string} timezone */
function readWall(moment, timezone) {
  const text = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" }).format(moment);
  return Date.parse(`${text.replace(" ", "T")}Z`);
}

/**
 * Return when a cron expression is due next, on the wall clock of a timezone, such as "Mon 2 Mar 2026, 03:00".
 * Null where the expression or the timezone is not understood; the service has the last word.
 * @param {string} cron @param {string} timezone @param {number} count @param {number} [from] milliseconds since 1970
 * @returns {string[]|null}
 */
export function listNextTimes(cron, timezone, count, from = Date.now()) {
  const sets = parse(cron);
  if (!sets) return null;
  let wall;
  try {
    wall = readWall(from, timezone);
  } catch {
    return null;
  }
  const times = [];
  const start = wall - (wall % DAY);
  for (let day = 0; day < MOST_DAYS && times.length < count; day++) {
    if (!isDayOf(start + day * DAY, sets, cron)) continue;
    for (const hour of sets[1]) {
      for (const minute of sets[0]) {
        const time = start + day * DAY + (60 * hour + minute) * 60_000;
        if (time > wall && times.length < count) times.push(CLOCK.format(time));
      }
    }
  }
  return times;
}

/** Say whether a date is one of the expression's: where it names days of the month and of the week, either will do. @param {number} date @param {Set<number>[]} sets @param {string} cron */
function isDayOf(date, [, , days, months, weekdays], cron) {
  const at = new Date(date);
  if (!months.has(at.getUTCMonth() + 1)) return false;
  const inMonth = days.has(at.getUTCDate());
  const inWeek = weekdays.has(at.getUTCDay()) || (at.getUTCDay() === 0 && weekdays.has(7));
  const [, , day, , weekday] = cron.trim().split(/\s+/);
  return day.startsWith("*") || weekday.startsWith("*") ? inMonth && inWeek : inMonth || inWeek;
}
