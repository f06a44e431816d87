// Times as people say them: a clock for a message, a name for a day.

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY_MS = 24 * 60 * 60 * 1000;

/** The moment of an RFC 3339 text; now, when it cannot be read. */
export function moment(timestamp) {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? new Date() : date;
}

export const clock = (date) => clockFormat.format(date);

export const inFull = (date) => fullFormat.format(date);

export function sameDay(a, b) {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

/** "Today", "Yesterday", a weekday within the last week, else the date, with the year when it is another one. */
export function dayName(date, now = new Date()) {
  if (sameDay(date, now)) return "Today";
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const daysAgo = Math.ceil((midnight - date) / DAY_MS);
  if (daysAgo === 1) return "Yesterday";
  const parts = { weekday: "long", day: "numeric", month: "long" };
  if (daysAgo > 6 && date.getFullYear() !== now.getFullYear()) parts.year = "numeric";
  return new Intl.DateTimeFormat(undefined, parts).format(date);
}
